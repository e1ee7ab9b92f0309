"""Webhooks over real HTTP: signed, bounded, never where they should not go."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from photogate.adapters.channels.public_https import is_public
from photogate.adapters.channels.webhook import WebhookChannel
from photogate.domain import Deadline, Status
from photogate.domain.notices import Failing, Failure, Notice, Parcel, Receipt
from photogate.errors import ConfigError
from photogate.notice_body import WebhookBody, body_of, schema
from tests.contract.conftest import black_hole
from tests.contract.test_face_tls import certificate  # noqa: F401 - a fixture
from tests.docs import ROOT
from tests.receivers import Answer, Receiver

OLD, NEW, OTHER = (f"whsec_{letter * 43}=" for letter in "ABC")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.stop()


def notice(n: int = 1, **changed: Any) -> Notice:
    given: dict[str, Any] = {
        "id": f"p.{n}",
        "photo_id": "p",
        "sequence": n,
        "user_id": "u",
        "batch_id": None,
        "file_key": "incoming/u/photo/a.jpg",
        "status": Status.REJECTED,
        "before": Status.PENDING,
        "reason": "blurry",
        "by_person": False,
        "corrects": False,
        "sha256": None,
        "language": "am",
        "decided_at": datetime(2026, 11, 27, 12, tzinfo=UTC),
    }
    return Notice(**{**given, **changed})


def parcel(*notices: Notice) -> Parcel:
    return Parcel(channel="webhook", user_id="u", token="t", address=None, notices=notices)


def channel(url: str, *secrets: str, timeout_s: float = 10, private: bool = True) -> WebhookChannel:
    return WebhookChannel(
        url,
        secrets or (NEW,),
        body=lambda notice: body_of(notice, "ደብዛዛ"),
        private=private,
        timeout_s=timeout_s,
    )


def tell(url: str, *notices: Notice, timeout_s: float = 10, private: bool = True) -> Receipt:
    made = channel(url, timeout_s=timeout_s, private=private)
    try:
        return made.tell(parcel(*(notices or (notice(),))), Deadline.after(60))
    finally:
        made.close()


def failure(receipt: Receipt) -> Failure:
    assert receipt.failure is not None
    return receipt.failure


class TestWhatIsSent:
    def test_a_receiver_verifies_it_by_either_secret(self, receiver: Receiver) -> None:
        made = channel(receiver.url, NEW, OLD)
        assert made.tell(parcel(notice()), Deadline.after(60)) == Receipt(told=1)
        made.close()
        (request,) = receiver.requests
        for secret in (NEW, OLD):
            told = Webhook(secret).verify(request.body, dict(request.headers))
            assert told["data"]["photo_id"] == "p"
        with pytest.raises(WebhookVerificationError):
            Webhook(OTHER).verify(request.body, dict(request.headers))
        with pytest.raises(WebhookVerificationError):
            Webhook(NEW).verify(request.body + b" ", dict(request.headers))
        assert request.headers["content-type"] == "application/json"
        assert request.id == "p.1"

    def test_its_body_says_what_was_decided(self, receiver: Receiver) -> None:
        tell(receiver.url, notice(reason="Not you, is it?", by_person=True))
        assert json.loads(receiver.requests[0].body) == {
            "type": "photo.rejected",
            "version": 1,
            "timestamp": "2026-11-27T12:00:00Z",
            "data": {
                "photo_id": "p",
                "sequence": 1,
                "user_id": "u",
                "batch_id": None,
                "file_key": "incoming/u/photo/a.jpg",
                "status": "rejected",
                "previous_status": "pending",
                "reason": "other",
                "reason_text": "ደብዛዛ",
                "by": "person",
                "corrects": False,
                "sha256": None,
                "language": "am",
                "decided_at": "2026-11-27T12:00:00Z",
                "test": False,
            },
        }

    def test_it_says_of_a_test_photo_that_it_is_one(self, receiver: Receiver) -> None:
        tell(receiver.url, notice(test=True))
        assert json.loads(receiver.requests[0].body)["data"]["test"] is True

    def test_a_body_of_a_version_before_a_new_member_is_valid_still(self) -> None:
        body = json.loads(body_of(notice(), None))
        del body["data"]["test"]
        assert "test" not in json.loads(schema())["$defs"]["PhotoDecision"]["required"]
        decision = WebhookBody.model_validate(body).data
        assert decision is not None
        assert decision.test is False

    def test_its_schema_is_published(self) -> None:
        """Write it anew with ``python -m photogate.notice_body > docs/webhook.schema.json``."""
        assert (ROOT / "docs/webhook.schema.json").read_text(encoding="utf-8") == schema()

    def test_a_parcel_goes_one_by_one_over_one_connection(self, receiver: Receiver) -> None:
        assert tell(receiver.url, *map(notice, range(1, 6))) == Receipt(told=5)
        assert receiver.of_user("u") == [f"p.{n}" for n in range(1, 6)]

    def test_what_has_no_time_left_comes_with_the_next_parcel(self, receiver: Receiver) -> None:
        made = channel(receiver.url)
        assert made.tell(parcel(notice(1), notice(2)), Deadline.after(1)) == Receipt(told=1)
        made.close()


class TestWhatReceiversDo:
    def test_the_first_failure_ends_a_parcel(self, receiver: Receiver) -> None:
        receiver.answers.extend([Answer(), Answer(status=500)])
        receipt = tell(receiver.url, notice(1), notice(2), notice(3))
        assert (receipt.told, failure(receipt).kind) == (1, Failing.REFUSED)
        assert failure(receipt).error == "HTTP 500: not taken"
        assert len(receiver.requests) == 2

    @pytest.mark.parametrize("status", [429, 503])
    @pytest.mark.parametrize(
        ("said", "least", "most"),
        [
            ("17", 17, 17),
            # When the test runs, which may be long after it was collected.
            (timedelta(hours=1), 3000, 3600),
            ("soon", None, None),
        ],
        ids=["seconds", "a date", "words"],
    )
    def test_who_asks_for_time_gets_it(
        self,
        receiver: Receiver,
        status: int,
        said: str | timedelta,
        least: float | None,
        most: float | None,
    ) -> None:
        if isinstance(said, timedelta):
            said = format_datetime(datetime.now(UTC) + said, usegmt=True)
        receiver.answers.append(Answer(status=status, headers={"Retry-After": said}))
        found = failure(tell(receiver.url))
        assert found.kind is Failing.DOWN
        wish = found.retry_after_s
        assert wish is None if least is None or most is None else wish and least <= wish <= most

    def test_a_redirect_is_not_followed(self, receiver: Receiver) -> None:
        elsewhere = Receiver()
        receiver.answers.append(Answer(status=308, headers={"Location": elsewhere.url}))
        found = failure(tell(receiver.url))
        elsewhere.stop()
        assert found.error == "HTTP 308: redirects are not followed"
        assert elsewhere.requests == []

    @pytest.mark.parametrize("then", ["hang", "drip"])
    def test_one_deadline_bounds_the_whole_answer(self, receiver: Receiver, then: Any) -> None:
        receiver.answers.append(Answer(then=then))
        found = failure(tell(receiver.url, timeout_s=0.5))
        assert found.kind is Failing.DOWN
        assert found.error.startswith("no answer: ")

    @pytest.mark.parametrize("then", ["huge", "drip_body"])
    def test_a_2xx_counts_whatever_comes_behind_it(self, receiver: Receiver, then: Any) -> None:
        receiver.answers.append(Answer(status=200, then=then))
        assert tell(receiver.url, notice(1), notice(2)) == Receipt(told=2)

    def test_nobody_there(self) -> None:
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{closed.getsockname()[1]}/"
            assert failure(tell(url)).kind is Failing.DOWN

    def test_nobody_accepts(self) -> None:
        with black_hole() as port:
            assert failure(tell(f"http://127.0.0.1:{port}/", timeout_s=0.5)).kind is Failing.DOWN

    def test_a_kept_connection_that_was_closed_is_opened_again(self, receiver: Receiver) -> None:
        receiver.answers.append(Answer(headers={"Connection": "close"}))
        assert tell(receiver.url, notice(1), notice(2)) == Receipt(told=2)


class TestWhereItGoes:
    @pytest.mark.parametrize(
        "address",
        [
            "127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0",  # noqa: S104
            "100.64.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::1", "::", "fe80::1",
            "fe80::1%eth0", "fd00:ec2::254", "ff02::1", "::ffff:10.0.0.1", "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "::127.0.0.1", "192.0.2.1", "2001:db8::1",
        ],
    )  # fmt: skip
    def test_no_such_address_is_public(self, address: str) -> None:
        assert not is_public(address)

    @pytest.mark.parametrize("address", ["1.1.1.1", "2606:4700::1111", "::ffff:1.1.1.1"])
    def test_these_are(self, address: str) -> None:
        assert is_public(address)

    @pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost", "2130706433", "0x7f.1"])
    def test_a_private_address_is_not_connected_to(self, receiver: Receiver, host: str) -> None:
        url = f"https://{host}:{receiver.server_address[1]}/"
        found = failure(tell(url, private=False))
        assert found.kind is Failing.DOWN
        assert receiver.requests == []

    def test_a_name_that_changes_between_looking_and_connecting_gains_nothing(
        self, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Rebinding: public when it is looked at, this machine from the second time on."""
        asked: list[str] = []
        connected: list[Any] = []

        def resolve(host: str, port: int, **_: Any) -> list[Any]:
            asked.append(host)
            address = "192.88.99.1" if len(asked) > 1 else "1.1.1.1"
            where = ("127.0.0.1" if len(asked) > 1 else address, port)
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", where)]

        def connect(_: socket.socket, where: Any) -> None:
            connected.append(where)
            raise ConnectionRefusedError("the network of the tests has no way out")

        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        monkeypatch.setattr(socket.socket, "connect", connect)
        url = f"https://rebinding.example:{receiver.server_address[1]}/"
        assert failure(tell(url, private=False)).kind is Failing.DOWN
        assert failure(tell(url, private=False)).error == (
            "no answer: rebinding.example is no public address"
        )
        assert connected == [("1.1.1.1", receiver.server_address[1])]
        assert asked == ["rebinding.example"] * 2

    def test_the_certificate_is_of_the_name(
        self,
        receiver: Receiver,
        certificate: Path,  # noqa: F811
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        receiver.socket = context.wrap_socket(receiver.socket, server_side=True)
        url = receiver.url.replace("http:", "https:")
        assert "certificate" in failure(tell(url)).error.lower()
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        assert tell(url) == Receipt(told=1)
        wrong = url.replace("127.0.0.1", "localhost")
        assert "certificate" in failure(tell(wrong)).error.lower()

    @pytest.mark.parametrize("url", ["http://example.com/", "ftp://example.com/", "https:///", ""])
    def test_only_https(self, url: str) -> None:
        with pytest.raises(ConfigError):
            channel(url, private=False)

    @pytest.mark.parametrize("secret", ["", "whsec_", "whsec_AAAA", "A" * 43 + "=", "whsec_é"])
    def test_only_secrets_as_the_standard_has_them(self, secret: str) -> None:
        with pytest.raises(ConfigError):
            channel("https://example.com/", secret)
