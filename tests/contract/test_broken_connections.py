"""Connections that break at every point of every transaction: the outcome stays the same."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from photogate.adapters.postgres.changes import PostgresChanges
from photogate.adapters.postgres.copies import PostgresCopies
from photogate.adapters.postgres.deliveries import PostgresDeliveries
from photogate.adapters.postgres.intake import PostgresIntake
from photogate.adapters.postgres.outbox import PostgresOutbox
from photogate.adapters.postgres.pool import Pool, Session
from photogate.adapters.postgres.queue import PostgresQueue
from photogate.adapters.postgres.views import PostgresViews
from photogate.adapters.postgres.workers import PostgresWorkers
from photogate.domain import (
    Delivery,
    Finding,
    OpenBatch,
    Principal,
    Role,
    Signals,
    Status,
    Verdict,
    WorkerInfo,
)
from photogate.domain.changes import judged
from photogate.errors import DatabaseUnavailable, QueueUnavailable
from photogate.messages import Job
from tests import authors
from tests.conftest import empty
from tests.contract.test_intake import new_batch
from tests.proxy import Break, Cut, Script, scripted
from tests.records import PostgresRecords

#: The message that runs a prepared statement, for all of its rows.
EXECUTE = b"E\x00\x00\x00\x09\x00\x00\x00\x00\x00"
#: Before the transaction, at its first statement with a value, and at its end.
CUTS = {
    "before BEGIN": Cut(at=b"BEGIN", how=Break.BEFORE),
    "after BEGIN": Cut(at=b"BEGIN", how=Break.AFTER),
    "before a statement": Cut(at=EXECUTE, how=Break.BEFORE),
    "after a statement": Cut(at=EXECUTE, how=Break.AFTER),
    "before COMMIT": Cut(at=b"COMMIT", how=Break.BEFORE),
    "after COMMIT": Cut(at=b"COMMIT", how=Break.AFTER),
}

MODERATOR = Principal(user_id="mod", role=Role.MODERATOR)
OWNER = Principal(user_id="u")


@pytest.fixture
def through(migrated_url: str, pool: Pool) -> Iterator[tuple[Script, Pool]]:
    """What breaks connections, and a pool whose connections it breaks."""
    with scripted(migrated_url) as (script, url), closing(Pool(url, timeout_s=2)) as broken:
        yield script, broken


@dataclass(frozen=True, kw_only=True)
class Given:
    """A batch of three photos, in the state that the step under test begins with."""

    job: Job
    open: OpenBatch | None
    #: By their keys.
    ids: dict[str, str]
    delivery: Delivery | None = None


def accepted(pool: Pool) -> Given:
    batch = PostgresIntake(pool).accept(new_batch("a", "b", "c"), photos_per_day=30)
    photos = PostgresViews(pool).of_user("u")
    return Given(
        job=Job(batch_id=batch.id, generation=1),
        open=None,
        ids={photo.file_key: photo.id for photo in photos},
    )


def due(pool: Pool) -> Given:
    given = accepted(pool)
    pool.transaction(lambda s: s.count("UPDATE batches SET next_enqueue_at = now()"))
    return given


def begun(pool: Pool) -> Given:
    given = accepted(pool)
    return replace(given, open=PostgresDeliveries(pool).begin(given.job, job_id="m", lease_s=60))


def begun_twice(pool: Pool) -> Given:
    given = begun(pool)
    return replace(given, open=PostgresDeliveries(pool).begin(given.job, job_id="m", lease_s=60))


def delivered_too_often(pool: Pool) -> Given:
    given = begun(pool)
    pool.transaction(lambda s: s.count("UPDATE batches SET deliveries = 5, lease_until = now()"))
    return given


def concluded(pool: Pool) -> Given:
    given = delivered_too_often(pool)
    assert authors.conclude(PostgresRecords(pool)) == 3
    return given


def copies_wanted(pool: Pool) -> Given:
    given = begun(pool)
    finding = Finding(
        photo_id=given.ids["a"],
        verdict=Verdict(status=Status.APPROVED),
        signals=Signals(width=8, height=8),
        original_key="kept/a",
    )
    PostgresChanges(pool).make([judged(finding, generation=1)])
    pool.transaction(
        lambda s: s.rows("UPDATE media SET copies_due_at = now() WHERE copies_due_at IS NOT NULL")
    )
    return given


def copies_begun(pool: Pool) -> Given:
    given = copies_wanted(pool)
    for _ in range(2):  # an attempt that never ended stays counted
        PostgresCopies(pool).begin([given.ids["a"]], lease_s=0)
    return given


def copied(pool: Pool) -> Given:
    given = copies_wanted(pool)
    made(pool, given)
    return given


def upload_over(pool: Pool) -> Given:
    issue(pool, accepted(pool))
    pool.transaction(
        lambda s: s.rows("UPDATE upload_urls SET expires_at = now() - interval '1 hour'")
    )
    return Given(job=Job(batch_id="none", generation=1), open=None, ids={})


def rejected(pool: Pool) -> Given:
    given = accepted(pool)
    decide(pool, given)
    return given


def queued(pool: Pool) -> Given:
    PostgresQueue(pool).send("x")
    return accepted(pool)


def taken(pool: Pool) -> Given:
    return replace(queued(pool), delivery=PostgresQueue(pool).receive(wait_s=0))


def dead(pool: Pool) -> Given:
    queue = PostgresQueue(pool, max_receives=1)
    for body in "xyz":
        queue.send(body)
        delivery = queue.receive(wait_s=0)
        assert delivery
        assert queue.nack(delivery, delay_s=0, error="no")
    return accepted(pool)


def begin(pool: Pool, given: Given) -> Any:
    batch = PostgresDeliveries(pool).begin(given.job, job_id="m", lease_s=60)
    assert batch is not None
    return [(photo.file_key, photo.unfinished_attempts) for photo in batch.photos]


def count(pool: Pool, given: Given) -> Any:
    assert given.open
    PostgresDeliveries(pool).count(given.open.photos[0], attempt_id=given.open.attempt_id)


def finish(pool: Pool, given: Given) -> Any:
    assert given.open
    verdict = Verdict(status=Status.APPROVED)
    findings = [Finding(photo_id=photo.id, verdict=verdict) for photo in given.open.photos[:2]]
    return len(authors.finish(PostgresRecords(pool), given.job, findings))


def hand_back(pool: Pool, given: Given) -> Any:
    assert given.open
    ids = [photo.id for photo in given.open.photos]
    attempt = given.open.attempt_id
    PostgresDeliveries(pool).hand_back(given.job, ids, attempt_id=attempt, error="down")


def accept(pool: Pool, given: Given) -> Any:
    batch = PostgresIntake(pool).accept(new_batch("d", "e"), photos_per_day=30)
    return batch.created, batch.file_keys


def find(pool: Pool, given: Given) -> Any:
    batch = PostgresIntake(pool).find("u", ["c", "b", "a"])
    return batch and batch.file_keys


def issue(pool: Pool, given: Given) -> Any:
    PostgresIntake(pool).issue(
        "u", "incoming/x", size_bytes=5, expires_in_s=900, most_urls=1, most_bytes=9
    )


def made(pool: Pool, given: Given) -> Any:
    return PostgresCopies(pool).made(
        given.ids["a"], display_key="copies/display/a.jpg", original_key="kept/a"
    )


def put_off(pool: Pool, given: Given) -> Any:
    PostgresCopies(pool).put_off([given.ids["a"]], for_s=0)


def copy_failed(pool: Pool, given: Given) -> Any:
    PostgresCopies(pool).failed(given.ids["a"], for_s=0)


def copies_due(pool: Pool, given: Given) -> Any:
    return len(PostgresCopies(pool).take_due(limit=9))


def release_uploads(pool: Pool, given: Given) -> Any:
    PostgresCopies(pool).release_uploads(limit=9)


def release_originals(pool: Pool, given: Given) -> Any:
    PostgresCopies(pool).release_originals(days=0, limit=9)


def decide(pool: Pool, given: Given) -> Any:
    verdict = Verdict(status=Status.REJECTED, reason="rude")
    media = authors.decide(PostgresRecords(pool), given.ids["a"], verdict, by=MODERATOR)
    return media.status, media.decided_by


def verify(pool: Pool, given: Given) -> Any:
    return authors.verify(PostgresRecords(pool), given.ids["a"], by=MODERATOR).verified_by


def delete_own(pool: Pool, given: Given) -> Any:
    return authors.withdraw(PostgresRecords(pool), given.ids["a"], by=OWNER)


def delete_rejected(pool: Pool, given: Given) -> Any:
    return authors.delete(PostgresRecords(pool), given.ids["a"], by=MODERATOR)


def take_due(pool: Pool, given: Given) -> Any:
    return len(PostgresOutbox(pool).take_due(limit=9))


def sent(pool: Pool, given: Given) -> Any:
    PostgresOutbox(pool).sent([given.job.batch_id])


def conclude(pool: Pool, given: Given) -> Any:
    return authors.conclude(PostgresRecords(pool))


def reopen(pool: Pool, given: Given) -> Any:
    return authors.reopen(PostgresRecords(pool), [given.job.batch_id])


def announce(pool: Pool, given: Given) -> Any:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    PostgresWorkers(pool).announce(
        WorkerInfo(
            id="w",
            host="h",
            pid=1,
            model="m",
            policy="community",
            gates=(),
            started_at=now,
            seen_at=now,
            last_photo_at=None,
        )
    )


def send(pool: Pool, given: Given) -> Any:
    PostgresQueue(pool).send("x")


def receive(pool: Pool, given: Given) -> Any:
    delivery = PostgresQueue(pool).receive(wait_s=0)
    return delivery and (delivery.body, delivery.receive_count)


def ack(pool: Pool, given: Given) -> Any:
    assert given.delivery
    return PostgresQueue(pool).ack(given.delivery)


def nack(pool: Pool, given: Given) -> Any:
    assert given.delivery
    return PostgresQueue(pool).nack(given.delivery, delay_s=0, error="no")


def extend(pool: Pool, given: Given) -> Any:
    assert given.delivery
    return PostgresQueue(pool).extend(given.delivery, visibility_s=60)


def redrive(pool: Pool, given: Given) -> Any:
    return PostgresQueue(pool).redrive(limit=2)


def purge(pool: Pool, given: Given) -> Any:
    return PostgresQueue(pool).purge(dead=True)


def stats(pool: Pool, given: Given) -> Any:
    return PostgresQueue(pool).stats()


STEPS: list[tuple[Callable[[Pool], Given], Callable[[Pool, Given], Any]]] = [
    (accepted, accept),
    (accepted, find),
    (accepted, begin),
    (begun, begin),
    (begun_twice, count),
    (begun, finish),
    (begun, hand_back),
    (accepted, issue),
    (upload_over, release_uploads),
    (copies_wanted, made),
    (copies_begun, put_off),
    (copies_begun, copy_failed),
    (copies_wanted, copies_due),
    (copied, release_originals),
    (copied, delete_own),
    (accepted, decide),
    (rejected, verify),
    (accepted, delete_own),
    (rejected, delete_rejected),
    (due, take_due),
    (due, sent),
    (delivered_too_often, conclude),
    (concluded, reopen),
    (accepted, announce),
    (accepted, send),
    (queued, receive),
    (taken, ack),
    (taken, nack),
    (taken, extend),
    (dead, redrive),
    (dead, purge),
    (taken, stats),
]

#: Everything that a step may change, but for random ids and times. A batch whose ``sent`` is
#: repeated may rest twice as long, so how long it rests is left out.
STATE = (
    "SELECT upload_key, url LIKE 'withheld/%' AS withheld, original_key, display_key,"
    " copies_attempts, copies_failures, copies_due_at <= now() AS copies_due, moderation_status,"
    " moderation_reason, moderation_error, retry_count, decided_by, verified_by, reopened"
    " FROM media ORDER BY upload_key",
    "SELECT file_key, handed_in_at IS NOT NULL AS handed_in, wanted FROM upload_urls"
    " ORDER BY file_key",
    "SELECT file_keys, generation, finished_at IS NULL AS open, deliveries, last_error,"
    " lease_job_id, attempt_id IS NULL AS free, next_enqueue_at <= now() AS due"
    " FROM batches ORDER BY file_keys",
    "SELECT user_id, photos FROM upload_usage ORDER BY photos",
    "SELECT file_key, removed_at IS NULL AS there FROM object_deletions ORDER BY file_key",
    "SELECT id FROM workers",
    "SELECT body, state, receives, error, token IS NULL AS free FROM jobs ORDER BY place",
    "SELECT owner.user_id, person.user_id AS person, n, action, by, generation, before, after,"
    " reason, words FROM history LEFT JOIN history_words USING (photo_id, n)"
    " JOIN subjects AS owner ON owner.id = owner"
    " LEFT JOIN subjects AS person ON person.id = person"
    " WHERE at > :since ORDER BY 1, 3, 4, 7, 8",
    "SELECT kind, closed_at IS NULL AS open FROM review_items ORDER BY 1, 2",
)


def outcome(
    pool: Pool,
    arrange: Callable[[Pool], Given],
    act: Callable[[Pool, Given], Any],
    through: Pool,
) -> Any:
    """Begin on an empty database, do the step on ``through``, and tell what came of it."""
    empty(pool)
    given = arrange(pool)
    since = pool.transaction(lambda s: s.rows("SELECT clock_timestamp() AS at"))[0]["at"]
    result = act(through, given)

    def state(session: Session) -> list[Any]:
        return [session.rows(sql, **({"since": since} if ":since" in sql else {})) for sql in STATE]

    return result, pool.transaction(state)


@pytest.mark.parametrize(
    ("arrange", "act"), STEPS, ids=[f"{act.__name__} when {a.__name__}" for a, act in STEPS]
)
def test_a_break_changes_no_outcome(
    pool: Pool,
    through: tuple[Script, Pool],
    arrange: Callable[[Pool], Given],
    act: Callable[[Pool, Given], Any],
) -> None:
    script, broken = through
    expected = outcome(pool, arrange, act, pool)
    for point, cut in CUTS.items():
        script.cuts.append(cut)
        assert outcome(pool, arrange, act, broken) == expected, point
        assert script.done.pop() == cut


@pytest.mark.parametrize("point", CUTS)
def test_breaks_without_end_are_an_outage(
    pool: Pool, through: tuple[Script, Pool], point: str
) -> None:
    script, broken = through
    given = accepted(pool)
    script.cuts += [CUTS[point]] * 100
    started = time.monotonic()
    for act in (begin, accept, decide):
        with pytest.raises(DatabaseUnavailable) as caught:
            act(broken, given)
        assert caught.value.retry_after_s
    with pytest.raises(QueueUnavailable) as refused:
        send(broken, given)
    assert refused.value.retry_after_s
    # A transaction is begun again within 5 s of its start; there were four.
    assert time.monotonic() - started < 4 * 5 + 10


@pytest.mark.slow
def test_a_server_that_falls_silent_is_not_asked_again_and_again(
    pool: Pool, migrated_url: str
) -> None:
    given = accepted(pool)
    with scripted(migrated_url) as (script, url), closing(Pool(url, timeout_s=5.5)) as broken:
        script.cuts += [Cut(at=b"COMMIT", how=Break.SILENCE)] * 100
        started = time.monotonic()
        with pytest.raises(DatabaseUnavailable):
            accept(broken, given)
        # Later than 5 s after its start a transaction is not repeated.
        assert time.monotonic() - started > 5
        assert len(script.done) == 1
