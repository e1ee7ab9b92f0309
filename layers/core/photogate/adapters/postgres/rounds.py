"""Which sweep is at work: one row, held for a time."""

from __future__ import annotations

from photogate.adapters.postgres.pool import Pool


class PostgresRounds:
    """The ``Rounds`` port."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def begin(self, holder: str, *, lasts_s: float) -> bool:
        """See ``photogate.ports.records.Rounds.begin``."""
        row = self._pool.transaction(
            lambda s: s.row(
                "INSERT INTO sweeps (holder, held_until)"
                " VALUES (:holder, now() + make_interval(secs => :s))"
                " ON CONFLICT (single) DO UPDATE"
                " SET holder = excluded.holder, held_until = excluded.held_until"
                " WHERE sweeps.holder IS NULL OR sweeps.holder = excluded.holder"
                "   OR sweeps.held_until < now()"
                " RETURNING holder",
                holder=holder,
                s=lasts_s,
            )
        )
        return row is not None

    def end(self, holder: str) -> None:
        """See ``photogate.ports.records.Rounds.end``."""
        self._pool.transaction(
            lambda s: s.count(
                "UPDATE sweeps SET holder = NULL, held_until = NULL, ended_at = now()"
                " WHERE holder = :holder",
                holder=holder,
            )
        )
