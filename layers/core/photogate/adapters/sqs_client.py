"""The client of SQS, and its errors in our terms."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, ParamSpec, TypeVar
from urllib.parse import urlsplit

import boto3.session
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    PartialCredentialsError,
)

from photogate.errors import ConfigError, QueueUnavailable

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

P = ParamSpec("P")
T = TypeVar("T")

#: Above the longest single poll of ``SqsQueue``, 5 s.
READ_TIMEOUT_S = 8.0
_CONNECT_TIMEOUT_S = 2.0

_STALE = {"ReceiptHandleIsInvalid", "InvalidParameterValue", "MessageNotInflight"}
_DENIED = {
    "AccessDenied",
    "AccessDeniedException",
    "InvalidClientTokenId",
    "InvalidSecurity",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
_ABSENT = {"NonExistentQueue", "QueueDoesNotExist"}

#: Hosts of AWS with their region inside, e.g. ``sqs.eu-west-1.amazonaws.com``.
_REGION = re.compile(r"(?:^|\.)sqs(?:-fips)?\.([a-z-]+-\d)\.|^([a-z-]+-\d)\.queue\.")


def connect(
    queue_url: str, endpoint: str | None = None, *, read_timeout_s: float = READ_TIMEOUT_S
) -> SQSClient:
    """Make a client for the queue at ``queue_url``; connects when first used.

    A call that fails is tried once more within a second.

    Args:
        endpoint: where SQS answers, when that is not the host of ``queue_url``.
        read_timeout_s: longest time that SQS may be silent, also while a connection is
            made; twice that and a second for a call. ``receive`` needs more than 5 s, the
            longest single poll.

    Raises:
        ConfigError: an address that is not valid, or an AWS profile that does not exist.
    """
    url = urlsplit(queue_url)
    if url.scheme not in ("http", "https") or not url.hostname:
        raise ConfigError("QUEUE_URL is not the URL of an SQS queue")
    found = _REGION.search(url.hostname)
    try:
        session = boto3.session.Session()
        region = (
            (found and (found[1] or found[2]))
            or os.environ.get("AWS_REGION")
            or session.region_name
            or "us-east-1"
        )
        return session.client(
            "sqs",
            region_name=region,
            endpoint_url=endpoint or f"{url.scheme}://{url.netloc}",
            config=Config(
                connect_timeout=min(_CONNECT_TIMEOUT_S, read_timeout_s),
                read_timeout=read_timeout_s,
                retries={"mode": "standard", "total_max_attempts": 2},
            ),
        )
    except (BotoCoreError, ValueError) as error:
        raise ConfigError(f"the client of SQS cannot be made: {error}") from error


def translated(call: Callable[P, T]) -> Callable[P, T]:
    """Let a method raise ``QueueUnavailable`` for whatever SQS or its SDK raises."""

    @wraps(call)
    def inner(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return call(*args, **kwargs)
        # ValueError: an answer that is not text.
        except (ClientError, BotoCoreError, OSError, ValueError) as error:
            # Also when the installation is wrong: what was accepted waits until it is mended.
            message = way_out(error) or f"SQS does not answer: {error}"
            raise QueueUnavailable(message, retry_after_s=2.0) from error

    return inner


def taken(call: Callable[[], object]) -> bool:
    """Tell whether SQS took the call; False when it says that the receipt is stale."""
    try:
        call()
    except ClientError as error:
        if _code(error) in _STALE:
            return False
        raise
    return True


def _code(error: ClientError) -> str:
    """Give SQS's word for it, without the namespace that only some words have."""
    return error.response.get("Error", {}).get("Code", "").rpartition(".")[2]


def way_out(error: Exception) -> str | None:
    """Say what to mend when the installation is at fault, else None."""
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return f"SQS needs a role, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY: {error}"
    if isinstance(error, ClientError) and _code(error) in _ABSENT:
        return f"there is no such queue: correct QUEUE_URL or QUEUE_DEAD_URL, or make it: {error}"
    if isinstance(error, ClientError) and _code(error) in _DENIED:
        return f"SQS denies access: correct the credentials or the queue's IAM policy: {error}"
    return None
