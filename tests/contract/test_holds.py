"""Suspected abuse of a child, on each technology: nobody sees the photo, and nothing goes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pg8000.exceptions import DatabaseError

from photogate.adapters.postgres.pool import Pool, Session
from photogate.domain import NewBatch, NewPhoto, Status, Verdict
from photogate.domain.changes import (
    Change,
    decided,
    deleted,
    given_up,
    held,
    judged,
    lifted,
    verified,
    withdrawn,
)
from photogate.domain.object_keys import copy_key, kept_key
from photogate.domain.people import Principal
from photogate.domain.reviews import EXPOSURE_S, Filter
from photogate.domain.signals import Signals
from photogate.domain.verdicts import Finding
from tests.conftest import on_postgres
from tests.contract.test_reviews import ADA, BOB, ROOT, held_by
from tests.records import Records

SHA = "c" * 64
OWNER = Principal(user_id="u")


def photos(records: Records, *keys: str, verdict: Status = Status.APPROVED) -> list[str]:
    """Let the machine judge these uploads; each has copies."""
    for key in keys:
        records.intake.issue(
            "u", key, size_bytes=9, expires_in_s=60, most_urls=30, most_bytes=1_000
        )
    batch = records.intake.accept(
        NewBatch(
            user_id="u",
            user_name="Una",
            photos=tuple(NewPhoto(file_key=key, stored=None) for key in keys),
        ),
        photos_per_day=100,
    )
    ids = {photo.file_key: photo.id for photo in records.views.of_user("u")}
    findings = [
        Finding(
            photo_id=ids[key],
            verdict=Verdict(status=verdict),
            signals=Signals(width=8, height=8, sha256=SHA),
            original_key=kept_key(ids[key], SHA),
        )
        for key in keys
    ]
    records.changes.make([judged(finding, generation=batch.generation) for finding in findings])
    for key in keys:
        records.copies.made(
            ids[key],
            display_key=copy_key("display", ids[key], SHA, suffix="jpg"),
            original_key=kept_key(ids[key], SHA),
        )
    return [ids[key] for key in keys]


def made(records: Records, change: Change) -> bool:
    (outcome,) = records.changes.make([change])
    return outcome.changed


def test_nobody_is_shown_what_is_held(records: Records) -> None:
    one, other = photos(records, "a", "b")
    records.add_review_item(one, "sample")
    hand = records.reviews.take(held_by(ADA), Filter(), count=5)
    assert [item.photo.id for item in hand.items] == [one]
    assert made(records, held(one, by=BOB))
    assert not made(records, held(one, by=ADA))
    photo = records.views.photo(one)
    assert photo is not None
    assert (photo.held, photo.status, photo.reason) == (True, Status.REJECTED, None)
    assert (photo.display_key, photo.shown_key) == (None, None)
    assert [p.id for p in records.views.of_user("u")] == [other]
    summary = records.views.summary("u")
    assert (summary.total_photos, summary.rejected, records.holds.of_user("u")) == (1, 0, 1)
    assert records.reviews.take(held_by(ADA), Filter(), count=5).items == []
    assert records.review_items() == set()
    last = records.history(one)[-1]
    assert (last["action"], last["person"], last["before"]) == ("hold", "bob", "approved")
    assert (last["after"], last["reason"], last["words"]) == ("rejected", None, None)


@pytest.mark.parametrize(
    "change",
    [
        decided("p", Verdict(status=Status.APPROVED), by=ADA),
        deleted("p", by=ROOT),
        verified("p", by=ROOT),
        withdrawn("p", by=OWNER),
        given_up("p", generation=1, error="too often"),
    ],
    ids=lambda change: change.action.value + " by " + change.by.value,
)
def test_whoever_asks_what_is_held_neither_changes_nor_goes(
    records: Records, change: Change
) -> None:
    (one,) = photos(records, "a")
    made(records, held(one, by=ADA))
    (outcome,) = records.changes.make([replace(change, photo_id=one)])
    assert outcome.refusal is not None
    assert outcome.refusal.missing == (change.person == OWNER)
    assert records.count("media") == 1
    assert records.count("object_deletions") == 0


def test_no_retention_removes_what_is_held(records: Records) -> None:
    one, other = photos(records, "a", "b")
    records.reviews.reveal(one, ADA)
    made(records, held(one, by=ADA))
    records.age_verdicts(days=800)
    records.age_uploads(minutes=600)
    assert records.copies.release_originals(days=30, limit=10) == 1
    # Only the other one's upload, and its original.
    assert records.copies.release_uploads(limit=10) == 1
    assert set(records.outbox.take_deletions(limit=10)) == {"b", kept_key(other, SHA)}
    assert [hold.original_key for hold in records.holds.open(limit=5)] == [kept_key(one, SHA)]


def test_admins_report_it_or_say_that_it_was_a_mistake(records: Records) -> None:
    one, two = photos(records, "a", "b")
    made(records, held(one, by=ADA))
    made(records, held(two, by=BOB))
    assert records.holds.unreported() == 2
    assert list(records.holds.recent(within_s=60)) == [one, two]
    first = records.holds.open(limit=5)[0]
    assert (first.photo_id, first.held_by, first.user_name) == (one, "ada", "Una")
    assert (first.sha256, first.reported_at, first.report) == (SHA, None, None)

    assert records.holds.report(one, words="NCMEC 1", by=ROOT)
    assert records.holds.report(one, words="NCMEC 2", by=ROOT)
    assert [hold.photo_id for hold in records.holds.open(limit=5)] == [two, one]
    last = records.holds.open(limit=5)[1]
    assert (last.report, last.reported_by, last.reported_at is None) == ("NCMEC 2", "root", False)

    assert made(records, lifted(two, because="a wrong key", by=ROOT))
    assert not made(records, lifted(two, because="a wrong key", by=ROOT))
    assert not records.holds.report(two, words="NCMEC 3", by=ROOT)
    assert (records.holds.unreported(), list(records.holds.recent(within_s=60))) == (0, [one])
    photo = records.views.photo(two)
    assert photo is not None
    assert photo.status is Status.REVIEW
    assert photo.display_key is not None
    assert records.review_items() == {(two, "doubt")}
    assert made(records, held(two, by=ADA))


def test_one_person_sees_so_many_a_day(records: Records) -> None:
    ids = photos(records, "a", "b", "c")
    assert [records.reviews.reveal(i, ADA, most=2) for i in ids] == [True, True, False]
    # What was seen is seen again, and others have their own day.
    assert records.reviews.reveal(ids[0], ADA, most=2)
    assert records.reviews.reveal(ids[2], BOB, most=2)
    assert (records.reviews.exposure(ADA), records.reviews.exposure(BOB)) == (2, 1)
    assert not records.reviews.revealed(ids[2], ADA)
    records.age_reveals(seconds=EXPOSURE_S + 1)
    assert records.reviews.exposure(ADA) == 0
    assert records.reviews.reveal(ids[2], ADA, most=2)


@on_postgres
@pytest.mark.parametrize(
    "sql", ["DELETE FROM media", "UPDATE media SET moderation_status = 'approved'"]
)
def test_no_statement_removes_or_changes_it(records: Records, pool: Pool, sql: str) -> None:
    (one,) = photos(records, "a")
    made(records, held(one, by=ADA))
    with pytest.raises(DatabaseError, match="is held"):
        pool.transaction(lambda s: s.rows(sql))
    assert records.count("media") == 1


@on_postgres
def test_what_tells_of_it_stays_as_long(records: Records, pool: Pool) -> None:
    one, other = photos(records, "a", "b", verdict=Status.REVIEW)
    for photo in (one, other):
        records.reviews.reveal(photo, ADA)
    made(records, held(one, by=ADA))
    made(records, decided(other, Verdict(status=Status.APPROVED), by=ADA))

    def age(session: Session) -> None:
        session.rows("ALTER TABLE history DISABLE TRIGGER history_append_only")
        session.rows(
            "UPDATE history SET at = at - interval '900 days' WHERE photo_id IN (:a, :b)",
            a=one,
            b=other,
        )
        session.rows("ALTER TABLE history ENABLE TRIGGER history_append_only")
        session.rows("UPDATE reveals SET at = at - interval '900 days'")
        session.rows("UPDATE review_items SET closed_at = now() - interval '900 days'")
        session.rows("UPDATE batches SET finished_at = now() - interval '900 days'")

    pool.transaction(age)
    records.outbox.prune(limit=10_000)
    assert [row["action"] for row in records.history(one)] == ["judge", "hold"]
    assert records.history(other) == []
    assert records.reviews.revealed(one, ADA)
    assert not records.reviews.revealed(other, ADA)
    assert (records.count("review_items"), records.count("batches")) == (1, 1)
