"""A worker's deliveries: leases, counted attempts, verdicts that stay."""

from __future__ import annotations

import math

import pytest
from pg8000.exceptions import DatabaseError

from photogate.adapters.postgres.deliveries import PostgresDeliveries
from photogate.adapters.postgres.intake import PostgresIntake
from photogate.adapters.postgres.outbox import PostgresOutbox
from photogate.adapters.postgres.pool import Pool
from photogate.adapters.postgres.unfinished import PostgresUnfinished
from photogate.adapters.postgres.views import PostgresViews
from photogate.domain import (
    Face,
    Finding,
    Media,
    OpenBatch,
    OpenPhoto,
    Principal,
    Role,
    Signals,
    Status,
    Verdict,
)
from photogate.errors import BatchBusy, Conflict, NotFound
from photogate.messages import Job
from tests.authors import conclude, decide, delete, finish, reopen, verify, withdraw
from tests.contract.test_intake import new_batch

MODERATOR = Principal(user_id="mod", role=Role.MODERATOR)


@pytest.fixture
def job(pool: Pool) -> Job:
    """A batch of three photos, accepted."""
    batch = PostgresIntake(pool).accept(new_batch("a", "b", "c"), photos_per_day=30)
    return Job(batch_id=batch.id, generation=batch.generation)


@pytest.fixture
def attempts(pool: Pool) -> PostgresDeliveries:
    """The port under test."""
    return PostgresDeliveries(pool)


def media(pool: Pool) -> dict[str, Media]:
    return {m.file_key: m for m in PostgresViews(pool).of_user("u")}


def retries(pool: Pool) -> dict[str, int]:
    rows = pool.transaction(lambda s: s.rows("SELECT url, retry_count FROM media"))
    return {row["url"]: row["retry_count"] for row in rows}


def approved(photo_id: str) -> Finding:
    return Finding(
        photo_id=photo_id,
        verdict=Verdict(status=Status.APPROVED, policy="community@1"),
        signals=Signals(blur_variance=100.0),
    )


