"""Approved photos that were drawn to check the machine, on each technology."""

from __future__ import annotations

import pytest

from photogate.adapters.memory.database import Database
from photogate.adapters.postgres.pool import Pool
from photogate.domain import NewBatch, NewPhoto, Principal, Role, Status, Verdict
from photogate.domain.changes import (
    Change,
    decided,
    held,
    judged,
    lifted,
    undone,
    verified,
    withdrawn,
    withheld,
)
from photogate.domain.reviews import Filter, Holder, Kind
from photogate.domain.verdicts import Finding, Reason, Rule
from tests.records import Records

ADA = Principal(user_id="ada", role=Role.MODERATOR)
OWNER = Principal(user_id="u", role=Role.USER)
ANY = Filter()
HOLDER = Holder(person=ADA, tab="tab-00000001")
APPROVED = Verdict(status=Status.APPROVED, policy="p@1")
BAD = Verdict(status=Status.REJECTED, reason=Reason.NSFW)


def made(records: Records, change: Change) -> None:
    (outcome,) = records.changes.make([change])
    assert outcome.changed, outcome.refusal


def sampled(records: Records, verdict: Verdict = APPROVED, *, folded: bool = True) -> str:
    """Let the machine judge a photo that is drawn; give its id."""
    batch = records.intake.accept(
        NewBatch(user_id="u", user_name=None, photos=(NewPhoto(file_key="u/a", stored=None),)),
        photos_per_day=10,
    )
    (photo,) = records.views.of_user("u", limit=1)
    finding = Finding(photo_id=photo.id, verdict=verdict)
    made(records, judged(finding, generation=batch.generation, sampled_at=0.5, folded=folded))
    return photo.id


def kinds(records: Records, wanted: Filter = ANY) -> list[Kind]:
    hand = records.reviews.take(HOLDER, wanted, count=10)
    records.reviews.release(HOLDER)
    return [item.kind for item in hand.items]


class Ends:
    """Reads how samples ended, from either technology."""

    def __init__(self, records: Records) -> None:
        self._changes = records.changes

    def __call__(self, photo_id: str) -> tuple[str | None, str | None]:
        database = getattr(self._changes, "_database", None)
        if isinstance(database, Database):
            sample = database.samples[photo_id]
            return sample.outcome and sample.outcome.value, sample.reason
        pool: Pool = self._changes._pool  # type: ignore[attr-defined]
        (row,) = pool.transaction(
            lambda s: s.rows("SELECT outcome, reason FROM samples WHERE photo_id = :i", i=photo_id)
        )
        return row["outcome"], row["reason"]


@pytest.fixture
def ends(records: Records) -> Ends:
    return Ends(records)


def test_a_drawn_approval_waits_for_a_person_and_stays_approved(records: Records) -> None:
    photo_id = sampled(records)
    photo = records.views.photo(photo_id)
    assert photo is not None
    assert photo.status is Status.APPROVED
    (item,) = records.reviews.take(HOLDER, ANY, count=10).items
    assert (item.photo.id, item.kind, item.folded) == (photo_id, Kind.SAMPLE, True)


@pytest.mark.parametrize("status", [Status.REJECTED, Status.REVIEW])
def test_nothing_else_is_drawn(records: Records, status: Status) -> None:
    sampled(records, Verdict(status=status, reason=Reason.NSFW, policy="p@1"))
    assert Kind.SAMPLE not in kinds(records)


@pytest.mark.parametrize("folded", [True, False])
def test_a_share_of_doubts_is_folded_as_well(records: Records, folded: bool) -> None:
    rule = Rule(name="nsfw.tile", value=0.6, bound=0.3)
    sampled(records, Verdict(status=Status.REVIEW, rule=rule, policy="p@1"), folded=folded)
    (item,) = records.reviews.take(HOLDER, ANY, count=10).items
    assert (item.kind, item.folded) == (Kind.DOUBT, folded)
    records.reviews.release(HOLDER)
    # and no filter tells what is folded
    assert kinds(records, Filter(rule="nsfw.tile")) == ([] if folded else [Kind.DOUBT])


def test_filters_do_not_tell_samples_from_doubts(records: Records) -> None:
    sampled(records)
    assert kinds(records, Filter(kind=Kind.DOUBT)) == [Kind.SAMPLE]
    assert kinds(records, Filter(kind=Kind.ESCALATION)) == []


