"""A worker's delivery of a batch: leases and counted attempts."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import uuid4

from photogate.adapters.postgres.changes import close_finished
from photogate.adapters.postgres.pool import Pool, Session
from photogate.adapters.postgres.rows import OPEN
from photogate.domain import MANY_WAIT, OpenBatch, OpenPhoto, outage_pause_s
from photogate.errors import BatchBusy
from photogate.messages import Job

#: In one statement, which must not take seconds; who is not woken comes by itself.
_MOST_WOKEN = 10_000


class PostgresDeliveries:
    """The ``Deliveries`` port."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def begin(self, job: Job, *, job_id: str, lease_s: float) -> OpenBatch | None:
        """See ``photogate.ports.records.Deliveries.begin``."""
        attempt_id = str(uuid4())
        opened: OpenBatch | None = None

        def work(session: Session) -> OpenBatch | None:
            nonlocal opened
            if opened is not None and _is_open(session, opened):
                return opened  # committed just before the connection broke
            opened = _begin(session, job, job_id, attempt_id, lease_s)
            return opened

        return self._pool.transaction(work)

    def count(self, photo: OpenPhoto, *, attempt_id: str) -> None:
        """See ``photogate.ports.records.Deliveries.count``."""
        self._pool.transaction(
            lambda s: s.count(
                "UPDATE media SET retry_count = :n, updated_at = now()"
                f" WHERE CAST(id AS text) = :id AND {OPEN} AND EXISTS"
                " (SELECT 1 FROM batches"
                "  WHERE id = CAST(batch_id AS text) AND attempt_id = :attempt)",
                id=photo.id,
                n=photo.unfinished_attempts + 1,
                attempt=attempt_id,
            )
        )

    def hand_back(
        self,
        job: Job,
        photo_ids: Sequence[str],
        *,
        attempt_id: str,
        error: str,
        delivery_counts: bool = True,
    ) -> None:
        """See ``photogate.ports.records.Deliveries.hand_back``."""

        def work(session: Session) -> None:
            mine = session.count(
                "UPDATE batches SET last_error = :error,"
                " deliveries = greatest(deliveries - :uncounted, 0),"
                " lease_job_id = NULL, lease_until = NULL, attempt_id = NULL"
                " WHERE id = :batch AND attempt_id = :attempt",
                error=error,
                uncounted=0 if delivery_counts else 1,
                batch=job.batch_id,
                attempt=attempt_id,
            )
            if not mine:
                return  # another delivery has taken over; the counts are its own
            _uncount(session, job.batch_id, photo_ids, error)

        self._pool.transaction(work)

    def put_off(
        self,
        job: Job,
        photo_ids: Sequence[str] = (),
        *,
        attempt_id: str | None,
        part: str,
        error: str,
        at_least_s: float,
    ) -> float | None:
        """See ``photogate.ports.records.Deliveries.put_off``."""
        delay_s: float | None = None

        def work(session: Session) -> float | None:
            nonlocal delay_s
            batch = session.row(
                "SELECT put_off FROM batches WHERE id = :id AND generation = :generation"
                " AND finished_at IS NULL AND CASE WHEN CAST(:attempt AS text) IS NULL"
                "   THEN lease_until IS NULL OR lease_until < now()"
                "   ELSE attempt_id = CAST(:attempt AS text) END FOR UPDATE",
                id=job.batch_id,
                generation=job.generation,
                attempt=attempt_id,
            )
            if batch is None:
                return delay_s  # of a run whose COMMIT broke; else there is nothing to do
            delay_s = at_least_s + outage_pause_s(batch["put_off"], _waiting(session, part))
            session.rows(
                "UPDATE batches SET waits_for = :part, last_error = :error, put_off = put_off + 1,"
                " deliveries = greatest(deliveries - :begun, 0),"
                " lease_job_id = NULL, lease_until = NULL, attempt_id = NULL,"
                " next_enqueue_at = now() + make_interval(secs => :delay) + interval '1 minute'"
                " WHERE id = :id",
                part=part,
                error=error,
                begun=0 if attempt_id is None else 1,
                delay=delay_s,
                id=job.batch_id,
            )
            _uncount(session, job.batch_id, photo_ids, error)
            return delay_s

        return self._pool.transaction(work)

    def wake(self, part: str, *, limit: int) -> list[Job]:
        """See ``photogate.ports.records.Deliveries.wake``."""
        rows = self._pool.transaction(
            lambda s: s.rows(
                "WITH waiting AS (SELECT id, row_number() OVER (ORDER BY created_at) AS place FROM"
                "   (SELECT id, created_at FROM batches"
                "    WHERE waits_for = :part AND finished_at IS NULL"
                "    ORDER BY created_at LIMIT :most FOR UPDATE SKIP LOCKED) AS locked)"
                " UPDATE batches SET waits_for = NULL, put_off = 0, next_enqueue_at = now()"
                "   + CASE WHEN place <= :n THEN interval '1 minute' ELSE interval '0' END"
                " FROM waiting WHERE batches.id = waiting.id"
                " RETURNING batches.id, generation, place",
                part=part,
                most=_MOST_WOKEN,
                n=limit,
            )
        )
        rows.sort(key=lambda row: int(row["place"]))
        return [Job(batch_id=row["id"], generation=row["generation"]) for row in rows[:limit]]


