"""Which workers live, by the rows that they renew."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from photogate.adapters.postgres.pool import Pool, Session
from photogate.domain import ALIVE_WITHIN_S, Gate, WorkerInfo

_COLUMNS = "id, host, pid, model, policy, gates, started_at, seen_at, last_photo_at"


class PostgresWorkers:
    """The ``Workers`` port."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def announce(self, worker: WorkerInfo) -> None:
        """See ``photogate.ports.records.Workers.announce``."""

        def work(session: Session) -> None:
            session.rows(
                "INSERT INTO workers (id, host, pid, model, policy, gates, started_at,"
                "   last_photo_at)"
                " VALUES (:id, :host, :pid, :model, :policy, CAST(:gates AS jsonb),"
                "   CAST(:started AS timestamptz), CAST(:last AS timestamptz))"
                " ON CONFLICT (id) DO UPDATE SET seen_at = now(),"
                " last_photo_at = excluded.last_photo_at, model = excluded.model",
                id=worker.id,
                host=worker.host,
                pid=worker.pid,
                model=worker.model,
                policy=worker.policy,
                gates=json.dumps([asdict(gate) for gate in worker.gates]),
                started=worker.started_at,
                last=worker.last_photo_at,
            )
            session.rows("DELETE FROM workers WHERE seen_at < now() - interval '1 day'")

        self._pool.transaction(work)

    def leave(self, worker_id: str) -> None:
        """See ``photogate.ports.records.Workers.leave``."""
        self._pool.transaction(
            lambda s: s.count("DELETE FROM workers WHERE id = :id", id=worker_id)
        )

    def alive(self) -> list[WorkerInfo]:
        """See ``photogate.ports.records.Workers.alive``."""
        rows = self._pool.transaction(
            lambda s: s.rows(
                f"SELECT {_COLUMNS} FROM workers"
                " WHERE seen_at > now() - make_interval(secs => :s) ORDER BY started_at",
                s=ALIVE_WITHIN_S,
            )
        )
        return [_worker_from(row) for row in rows]

    def newest(self) -> WorkerInfo | None:
        """See ``photogate.ports.records.Workers.newest``."""
        row = self._pool.transaction(
            lambda s: s.row(
                f"SELECT {_COLUMNS} FROM workers WHERE seen_at > now() - interval '1 day'"
                " ORDER BY seen_at > now() - make_interval(secs => :s) DESC, started_at DESC"
                " LIMIT 1",
                s=ALIVE_WITHIN_S,
            )
        )
        return None if row is None else _worker_from(row)


def _worker_from(row: dict[str, Any]) -> WorkerInfo:
    return WorkerInfo(**row | {"gates": tuple(Gate(**gate) for gate in row["gates"])})
