"""What is told of decisions: when a notice is born and due, and who may tell it."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import pytest

from photogate.domain import Finding, Principal, Role, Signals, Status, Verdict
from photogate.domain.changes import held, judged, withheld
from photogate.domain.notices import Failing, Failure, NoticeState, Parcel, Receipt
from photogate.errors import Conflict
from tests.authors import decide, undo, verify, withdraw
from tests.conftest import on_postgres
from tests.contract.test_copies import SHA256, handed_in, judge, made
from tests.records import Records

MODERATOR = Principal(user_id="mod", role=Role.MODERATOR)
OWNER = Principal(user_id="u")
APPROVED, REJECTED = Verdict(status=Status.APPROVED), Verdict(status=Status.REJECTED, reason="nsfw")
DOWN = Failure(kind=Failing.DOWN, error="no answer")


@dataclass(frozen=True, kw_only=True)
class Kind:
    """How a channel wants its notices."""

    name: str = "webhook"
    addressed: bool = False
    at_once: int = 20
    gathers_s: float = 0.0
    rests_s: float = 0.0


WEBHOOK = Kind()


@pytest.fixture
def photo(records: Records) -> str:
    """A photo that waits for the machine."""
    return handed_in(records, "incoming/a")["incoming/a"]


def told(records: Records, kind: Kind = WEBHOOK) -> list[tuple[str, str, bool]]:
    """Tell all that is due, and give each notice's status, state before, and if it corrects."""
    found: list[tuple[str, str, bool]] = []
    records.notices.plan([kind], limit=100)
    while parcels := records.notices.take(kind, limit=10, lease_s=60):
        for parcel in parcels:
            found += [(n.status.value, n.before.value, n.corrects) for n in parcel.notices]
            receipt = Receipt(told=len(parcel.notices))
            records.notices.settle(parcel, receipt, rests_s=kind.rests_s)
    return found


def take(records: Records, kind: Kind = WEBHOOK) -> list[Parcel]:
    records.notices.plan([kind], limit=100)
    return records.notices.take(kind, limit=10, lease_s=60)


def states(records: Records) -> list[str]:
    return [d.state.value for d in records.desk.deliveries(state=None, limit=50)]


def rejected(records: Records, *keys: str) -> None:
    ids = handed_in(records, *keys)
    for key in keys:
        judge(records, ids[key], Status.REJECTED)


