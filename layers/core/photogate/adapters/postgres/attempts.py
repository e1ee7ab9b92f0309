"""A worker's delivery of a batch: leases, counted attempts, and verdicts."""

from __future__ import annotations

import json
from collections.abc import Sequence

from photogate.adapters.postgres.pool import Pool, Session
from photogate.domain import Finding, OpenBatch, OpenPhoto, Status
from photogate.errors import BatchBusy
from photogate.messages import Job


class PostgresAttempts:
    """The ``Attempts`` port."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def begin(self, job: Job, *, job_id: str, lease_s: float) -> OpenBatch | None:
        """See ``photogate.ports.Attempts.begin``."""
        return self._pool.transaction(lambda s: _begin(s, job, job_id, lease_s))

    def count(self, photo: OpenPhoto) -> None:
        """See ``photogate.ports.Attempts.count``."""
        self._pool.transaction(
            lambda s: s.count(
                "UPDATE media SET retry_count = :n, updated_at = now()"
                " WHERE CAST(id AS text) = :id AND moderation_status = 'pending'",
                id=photo.id,
                n=photo.unfinished_attempts + 1,
            )
        )

    def finish(self, job: Job, findings: Sequence[Finding]) -> int:
        """See ``photogate.ports.Attempts.finish``."""
        return self._pool.transaction(lambda s: _finish(s, job, findings))

    def hand_back(self, job: Job, photo_ids: Sequence[str], *, job_id: str, error: str) -> None:
        """See ``photogate.ports.Attempts.hand_back``."""

        def work(session: Session) -> None:
            mine = session.count(
                "UPDATE batches SET last_error = :error, lease_job_id = NULL, lease_until = NULL"
                " WHERE id = :batch AND lease_job_id = :job",
                error=error,
                batch=job.batch_id,
                job=job_id,
            )
            if not mine:
                return  # another delivery has taken over; the counts are its own
            session.rows(
                "UPDATE media SET retry_count = greatest(retry_count - 1, 0),"
                " moderation_error = :error, updated_at = now()"
                " WHERE batch_id = :batch AND moderation_status = 'pending'"
                " AND CAST(id AS text) = ANY (CAST(:ids AS text[]))",
                error=error,
                batch=job.batch_id,
                ids=list(photo_ids),
            )

        self._pool.transaction(work)


def _begin(session: Session, job: Job, job_id: str, lease_s: float) -> OpenBatch | None:
    batch = session.row(
        "SELECT finished_at IS NOT NULL AS finished, generation, lease_job_id, user_id,"
        " correlation_id, created_at,"
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
        "SELECT CAST(id AS text) AS id, url, etag, retry_count FROM media"
        " WHERE batch_id = :batch AND moderation_status = 'pending'"
        " ORDER BY retry_count, display_order, id FOR UPDATE",
        batch=job.batch_id,
    )
    if not rows:
        _close_if_done(session, job.batch_id)
        return None
    session.rows(
        "UPDATE batches SET deliveries = deliveries + 1, lease_job_id = :job,"
        " lease_until = now() + make_interval(secs => :lease) WHERE id = :id",
        job=job_id,
        lease=lease_s,
        id=job.batch_id,
    )
    if all(row["retry_count"] == 0 for row in rows):
        session.rows(
            "UPDATE media SET retry_count = 1"
            " WHERE batch_id = :batch AND moderation_status = 'pending'",
            batch=job.batch_id,
        )
    return OpenBatch(
        id=job.batch_id,
        user_id=batch["user_id"],
        correlation_id=batch["correlation_id"],
        accepted_at=batch["created_at"],
        photos=tuple(
            OpenPhoto(
                id=row["id"],
                file_key=row["url"],
                etag=row["etag"],
                unfinished_attempts=row["retry_count"],
            )
            for row in rows
        ),
    )


def _finish(session: Session, job: Job, findings: Sequence[Finding]) -> int:
    # Rows are locked in one order everywhere: the batch, then its photos.
    session.row("SELECT 1 FROM batches WHERE id = :id FOR UPDATE", id=job.batch_id)
    written = 0
    for finding in findings:
        written += session.count(
            "UPDATE media SET moderation_status = :status, moderation_reason = :reason,"
            " moderation_scores = CAST(:scores AS jsonb), moderation_error = :error,"
            " moderated_at = now(), updated_at = now(),"
            " retry_count = CASE WHEN :failed THEN retry_count"
            "   ELSE greatest(retry_count - 1, 0) END"
            " WHERE CAST(id AS text) = :id AND moderation_status = 'pending'",
            status=finding.verdict.status.value,
            reason=finding.verdict.reason,
            scores=json.dumps(finding.scores(), allow_nan=False),
            error=finding.error,
            failed=finding.error is not None and finding.verdict.status is Status.REVIEW,
            id=finding.photo_id,
        )
    _close_if_done(session, job.batch_id)
    return written


def _close_if_done(session: Session, batch_id: str) -> None:
    session.rows(
        "UPDATE batches SET finished_at = now(), lease_job_id = NULL, lease_until = NULL"
        " WHERE id = :id AND finished_at IS NULL AND NOT EXISTS"
        " (SELECT 1 FROM media WHERE batch_id = :id AND moderation_status = 'pending')",
        id=batch_id,
    )
