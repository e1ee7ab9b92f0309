"""A worker's deliveries: leases, counted attempts, verdicts that stay."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
from pg8000.exceptions import DatabaseError

from photogate.adapters.postgres.pool import Pool
from photogate.domain import (
    Face,
    Finding,
    OpenBatch,
    OpenPhoto,
    PhotoRow,
    Principal,
    Role,
    Signals,
    Status,
    Verdict,
)
from photogate.errors import BatchBusy, Conflict, NotFound
from photogate.messages import Job
from photogate.ports.records import Deliveries
from tests.authors import conclude, decide, delete, finish, reopen, verify, withdraw
from tests.conftest import on_postgres
from tests.contract.test_intake import new_batch
from tests.records import Records

ROOT = Path(__file__).parents[2]
MODERATOR = Principal(user_id="mod", role=Role.MODERATOR)


@pytest.fixture
def job(records: Records) -> Job:
    """A batch of three photos, accepted."""
    batch = records.intake.accept(new_batch("a", "b", "c"), photos_per_day=30)
    return Job(batch_id=batch.id, generation=batch.generation)


@pytest.fixture
def attempts(records: Records) -> Deliveries:
    """The port under test."""
    return records.deliveries


def media(records: Records) -> dict[str, PhotoRow]:
    return {m.file_key: m for m in records.views.of_user("u")}


def approved(photo_id: str) -> Finding:
    return Finding(
        photo_id=photo_id,
        verdict=Verdict(status=Status.APPROVED, policy="community@1"),
        signals=Signals(blur_variance=100.0),
    )


def test_a_signal_that_is_no_number_is_left_out(
    records: Records, attempts: Deliveries, job: Job
) -> None:
    """JSON has no NaN, and the other photos must not wait for this one."""
    ids = begin(attempts, job)
    signals = Signals(
        nsfw_scores={"porn": math.nan, "neutral": 0.5},
        blur_variance=math.inf,
        rms_contrast=40.0,
        faces=(Face(box=(0.0, 0.0, math.nan, 1.0), score=0.9),),
    )
    finding = Finding(photo_id=ids[0], verdict=Verdict(status=Status.REVIEW), signals=signals)
    assert len(finish(records, job, [finding, *(approved(i) for i in ids[1:])])) == 3
    assert media(records)["a"].scores == {"rms_contrast": 40.0, "has_face": True, "face_count": 1}


def opened(attempts: Deliveries, job: Job, job_id: str = "m-1", lease_s: float = 60) -> OpenBatch:
    batch = attempts.begin(job, job_id=job_id, lease_s=lease_s)
    assert batch is not None
    return batch


def hand_back(attempts: Deliveries, job: Job, batch: OpenBatch, error: str) -> None:
    ids = [photo.id for photo in batch.photos]
    attempts.hand_back(job, ids, attempt_id=batch.attempt_id, error=error)


def open_photos(
    attempts: Deliveries, job: Job, job_id: str = "m-1", lease_s: float = 60
) -> tuple[OpenPhoto, ...]:
    batch = attempts.begin(job, job_id=job_id, lease_s=lease_s)
    return batch.photos if batch else ()


def begin(attempts: Deliveries, job: Job, job_id: str = "m-1", lease_s: float = 60) -> list[str]:
    return [photo.id for photo in open_photos(attempts, job, job_id, lease_s)]


def test_a_first_attempt_counts_every_photo(
    records: Records, attempts: Deliveries, job: Job
) -> None:
    photos = open_photos(attempts, job)
    assert [(p.file_key, p.etag, p.unfinished_attempts) for p in photos] == [
        ("a", "e", 0),
        ("b", "e", 0),
        ("c", "e", 0),
    ]
    assert records.attempts() == {"a": 1, "b": 1, "c": 1}


def test_verdicts_close_the_batch(records: Records, attempts: Deliveries, job: Job) -> None:
    ids = begin(attempts, job)
    assert len(finish(records, job, [approved(i) for i in ids[:2]])) == 2
    assert len(begin(attempts, job)) == 1
    assert len(finish(records, job, [approved(i) for i in ids])) == 1
    assert begin(attempts, job) == []
    assert begin(attempts, job, "m-2") == []
    found = media(records)
    assert {m.status for m in found.values()} == {Status.APPROVED}
    assert found["a"].scores == {"blur_variance": 100.0, "policy": "community@1"}
    assert found["a"].moderated_at is not None


def test_after_an_unfinished_attempt_photos_are_counted_singly_least_tried_first(
    records: Records, attempts: Deliveries, job: Job
) -> None:
    a, b, c = begin(attempts, job)
    again = opened(attempts, job)
    assert [p.unfinished_attempts for p in again.photos] == [1, 1, 1]
    assert records.attempts() == {"a": 1, "b": 1, "c": 1}
    attempts.count(again.photos[0], attempt_id=again.attempt_id)
    third = open_photos(attempts, job)
    assert [(p.id, p.unfinished_attempts) for p in third] == [(b, 1), (c, 1), (a, 2)]


def test_a_delivery_that_lost_its_lease_counts_nothing(
    records: Records, attempts: Deliveries, job: Job
) -> None:
    late = opened(attempts, job)
    begin(attempts, job)
    attempts.count(late.photos[0], attempt_id=late.attempt_id)
    assert records.attempts() == {"a": 1, "b": 1, "c": 1}


def test_an_orderly_failure_is_not_counted_but_kept(
    records: Records, attempts: Deliveries, job: Job
) -> None:
    batch = opened(attempts, job)
    ids = [photo.id for photo in batch.photos]
    finish(records, job, [approved(ids[0])])
    hand_back(attempts, job, batch, "the store is down")
    assert records.attempts() == {"a": 0, "b": 0, "c": 0}
    assert media(records)["b"].error == "the store is down"
    assert len(begin(attempts, job, "m-2")) == 2
    finish(records, job, [approved(i) for i in ids[1:]])
    assert media(records)["b"].error is None


def test_another_job_waits_for_the_lease_and_the_same_one_takes_over(
    attempts: Deliveries, job: Job
) -> None:
    begin(attempts, job, "m-1", lease_s=60)
    with pytest.raises(BatchBusy) as caught:
        begin(attempts, job, "m-2")
    assert caught.value.retry_after_s is not None
    assert 50 < caught.value.retry_after_s <= 60
    assert len(begin(attempts, job, "m-1", lease_s=0)) == 3
    assert len(begin(attempts, job, "m-2")) == 3


@pytest.mark.parametrize("job_id", ["m-1", "m-2"])
def test_handing_back_a_batch_that_another_delivery_took_over_changes_nothing(
    records: Records, attempts: Deliveries, job: Job, job_id: str
) -> None:
    lost = opened(attempts, job, "m-1", lease_s=0)
    begin(attempts, job, job_id, lease_s=60)
    before = records.attempts()
    hand_back(attempts, job, lost, "late")
    assert records.attempts() == before
    with pytest.raises(BatchBusy):
        begin(attempts, job, "m-3")


def test_an_older_generation_finds_nothing_to_do(
    records: Records, attempts: Deliveries, job: Job
) -> None:
    records.raise_generation()
    assert begin(attempts, job) == []
    assert begin(attempts, Job(batch_id="no such batch", generation=1)) == []


def test_a_persons_decision_is_never_overwritten(
    records: Records, attempts: Deliveries, job: Job
) -> None:
    ids = begin(attempts, job)
    words = Verdict(status=Status.REJECTED, reason="not here")
    decide(records, ids[0], words, by=MODERATOR)
    assert len(finish(records, job, [approved(i) for i in ids])) == 2
    assert (media(records)["a"].status, media(records)["a"].decided_by) == (Status.REJECTED, "mod")
    assert begin(attempts, job) == []


def test_a_deleted_photo_is_skipped(records: Records, attempts: Deliveries, job: Job) -> None:
    ids = begin(attempts, job)
    owner = Principal(user_id="u")
    assert withdraw(records, ids[0], by=owner) == "a"
    assert len(finish(records, job, [approved(i) for i in ids])) == 2
    assert set(media(records)) == {"b", "c"}
    assert records.outbox.take_deletions(limit=5) == ["a"]


def test_what_was_delivered_too_often_goes_to_a_person_with_its_error(
    records: Records, attempts: Deliveries, job: Job
) -> None:
    for number in range(5):
        assert conclude(records) == 0
        hand_back(attempts, job, opened(attempts, job, f"m-{number}"), "the model failed")
    assert conclude(records) == 3
    photo = media(records)["a"]
    assert (photo.status, photo.error) == (Status.REVIEW, "the model failed")
    assert begin(attempts, job) == []
    summary = records.views.summary("u")
    assert (summary.total_photos, summary.failed, summary.pending) == (3, 3, 0)
    assert summary.pending_batches == 0


def test_a_batch_in_a_workers_hands_is_not_concluded(
    records: Records, attempts: Deliveries, job: Job
) -> None:
    for number in range(5):
        begin(attempts, job, "m-1", lease_s=60 if number == 4 else 0)
    assert conclude(records) == 0


class TestOutages:
    """A batch waits for a part that is down as if it had not been delivered."""

    def put_off(
        self, attempts: Deliveries, job: Job, *ids: str, attempt_id: str | None
    ) -> float | None:
        return attempts.put_off(
            job, ids, attempt_id=attempt_id, part="storage", error="down", at_least_s=10
        )

    def test_a_delivery_that_is_put_off_counts_nowhere(
        self, records: Records, attempts: Deliveries, job: Job
    ) -> None:
        batch = attempts.begin(job, job_id="m-1", lease_s=60)
        assert batch is not None
        a, b, _ = batch.photos
        delay_s = self.put_off(attempts, job, a.id, b.id, attempt_id=batch.attempt_id)
        assert delay_s is not None
        assert 10 <= delay_s <= 15
        # the third did not end in an orderly way
        assert records.attempts() == {"a": 0, "b": 0, "c": 1}
        assert records.batch() == {
            "deliveries": 0,
            "waits_for": "storage",
            "put_off": 1,
            "last_error": "down",
        }
        assert records.rests_s() == pytest.approx(delay_s + 60, abs=2)
        assert media(records)["a"].error == "down"
        # and any job may take it at once, and learns of it
        again = attempts.begin(job, job_id="m-2", lease_s=60)
        assert again is not None
        assert again.waited_for == "storage"
        assert records.batch()["waits_for"] is None

    def test_one_that_was_not_begun_is_put_off_all_the_same(
        self, records: Records, attempts: Deliveries, job: Job
    ) -> None:
        assert self.put_off(attempts, job, attempt_id=None) is not None
        assert (records.batch()["deliveries"], records.batch()["waits_for"]) == (0, "storage")

    @on_postgres
    def test_the_statement_of_the_docs_tells_who_waits(
        self, attempts: Deliveries, pool: Pool, job: Job
    ) -> None:
        self.put_off(attempts, job, attempt_id=None)
        page = (ROOT / "docs" / "logs.md").read_text(encoding="utf-8")
        (statement,) = re.findall(r"```sql\n([^`]*waits_for[^`]*)```", page)
        (row,) = pool.transaction(lambda s: s.rows(statement))
        assert (row["waits_for"], row["count"], row["error"]) == ("storage", 1, "down")

    def test_pauses_grow_and_end_at_a_minute_while_few_wait(
        self, attempts: Deliveries, job: Job
    ) -> None:
        delays = [self.put_off(attempts, job, attempt_id=None) or 0 for _ in range(40)]
        assert max(delays[:1]) <= 15
        assert max(delays) > 20
        assert max(delays) <= 50

    def test_it_is_never_delivered_too_often(
        self, records: Records, attempts: Deliveries, job: Job
    ) -> None:
        for _ in range(8):
            batch = attempts.begin(job, job_id="m-1", lease_s=60)
            assert batch is not None
            self.put_off(attempts, job, *(p.id for p in batch.photos), attempt_id=batch.attempt_id)
        conclude(records)
        assert {m.status for m in media(records).values()} == {Status.PENDING}

    def test_nothing_is_put_off_that_another_delivery_holds_or_that_is_done(
        self, records: Records, attempts: Deliveries, job: Job
    ) -> None:
        batch = attempts.begin(job, job_id="m-1", lease_s=60)
        assert batch is not None
        assert self.put_off(attempts, job, attempt_id=None) is None
        assert self.put_off(attempts, job, attempt_id="another") is None
        older = Job(batch_id=job.batch_id, generation=0)
        assert self.put_off(attempts, older, attempt_id=batch.attempt_id) is None
        finish(records, job, [approved(photo.id) for photo in batch.photos])
        assert self.put_off(attempts, job, attempt_id=None) is None
        assert records.batch()["put_off"] == 0

    def test_who_waits_is_woken_oldest_first_and_the_rest_is_due(
        self, records: Records, attempts: Deliveries
    ) -> None:
        jobs = []
        for key in "xyz":
            batch = records.intake.accept(new_batch(key), photos_per_day=30)
            jobs.append(Job(batch_id=batch.id, generation=1))
            self.put_off(attempts, jobs[-1], attempt_id=None)
        assert attempts.wake("faces", limit=9) == []
        assert attempts.wake("storage", limit=2) == jobs[:2]
        assert attempts.wake("storage", limit=2) == []
        assert records.outbox.take_due(limit=9) == jobs[2:]


class TestReopening:
    """What automatic moderation gave up gets a second chance."""

    @pytest.fixture
    def given_up(self, records: Records, attempts: Deliveries, job: Job) -> Job:
        """The batch: a approved, b and c given up after five deliveries; its next job."""
        for number in range(5):
            batch = opened(attempts, job, f"m-{number}")
            if number == 0:
                finish(records, job, [approved(batch.photos[0].id)])
            hand_back(attempts, job, batch, "the model failed")
        assert conclude(records) == 2
        return Job(batch_id=job.batch_id, generation=2)

    def reopen(self, records: Records, job: Job) -> int:
        return reopen(records, [job.batch_id])

    def test_it_is_listed_with_its_error(self, records: Records, given_up: Job) -> None:
        unfinished = records.unfinished
        (batch,) = unfinished.batches(limit=5)
        assert (batch.batch_id, batch.photos) == (given_up.batch_id, 2)
        assert (batch.deliveries, batch.error) == (5, "the model failed")
        self.reopen(records, given_up)
        assert unfinished.batches(limit=5) == []

    def test_photos_stay_in_review_until_their_new_verdict(
        self, records: Records, attempts: Deliveries, job: Job, given_up: Job
    ) -> None:
        assert begin(attempts, job) == []
        assert self.reopen(records, given_up) == 2
        assert [m.status.value for m in media(records).values()].count("review") == 2
        assert records.outbox.take_due(limit=5) == [given_up]
        photos = open_photos(attempts, given_up)
        assert [(p.file_key, p.unfinished_attempts) for p in photos] == [("b", 0), ("c", 0)]
        assert len(finish(records, given_up, [approved(photo.id) for photo in photos])) == 2
        assert {(m.status, m.error) for m in media(records).values()} == {(Status.APPROVED, None)}
        assert records.views.summary("u").pending_batches == 0

    def test_nothing_happens_twice(self, records: Records, given_up: Job) -> None:
        assert [self.reopen(records, given_up) for _ in range(3)] == [2, 0, 0]
        assert records.outbox.take_due(limit=5) == [given_up]

    def test_a_person_who_decides_first_wins(
        self, records: Records, attempts: Deliveries, given_up: Job
    ) -> None:
        words = Verdict(status=Status.REJECTED, reason="no")
        ids = {key: m.id for key, m in media(records).items()}
        decide(records, ids["b"], words, by=MODERATOR)
        assert self.reopen(records, given_up) == 1
        (c,) = begin(attempts, given_up)
        decide(records, ids["c"], words, by=MODERATOR)
        assert len(finish(records, given_up, [approved(ids["b"]), approved(c)])) == 0
        found = media(records)
        for key in "bc":
            assert (found[key].status, found[key].decided_by) == (Status.REJECTED, "mod")
        assert begin(attempts, given_up) == []
        assert self.reopen(records, given_up) == 0

    def test_what_a_policy_sent_to_a_person_stays_there(
        self, records: Records, attempts: Deliveries, job: Job
    ) -> None:
        unsure = Verdict(status=Status.REVIEW, policy="community@1")
        finish(records, job, [Finding(photo_id=i, verdict=unsure) for i in begin(attempts, job)])
        assert self.reopen(records, job) == 0
        assert records.unfinished.batches(limit=5) == []

    def test_a_late_verdict_of_the_generation_before_changes_nothing(
        self, records: Records, attempts: Deliveries, job: Job, given_up: Job
    ) -> None:
        late = media(records)["b"].id
        self.reopen(records, given_up)
        assert len(finish(records, job, [approved(late)])) == 0
        assert media(records)["b"].status is Status.REVIEW

    def test_a_batch_in_a_workers_hands_is_left_alone(
        self, records: Records, attempts: Deliveries, given_up: Job
    ) -> None:
        self.reopen(records, given_up)
        b, _ = begin(attempts, given_up)
        failed = Finding(photo_id=b, verdict=Verdict(status=Status.REVIEW), error="it crashed")
        finish(records, given_up, [failed])
        assert self.reopen(records, given_up) == 0
        assert len(begin(attempts, given_up)) == 1

    def test_it_may_be_given_up_again(
        self, records: Records, attempts: Deliveries, given_up: Job
    ) -> None:
        self.reopen(records, given_up)
        for number in range(5):
            assert conclude(records) == 0
            hand_back(attempts, given_up, opened(attempts, given_up, f"n-{number}"), "still")
        assert conclude(records) == 2
        (batch,) = records.unfinished.batches(limit=5)
        assert (batch.photos, batch.error) == (2, "still")
        assert self.reopen(records, given_up) == 2

    @on_postgres
    def test_the_database_itself_keeps_decided_photos_closed(
        self, pool: Pool, given_up: Job
    ) -> None:
        with pytest.raises(DatabaseError, match="media_reopened_is_a_machines_review"):
            pool.transaction(lambda s: s.rows("UPDATE media SET reopened = true"))


class TestDecisions:
    def test_each_change_has_one_row_of_history(
        self, records: Records, attempts: Deliveries, job: Job
    ) -> None:
        photo_id = begin(attempts, job)[0]
        rejected = Verdict(status=Status.REJECTED, reason="rude")
        for _ in range(2):
            decide(records, photo_id, rejected, by=MODERATOR)
            verify(records, photo_id, by=MODERATOR)
        decide(records, photo_id, Verdict(status=Status.APPROVED), by=MODERATOR)
        decide(records, photo_id, rejected, by=MODERATOR)
        delete(records, photo_id, by=MODERATOR)
        rows = records.history(photo_id)
        assert [(r["n"], r["action"], r["before"], r["after"], r["words"]) for r in rows] == [
            (1, "decide", "pending", "rejected", "rude"),
            (2, "verify", "rejected", "rejected", "rude"),
            (3, "decide", "rejected", "approved", None),
            (4, "decide", "approved", "rejected", "rude"),
            (5, "delete", "rejected", None, None),
        ]
        people = {(row["by"], row["person"], row["role"]) for row in rows}
        assert people == {("person", "mod", "moderator")}

    def test_only_rejected_photos_are_verified_or_deleted(
        self, records: Records, attempts: Deliveries, job: Job
    ) -> None:
        photo_id = begin(attempts, job)[0]
        with pytest.raises(Conflict):
            verify(records, photo_id, by=MODERATOR)
        with pytest.raises(Conflict):
            delete(records, photo_id, by=MODERATOR)
        assert photo_id in {m.id for m in media(records).values()}

    @pytest.mark.parametrize("media_id", ["nope", "", "00000000-0000-0000-0000-000000000000"])
    def test_an_unknown_photo_is_not_found(self, records: Records, media_id: str) -> None:
        for call in (
            lambda: decide(records, media_id, Verdict(status=Status.APPROVED), by=MODERATOR),
            lambda: verify(records, media_id, by=MODERATOR),
            lambda: withdraw(records, media_id, by=MODERATOR),
        ):
            with pytest.raises(NotFound):
                call()

    def test_a_photo_of_somebody_else_is_not_there(
        self, records: Records, attempts: Deliveries, job: Job
    ) -> None:
        photo_id = begin(attempts, job)[0]
        with pytest.raises(NotFound):
            withdraw(records, photo_id, by=Principal(user_id="v"))
        assert len(media(records)) == 3