class TestBirth:
    def test_a_verdict_is_told_once_with_what_was_judged(
        self, records: Records, photo: str
    ) -> None:
        judge(records, photo, Status.REJECTED)
        (parcel,) = take(records)
        (notice,) = parcel.notices
        assert (notice.id, notice.photo_id, notice.sequence) == (f"{photo}.1", photo, 1)
        assert (notice.user_id, notice.file_key, notice.language) == ("u", "incoming/a", "en")
        assert (notice.status, notice.reason, notice.by_person) == ("rejected", "nsfw", False)
        assert notice.sha256 == SHA256
        assert notice.batch_id
        records.notices.settle(parcel, Receipt(told=1), rests_s=0)
        assert told(records) == []
        assert states(records) == ["told"]

    def test_a_test_photo_is_told_as_one(self, records: Records) -> None:
        real, marked = (handed_in(records, key)[key] for key in ("incoming/a", "incoming/b"))
        judge(records, real, Status.REVIEW)
        judge(records, marked, Status.REVIEW, marker="review")
        decide(records, marked, REJECTED, by=MODERATOR)
        records.age_notices(seconds=10)
        of = {n.id: n.test for parcel in take(records) for n in parcel.notices}
        assert of == {f"{real}.1": False, f"{marked}.1": True, f"{marked}.2": True}
        assert {d.notice.test for d in records.desk.deliveries(state=None, limit=9)} == {
            True,
            False,
        }

    def test_approved_is_told_when_it_can_be_seen(self, records: Records, photo: str) -> None:
        judge(records, photo)
        assert told(records) == []
        assert states(records) == ["open"]
        made(records, photo)
        assert told(records) == [("approved", "pending", False)]

    def test_an_approval_that_never_was_seen_is_not_told(
        self, records: Records, photo: str
    ) -> None:
        judge(records, photo)
        records.changes.make([withheld(photo, error="no copy")])
        made(records, photo)
        assert told(records) == [("review", "approved", False)]

    def test_a_person_is_quoted_after_the_time_for_undoing(
        self, records: Records, photo: str
    ) -> None:
        judge(records, photo, Status.REVIEW)
        assert told(records) == [("review", "pending", False)]
        decide(records, photo, REJECTED, by=MODERATOR)
        assert told(records) == []
        records.age_notices(seconds=10)
        assert told(records) == [("rejected", "review", False)]

    def test_a_persons_approval_waits_for_the_copy_as_well(
        self, records: Records, photo: str
    ) -> None:
        decide(records, photo, APPROVED, by=MODERATOR)
        records.age_notices(seconds=10)
        assert told(records) == []
        made(records, photo)
        assert told(records) == [("approved", "pending", False)]

    def test_what_is_undone_is_not_told(self, records: Records, photo: str) -> None:
        judge(records, photo, Status.REJECTED)
        told(records)
        decide(records, photo, APPROVED, by=MODERATOR)
        made(records, photo)
        undo(records, photo, by=MODERATOR)
        records.age_notices(seconds=60)
        assert told(records) == []

    def test_what_was_told_before_it_was_undone_is_corrected(
        self, records: Records, photo: str
    ) -> None:
        judge(records, photo, Status.REJECTED)
        made(records, photo)
        told(records)
        decide(records, photo, APPROVED, by=MODERATOR)
        records.age_notices(seconds=10)
        assert told(records) == [("approved", "rejected", False)]
        undo(records, photo, by=MODERATOR)
        assert told(records) == [("rejected", "approved", True)]

    def test_confirming_tells_nothing_new(self, records: Records, photo: str) -> None:
        judge(records, photo, Status.REJECTED)
        told(records)
        verify(records, photo, by=MODERATOR)
        decide(records, photo, REJECTED, by=MODERATOR)
        records.age_notices(seconds=60)
        assert told(records) == []

    def test_what_is_withheld_warns_nobody(self, records: Records, photo: str) -> None:
        judge(records, photo, Status.REVIEW)
        told(records)
        records.changes.make([held(photo, by=MODERATOR)])
        records.age_notices(seconds=60)
        assert told(records) == []

    def test_other_words_for_a_rejection_are_news(self, records: Records, photo: str) -> None:
        judge(records, photo, Status.REJECTED)
        words = Verdict(status=Status.REJECTED, reason="That is a car.")
        decide(records, photo, words, by=MODERATOR)
        records.age_notices(seconds=10)
        (parcel,) = take(records)
        assert [(n.reason, n.reason_code) for n in parcel.notices] == [
            ("nsfw", "nsfw"),
            ("That is a car.", "other"),
        ]

    def test_a_deleted_photo_is_not_said_to_be_approved(self, records: Records, photo: str) -> None:
        judge(records, photo)
        withdraw(records, photo, by=OWNER)
        assert told(records) == []
        assert states(records) == []

    def test_a_change_that_is_refused_tells_nothing(self, records: Records, photo: str) -> None:
        judge(records, photo, Status.REJECTED)
        finding = Finding(photo_id=photo, verdict=APPROVED, signals=Signals())
        records.changes.make([judged(finding, generation=1)])
        with pytest.raises(Conflict):
            undo(records, photo, by=MODERATOR)
        assert told(records) == [("rejected", "pending", False)]


