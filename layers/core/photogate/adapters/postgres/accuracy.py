"""Counts what the machine decided and what people said of it, out of the history."""

from __future__ import annotations

from photogate.adapters.postgres.pool import Pool, Session
from photogate.domain import Status
from photogate.domain.accuracy import (
    Accuracy,
    DecidedRow,
    JudgedRow,
    SampledRow,
    WithheldRow,
    counted,
)
from photogate.domain.samples import SampleOutcome

_SINCE = "now() - make_interval(days => :days)"
_JUDGED = f"""
    SELECT policy, model, after AS status, reason, failed, count(*) AS n FROM history
    WHERE at >= {_SINCE} AND action IN ('judge', 'give_up') AND NOT test
    GROUP BY policy, model, after, reason, failed
"""
#: Approvals that the machine took back, as no copy could be made. ``action <> 'judge'`` lets the
#: index of rare actions serve it.
_WITHHELD = f"""
    SELECT judged.policy, judged.model, count(*) AS n
    FROM (SELECT photo_id, n FROM history
          WHERE at >= {_SINCE} AND action <> 'judge' AND action = 'withhold'
            AND after = 'review' AND NOT test) AS taken
    CROSS JOIN LATERAL (SELECT policy, model FROM history
          WHERE photo_id = taken.photo_id AND n < taken.n AND action = 'judge'
          ORDER BY n DESC LIMIT 1) AS judged
    GROUP BY 1, 2
"""
#: A person's last word on each photo that was not taken back, beside the machine's last before it.
_DECIDED = f"""
    SELECT judged.policy, judged.model, judged.after AS status, judged.reason,
           said.after AS by_person, count(*) AS n
    FROM (SELECT DISTINCT ON (photo_id) photo_id, n, after FROM history AS decided
          WHERE at >= {_SINCE} AND action <> 'judge' AND action IN ('decide', 'verify', 'hold')
            AND NOT test AND after IS NOT NULL AND NOT EXISTS (
                SELECT FROM history AS later WHERE later.photo_id = decided.photo_id
                AND later.n = decided.n + 1 AND later.action IN ('undo', 'lift'))
          ORDER BY photo_id, n DESC) AS said
    CROSS JOIN LATERAL (SELECT policy, model, after, reason FROM history
          WHERE photo_id = said.photo_id AND n < said.n AND action = 'judge'
          ORDER BY n DESC LIMIT 1) AS judged
    GROUP BY 1, 2, 3, 4, 5
"""
_SAMPLED = f"""
    SELECT policy, model, rate, outcome, reason, count(*) AS n FROM samples
    WHERE drawn_at >= {_SINCE} GROUP BY 1, 2, 3, 4, 5
"""


class PostgresAccuracy:
    """The ``AccuracyCounts`` port."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def of_days(self, days: int) -> Accuracy:
        """See ``photogate.ports.accuracy.AccuracyCounts.of_days``."""

        def work(session: Session) -> Accuracy:
            (time,) = session.rows(f"SELECT {_SINCE} AS since, now() AS until", days=days)
            return counted(
                time["since"],
                time["until"],
                judged=[
                    JudgedRow(**row | {"status": Status(row["status"])})
                    for row in session.rows(_JUDGED, days=days)
                ],
                withheld=[WithheldRow(**row) for row in session.rows(_WITHHELD, days=days)],
                decided=[
                    DecidedRow(
                        **row
                        | {"status": Status(row["status"]), "by_person": Status(row["by_person"])}
                    )
                    for row in session.rows(_DECIDED, days=days)
                ],
                sampled=[
                    SampledRow(
                        **row | {"outcome": row["outcome"] and SampleOutcome(row["outcome"])}
                    )
                    for row in session.rows(_SAMPLED, days=days)
                ],
            )

        return self._pool.transaction(work)
