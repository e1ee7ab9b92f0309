"""Which sweep is at work: one row, held for a time."""

from __future__ import annotations

from datetime import timedelta

from photogate.adapters.memory.database import Database


class MemoryRounds:
    """The ``Rounds`` port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, holder: str, *, lasts_s: float) -> bool:
        """See ``photogate.ports.records.Rounds.begin``."""
        with self._database.lock:
            row, now = self._database.sweep, self._database.clock.now()
            held = row.held_until is not None and row.held_until >= now
            if held and row.holder not in (None, holder):
                return False
            row.holder, row.held_until = holder, now + timedelta(seconds=lasts_s)
            return True

    def end(self, holder: str) -> None:
        """See ``photogate.ports.records.Rounds.end``."""
        with self._database.lock:
            row = self._database.sweep
            if row.holder == holder:
                row.holder = row.held_until = None
                row.ended_at = self._database.clock.now()
