"""The queue in a table, for where there is no Redis: ``FOR UPDATE SKIP LOCKED``.

The same states and steps as ``queue_redis.lua``. A waiting ``receive`` holds no connection
(LISTEN would pin one for every worker) and asks five times a second, with two statements on
small indexes that find nothing: 1.1 ms of processor each, client and server together, so an
idle worker costs 0.6 % of one (measured 2026-11-23 on two shared cores; there 1,280 sends a
second and 440 times receive and ack).

Every transaction is safe to repeat after a break at COMMIT, because this side makes the
ids and tokens. Should the database stay away just then, a job that was sent may be there
twice, and one that was received is in flight until its visibility ends.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC
from functools import wraps
from typing import Any, ParamSpec, TypeVar
from uuid import uuid4

from photogate.adapters.postgres.pool import Pool, Session
from photogate.domain import DeadJob, Delivery, QueueStats
from photogate.errors import DatabaseUnavailable, QueueUnavailable

P = ParamSpec("P")
T = TypeVar("T")

#: How often a waiting worker looks; what a job waits at most while all workers are idle.
_POLL_S = 0.2
#: All time in the statements comes from here: the server's, unless a test moves it.
_NOW = "coalesce(to_timestamp(CAST(:now_ms AS double precision) / 1000), now())"
#: Per call, as on Redis.
_MOST = 1000

_SEND = f"""
    INSERT INTO jobs (id, body, state, due_at, sent_at)
    VALUES (:id, :body, CASE WHEN CAST(:delay AS float) > 0 THEN 'delayed' ELSE 'visible' END,
            CASE WHEN CAST(:delay AS float) > 0 THEN {_NOW} + make_interval(secs => :delay) END,
            {_NOW})
    ON CONFLICT (id) DO NOTHING
"""
_RECLAIM = f"""
    WITH due AS MATERIALIZED (
        SELECT id, nextval('jobs_place') AS place,
               state = 'in_flight' AS lost, receives >= :most AND state = 'in_flight' AS dies
        FROM (SELECT id, state, receives FROM jobs
              WHERE state IN ('delayed', 'in_flight') AND due_at <= {_NOW}
              ORDER BY state, due_at, id COLLATE "C" LIMIT {_MOST}
              FOR UPDATE SKIP LOCKED) AS locked
    )
    UPDATE jobs SET place = due.place, token = NULL,
        state = CASE WHEN dies THEN 'dead' ELSE 'visible' END,
        due_at = CASE WHEN dies THEN {_NOW} END,
        error = CASE WHEN lost THEN 'its worker did not answer in time' ELSE error END
    FROM due WHERE jobs.id = due.id
