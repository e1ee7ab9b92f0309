"""The batch row as outbox: what has to be sent again, given up or cleaned up."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from photogate.adapters.postgres import pruning
from photogate.adapters.postgres.changes import close_finished
from photogate.adapters.postgres.pool import Pool, Session
from photogate.adapters.postgres.rows import OPEN
from photogate.domain import BATCH_DAYS, ExhaustedBatch
from photogate.messages import Job

#: A job that the queue seems to hold is sent again after this time all the same.
_AFTER_ALL = "interval '1 hour'"
_TAKE = (
    "UPDATE batches SET next_enqueue_at = now() + interval '1 minute'"
    # An array is made once; a join could read the rows, and lock others, more than once.
    " WHERE id = ANY (ARRAY(SELECT id FROM batches"
    "   WHERE finished_at IS NULL AND next_enqueue_at <= now() AND {which}"
    "   ORDER BY next_enqueue_at LIMIT :n FOR UPDATE SKIP LOCKED))"
    " RETURNING id, generation"
)
#: Whatever the queue holds. One after the other, each by its own index.
_SURE = ("NOT queued", f"next_enqueue_at < now() - {_AFTER_ALL}")
_LONGEST_PAUSE = "interval '1 hour'"

#: Longer than any upload URL: until then a client may put the object there again.
_URLS_LIVE = "interval '20 minutes'"


class PostgresOutbox:
    """The ``Outbox`` port. Any number of sweeps may run at once.

    Args:
        batch_days: finished batches that are older may be removed.
    """

    def __init__(self, pool: Pool, *, batch_days: int = BATCH_DAYS) -> None:
        self._pool = pool
        self._batch_days = batch_days

    def take_due(self, *, limit: int, lost: int | None = None) -> list[Job]:
        """See ``photogate.ports.records.Outbox.take_due``."""
        # What a run took whose COMMIT broke is kept: it may have been committed.
        due: dict[str, int] = {}

        def work(session: Session) -> None:
            rows: list[dict[str, Any]] = []
            for which in _SURE:
                rows += session.rows(_TAKE.format(which=which), n=limit - len(rows))
            left = limit - len(rows) if lost is None else min(limit - len(rows), lost)
            if left > 0:
                rows += session.rows(_TAKE.format(which="queued"), n=left)
            due.update((row["id"], row["generation"]) for row in rows)

        self._pool.transaction(work)
        return [Job(batch_id=batch, generation=n) for batch, n in due.items()]

    def sent(self, batch_ids: Sequence[str]) -> None:
        """See ``photogate.ports.records.Outbox.sent``."""
        self._pool.transaction(
            lambda s: s.count(
                "UPDATE batches SET queued = true, next_enqueue_at = now() + enqueue_interval,"
                " enqueue_interval = least(enqueue_interval * 2, interval '1 hour')"
                " WHERE id = ANY (CAST(:ids AS text[])) AND finished_at IS NULL",
                ids=list(batch_ids),
            )
        )

    def queued(self) -> int:
        """See ``photogate.ports.records.Outbox.queued``."""
        row = self._pool.transaction(
            lambda s: s.row(
                "SELECT count(*) AS n FROM batches WHERE finished_at IS NULL AND queued"
            )
        )
        return int(row["n"]) if row else 0

    def exhausted(self, *, max_deliveries: int, limit: int) -> list[ExhaustedBatch]:
        """See ``photogate.ports.records.Outbox.exhausted``."""

        def work(session: Session) -> list[ExhaustedBatch]:
            # A delivery that still holds its lease may yet finish.
            batches = session.rows(
                "SELECT id, generation, coalesce(last_error,"
                "   'delivered too often without a verdict') AS error"
                " FROM batches WHERE finished_at IS NULL AND deliveries >= :most"
                " AND (lease_until IS NULL OR lease_until < now())"
                " ORDER BY created_at LIMIT :n FOR UPDATE SKIP LOCKED",
                most=max_deliveries,
                n=limit,
            )
            ids = [batch["id"] for batch in batches]
            close_finished(session, ids)
            photos: dict[str, list[str]] = {}
            for row in session.rows(
                "SELECT CAST(id AS text) AS id, CAST(batch_id AS text) AS batch_id FROM media"
                f" WHERE CAST(batch_id AS text) = ANY (CAST(:ids AS text[])) AND {OPEN}"
                " ORDER BY id",
                ids=ids,
            ):
                photos.setdefault(row["batch_id"], []).append(row["id"])
            return [
                ExhaustedBatch(**batch, photo_ids=tuple(photos.get(batch["id"], ())))
                for batch in batches
            ]

        return self._pool.transaction(work)

    def take_deletions(self, *, limit: int) -> list[str]:
        """See ``photogate.ports.records.Outbox.take_deletions``."""
        rows = self._pool.transaction(
            lambda s: s.rows(
                "SELECT file_key FROM object_deletions"
                " WHERE next_try_at <= now()"
                f" AND (removed_at IS NULL OR created_at < now() - {_URLS_LIVE})"
                " ORDER BY attempts, next_try_at LIMIT :n",
                n=limit,
            )
        )
        return [row["file_key"] for row in rows]

    def deleted(self, file_key: str) -> None:
        """See ``photogate.ports.records.Outbox.deleted``."""

        def work(session: Session) -> None:
            session.rows(
                "DELETE FROM object_deletions"
                f" WHERE file_key = :key AND created_at < now() - {_URLS_LIVE}",
                key=file_key,
            )
            session.rows(
                "UPDATE object_deletions SET removed_at = now(), attempts = 0"
                " WHERE file_key = :key",
                key=file_key,
            )

        self._pool.transaction(work)

    def put_off(self, file_key: str) -> None:
        """See ``photogate.ports.records.Outbox.put_off``."""
        self._pool.transaction(
            lambda s: s.count(
                "UPDATE object_deletions SET attempts = attempts + 1, next_try_at = now()"
                f" + least(interval '1 minute' * 2 ^ least(attempts, 10), {_LONGEST_PAUSE})"
                " WHERE file_key = :key",
                key=file_key,
            )
        )

    def prune(self, *, limit: int) -> int:
        """See ``photogate.ports.records.Outbox.prune``."""
        return sum(
            self._pool.transaction(piece)
            for piece in (
                partial(pruning.usage, limit=limit),
                partial(pruning.batches, days=self._batch_days, limit=limit),
                partial(pruning.history, limit=limit),
                partial(pruning.review_items, limit=limit),
                partial(pruning.samples, limit=limit),
                partial(pruning.reveals, limit=limit),
                pruning.sessions,
                pruning.hourly_counts,
            )
        )
