"""What automatic moderation gave up."""

from __future__ import annotations

from collections.abc import Sequence

from photogate.adapters.postgres.pool import Pool
from photogate.adapters.postgres.rows import GIVEN_UP
from photogate.domain import UnfinishedBatch


class PostgresUnfinished:
    """The ``Unfinished`` port."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def batches(self, *, limit: int) -> list[UnfinishedBatch]:
        """See ``photogate.ports.records.Unfinished.batches``."""
        rows = self._pool.transaction(
            lambda s: s.rows(
                "SELECT batches.id AS batch_id, count(*) AS photos, deliveries,"
                " min(moderation_error) AS error, finished_at AS concluded_at"
                " FROM media JOIN batches ON batches.id = CAST(media.batch_id AS text)"
                f" WHERE {GIVEN_UP} AND finished_at IS NOT NULL"
                " GROUP BY batches.id ORDER BY finished_at, batches.id LIMIT :n",
                n=limit,
            )
        )
        return [UnfinishedBatch(**row) for row in rows]

    def photos(self, batch_ids: Sequence[str]) -> list[str]:
        """See ``photogate.ports.records.Unfinished.photos``."""
        rows = self._pool.transaction(
            lambda s: s.rows(
                "SELECT CAST(id AS text) AS id FROM media"
                f" WHERE CAST(batch_id AS text) = ANY (CAST(:ids AS text[])) AND {GIVEN_UP}"
                " ORDER BY id",
                ids=list(batch_ids),
            )
        )
        return [row["id"] for row in rows]