class TestTelling:
    def test_a_users_notices_come_in_order_and_in_one_hand(self, records: Records) -> None:
        rejected(records, "incoming/a", "incoming/b", "incoming/c")
        (parcel,) = take(records)
        assert [n.file_key for n in parcel.notices] == ["incoming/a", "incoming/b", "incoming/c"]
        assert take(records) == []

    def test_a_killed_senders_come_again_under_the_same_ids(self, records: Records) -> None:
        rejected(records, "incoming/a")
        (first,) = take(records)
        records.age_notices(seconds=61)
        (again,) = take(records)
        assert [n.id for n in again.notices] == [n.id for n in first.notices]
        assert again.token != first.token

    def test_what_was_told_is_noted_even_when_somebody_else_has_the_lease(
        self, records: Records
    ) -> None:
        rejected(records, "incoming/a", "incoming/b")
        (late,) = take(records)
        records.age_notices(seconds=61)
        (holder,) = take(records)
        records.notices.settle(late, Receipt(told=1, failure=DOWN), rests_s=0, retry_in_s=900)
        assert sorted(states(records)) == ["open", "told"]
        records.notices.settle(holder, Receipt(told=1), rests_s=0)
        (parcel,) = take(records)
        assert [n.file_key for n in parcel.notices] == ["incoming/b"]

    def test_a_failure_holds_back_its_user_until_the_pause_is_over(self, records: Records) -> None:
        rejected(records, "incoming/a", "incoming/b")
        (parcel,) = take(records)
        records.notices.settle(parcel, Receipt(told=1, failure=DOWN), rests_s=0, retry_in_s=30)
        assert take(records) == []
        records.age_notices(seconds=31)
        (parcel,) = take(records)
        assert ([n.file_key for n in parcel.notices], parcel.failures) == (["incoming/b"], 1)
        assert 30 < parcel.failing_s < 120
        records.notices.settle(parcel, Receipt(told=0, failure=DOWN), rests_s=0, retry_in_s=30)
        records.age_notices(seconds=31)
        (parcel,) = take(records)
        assert parcel.failures == 2
        assert parcel.failing_s > 61

    def test_what_is_given_up_lets_the_next_one_through(self, records: Records) -> None:
        rejected(records, "incoming/a", "incoming/b")
        (parcel,) = take(records)
        records.notices.settle(parcel, Receipt(told=0, failure=DOWN), rests_s=0, gives_up=True)
        (parcel,) = take(records)
        assert ([n.file_key for n in parcel.notices], parcel.failures) == (["incoming/b"], 0)
        (dead,) = records.desk.deliveries(state=NoticeState.DEAD, limit=5)
        assert (dead.notice.file_key, dead.error, dead.channel) == (
            "incoming/a",
            "no answer",
            "webhook",
        )

    def test_what_comes_while_a_user_rests_joins_the_next_parcel(self, records: Records) -> None:
        kind = Kind(rests_s=10)
        rejected(records, "incoming/a")
        assert len(told(records, kind)) == 1
        rejected(records, "incoming/b", "incoming/c")
        assert take(records, kind) == []
        records.age_notices(seconds=10)
        assert len(told(records, kind)) == 2
        records.age_notices(seconds=10)
        assert told(records, kind) == []

    def test_those_of_a_batch_are_gathered(self, records: Records) -> None:
        kind = Kind(gathers_s=3)
        rejected(records, "incoming/a")
        assert take(records, kind) == []
        rejected(records, "incoming/b")
        assert take(records, kind) == []
        records.age_notices(seconds=3)
        (parcel,) = take(records, kind)
        assert len(parcel.notices) == 2

    def test_a_channel_that_rests_tells_nobody_and_others_go_on(self, records: Records) -> None:
        other = Kind(name="log")
        rejected(records, "incoming/a")
        records.notices.plan([WEBHOOK, other], limit=10)
        records.notices.rest("webhook", for_s=30)
        records.notices.rest("webhook", for_s=5)
        assert records.notices.take(WEBHOOK, limit=5, lease_s=60) == []
        assert len(records.notices.take(other, limit=5, lease_s=60)) == 1
        records.age_notices(seconds=31)
        assert len(records.notices.take(WEBHOOK, limit=5, lease_s=60)) == 1

    def test_a_parcel_that_is_given_back_is_there_at_once(self, records: Records) -> None:
        rejected(records, "incoming/a")
        (parcel,) = take(records)
        records.notices.release(parcel)
        assert len(take(records)) == 1

    @on_postgres
    def test_many_senders_tell_each_notice_once_and_in_order(self, records: Records) -> None:
        for n in range(24):
            rejected(records, f"incoming/{n}")
        heard: list[int] = []
        kind = Kind(at_once=3)

        def send() -> None:
            while len(heard) < 24:
                records.notices.plan([kind], limit=7)
                for parcel in records.notices.take(kind, limit=2, lease_s=60):
                    heard.extend(int(n.file_key[9:]) for n in parcel.notices)
                    records.notices.settle(parcel, Receipt(told=len(parcel.notices)), rests_s=0)

        senders = [threading.Thread(target=send) for _ in range(4)]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join(timeout=60)
        assert heard == list(range(24))


