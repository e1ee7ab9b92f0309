"""The queue on Amazon SQS, or on whatever speaks its API: a standard queue.

SQS itself counts deliveries: the queue's redrive policy says after how many a job moves to
the dead-letter queue, the next time that it would be delivered. Why a job died SQS does
not keep; the batch's row does. A stale receipt is noticed only when SQS says so, and it may
accept one without doing anything.
"""

from __future__ import annotations

import json
import math
import os
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar
from urllib.parse import urlsplit

import boto3.session
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    PartialCredentialsError,
)

from photogate.domain import DeadJob, Delivery, QueueStats
from photogate.errors import ConfigError, QueueUnavailable

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

P = ParamSpec("P")
T = TypeVar("T")

#: Limits of SQS.
_MAX_DELAY_S = 900
_MAX_VISIBILITY_S = 43_200
_MOST_PER_CALL = 10

#: SQS allows 20. A longer wait is several polls, so that the read timeout, which is the
#: same for every call of a client, can be short: a sender never waits 25 s for no answer.
_LONGEST_POLL_S = 5
READ_TIMEOUT_S = 8.0
_CONNECT_TIMEOUT_S = 2.0
#: SQS waits for whole seconds; what is left of a wait is spent in polls that begin this far
#: apart.
_PAUSE_S = 0.25
#: Counts as a whole second, or a wait of 1 s would never be one by the time it is sent.
_NEARLY_S = 0.05

#: How long a look at the dead jobs hides them, should putting them back fail.
_PEEK_S = 30

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
        raise ConfigError(f"QUEUE_URL: {queue_url!r} is not the URL of an SQS queue")
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


