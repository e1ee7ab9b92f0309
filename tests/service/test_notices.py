"""Telling decisions over real HTTP: each arrives, in order per user, and nobody is held up."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from photogate.adapters.channels.webhook import WebhookChannel
from photogate.adapters.memory.database import Database, NoticeRow
from photogate.adapters.memory.notice_desk import MemoryNoticeDesk
from photogate.adapters.memory.notices import MemoryNotices
from photogate.domain import Deadline, Principal, Role, Status, Verdict
from photogate.domain.changes import UNDO_WITHIN_S, Outcome, decided, undone
from photogate.domain.notices import (
    Failing,
    Failure,
    Notice,
    NoticeState,
    Parcel,
    Receipt,
)
from photogate.errors import DatabaseUnavailable, QueueUnavailable
from photogate.messages import NoticeJob, decode
from photogate.notice_body import body_of
from photogate.ports.notices import Channel
from photogate.service.notices import Sending, Settling, pause_s, reminder
from tests.receivers import Answer, Receiver, Request

SECRET = f"whsec_{'A' * 43}="
HOUR = 3600


class Told:
    """Keeps what the watcher is told."""

    def __init__(self) -> None:
        self.count = 0
        self.failures: list[tuple[str, bool]] = []

    def notices_told(self, parcel: Parcel, count: int) -> None:
        self.count += count

    def notice_failed(self, parcel: Parcel, failure: Failure, *, dead: bool) -> None:
        self.failures.append((failure.error, dead))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.stop()


@pytest.fixture
def database() -> Database:
    return Database()


@pytest.fixture
def watcher() -> Told:
    return Told()


@pytest.fixture
def webhook(receiver: Receiver) -> Iterator[WebhookChannel]:
    made = WebhookChannel(
        receiver.url,
        [SECRET],
        body=lambda notice: body_of(notice, None),
        private=True,
        timeout_s=1,
    )
    yield made
    made.close()


def decide(database: Database, user: str, *, count: int = 1) -> None:
    """Let decisions about a user's photos be due."""
    for _ in range(count):
        n = len(database.notices) + 1
        notice = Notice(
            id=f"{user}.{n}",
            photo_id=user,
            sequence=n,
            user_id=user,
            batch_id=None,
            file_key=f"incoming/{n}",
            status=Status.APPROVED,
            before=Status.PENDING,
            reason=None,
            by_person=False,
            corrects=False,
            sha256=None,
            language="en",
            decided_at=database.clock.now(),
        )
        row = NoticeRow(notice=notice, due_at=database.clock.now(), waits=False)
        database.notices.append(row)


def sending(database: Database, watcher: Told, *channels: Channel) -> Sending:
    notices = MemoryNotices(database)
    return Sending(notices, channels, Settling(notices, watcher), at_once=4)


def run(database: Database, watcher: Told, *channels: Channel, for_s: float = 30) -> int:
    ends = time.monotonic() + for_s
    return sending(database, watcher, *channels).run(time_left_s=lambda: ends - time.monotonic())


def ids(database: Database, user: str) -> list[str]:
    return [row.notice.id for row in database.notices if row.notice.user_id == user]


def states(database: Database) -> set[NoticeState]:
    return {d.state for d in MemoryNoticeDesk(database).deliveries(state=None, limit=999)}


def test_everybody_is_told_everything_in_order(
    database: Database, watcher: Told, webhook: WebhookChannel, receiver: Receiver
) -> None:
    for user in ("a", "b", "c", "a", "b"):
        decide(database, user, count=13)
    assert run(database, watcher, webhook) == 65
    for user in "abc":
        assert receiver.of_user(user) == ids(database, user)
    assert run(database, watcher, webhook) == 0
    assert (watcher.count, watcher.failures) == (65, [])


def test_who_fails_holds_back_himself_alone_and_comes_again(
    database: Database, watcher: Told, webhook: WebhookChannel, receiver: Receiver
) -> None:
    refusing = True

    def behave(request: Request) -> Answer:
        assert request.told.data
        return Answer(status=500 if refusing and request.told.data.user_id == "bad" else 200)

    receiver.behave = behave
    for user in ("bad", "good", "bad", "fine"):
        decide(database, user, count=3)
    assert run(database, watcher, webhook) == 6
    assert receiver.of_user("bad") == []
    assert [r.id for r in receiver.requests].count(ids(database, "bad")[0]) == 1
    refusing = False
    assert run(database, watcher, webhook) == 0, "before its pause is over"
    database.clock.advance(seconds=6)
    assert run(database, watcher, webhook) == 6
    assert receiver.of_user("bad") == ids(database, "bad")


def test_who_hangs_does_not_hold_up_others(
    database: Database, watcher: Told, webhook: WebhookChannel, receiver: Receiver
) -> None:
    def behave(request: Request) -> Answer:
        assert request.told.data
        return Answer(then="hang" if request.told.data.user_id == "slow" else "")

    receiver.behave = behave
    decide(database, "slow", count=2)
    for n in range(30):
        decide(database, f"u{n}")
    assert run(database, watcher, webhook) == 30
    assert states(database) == {NoticeState.TOLD, NoticeState.OPEN}


