"""Only what Photogate signed lately is taken for its word."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from photogate.adapters.channels.webhook import key_of, sign
from photogate.domain import Status
from photogate.domain.notices import Notice
from photogate.notice_body import body_of, ping
from photogate_client import InvalidWebhook, UnexpectedAnswer, Webhooks

KEY, OTHER = secrets.token_bytes(32), secrets.token_bytes(32)
NOTICE = Notice(
    id="photo-1.2",
    photo_id="photo-1",
    sequence=2,
    user_id="u-1",
    batch_id="b",
    file_key="k",
    status=Status.REJECTED,
    before=Status.PENDING,
    reason="blurry",
    by_person=False,
    corrects=False,
    sha256="0" * 64,
    language="en",
    decided_at=datetime(2026, 11, 27, 12, tzinfo=UTC),
)
BODY = body_of(NOTICE, "It is too blurry.")


def secret(key: bytes) -> str:
    return f"whsec_{base64.b64encode(key).decode()}"


def signature(key: bytes, timestamp: str, body: bytes = BODY) -> str:
    signed = b"msg_1." + timestamp.encode() + b"." + body
    return f"v1,{base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()}"


def headers(*keys: bytes, at: float | None = None, body: bytes = BODY) -> dict[str, str]:
    timestamp = str(int(time.time() if at is None else at))
    return {
        "Webhook-Id": "msg_1",
        "Webhook-Timestamp": timestamp,
        "Webhook-Signature": " ".join(signature(key, timestamp, body) for key in keys),
    }


def test_a_webhook_is_read() -> None:
    event = Webhooks(secret(KEY)).verify(BODY, headers(KEY))
    assert event.id == "msg_1"
    assert event.body.type == "photo.rejected"
    assert event.body.data is not None
    assert (event.body.data.reason, event.body.data.reason_text) == ("blurry", "It is too blurry.")
    assert event.body.data.decided_at == NOTICE.decided_at
    assert abs(event.sent_at.timestamp() - time.time()) < 60


def test_what_an_earlier_version_told_is_of_no_test_photo() -> None:
    earlier = BODY.replace(b',"test":false', b"")
    assert earlier != BODY
    for body, test in [
        (earlier, False),
        (BODY, False),
        (body_of(replace(NOTICE, test=True), None), True),
    ]:
        data = Webhooks(secret(KEY)).verify(body, headers(KEY, body=body)).body.data
        assert data is not None
        assert data.test is test


def test_what_the_sender_signs_is_taken() -> None:
    now = int(time.time())
    keys = [key_of(secret(OTHER)), key_of(secret(KEY))]
    given = {
        "webhook-id": NOTICE.id,
        "webhook-timestamp": str(now),
        "webhook-signature": sign(keys, NOTICE.id, now, ping(NOTICE)),
    }
    event = Webhooks(secret(KEY)).verify(ping(NOTICE), given)
    assert (event.id, event.body.type, event.body.data) == (NOTICE.id, "ping", None)


def test_secrets_are_replaced_without_a_gap() -> None:
    both = Webhooks([secret(KEY), secret(OTHER)])
    for signed_by in ((KEY,), (OTHER,), (KEY, OTHER)):
        assert both.verify(BODY, headers(*signed_by)).id == "msg_1"
    # A sender that signs with both is understood by who knows one.
    assert Webhooks(secret(OTHER)).verify(BODY, headers(KEY, OTHER)).id == "msg_1"


def test_other_versions_of_signatures_are_passed_over() -> None:
    given = headers(KEY)
    given["Webhook-Signature"] = f"v1a,AAAA v1,!! v2 {given['Webhook-Signature']}"
    assert Webhooks(secret(KEY)).verify(BODY, given).id == "msg_1"
    given["Webhook-Signature"] = given["Webhook-Signature"].replace("v1,", "v2,")
    with pytest.raises(InvalidWebhook, match="no signature is right"):
        Webhooks(secret(KEY)).verify(BODY, given)


@pytest.mark.parametrize("apart_s", [-400, 400])
def test_an_old_one_is_refused(apart_s: float) -> None:
    given = headers(KEY, at=time.time() + apart_s)
    with pytest.raises(InvalidWebhook, match="too old"):
        Webhooks(secret(KEY)).verify(BODY, given)
    assert Webhooks(secret(KEY), tolerance_s=500).verify(BODY, given).id == "msg_1"


def test_another_key_or_body_or_id_is_refused() -> None:
    webhooks = Webhooks(secret(KEY))
    for body, given in (
        (BODY, headers(OTHER)),
        (BODY + b" ", headers(KEY)),
        (BODY, headers(KEY) | {"Webhook-Id": "msg_2"}),
        (BODY, headers(KEY) | {"Webhook-Signature": ""}),
    ):
        with pytest.raises(InvalidWebhook, match="no signature is right"):
            webhooks.verify(body, given)


@pytest.mark.parametrize("timestamp", ["", "-1", "1e9", " 1", "١٢", "9" * 30])
def test_a_time_that_is_none_is_refused(timestamp: str) -> None:
    given = headers(KEY) | {"Webhook-Timestamp": timestamp}
    with pytest.raises(InvalidWebhook, match="webhook-timestamp"):
        Webhooks(secret(KEY)).verify(BODY, given)


@pytest.mark.parametrize("missing", ["Webhook-Id", "Webhook-Timestamp", "Webhook-Signature"])
def test_a_missing_header_is_refused(missing: str) -> None:
    given = {name: value for name, value in headers(KEY).items() if name != missing}
    with pytest.raises(InvalidWebhook, match=missing.lower()):
        Webhooks(secret(KEY)).verify(BODY, given)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff"])
def test_what_is_signed_and_unknown_is_told_apart(body: bytes) -> None:
    with pytest.raises(UnexpectedAnswer, match="webhook's body"):
        Webhooks(secret(KEY)).verify(body, headers(KEY, body=body))


@pytest.mark.parametrize("wrong", ["", "whsec_", "whsec_c2hvcnQ=", "whsec_!", []])
def test_a_secret_that_is_none_is_refused_at_the_beginning(wrong: str | list[str]) -> None:
    with pytest.raises(ValueError, match="secret"):
        Webhooks(wrong)
