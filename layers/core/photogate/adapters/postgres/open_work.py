"""What is to be done, by kind: the rows that have their jobs sent until it is."""

from __future__ import annotations

from dataclasses import dataclass

from photogate.adapters.postgres.pool import Pool, Session
from photogate.domain import COUNT_TO, Total

_VERDICTS = f"""
    SELECT waits_for, count(*) AS n, extract(epoch FROM now() - min(created_at)) AS oldest_s,
           extract(epoch FROM max(next_enqueue_at) - now()) AS due_in_s
    FROM (SELECT waits_for, created_at, next_enqueue_at FROM batches WHERE finished_at IS NULL
          ORDER BY created_at LIMIT {COUNT_TO + 1}) AS open
    GROUP BY waits_for ORDER BY waits_for NULLS FIRST
"""
_COPIES = f"""
    SELECT count(*) AS n, extract(epoch FROM now() - min(moderated_at)) AS oldest_s,
           extract(epoch FROM max(copies_due_at) - now()) AS due_in_s
    FROM (SELECT moderated_at, copies_due_at FROM media WHERE copies_due_at IS NOT NULL
          ORDER BY copies_due_at LIMIT {COUNT_TO + 1}) AS wanted
"""


@dataclass(frozen=True, kw_only=True)
class Work:
    """What of one kind is to be done. The oldest 10,001 are looked at."""

    #: ``verdicts`` are counted in batches, ``copies`` in photos.
    kind: str
    count: Total
    #: Seconds that the oldest has waited; None when nothing waits.
    oldest_s: float | None
    #: Seconds until a sweep sends the last of their jobs that the queue has lost; 0 when it would
    #: at once.
    due_in_s: float
    #: The part that is down, for which it waits.
    waits_for: str | None = None


def open_work(pool: Pool) -> list[Work]:
    """Read it: verdicts first, those that wait for a part by themselves; then copies.

    Raises:
        DatabaseUnavailable: it does not answer.
    """

    def work(session: Session) -> list[Work]:
        rows = [{"kind": "verdicts", **row} for row in session.rows(_VERDICTS)]
        rows += [{"kind": "copies", **row} for row in session.rows(_COPIES) if row["n"]]
        return [
            Work(
                kind=row["kind"],
                count=Total.of(row["n"]),
                oldest_s=None if row["oldest_s"] is None else max(0.0, float(row["oldest_s"])),
                due_in_s=max(0.0, float(row["due_in_s"])),
                waits_for=row.get("waits_for"),
            )
            for row in rows
        ]

    return pool.transaction(work)
