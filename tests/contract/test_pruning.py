"""What the sweep removes in the end, and what must outlive it."""

from __future__ import annotations

import pytest

from photogate.adapters.postgres.pool import Pool
from photogate.domain import BATCH_DAYS, Finding, NewBatch, Principal, Role, Status, Verdict
from photogate.errors import Conflict, RateLimited
from photogate.messages import Job
from tests.authors import decide, finish, reopen, withdraw
from tests.conftest import on_postgres
from tests.contract.test_intake import new_batch
from tests.records import Records

APPROVED = Verdict(status=Status.APPROVED)
DOUBT = Verdict(status=Status.REVIEW)
MODERATOR = Principal(user_id="mod", role=Role.MODERATOR)
OLD = (BATCH_DAYS + 1) * 24


def accept(records: Records, *keys: str) -> Job:
    batch: NewBatch = new_batch(*keys)
    accepted = records.intake.accept(batch, photos_per_day=1000)
    job = Job(batch_id=accepted.id, generation=1)
    records.deliveries.begin(job, job_id="m", lease_s=60)
    return job


def finished(records: Records, *keys: str, verdict: Verdict = APPROVED, error: str = "") -> Job:
    """Hand photos in, and let the machine say this of each."""
    job = accept(records, *keys)
    photos = [photo for photo in records.views.of_user("u") if photo.batch_id == job.batch_id]
    finish(
        records,
        job,
        [Finding(photo_id=photo.id, verdict=verdict, error=error or None) for photo in photos],
    )
    return job


def test_usage_goes_when_the_rate_limit_looks_at_it_no_more(records: Records) -> None:
    # What other tests left goes first.
    records.outbox.prune(limit=10_000)
    accept(records, "a", "b")
    records.age_usage(hours=47)
    accept(records, "c")
    assert records.outbox.prune(limit=10) == 0
    records.age_usage(hours=2)
    assert records.outbox.prune(limit=10) == 1
    assert records.count("upload_usage") == 1
    records.age_usage(hours=-40)
    with pytest.raises(RateLimited):
        records.intake.accept(new_batch("d"), photos_per_day=1)


def test_a_finished_batch_goes_after_its_time(records: Records) -> None:
    finished(records, "a")
    records.age_batches(hours=OLD - 48)
    assert records.outbox.prune(limit=10) == 0
    records.age_batches(hours=48)
    assert records.outbox.prune(limit=10) == 1
    assert (records.count("batches"), records.count("media")) == (0, 1)


def test_little_by_little(records: Records) -> None:
    for key in "abcde":
        finished(records, key)
    records.age_batches(hours=OLD)
    assert [records.outbox.prune(limit=2) for _ in range(4)] == [2, 2, 1, 0]


def test_a_batch_stays_while_a_photo_waits_for_the_machine_or_was_given_up(
    records: Records,
) -> None:
    accept(records, "open")
    given_up = finished(records, "a", "b", verdict=DOUBT, error="the photo store does not answer")
    finished(records, "doubt", verdict=DOUBT)  # a person looks, whatever becomes of the batch
    records.age_batches(hours=OLD)
    assert records.outbox.prune(limit=10) == 1
    assert records.count("batches") == 2

    assert reopen(records, [given_up.batch_id]) == 2
    records.age_batches(hours=OLD)
    assert records.outbox.prune(limit=10) == 0
    photos = [p for p in records.views.of_user("u") if p.batch_id == given_up.batch_id]
    again = [Finding(photo_id=photo.id, verdict=APPROVED) for photo in photos]
    finish(records, Job(batch_id=given_up.batch_id, generation=2), again)
    records.age_batches(hours=OLD)
    assert records.outbox.prune(limit=10) == 1


def test_the_same_keys_give_the_same_batch_when_its_row_is_gone(records: Records) -> None:
    job = finished(records, "a", "b")
    records.age_batches(hours=OLD)
    records.outbox.prune(limit=10)
    for found in (
        records.intake.find("u", ["b", "a"]),
        records.intake.accept(new_batch("b", "a"), photos_per_day=30),
    ):
        assert found is not None
        assert (found.id, found.created) == (job.batch_id, False)
    assert (records.count("batches"), records.count("media")) == (0, 2)
    assert records.intake.find("another", ["a", "b"]) is None


@pytest.mark.parametrize("keys", [("a",), ("a", "c"), ("a", "b", "c")])
def test_keys_that_overlap_it_are_still_refused(records: Records, keys: tuple[str, ...]) -> None:
    finished(records, "a", "b")
    records.age_batches(hours=OLD)
    records.outbox.prune(limit=10)
    with pytest.raises(Conflict) as caught:
        records.intake.find("u", keys)
    assert set(caught.value.file_keys) == {"a", "b"} & set(keys)


def test_people_decide_about_photos_whose_batch_is_gone(records: Records) -> None:
    finished(records, "a", verdict=DOUBT)
    records.age_batches(hours=OLD)
    records.outbox.prune(limit=10)
    (photo,) = records.views.of_user("u")
    assert decide(records, photo.id, APPROVED, by=MODERATOR).status is Status.APPROVED
    withdraw(records, photo.id, by=Principal(user_id="u"))
    assert records.views.of_user("u") == []


@on_postgres
def test_closed_review_items_go_with_their_history_and_old_hours_at_once(
    records: Records, pool: Pool
) -> None:
    pool.transaction(
        lambda s: s.rows(
            "INSERT INTO review_items (photo_id, kind, closed_at) VALUES ('a', 'doubt', now()),"
            " ('b', 'doubt', NULL), ('c', 'doubt', now() - interval '731 days');"
            " INSERT INTO hourly_counts VALUES (now() - interval '4 days', 1, 'x', '', false, 3),"
            " (now() - interval '2 days', 1, 'x', '', false, 3)"
        )
    )
    assert records.outbox.prune(limit=10) == 2
    left = "SELECT photo_id FROM review_items ORDER BY 1"
    assert [r["photo_id"] for r in pool.transaction(lambda s: s.rows(left))] == ["a", "b"]
    pool.transaction(lambda s: s.rows("DELETE FROM hourly_counts WHERE status = 'x'"))
