"""What waits, in figures that an alarm can watch."""

from __future__ import annotations

from photogate.adapters.postgres.pool import Pool
from photogate.adapters.postgres.rows import COUNTED_ITEM
from photogate.domain import COUNT_TO, Backlog


def backlog(pool: Pool) -> Backlog:
    """Ask.

    Raises:
        DatabaseUnavailable: it does not answer.
    """
    (row,) = pool.transaction(
        lambda s: s.rows(
            "SELECT (SELECT count(*) FROM (SELECT FROM review_items WHERE closed_at IS NULL"
            "   AND NOT test LIMIT :most) AS open) AS reviews,"
            " (SELECT extract(epoch FROM now() - min(created_at)) FROM (SELECT created_at"
            f"   FROM review_items WHERE closed_at IS NULL AND {COUNTED_ITEM}"
            "   ORDER BY created_at LIMIT 1) AS oldest)"
            "   AS oldest_review_s,"
            " (SELECT extract(epoch FROM now() - min(created_at)) FROM batches"
            "   WHERE finished_at IS NULL) AS oldest_batch_s",
            most=COUNT_TO,
        )
    )
    return Backlog(
        reviews=row["reviews"],
        oldest_review_s=float(row["oldest_review_s"] or 0),
        oldest_batch_s=float(row["oldest_batch_s"] or 0),
    )
