"""Verifies webhooks, which are signed as Standard Webhooks describes: https://www.standardwebhooks.com

Needs no connection to Photogate.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import ValidationError

from .errors import InvalidWebhook, UnexpectedAnswer
from .webhook_models import WebhookBody

#: How old, or how far ahead, a webhook may be: the tolerance of the public libraries.
TOLERANCE_S = 300
_PREFIX = "whsec_"
#: Standard Webhooks: keys have 24 to 64 bytes.
_KEY_BYTES = range(24, 65)


@dataclass(frozen=True, kw_only=True)
class WebhookEvent:
    """What Photogate tells."""

    #: The same however often it is sent: keep it, and do nothing when it comes again.
    id: str
    #: When this attempt was signed.
    sent_at: datetime
    body: WebhookBody


class Webhooks:
    """Verifies webhooks.

    Args:
        secrets: ``whsec_…``, or several while one is replaced by another: any of them will do.
        tolerance_s: see ``TOLERANCE_S``.

    Raises:
        ValueError: a secret is no such secret.
    """

    def __init__(self, secrets: str | Sequence[str], *, tolerance_s: int = TOLERANCE_S) -> None:
        given = [secrets] if isinstance(secrets, str) else list(secrets)
        if not given:
            raise ValueError("a secret is needed")
        self._keys = [_key(secret) for secret in given]
        self._tolerance_s = tolerance_s

    def verify(self, body: bytes, headers: Mapping[str, str]) -> WebhookEvent:
        """Check a request's signature and age, then read its body.

        Args:
            body: the bytes as they came, not parsed and written again.
            headers: names may be in any case.

        Raises:
            InvalidWebhook: answer 400.
            UnexpectedAnswer: it is signed, and tells of something that this version does not know:
                answer 200, or Photogate sends it again.
        """
        named = {name.lower(): value for name, value in headers.items()}
        try:
            message_id, timestamp, signatures = (
                named[f"webhook-{name}"] for name in ("id", "timestamp", "signature")
            )
        except KeyError as error:
            raise InvalidWebhook(f"there is no header {error.args[0]}") from None
        sent_at_s = _timestamp(timestamp)
        if abs(time.time() - sent_at_s) > self._tolerance_s:
            raise InvalidWebhook("it is too old, or from the future: are the clocks right?")
        signed = b".".join((message_id.encode(), timestamp.encode(), body))
        expected = [hmac.digest(key, signed, hashlib.sha256) for key in self._keys]
        # Every pair is compared, each in constant time, so that time tells nothing.
        matches = [
            hmac.compare_digest(digest, given)
            for given in _signatures(signatures)
            for digest in expected
        ]
        if not any(matches):
            raise InvalidWebhook("no signature is right")
        try:
            content = WebhookBody.model_validate_json(body)
        except ValidationError as error:
            raise UnexpectedAnswer(f"the webhook's body: {error}") from error
        sent_at = datetime.fromtimestamp(sent_at_s, UTC)
        return WebhookEvent(id=message_id, sent_at=sent_at, body=content)


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) not in _KEY_BYTES:
        raise ValueError(f"a webhook's secret is {_PREFIX} and base64 of 24 to 64 bytes")
    return key


def _timestamp(text: str) -> int:
    # `int` would take signs, spaces and other scripts' digits; more digits are no time.
    if not (text.isascii() and text.isdigit() and len(text) <= 11):
        raise InvalidWebhook("webhook-timestamp is no number of seconds")
    return int(text)


def _signatures(header: str) -> list[bytes]:
    """Give the digests of version 1; others are ignored, as the standard wants."""
    found = []
    for part in header.split(" "):
        version, _, value = part.partition(",")
        if version == "v1":
            try:
                found.append(base64.b64decode(value, validate=True))
            except (binascii.Error, ValueError):
                continue
    return found
