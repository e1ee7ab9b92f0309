"""What automatic moderation gave up, and its second chance."""

from __future__ import annotations

from collections.abc import Sequence

from photogate.adapters.postgres.pool import Pool, Session
from photogate.domain import UnfinishedBatch

#: Of photos; the index ``media_unfinished`` holds just these.
_GIVEN_UP = (
    "moderation_status = 'review' AND moderation_error IS NOT NULL AND decided_by IS NULL"
    " AND NOT reopened"
)


class PostgresUnfinished:
    """The ``Unfinished`` port."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def batches(self, *, limit: int) -> list[UnfinishedBatch]:
        """See ``photogate.ports.Unfinished.batches``."""
        rows = self._pool.transaction(
            lambda s: s.rows(
                "SELECT batches.id AS batch_id, count(*) AS photos, deliveries,"
                " min(moderation_error) AS error, finished_at AS concluded_at"
                " FROM media JOIN batches ON batches.id = media.batch_id"
                f" WHERE {_GIVEN_UP} AND finished_at IS NOT NULL"
                " GROUP BY batches.id ORDER BY finished_at, batches.id LIMIT :n",
                n=limit,
            )
        )
        return [UnfinishedBatch(**row) for row in rows]

    def reopen(self, batch_ids: Sequence[str]) -> int:
        """See ``photogate.ports.Unfinished.reopen``."""
        reopened: set[str] = set()

        def work(session: Session) -> None:
            # Rows are locked in one order everywhere: the batch, then its photos.
            finished = session.rows(
                "SELECT id FROM batches WHERE id = ANY (CAST(:ids AS text[]))"
                " AND finished_at IS NOT NULL ORDER BY id FOR UPDATE",
                ids=list(batch_ids),
            )
            photos = session.rows(
                "UPDATE media SET reopened = true, retry_count = 0, updated_at = now()"
                f" WHERE batch_id = ANY (CAST(:ids AS text[])) AND {_GIVEN_UP}"
                " RETURNING CAST(id AS text) AS id, batch_id",
                ids=[row["id"] for row in finished],
            )
            session.rows(
                "UPDATE batches SET generation = generation + 1, finished_at = NULL,"
                " deliveries = 0, last_error = NULL,"
                " next_enqueue_at = now(), enqueue_interval = interval '1 minute'"
                " WHERE id = ANY (CAST(:ids AS text[]))",
                ids=sorted({photo["batch_id"] for photo in photos}),
            )
            reopened.update(photo["id"] for photo in photos)

        self._pool.transaction(work)
        return len(reopened)