@pytest.mark.parametrize(
    ("change", "end"),
    [
        (lambda i: decided(i, Verdict(status=Status.APPROVED), by=ADA), ("agreed", None)),
        (lambda i: decided(i, BAD, by=ADA), ("missed", "nsfw")),
        (
            lambda i: decided(i, Verdict(status=Status.REJECTED, reason="my words"), by=ADA),
            ("missed", None),
        ),
        (lambda i: held(i, by=ADA), ("missed", None)),
        (lambda i: withdrawn(i, by=OWNER), ("withdrawn", None)),
        (lambda i: withheld(i, error="no copy"), ("withdrawn", None)),
    ],
    ids=["approved", "rejected", "in words", "held", "deleted", "withheld"],
)
def test_how_it_ends(
    records: Records, ends: Ends, change: object, end: tuple[str | None, str | None]
) -> None:
    photo_id = sampled(records)
    assert ends(photo_id) == (None, None)
    made(records, change(photo_id))  # type: ignore[operator]
    assert ends(photo_id) == end
    assert Kind.SAMPLE not in kinds(records)


@pytest.mark.parametrize("verdict", [Verdict(status=Status.APPROVED), BAD])
def test_an_undone_decision_lets_it_wait_again(
    records: Records, ends: Ends, verdict: Verdict
) -> None:
    photo_id = sampled(records)
    made(records, decided(photo_id, verdict, by=ADA))
    made(records, undone(photo_id, by=ADA))
    photo = records.views.photo(photo_id)
    assert photo is not None
    assert (photo.status, photo.decided_by) == (Status.APPROVED, None)
    assert ends(photo_id) == (None, None)
    assert kinds(records) == [Kind.SAMPLE]


def test_peoples_last_word_counts(records: Records, ends: Ends) -> None:
    photo_id = sampled(records)
    made(records, decided(photo_id, BAD, by=ADA))
    made(records, verified(photo_id, by=ADA))
    made(records, decided(photo_id, Verdict(status=Status.APPROVED), by=ADA))
    assert ends(photo_id) == ("agreed", None)
    # an undone one gives way to the one before
    made(records, undone(photo_id, by=ADA))
    assert ends(photo_id) == ("missed", "nsfw")
    assert Kind.SAMPLE not in kinds(records)
    # what goes afterwards says nothing more
    made(records, withdrawn(photo_id, by=OWNER))
    assert ends(photo_id) == ("missed", "nsfw")


def test_a_hold_that_was_a_mistake(records: Records, ends: Ends) -> None:
    photo_id = sampled(records)
    made(records, held(photo_id, by=ADA))
    made(records, lifted(photo_id, because="a mistake", by=ADA))
    made(records, decided(photo_id, Verdict(status=Status.APPROVED), by=ADA))
    assert ends(photo_id) == ("agreed", None)


def test_a_row_that_goes_by_itself_says_nothing(records: Records, ends: Ends) -> None:
    pool = getattr(records.changes, "_pool", None)
    if pool is None:
        pytest.skip("no other program writes to memory")
    photo_id = sampled(records)
    pool.transaction(lambda s: s.rows("DELETE FROM media WHERE CAST(id AS text) = :i", i=photo_id))
    assert ends(photo_id) == ("withdrawn", None)


@pytest.mark.parametrize("folded", [True, False])
def test_what_was_folded_is_folded_again(records: Records, folded: bool) -> None:
    verdict = Verdict(status=Status.REVIEW, policy="p@1")
    photo_id = sampled(records, verdict, folded=folded)
    made(records, decided(photo_id, BAD, by=ADA))
    made(records, undone(photo_id, by=ADA))
    (item,) = records.reviews.take(HOLDER, ANY, count=10).items
    assert item.folded is folded
    assert records.reviews.folded(photo_id) is folded


def test_an_escalated_one_is_counted_when_it_is_decided(records: Records, ends: Ends) -> None:
    photo_id = sampled(records)
    assert records.reviews.claim(HOLDER, photo_id)
    assert records.reviews.escalate(HOLDER, photo_id, note=None)
    root = Holder(person=Principal(user_id="root", role=Role.ADMIN), tab="tab-00000002")
    (item,) = records.reviews.take(root, ANY, count=10).items
    assert (item.kind, item.folded) == (Kind.ESCALATION, True)
    made(records, decided(photo_id, BAD, by=root.person))
    assert ends(photo_id) == ("missed", "nsfw")
    assert records.reviews.take(root, ANY, count=10).items == []


def test_another_program_that_rejects_it_says_nothing_of_the_machine(
    records: Records, ends: Ends
) -> None:
    pool = getattr(records.changes, "_pool", None)
    if pool is None:
        pytest.skip("no other program writes to memory")
    photo_id = sampled(records)
    pool.transaction(
        lambda s: s.rows(
            "UPDATE media SET moderation_status = 'rejected' WHERE CAST(id AS text) = :i",
            i=photo_id,
        )
    )
    assert ends(photo_id) == ("withdrawn", None)
    assert Kind.SAMPLE not in kinds(records)