"""
_TAKE = f"""
    UPDATE jobs SET state = 'in_flight', receives = receives + 1, token = :token,
        due_at = {_NOW} + make_interval(secs => :visibility)
    WHERE id = (SELECT id FROM jobs WHERE state = 'visible'
                ORDER BY place LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING id, token, body, receives, sent_at
"""
_TAKEN = """
    SELECT id, token, body, receives, sent_at FROM jobs
    WHERE state = 'in_flight' AND token = :token
"""
_EXTEND = f"""
    UPDATE jobs SET due_at = {_NOW} + make_interval(secs => :visibility)
    WHERE id = :id AND token = :token
"""
_ACK = "DELETE FROM jobs WHERE id = :id AND token = :token"
_NACK = f"""
    UPDATE jobs SET token = NULL, error = :error, place = nextval('jobs_place'),
        state = CASE WHEN receives >= :most THEN 'dead'
                     WHEN CAST(:delay AS float) > 0 THEN 'delayed' ELSE 'visible' END,
        due_at = CASE WHEN receives >= :most THEN {_NOW}
                      WHEN CAST(:delay AS float) > 0
                      THEN {_NOW} + make_interval(secs => :delay) END
    WHERE id = :id AND token = :token
"""
#: The database has concluded these batches long ago, and keeps their errors.
_BURY = f"DELETE FROM jobs WHERE state = 'dead' AND due_at <= {_NOW} - interval '14 days'"
_STATS = """
    SELECT count(*) FILTER (WHERE state = 'visible') AS visible,
           count(*) FILTER (WHERE state = 'in_flight') AS in_flight,
           count(*) FILTER (WHERE state = 'delayed') AS delayed,
           count(*) FILTER (WHERE state = 'dead') AS dead
    FROM jobs
"""
_DEAD = """
    SELECT id, body, receives, error FROM jobs WHERE state = 'dead'
    ORDER BY due_at, id COLLATE "C" LIMIT :limit
"""
_REDRIVE = """
    WITH chosen AS MATERIALIZED (
        SELECT id, nextval('jobs_place') AS place
        FROM (SELECT id FROM jobs WHERE state = 'dead' AND id = ANY (CAST(:ids AS text[]))
              ORDER BY due_at, id COLLATE "C" FOR UPDATE) AS locked
    )
    UPDATE jobs SET state = 'visible', due_at = NULL, receives = 0, place = chosen.place
    FROM chosen WHERE jobs.id = chosen.id RETURNING jobs.id
"""
_PURGE = f"""
    DELETE FROM jobs WHERE id = ANY (ARRAY(
        SELECT id FROM jobs WHERE state = ANY (CAST(:states AS text[])) LIMIT {_MOST}
        FOR UPDATE SKIP LOCKED))
    RETURNING id
"""


def _translated(call: Callable[P, T]) -> Callable[P, T]:
    @wraps(call)
    def translated(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return call(*args, **kwargs)
        except DatabaseUnavailable as error:
            raise QueueUnavailable(str(error), retry_after_s=error.retry_after_s) from error

    return translated


class PostgresQueue:
    """``JobSender``, ``JobReceiver`` and ``JobMonitor`` in one database. Thread-safe.

    Args:
        pool: of the database; nothing is kept in its sessions.
        visibility_s: how long a received job stays invisible unless it is extended.
        max_receives: deliveries after which a job is dead.
        clock: milliseconds instead of the server's time, for tests that move it.
        new_id: names jobs; not random only in tests that repeat themselves.
    """

    def __init__(
        self,
        pool: Pool,
        *,
        visibility_s: float = 30.0,
        max_receives: int = 5,
        clock: Callable[[], int] | None = None,
        new_id: Callable[[], object] = uuid4,
    ) -> None:
        self._pool = pool
        self._visibility_s = visibility_s
        self._max_receives = max_receives
        self._clock = clock
        self._new_id = new_id

    @_translated
    def send(self, body: str, *, delay_s: float = 0.0) -> str:
        """See ``photogate.ports.queue.JobSender.send``."""
        job_id, now_ms = str(self._new_id()), self._now_ms()
        self._pool.transaction(
            lambda s: s.rows(_SEND, id=job_id, body=body, delay=delay_s, now_ms=now_ms)
        )
        return job_id

    @_translated
    def receive(self, *, wait_s: float) -> Delivery | None:
        """See ``photogate.ports.queue.JobReceiver.receive``."""
        deadline = time.monotonic() + wait_s
        while (delivery := self._take()) is None:
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                return None
            time.sleep(min(_POLL_S, left_s))
        return delivery

    @_translated
    def extend(self, delivery: Delivery, *, visibility_s: float) -> bool:
        """See ``photogate.ports.queue.JobReceiver.extend``."""
        return self._change(_EXTEND, delivery, now_ms=self._now_ms(), visibility=visibility_s)

    @_translated
    def ack(self, delivery: Delivery) -> bool:
        """See ``photogate.ports.queue.JobReceiver.ack``."""
        return self._change(_ACK, delivery)

    @_translated
    def nack(self, delivery: Delivery, *, delay_s: float, error: str) -> bool:
        """See ``photogate.ports.queue.JobReceiver.nack``."""
        return self._change(
            _NACK,
            delivery,
            now_ms=self._now_ms(),
            delay=delay_s,
            error=error,
            most=self._max_receives,
        )

    @_translated
    def stats(self) -> QueueStats:
        """See ``photogate.ports.queue.JobMonitor.stats``."""
        now_ms = self._now_ms()

        def work(session: Session) -> QueueStats:
            session.rows(_RECLAIM, most=self._max_receives, now_ms=now_ms)
            session.rows(_BURY, now_ms=now_ms)
            return QueueStats(**session.rows(_STATS)[0])

        return self._pool.transaction(work)

    @_translated
    def dead(self, *, limit: int) -> list[DeadJob]:
        """See ``photogate.ports.queue.JobMonitor.dead``."""
        return [
            DeadJob(
                job_id=row["id"],
                body=row["body"],
                receive_count=row["receives"],
                last_error=row["error"],
            )
            for row in self._pool.transaction(lambda s: s.rows(_DEAD, limit=limit))
        ]

    @_translated
    def redrive(self, *, limit: int) -> int:
        """See ``photogate.ports.queue.JobMonitor.redrive``."""
        # Chosen beforehand, so that a repeated transaction takes no further ones.
        ids = [job.job_id for job in self.dead(limit=limit)]
        redriven: set[str] = set()

        def work(session: Session) -> None:
            redriven.update(row["id"] for row in session.rows(_REDRIVE, ids=ids))

        self._pool.transaction(work)
        return len(redriven)

    @_translated
    def purge(self, *, dead: bool) -> int:
        """See ``photogate.ports.queue.JobMonitor.purge``."""
        states = ["dead"] if dead else ["visible", "delayed"]
        purged: set[str] = set()

        def work(session: Session) -> int:
            rows = session.rows(_PURGE, states=states)
            purged.update(row["id"] for row in rows)
            return len(rows)

        while self._pool.transaction(work):
            pass
        return len(purged)

    @_translated
    def check(self) -> dict[str, Any]:
        """Answer a health probe with how many jobs the table holds."""
        (row,) = self._pool.transaction(lambda s: s.rows("SELECT count(*) AS jobs FROM jobs"))
        return row

    def _now_ms(self) -> int | None:
        return None if self._clock is None else self._clock()

    def _take(self) -> Delivery | None:
        token, now_ms = str(uuid4()), self._now_ms()
        repeated = False

        def work(session: Session) -> dict[str, Any] | None:
            nonlocal repeated
            if repeated and (taken := session.row(_TAKEN, token=token)):
                return taken
            repeated = True
            session.rows(_RECLAIM, most=self._max_receives, now_ms=now_ms)
            return session.row(_TAKE, token=token, visibility=self._visibility_s, now_ms=now_ms)

        row = self._pool.transaction(work)
        if row is None:
            return None
        return Delivery(
            job_id=row["id"],
            token=row["token"],
            body=row["body"],
            receive_count=row["receives"],
            sent_at=row["sent_at"].astimezone(UTC),
        )

    def _change(self, sql: str, delivery: Delivery, **params: Any) -> bool:
        """Change the job while the delivery is its current one; tells whether it was.

        After a break at COMMIT the token may be gone by this very call's doing, so what
        the first run found counts.
        """
        current = False

        def work(session: Session) -> None:
            nonlocal current
            found = session.count(sql, id=delivery.job_id, token=delivery.token, **params)
            current = current or found > 0

        self._pool.transaction(work)
        return current