def _translated(call: Callable[P, T]) -> Callable[P, T]:
    @wraps(call)
    def translated(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return call(*args, **kwargs)
        # ValueError: an answer that is not text.
        except (ClientError, BotoCoreError, OSError, ValueError) as error:
            # Also when the installation is wrong: what was accepted waits until it is mended.
            message = _way_out(error) or f"SQS does not answer: {error}"
            raise QueueUnavailable(message, retry_after_s=2.0) from error

    return translated


class SqsQueue:
    """``JobSender``, ``JobReceiver``, ``JobMonitor`` and ``Probe`` on one SQS queue. Thread-safe.

    Args:
        client: from ``connect``.
        url: the queue's; its redrive policy says when a job is dead.
        dead_url: the dead-letter queue's; without it no dead job is counted, listed or redriven.
        visibility_s: how long a received job stays invisible unless it is extended, rounded
            up to whole seconds like every time here.
    """

    def __init__(
        self, client: SQSClient, url: str, *, dead_url: str | None = None, visibility_s: float
    ) -> None:
        self._sqs = client
        self._url = url
        self._dead_url = dead_url
        self._visibility_s = _seconds(visibility_s, _MAX_VISIBILITY_S)

    @_translated
    def send(self, body: str, *, delay_s: float = 0.0) -> str:
        """See ``photogate.ports.queue.JobSender.send``."""
        return self._send(body, _seconds(delay_s, _MAX_DELAY_S))

    @_translated
    def receive(self, *, wait_s: float) -> Delivery | None:
        """See ``photogate.ports.queue.JobReceiver.receive``."""
        deadline = time.monotonic() + wait_s
        while True:
            began = time.monotonic()
            poll_s = min(_LONGEST_POLL_S, max(0, int(deadline - began + _NEARLY_S)))
            found = self._take(self._url, most=1, wait_s=poll_s, visibility_s=self._visibility_s)
            if found:
                return _delivery(found[0])
            now = time.monotonic()
            if now >= deadline:
                return None
            # After a poll without waiting, and where the server does not know how to wait.
            time.sleep(max(0.0, min(began + _PAUSE_S, deadline) - now))

    @_translated
    def extend(self, delivery: Delivery, *, visibility_s: float) -> bool:
        """See ``photogate.ports.queue.JobReceiver.extend``."""
        return self._hide(delivery, visibility_s)

    @_translated
    def ack(self, delivery: Delivery) -> bool:
        """See ``photogate.ports.queue.JobReceiver.ack``."""
        return _taken(
            lambda: self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=delivery.token)
        )

    @_translated
    def nack(
        self,
        delivery: Delivery,
        *,
        delay_s: float,
        error: str,  # noqa: ARG002 - SQS has no place for it
    ) -> bool:
        """See ``photogate.ports.queue.JobReceiver.nack``; meanwhile the job counts as in flight."""
        return self._hide(delivery, delay_s)

    @_translated
    def stats(self) -> QueueStats:
        """See ``photogate.ports.queue.JobMonitor.stats``; SQS calls its numbers approximate."""
        visible, in_flight, delayed = self._counts(self._url)
        return QueueStats(
            visible=visible,
            in_flight=in_flight,
            delayed=delayed,
            dead=sum(self._counts(self._dead_url)) if self._dead_url else 0,
        )

    @_translated
    def dead(self, *, limit: int) -> list[DeadJob]:
        """See ``photogate.ports.queue.JobMonitor.dead``.

        Takes a second when it lists them all. The deliveries count each such look too.
        """
        if self._dead_url is None:
            return []
        seen: dict[str, MessageTypeDef] = {}
        try:
            while len(seen) < limit:
                known = len(seen)
                most = min(_MOST_PER_CALL, limit - known)
                for message in self._take(
                    self._dead_url, most=most, wait_s=1, visibility_s=_PEEK_S
                ):
                    seen[message["MessageId"]] = message
                if len(seen) == known:
                    break
        finally:
            self._put_back(self._dead_url, list(seen.values()))
        oldest_first = sorted(map(_delivery, seen.values()), key=lambda job: job.sent_at)
        return [
            DeadJob(
                job_id=job.job_id, body=job.body, receive_count=job.receive_count, last_error=None
            )
            for job in oldest_first
        ]

    @_translated
    def redrive(self, *, limit: int) -> int:
        """See ``photogate.ports.queue.JobMonitor.redrive``.

        Each is sent before it is removed, under a new id: when this breaks off between the
        two, the job exists twice.
        """
        moved = 0
        while self._dead_url is not None and moved < limit:
            most = min(_MOST_PER_CALL, limit - moved)
            found = self._take(self._dead_url, most=most, wait_s=1, visibility_s=_PEEK_S)
            if not found:
                break
            for message in found:
                self._send(message["Body"], 0)
                self._sqs.delete_message(
                    QueueUrl=self._dead_url, ReceiptHandle=message["ReceiptHandle"]
                )
                moved += 1
        return moved

    @_translated
    def check(self) -> dict[str, Any]:
        """Answer a health probe; says after how many deliveries a job is dead.

        Raises:
            ConfigError: a queue that does not exist, or to which access is denied.
        """
        try:
            found = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["All"])
            if self._dead_url is not None:
                self._counts(self._dead_url)
        except (ClientError, BotoCoreError) as error:
            if way_out := _way_out(error):
                raise ConfigError(way_out) from error
            raise
        policy = json.loads(found["Attributes"].get("RedrivePolicy", "{}"))
        return {
            "queue": self._url.rpartition("/")[2],
            "max_receives": int(policy["maxReceiveCount"]) if policy else None,
        }

    def close(self) -> None:
        """Close the connections; the queue may be used again."""
        self._sqs.close()

    def _send(self, body: str, delay_s: int) -> str:
        sent = self._sqs.send_message(QueueUrl=self._url, MessageBody=body, DelaySeconds=delay_s)
        if "MessageId" not in sent:
            raise QueueUnavailable("SQS gave the job no id: is QUEUE_ENDPOINT an SQS API?")
        return sent["MessageId"]

    def _take(self, url: str, *, most: int, wait_s: int, visibility_s: int) -> list[MessageTypeDef]:
        answer = self._sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=most,
            WaitTimeSeconds=wait_s,
            VisibilityTimeout=visibility_s,
            MessageSystemAttributeNames=["ApproximateReceiveCount", "SentTimestamp"],
        )
        return answer.get("Messages", [])

    def _hide(self, delivery: Delivery, for_s: float) -> bool:
        return _taken(
            lambda: self._sqs.change_message_visibility(
                QueueUrl=self._url,
                ReceiptHandle=delivery.token,
                VisibilityTimeout=_seconds(for_s, _MAX_VISIBILITY_S),
            )
        )

    def _put_back(self, url: str, messages: list[MessageTypeDef]) -> None:
        for start in range(0, len(messages), _MOST_PER_CALL):
            self._sqs.change_message_visibility_batch(
                QueueUrl=url,
                Entries=[
                    {
                        "Id": str(number),
                        "ReceiptHandle": message["ReceiptHandle"],
                        "VisibilityTimeout": 0,
                    }
                    for number, message in enumerate(messages[start : start + _MOST_PER_CALL])
                ],
            )

    def _counts(self, url: str) -> tuple[int, int, int]:
        """Count visible, in flight, delayed."""
        found = self._sqs.get_queue_attributes(
            QueueUrl=url,
            AttributeNames=[
                "ApproximateNumberOfMessages",
                "ApproximateNumberOfMessagesNotVisible",
                "ApproximateNumberOfMessagesDelayed",
            ],
        ).get("Attributes", {})
        return (
            int(found.get("ApproximateNumberOfMessages", 0)),
            int(found.get("ApproximateNumberOfMessagesNotVisible", 0)),
            int(found.get("ApproximateNumberOfMessagesDelayed", 0)),
        )


def _delivery(message: MessageTypeDef) -> Delivery:
    attributes = message["Attributes"]
    return Delivery(
        job_id=message["MessageId"],
        token=message["ReceiptHandle"],
        body=message["Body"],
        receive_count=int(attributes["ApproximateReceiveCount"]),
        sent_at=datetime.fromtimestamp(int(attributes["SentTimestamp"]) / 1000, UTC),
    )


def _seconds(time_s: float, most: int) -> int:
    return min(most, max(0, math.ceil(time_s)))


def _taken(call: Callable[[], object]) -> bool:
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


def _way_out(error: Exception) -> str | None:
    """Say what to mend when the installation is at fault, else None."""
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return f"SQS needs a role, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY: {error}"
    if isinstance(error, ClientError) and _code(error) in _ABSENT:
        return f"there is no such queue: correct QUEUE_URL or QUEUE_DEAD_URL, or make it: {error}"
    if isinstance(error, ClientError) and _code(error) in _DENIED:
        return f"SQS denies access: correct the credentials or the queue's IAM policy: {error}"
    return None
