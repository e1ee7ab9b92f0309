"""Which workers live, by when they were last seen."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from photogate.adapters.memory.database import Database
from photogate.domain import ALIVE_WITHIN_S, WorkerInfo

_ALIVE = timedelta(seconds=ALIVE_WITHIN_S)
_DAY = timedelta(days=1)


class MemoryWorkers:
    """The ``Workers`` port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def announce(self, worker: WorkerInfo) -> None:
        """See ``photogate.ports.records.Workers.announce``."""
        with self._database.lock:
            rows = self._database.workers
            rows[worker.id] = replace(
                rows.get(worker.id, worker),
                model=worker.model,
                last_photo_at=worker.last_photo_at,
                seen_at=self._database.clock.now(),
            )
            for old in set(rows) - {row.id for row in self._seen_within(_DAY)}:
                del rows[old]

    def leave(self, worker_id: str) -> None:
        """See ``photogate.ports.records.Workers.leave``."""
        with self._database.lock:
            self._database.workers.pop(worker_id, None)

    def alive(self) -> list[WorkerInfo]:
        """See ``photogate.ports.records.Workers.alive``."""
        return self._seen_within(_ALIVE)

    def newest(self) -> WorkerInfo | None:
        """See ``photogate.ports.records.Workers.newest``."""
        candidates = self._seen_within(_ALIVE) or self._seen_within(_DAY)
        return candidates[-1] if candidates else None

    def _seen_within(self, span: timedelta) -> list[WorkerInfo]:
        """Give them, by when they started."""
        with self._database.lock:
            since = self._database.clock.now() - span
            rows = [row for row in self._database.workers.values() if row.seen_at > since]
        return sorted(rows, key=lambda row: row.started_at)