def test_another_channel_goes_on_while_one_is_down(
    database: Database, watcher: Told, webhook: WebhookChannel, receiver: Receiver
) -> None:
    other = Memory()
    receiver.behave = lambda _: Answer(then="hang")
    for n in range(20):
        decide(database, f"u{n}")
    assert run(database, watcher, webhook, other) == 20
    assert len(receiver.requests) < 12, "it is left alone after a few attempts"
    asked = len(receiver.requests)
    assert run(database, watcher, webhook, other) == 0
    assert len(receiver.requests) == asked
    receiver.behave = lambda _: Answer()
    database.clock.advance(seconds=60)
    assert run(database, watcher, webhook, other) == 20
    for n in range(20):
        assert receiver.of_user(f"u{n}") == ids(database, f"u{n}")


def test_who_asks_for_time_is_left_alone_as_long(
    database: Database, watcher: Told, webhook: WebhookChannel, receiver: Receiver
) -> None:
    receiver.behave = lambda _: Answer(status=429, headers={"Retry-After": "90"})
    for n in range(20):
        decide(database, f"u{n}")
    run(database, watcher, webhook)
    asked = len(receiver.requests)
    assert asked <= 8
    receiver.behave = lambda _: Answer()
    database.clock.advance(seconds=89)
    assert run(database, watcher, webhook) == 0
    assert len(receiver.requests) == asked
    database.clock.advance(seconds=2)
    assert run(database, watcher, webhook) == 20


def test_what_is_never_taken_is_given_up_and_the_next_ones_follow(
    database: Database, watcher: Told, webhook: WebhookChannel, receiver: Receiver
) -> None:
    decide(database, "u", count=2)
    bad, good = ids(database, "u")
    receiver.behave = lambda request: Answer(status=400 if request.id == bad else 200)
    for _ in range(60):
        run(database, watcher, webhook)
        database.clock.advance(seconds=HOUR)
        if watcher.count:
            break
    assert receiver.of_user("u") == [good]
    assert watcher.failures[-1] == ("HTTP 400: not taken", True)
    assert 24 <= len(watcher.failures) <= 60
    (dead,) = MemoryNoticeDesk(database).dead(limit=9)
    assert dead == bad
    receiver.behave = lambda _: Answer()
    assert MemoryNoticeDesk(database).resend([dead]) == 1
    assert run(database, watcher, webhook) == 1
    assert receiver.of_user("u") == [good, bad]


def test_a_receipt_that_is_lost_brings_the_same_id_again(
    database: Database, watcher: Told, webhook: WebhookChannel, receiver: Receiver
) -> None:
    class Losing(MemoryNotices):
        lost = False

        def settle(self, *args: object, **more: object) -> None:
            if not self.lost:
                self.lost = True
                raise DatabaseUnavailable("gone")
            super().settle(*args, **more)  # type: ignore[arg-type]

    notices = Losing(database)
    sender = Sending(notices, [webhook], Settling(notices, watcher))
    decide(database, "u", count=2)
    assert sender.run(time_left_s=lambda: 10) == 0
    database.clock.advance(seconds=61)
    assert sender.run(time_left_s=lambda: 10) == 2
    assert receiver.of_user("u") == ids(database, "u") * 2


def test_a_channel_that_breaks_is_a_failure_of_its_own(database: Database, watcher: Told) -> None:
    class Broken(Memory):
        def tell(self, parcel: Parcel, deadline: Deadline) -> Receipt:
            raise KeyError("unforeseen")

    decide(database, "u")
    assert run(database, watcher, Broken()) == 0
    assert watcher.failures == [("unexpected: KeyError", False)]


def test_pauses_grow_to_an_hour() -> None:
    for failures, longest in ((1, 5), (2, 10), (5, 80), (12, 3600), (5000, 3600)):
        assert longest / 2 <= pause_s(failures) <= longest


class Memory:
    """A channel that takes everything."""

    name = "memory"
    addressed = False
    at_once = 20
    gathers_s = 0.0
    rests_s = 0.0

    def tell(self, parcel: Parcel, deadline: Deadline) -> Receipt:
        return Receipt(told=len(parcel.notices))


def test_a_failed_one_is_what_the_desk_shows(
    database: Database, watcher: Told, webhook: WebhookChannel, receiver: Receiver
) -> None:
    receiver.answers.append(Answer(status=404))
    decide(database, "u")
    run(database, watcher, webhook)
    (shown,) = MemoryNoticeDesk(database).deliveries(state=NoticeState.OPEN, limit=9)
    assert shown.error == "HTTP 404: not taken"
    assert Failing.REFUSED.value == "refused"


def test_a_persons_decision_sends_a_job_for_when_it_may_be_told(database: Database) -> None:
    sent: list[tuple[str, float]] = []

    class Queue:
        def send(self, body: str, *, delay_s: float = 0.0) -> str:
            sent.append((body, delay_s))
            raise QueueUnavailable("away")

    remind = reminder(Queue())
    moderator = Principal(user_id="mod", role=Role.MODERATOR)
    remind(Outcome(change=decided("p", Verdict(status=Status.APPROVED), by=moderator)))
    remind(Outcome(change=undone("p", by=moderator)))
    ((body, delay_s),) = sent
    assert decode(body) == NoticeJob()
    assert delay_s > UNDO_WITHIN_S
