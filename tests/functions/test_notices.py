"""Decisions are told: by the process beside the sweep, and on AWS through two queues."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from typer.testing import CliRunner

import functions.notify.app as notify_module
import functions.sweep.app as sweep_module
import functions.sweep.receipts as receipts_module
from local.cli import app
from local.client import Upload
from local.notifier import Notifier
from photogate import bootstrap
from photogate.adapters.postgres.pool import Pool
from photogate.domain import Role
from tests.functions.conftest import Installation, make_copies, reset_bootstrap
from tests.receivers import Answer, Receiver
from tests.servers import eventually


class Context:
    """A minute to go."""

    function_name = "test"

    def get_remaining_time_in_millis(self) -> int:
        return 60_000


CONTEXT: Any = Context()
SECRET = f"whsec_{'A' * 43}="


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    made = Receiver()
    monkeypatch.setenv("WEBHOOK_URL", made.url)
    monkeypatch.setenv("WEBHOOK_SECRET", SECRET)
    monkeypatch.setenv("WEBHOOK_PRIVATE", "1")
    yield made
    made.stop()


def told(receiver: Receiver) -> list[tuple[str, str, str | None]]:
    """What was taken: type, language and reason."""
    bodies = [json.loads(request.body) for request in receiver.taken]
    return [(b["type"], b["data"]["language"], b["data"]["reason"]) for b in bodies]


def end_undo(pool: Pool) -> None:
    pool.transaction(lambda s: s.rows("UPDATE notices SET due_at = due_at - interval '10 seconds'"))


def run_cli(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["notices", *words], env={"COLUMNS": "200"})
    return done.exit_code, done.output


def test_a_backend_hears_of_every_decision(
    installation: Installation,
    receiver: Receiver,
    deliver: Callable[..., list[str]],
    portrait: bytes,
    pool: Pool,
) -> None:
    reset_bootstrap()
    client, moderator = installation.client(), installation.client("mod", Role.MODERATOR)
    installation.hand_in(portrait, b"no photo")
    deliver()
    make_copies()
    notifier = Notifier(bootstrap.sending(), look_every_s=0.05)
    notifier.start()
    try:
        eventually(lambda: len(receiver.taken) == 2)
        assert sorted(told(receiver)) == [
            ("photo.approved", "en", None),
            ("photo.rejected", "en", "unreadable"),
        ]
        good = next(p["id"] for p in client.photos() if p["moderation_status"] == "approved")
        answer = moderator.call(
            "PUT", f"/admin/moderation/{good}/reject", json={"reason": "A car."}
        )
        assert answer["moderation_status"] == "rejected"
        end_undo(pool)
        eventually(lambda: len(receiver.taken) == 3)
    finally:
        notifier.stop()
    body = json.loads(receiver.taken[-1].body)["data"]
    assert (body["by"], body["reason"], body["reason_text"]) == ("person", "other", "A car.")
    assert body["previous_status"] == "approved"


def test_operators_see_resend_and_try(
    installation: Installation,
    receiver: Receiver,
    deliver: Callable[..., list[str]],
    pool: Pool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reset_bootstrap()
    assert run_cli("list") == (0, "there are no notices\n")
    assert run_cli("dead") == (0, "nothing was given up\n")
    installation.hand_in(b"no photo")
    deliver()
    receiver.answers.append(Answer(status=400))
    sending = bootstrap.sending()
    sending.run(time_left_s=lambda: 10.0)
    pool.transaction(
        lambda s: s.rows(
            "UPDATE notice_lines SET next_at = now(), failing_since = now() - interval '2 days'"
        )
    )
    receiver.answers.append(Answer(status=400))
    sending.run(time_left_s=lambda: 10.0)
    code, shown = run_cli("dead")
    assert code == 0
    assert "HTTP 400: not taken" in shown
    admin = installation.client("boss", Role.ADMIN)
    (dead,) = admin.call("GET", "/admin/notices?state=dead")["notices"]
    assert (dead["channel"], dead["reason"], dead["state"]) == ("webhook", "unreadable", "dead")
    code, shown = run_cli("resend")
    assert (code, "name notices by their ids, or say --dead" in shown) == (1, True)
    assert run_cli("resend", "--dead") == (0, "to be told again: 1\n")
    sending.run(time_left_s=lambda: 10.0)
    assert [request.id for request in receiver.taken] == [dead["id"]]
    answer = admin.call("POST", "/admin/notices/resend", json={"ids": [dead["id"]]})
    assert answer == {"resent": 1}
    notifier = Notifier(sending, look_every_s=0.05)
    notifier.start()
    try:
        eventually(lambda: len(receiver.taken) == 2)
        assert run_cli("test", "webhook") == (0, "webhook: told\n")
        assert json.loads(receiver.taken[-1].body)["type"] == "ping"
        receiver.answers.append(Answer(status=404))
        code, said = run_cli("test", "webhook", "--user", "other")
        assert code == 1
        assert said.startswith("webhook: not told: HTTP 404: not taken\n")
    finally:
        notifier.stop()


def test_the_language_comes_with_the_upload(
    installation: Installation, receiver: Receiver, deliver: Callable[..., list[str]]
) -> None:
    reset_bootstrap()
    client = installation.client()
    for language in ("am-ET", "xx"):
        key = client.put(Upload(name="x", data=b"no photo"))
        body = {"photos": [{"file_key": key, "media_type": "photo"}], "language": language}
        client.call("POST", "/users/media/upload-complete", json=body)
    deliver()
    bootstrap.sending().run(time_left_s=lambda: 10.0)
    assert {language for _, language, _ in told(receiver)} == {"am-ET", "xx"}
    texts = {
        (b := json.loads(request.body)["data"])["language"]: b["reason_text"]
        for request in receiver.taken
    }
    assert texts["am-ET"].startswith("ሊነበብ")
    assert texts["xx"].startswith("It could not be read")


@pytest.fixture
def through_queues(
    on_aws: Installation, moto_server: str, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], None]]:
    """Two queues, and what feeds the functions from them; gives one round of it."""
    sqs = boto3.client("sqs", endpoint_url=moto_server)
    parcels = sqs.create_queue(QueueName="notices.fifo", Attributes={"FifoQueue": "true"})
    receipts = sqs.create_queue(QueueName="receipts")
    monkeypatch.setenv("NOTICE_QUEUE_URL", parcels["QueueUrl"])
    monkeypatch.setenv("NOTICE_CHANNELS", "webhook")
    monkeypatch.setenv("NOTICE_RECEIPTS_URL", receipts["QueueUrl"])
    for cached in (sweep_module.parts, notify_module.parts, receipts_module.parts):
        cached.cache_clear()
    reset_bootstrap()

    def feed(url: str, handler: Callable[[dict[str, Any], Any], Any]) -> None:
        while messages := sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["All"]
        ).get("Messages"):
            event = {
                "Records": [
                    {
                        "messageId": m["MessageId"],
                        "receiptHandle": m["ReceiptHandle"],
                        "body": m["Body"],
                        "attributes": m["Attributes"],
                        "messageAttributes": {},
                        "eventSource": "aws:sqs",
                    }
                    for m in messages
                ]
            }
            assert handler(event, CONTEXT) == {"batchItemFailures": []}
            for message in messages:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

    def turn() -> None:
        feed(parcels["QueueUrl"], notify_module.handler)
        feed(receipts["QueueUrl"], sweep_module.handler)

    yield turn
    for queue in (parcels, receipts):
        sqs.delete_queue(QueueUrl=queue["QueueUrl"])
    sqs.close()
    for cached in (sweep_module.parts, notify_module.parts, receipts_module.parts):
        cached.cache_clear()


def test_on_aws_parcels_and_receipts_go_through_queues(
    through_queues: Callable[[], None],
    on_aws: Installation,
    receiver: Receiver,
    deliver: Callable[..., list[str]],
    portrait: bytes,
    pool: Pool,
) -> None:
    receiver.answers.append(Answer(status=500))
    on_aws.hand_in(portrait, b"no photo")
    deliver()
    through_queues()
    assert receiver.taken == []
    pool.transaction(lambda s: s.rows("UPDATE notice_lines SET next_at = now()"))
    sweep_module.handler({}, CONTEXT)
    through_queues()
    assert sorted(told(receiver)) == [
        ("photo.approved", "en", None),
        ("photo.rejected", "en", "unreadable"),
    ]
    rows = pool.transaction(lambda s: s.rows("SELECT * FROM notice_deliveries"))
    assert all(row["told_at"] is not None for row in rows)
    assert pool.transaction(lambda s: s.rows("SELECT * FROM notice_lines")) == []