def test_a_signal_that_is_no_number_is_left_out(
    pool: Pool, attempts: PostgresDeliveries, job: Job
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
    assert len(finish(pool, job, [finding, *(approved(i) for i in ids[1:])])) == 3
    assert media(pool)["a"].scores == {"rms_contrast": 40.0, "has_face": True, "face_count": 1}


def opened(
    attempts: PostgresDeliveries, job: Job, job_id: str = "m-1", lease_s: float = 60
) -> OpenBatch:
    batch = attempts.begin(job, job_id=job_id, lease_s=lease_s)
    assert batch is not None
    return batch


def hand_back(attempts: PostgresDeliveries, job: Job, batch: OpenBatch, error: str) -> None:
    ids = [photo.id for photo in batch.photos]
    attempts.hand_back(job, ids, attempt_id=batch.attempt_id, error=error)


def open_photos(
    attempts: PostgresDeliveries, job: Job, job_id: str = "m-1", lease_s: float = 60
) -> tuple[OpenPhoto, ...]:
    batch = attempts.begin(job, job_id=job_id, lease_s=lease_s)
    return batch.photos if batch else ()


def begin(
    attempts: PostgresDeliveries, job: Job, job_id: str = "m-1", lease_s: float = 60
) -> list[str]:
    return [photo.id for photo in open_photos(attempts, job, job_id, lease_s)]


def test_a_first_attempt_counts_every_photo(
    pool: Pool, attempts: PostgresDeliveries, job: Job
) -> None:
    photos = open_photos(attempts, job)
    assert [(p.file_key, p.etag, p.unfinished_attempts) for p in photos] == [
        ("a", "e", 0),
        ("b", "e", 0),
        ("c", "e", 0),
    ]
    assert retries(pool) == {"a": 1, "b": 1, "c": 1}


def test_verdicts_close_the_batch(pool: Pool, attempts: PostgresDeliveries, job: Job) -> None:
    ids = begin(attempts, job)
    assert len(finish(pool, job, [approved(i) for i in ids[:2]])) == 2
    assert len(begin(attempts, job)) == 1
    assert len(finish(pool, job, [approved(i) for i in ids])) == 1
    assert begin(attempts, job) == []
    assert begin(attempts, job, "m-2") == []
    found = media(pool)
    assert {m.status for m in found.values()} == {Status.APPROVED}
    assert found["a"].scores == {"blur_variance": 100.0, "policy": "community@1"}
    assert found["a"].moderated_at is not None


def test_after_an_unfinished_attempt_photos_are_counted_singly_least_tried_first(
    pool: Pool, attempts: PostgresDeliveries, job: Job
) -> None:
    a, b, c = begin(attempts, job)
    again = opened(attempts, job)
    assert [p.unfinished_attempts for p in again.photos] == [1, 1, 1]
    assert retries(pool) == {"a": 1, "b": 1, "c": 1}
    attempts.count(again.photos[0], attempt_id=again.attempt_id)
    third = open_photos(attempts, job)
    assert [(p.id, p.unfinished_attempts) for p in third] == [(b, 1), (c, 1), (a, 2)]


def test_a_delivery_that_lost_its_lease_counts_nothing(
    pool: Pool, attempts: PostgresDeliveries, job: Job
) -> None:
    late = opened(attempts, job)
    begin(attempts, job)
    attempts.count(late.photos[0], attempt_id=late.attempt_id)
    assert retries(pool) == {"a": 1, "b": 1, "c": 1}


def test_an_orderly_failure_is_not_counted_but_kept(
    pool: Pool, attempts: PostgresDeliveries, job: Job
) -> None:
    batch = opened(attempts, job)
    ids = [photo.id for photo in batch.photos]
    finish(pool, job, [approved(ids[0])])
    hand_back(attempts, job, batch, "the store is down")
    assert retries(pool) == {"a": 0, "b": 0, "c": 0}
    assert media(pool)["b"].error == "the store is down"
    assert len(begin(attempts, job, "m-2")) == 2
    finish(pool, job, [approved(i) for i in ids[1:]])
    assert media(pool)["b"].error is None


def test_another_job_waits_for_the_lease_and_the_same_one_takes_over(
    attempts: PostgresDeliveries, job: Job
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
    pool: Pool, attempts: PostgresDeliveries, job: Job, job_id: str
) -> None:
    lost = opened(attempts, job, "m-1", lease_s=0)
    begin(attempts, job, job_id, lease_s=60)
    before = retries(pool)
    hand_back(attempts, job, lost, "late")
    assert retries(pool) == before
    with pytest.raises(BatchBusy):
        begin(attempts, job, "m-3")


def test_an_older_generation_finds_nothing_to_do(
    pool: Pool, attempts: PostgresDeliveries, job: Job
) -> None:
    pool.transaction(lambda s: s.rows("UPDATE batches SET generation = 2"))
    assert begin(attempts, job) == []
    assert begin(attempts, Job(batch_id="no such batch", generation=1)) == []


def test_a_persons_decision_is_never_overwritten(
    pool: Pool, attempts: PostgresDeliveries, job: Job
) -> None:
    ids = begin(attempts, job)
    words = Verdict(status=Status.REJECTED, reason="not here")
    decide(pool, ids[0], words, by=MODERATOR)
    assert len(finish(pool, job, [approved(i) for i in ids])) == 2
    assert (media(pool)["a"].status, media(pool)["a"].decided_by) == (Status.REJECTED, "mod")
    assert begin(attempts, job) == []


def test_a_deleted_photo_is_skipped(pool: Pool, attempts: PostgresDeliveries, job: Job) -> None:
    ids = begin(attempts, job)
    owner = Principal(user_id="u")
    assert withdraw(pool, ids[0], by=owner) == "a"
    assert len(finish(pool, job, [approved(i) for i in ids])) == 2
    assert set(media(pool)) == {"b", "c"}
    assert PostgresOutbox(pool).take_deletions(limit=5) == ["a"]


def test_what_was_delivered_too_often_goes_to_a_person_with_its_error(
    pool: Pool, attempts: PostgresDeliveries, job: Job
) -> None:
    for number in range(5):
        assert conclude(pool) == 0
        hand_back(attempts, job, opened(attempts, job, f"m-{number}"), "the model failed")
    assert conclude(pool) == 3
    photo = media(pool)["a"]
    assert (photo.status, photo.error) == (Status.REVIEW, "the model failed")
    assert begin(attempts, job) == []
    summary = PostgresViews(pool).summary("u")
    assert (summary.total_photos, summary.failed, summary.pending) == (3, 3, 0)
    assert summary.pending_batches == 0


def test_a_batch_in_a_workers_hands_is_not_concluded(
    pool: Pool, attempts: PostgresDeliveries, job: Job
) -> None:
    for number in range(5):
        begin(attempts, job, "m-1", lease_s=60 if number == 4 else 0)
    assert conclude(pool) == 0


class TestReopening:
    """What automatic moderation gave up gets a second chance."""

    @pytest.fixture
    def given_up(self, pool: Pool, attempts: PostgresDeliveries, job: Job) -> Job:
        """The batch: a approved, b and c given up after five deliveries; its next job."""
        for number in range(5):
            batch = opened(attempts, job, f"m-{number}")
            if number == 0:
                finish(pool, job, [approved(batch.photos[0].id)])
            hand_back(attempts, job, batch, "the model failed")
        assert conclude(pool) == 2
        return Job(batch_id=job.batch_id, generation=2)

    def reopen(self, pool: Pool, job: Job) -> int:
        return reopen(pool, [job.batch_id])

    def test_it_is_listed_with_its_error(self, pool: Pool, given_up: Job) -> None:
        unfinished = PostgresUnfinished(pool)
        (batch,) = unfinished.batches(limit=5)
        assert (batch.batch_id, batch.photos) == (given_up.batch_id, 2)
        assert (batch.deliveries, batch.error) == (5, "the model failed")
        self.reopen(pool, given_up)
        assert unfinished.batches(limit=5) == []

    def test_photos_stay_in_review_until_their_new_verdict(
        self, pool: Pool, attempts: PostgresDeliveries, job: Job, given_up: Job
    ) -> None:
        assert begin(attempts, job) == []
        assert self.reopen(pool, given_up) == 2
        assert [m.status.value for m in media(pool).values()].count("review") == 2
        assert PostgresOutbox(pool).take_due(limit=5) == [given_up]
        photos = open_photos(attempts, given_up)
        assert [(p.file_key, p.unfinished_attempts) for p in photos] == [("b", 0), ("c", 0)]
        assert len(finish(pool, given_up, [approved(photo.id) for photo in photos])) == 2
        assert {(m.status, m.error) for m in media(pool).values()} == {(Status.APPROVED, None)}
        assert PostgresViews(pool).summary("u").pending_batches == 0

    def test_nothing_happens_twice(self, pool: Pool, given_up: Job) -> None:
        assert [self.reopen(pool, given_up) for _ in range(3)] == [2, 0, 0]
        assert PostgresOutbox(pool).take_due(limit=5) == [given_up]

    def test_a_person_who_decides_first_wins(
        self, pool: Pool, attempts: PostgresDeliveries, given_up: Job
    ) -> None:
        words = Verdict(status=Status.REJECTED, reason="no")
        ids = {key: m.id for key, m in media(pool).items()}
        decide(pool, ids["b"], words, by=MODERATOR)
        assert self.reopen(pool, given_up) == 1
        (c,) = begin(attempts, given_up)
        decide(pool, ids["c"], words, by=MODERATOR)
        assert len(finish(pool, given_up, [approved(ids["b"]), approved(c)])) == 0
        found = media(pool)
        for key in "bc":
            assert (found[key].status, found[key].decided_by) == (Status.REJECTED, "mod")
        assert begin(attempts, given_up) == []
        assert self.reopen(pool, given_up) == 0

    def test_what_a_policy_sent_to_a_person_stays_there(
        self, pool: Pool, attempts: PostgresDeliveries, job: Job
    ) -> None:
        unsure = Verdict(status=Status.REVIEW, policy="community@1")
        finish(pool, job, [Finding(photo_id=i, verdict=unsure) for i in begin(attempts, job)])
        assert self.reopen(pool, job) == 0
        assert PostgresUnfinished(pool).batches(limit=5) == []

    def test_a_late_verdict_of_the_generation_before_changes_nothing(
        self, pool: Pool, attempts: PostgresDeliveries, job: Job, given_up: Job
    ) -> None:
        late = media(pool)["b"].id
        self.reopen(pool, given_up)
        assert len(finish(pool, job, [approved(late)])) == 0
        assert media(pool)["b"].status is Status.REVIEW

    def test_a_batch_in_a_workers_hands_is_left_alone(
        self, pool: Pool, attempts: PostgresDeliveries, given_up: Job
    ) -> None:
        self.reopen(pool, given_up)
        b, _ = begin(attempts, given_up)
        failed = Finding(photo_id=b, verdict=Verdict(status=Status.REVIEW), error="it crashed")
        finish(pool, given_up, [failed])
        assert self.reopen(pool, given_up) == 0
        assert len(begin(attempts, given_up)) == 1

    def test_it_may_be_given_up_again(
        self, pool: Pool, attempts: PostgresDeliveries, given_up: Job
    ) -> None:
        self.reopen(pool, given_up)
        for number in range(5):
            assert conclude(pool) == 0
            hand_back(attempts, given_up, opened(attempts, given_up, f"n-{number}"), "still")
        assert conclude(pool) == 2
        (batch,) = PostgresUnfinished(pool).batches(limit=5)
        assert (batch.photos, batch.error) == (2, "still")
        assert self.reopen(pool, given_up) == 2

    def test_the_database_itself_keeps_decided_photos_closed(
        self, pool: Pool, given_up: Job
    ) -> None:
        with pytest.raises(DatabaseError, match="media_reopened_is_a_machines_review"):
            pool.transaction(lambda s: s.rows("UPDATE media SET reopened = true"))


class TestDecisions:
    def test_each_change_has_one_row_of_history(
        self, pool: Pool, attempts: PostgresDeliveries, job: Job
    ) -> None:
        photo_id = begin(attempts, job)[0]
        rejected = Verdict(status=Status.REJECTED, reason="rude")
        for _ in range(2):
            decide(pool, photo_id, rejected, by=MODERATOR)
            verify(pool, photo_id, by=MODERATOR)
        decide(pool, photo_id, Verdict(status=Status.APPROVED), by=MODERATOR)
        decide(pool, photo_id, rejected, by=MODERATOR)
        delete(pool, photo_id, by=MODERATOR)
        rows = pool.transaction(
            lambda s: s.rows(
                "SELECT history.n, action, before, after, words, by, role, subjects.user_id"
                " FROM history JOIN subjects ON subjects.id = person"
                " LEFT JOIN history_words USING (photo_id, n)"
                " WHERE photo_id = :id ORDER BY history.n",
                id=photo_id,
            )
        )
        assert [(r["n"], r["action"], r["before"], r["after"], r["words"]) for r in rows] == [
            (1, "decide", "pending", "rejected", "rude"),
            (2, "verify", "rejected", "rejected", "rude"),
            (3, "decide", "rejected", "approved", None),
            (4, "decide", "approved", "rejected", "rude"),
            (5, "delete", "rejected", None, None),
        ]
        people = {(row["by"], row["user_id"], row["role"]) for row in rows}
        assert people == {("person", "mod", "moderator")}

    def test_only_rejected_photos_are_verified_or_deleted(
        self, pool: Pool, attempts: PostgresDeliveries, job: Job
    ) -> None:
        photo_id = begin(attempts, job)[0]
        with pytest.raises(Conflict):
            verify(pool, photo_id, by=MODERATOR)
        with pytest.raises(Conflict):
            delete(pool, photo_id, by=MODERATOR)
        assert photo_id in {m.id for m in media(pool).values()}

    @pytest.mark.parametrize("media_id", ["nope", "", "00000000-0000-0000-0000-000000000000"])
    def test_an_unknown_photo_is_not_found(self, pool: Pool, media_id: str) -> None:
        for call in (
            lambda: decide(pool, media_id, Verdict(status=Status.APPROVED), by=MODERATOR),
            lambda: verify(pool, media_id, by=MODERATOR),
            lambda: withdraw(pool, media_id, by=MODERATOR),
        ):
            with pytest.raises(NotFound):
                call()

    def test_a_photo_of_somebody_else_is_not_there(
        self, pool: Pool, attempts: PostgresDeliveries, job: Job
    ) -> None:
        photo_id = begin(attempts, job)[0]
        with pytest.raises(NotFound):
            withdraw(pool, photo_id, by=Principal(user_id="v"))
        assert len(media(pool)) == 3