def _waiting(session: Session, part: str) -> int:
    """Count batches that wait for this part, to ``MANY_WAIT`` at most."""
    row = session.row(
        "SELECT count(*) AS n FROM (SELECT 1 FROM batches"
        " WHERE waits_for = :part AND finished_at IS NULL LIMIT :most) AS waiting",
        part=part,
        most=MANY_WAIT,
    )
    return int(row["n"]) if row else 0


def _uncount(session: Session, batch_id: str, photo_ids: Sequence[str], error: str) -> None:
    session.rows(
        "UPDATE media SET retry_count = greatest(retry_count - 1, 0),"
        " moderation_error = :error, updated_at = now()"
        f" WHERE CAST(batch_id AS text) = :batch AND {OPEN}"
        " AND CAST(id AS text) = ANY (CAST(:ids AS text[]))",
        error=error,
        batch=batch_id,
        ids=list(photo_ids),
    )


def _is_open(session: Session, batch: OpenBatch) -> bool:
    row = session.row("SELECT attempt_id FROM batches WHERE id = :id", id=batch.id)
    return row is not None and row["attempt_id"] == batch.attempt_id


def _begin(
    session: Session, job: Job, job_id: str, attempt_id: str, lease_s: float
) -> OpenBatch | None:
    batch = session.row(
        "SELECT finished_at IS NOT NULL AS finished, generation, lease_job_id, user_id,"
        " waits_for, correlation_id, created_at,"
        " extract(epoch FROM lease_until - now()) AS lease_left_s"
        " FROM batches WHERE id = :id FOR UPDATE",
        id=job.batch_id,
    )
    if batch is None or batch["finished"] or batch["generation"] != job.generation:
        return None
    left_s = float(batch["lease_left_s"] or 0)
    if left_s > 0 and batch["lease_job_id"] != job_id:
        raise BatchBusy(f"batch {job.batch_id} is being worked on", retry_after_s=left_s)

    rows = session.rows(
        "SELECT CAST(id AS text) AS id, retry_count,"
        " CASE WHEN upload_key IS NULL THEN url ELSE coalesce(original_key, upload_key) END"
        "   AS file_key,"
        # It was pinned before we kept the bytes ourselves.
        " CASE WHEN original_key LIKE 'kept/%' THEN NULL ELSE etag END AS etag FROM media"
        f" WHERE CAST(batch_id AS text) = :batch AND {OPEN}"
        " ORDER BY retry_count, display_order, id FOR UPDATE",
        batch=job.batch_id,
    )
    if not rows:
        close_finished(session, [job.batch_id])
        return None
    session.rows(
        "UPDATE batches SET deliveries = deliveries + 1, waits_for = NULL, lease_job_id = :job,"
        " lease_until = now() + make_interval(secs => :lease), attempt_id = :attempt"
        " WHERE id = :id",
        job=job_id,
        attempt=attempt_id,
        lease=lease_s,
        id=job.batch_id,
    )
    if all(row["retry_count"] == 0 for row in rows):
        session.rows(
            f"UPDATE media SET retry_count = 1 WHERE CAST(batch_id AS text) = :batch AND {OPEN}",
            batch=job.batch_id,
        )
    return OpenBatch(
        id=job.batch_id,
        attempt_id=attempt_id,
        user_id=batch["user_id"],
        correlation_id=batch["correlation_id"],
        accepted_at=batch["created_at"],
        waited_for=batch["waits_for"],
        photos=tuple(
            OpenPhoto(
                id=row["id"],
                file_key=row["file_key"],
                etag=row["etag"],
                unfinished_attempts=row["retry_count"],
            )
            for row in rows
        ),
    )