class TestAddresses:
    CHAT = Kind(name="telegram", addressed=True)

    def test_only_who_is_known_is_told(self, records: Records) -> None:
        rejected(records, "incoming/a")
        assert take(records, self.CHAT) == []
        records.addresses.link("telegram", "u", "41")
        records.addresses.link("telegram", "u", "42")
        rejected(records, "incoming/b")
        (parcel,) = take(records, self.CHAT)
        assert ([n.file_key for n in parcel.notices], parcel.address) == (["incoming/b"], "42")

    def test_who_is_gone_is_not_told_any_more(self, records: Records) -> None:
        records.addresses.link("telegram", "u", "42")
        rejected(records, "incoming/a", "incoming/b")
        (parcel,) = take(records, self.CHAT)
        gone = Failure(kind=Failing.GONE, error="blocked")
        records.notices.settle(parcel, Receipt(told=0, failure=gone), rests_s=0, gives_up=True)
        assert records.addresses.of("telegram", "u") is None
        assert states(records) == ["dead", "dead"]
        records.age_notices(seconds=9999)
        assert take(records, self.CHAT) == []

    def test_who_leaves_is_not_told_what_was_open(self, records: Records) -> None:
        records.addresses.link("telegram", "u", "42")
        rejected(records, "incoming/a")
        records.notices.plan([self.CHAT], limit=5)
        records.addresses.unlink("telegram", "u")
        assert take(records, self.CHAT) == []


class TestDesk:
    def test_dead_and_told_ones_are_sent_again_under_their_ids(self, records: Records) -> None:
        rejected(records, "incoming/a", "incoming/b")
        (parcel,) = take(records)
        receipt = Receipt(told=1, failure=DOWN)
        records.notices.settle(parcel, receipt, rests_s=0, gives_up=True)
        ids = [notice.id for notice in parcel.notices]
        assert records.desk.dead(limit=5) == ids[1:]
        assert records.desk.dead(channel="log", limit=5) == []
        assert records.desk.resend([*ids, "nobody.1", "x", ""], channel="webhook") == 2
        assert records.desk.resend(ids) == 0
        (again,) = take(records)
        assert [notice.id for notice in again.notices] == ids

    def test_they_are_listed_by_state_and_user_newest_first(self, records: Records) -> None:
        rejected(records, "incoming/a")
        told(records)
        rejected(records, "incoming/b")
        listed = records.desk.deliveries(state=None, user_id="u", limit=5)
        assert [(d.notice.file_key, d.state, d.channel) for d in listed] == [
            ("incoming/b", NoticeState.OPEN, None),
            ("incoming/a", NoticeState.TOLD, "webhook"),
        ]
        assert records.desk.deliveries(state=NoticeState.OPEN, limit=5) == listed[:1]
        assert records.desk.deliveries(state=NoticeState.TOLD, limit=5) == listed[1:]
        assert records.desk.deliveries(state=None, user_id="v", limit=5) == []

    def test_old_ones_go_unless_they_are_to_be_told(self, records: Records, photo: str) -> None:
        judge(records, photo, Status.REJECTED)
        told(records)
        rejected(records, "incoming/b")
        records.notices.plan([WEBHOOK], limit=5)
        rejected(records, "incoming/c")
        assert records.notices.prune(days=7, limit=10) == 0
        records.age_notices(seconds=8 * 24 * 3600)
        assert records.notices.prune(days=7, limit=10) == 1
        assert len(states(records)) == 2


def test_how_long_people_take_is_what_nine_of_ten_waited(records: Records, photo: str) -> None:
    assert records.notices.review_hours() is None
    judge(records, photo, Status.REVIEW)
    decide(records, photo, REJECTED, by=MODERATOR)
    hours = records.notices.review_hours()
    assert hours is not None
    assert 0 <= hours < 1
