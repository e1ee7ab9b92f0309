"""The queue in memory: the steps of ``queue_redis.lua`` under one lock."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from photogate.domain import DeadJob, Delivery, QueueStats

#: How often a waiting worker looks for jobs whose delay or visibility has ended.
_LOOK_EVERY_S = 0.02
#: The database has concluded their batches long ago, and keeps their errors.
_DEAD_KEPT_MS = 14 * 24 * 3600 * 1000
_EPOCH = datetime.fromtimestamp(0, UTC)


@dataclass(kw_only=True)
class _Job:
    body: str
    sent_ms: int
    receives: int = 0
    #: How often it was given out since it was sent.
    serial: int = 0
    token: str | None = None
    error: str | None = None


class MemoryQueue:
    """``JobSender``, ``JobReceiver`` and ``JobMonitor``. Thread-safe.

    Args:
        visibility_s: how long a received job stays invisible unless it is extended.
        max_receives: deliveries after which a job is dead.
        clock: milliseconds instead of this machine's time, for tests that move it.
        new_id: names jobs; not random only in tests that repeat themselves.
    """

    def __init__(
        self,
        *,
        visibility_s: float = 30.0,
        max_receives: int = 5,
        clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        new_id: Callable[[], object] = uuid4,
    ) -> None:
        self._visibility_ms = int(visibility_s * 1000)
        self._max_receives = max_receives
        self._now = clock
        self._new_id = new_id
        self._changed = threading.Condition()
        self._jobs: dict[str, _Job] = {}
        #: The next one first.
        self._visible: list[str] = []
        #: Ids, and when each of them leaves its state (dead ones: entered it).
        self._delayed: dict[str, int] = {}
        self._in_flight: dict[str, int] = {}
        self._dead: dict[str, int] = {}

    def send(self, body: str, *, delay_s: float = 0.0) -> str:
        """See ``photogate.ports.queue.JobSender.send``."""
        with self._changed:
            job_id = str(self._new_id())
            self._jobs[job_id] = _Job(body=body, sent_ms=self._now())
            self._show(job_id, int(delay_s * 1000))
            return job_id

    def receive(self, *, wait_s: float) -> Delivery | None:
        """See ``photogate.ports.queue.JobReceiver.receive``."""
        deadline = time.monotonic() + wait_s
        with self._changed:
            while not self._reclaimed():
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    return None
                self._changed.wait(min(_LOOK_EVERY_S, left_s))
            job_id = self._visible.pop(0)
            job = self._jobs[job_id]
            job.receives += 1
            job.serial += 1
            job.token = str(job.serial)
            self._in_flight[job_id] = self._now() + self._visibility_ms
            return Delivery(
                job_id=job_id,
                token=job.token,
                body=job.body,
                receive_count=job.receives,
                sent_at=_EPOCH + timedelta(milliseconds=job.sent_ms),
            )

    def extend(self, delivery: Delivery, *, visibility_s: float) -> bool:
        """See ``photogate.ports.queue.JobReceiver.extend``."""
        with self._changed:
            if not self._current(delivery):
                return False
            self._in_flight[delivery.job_id] = self._now() + int(visibility_s * 1000)
            return True

    def ack(self, delivery: Delivery) -> bool:
        """See ``photogate.ports.queue.JobReceiver.ack``."""
        with self._changed:
            if not self._current(delivery):
                return False
            del self._in_flight[delivery.job_id], self._jobs[delivery.job_id]
            return True

    def nack(self, delivery: Delivery, *, delay_s: float, error: str) -> bool:
        """See ``photogate.ports.queue.JobReceiver.nack``."""
        with self._changed:
            if not self._current(delivery):
                return False
            self._put_back(delivery.job_id, int(delay_s * 1000), error)
            return True

    def stats(self) -> QueueStats:
        """See ``photogate.ports.queue.JobMonitor.stats``."""
        with self._changed:
            self._reclaimed()
            for job_id in _by_time(self._dead, until_ms=self._now() - _DEAD_KEPT_MS):
                del self._dead[job_id], self._jobs[job_id]
            return QueueStats(
                visible=len(self._visible),
                in_flight=len(self._in_flight),
                delayed=len(self._delayed),
                dead=len(self._dead),
            )

    def dead(self, *, limit: int) -> list[DeadJob]:
        """See ``photogate.ports.queue.JobMonitor.dead``."""
        with self._changed:
            found = [(job_id, self._jobs[job_id]) for job_id in _by_time(self._dead)[:limit]]
            return [
                DeadJob(job_id=i, body=job.body, receive_count=job.receives, last_error=job.error)
                for i, job in found
            ]

    def redrive(self, *, limit: int) -> int:
        """See ``photogate.ports.queue.JobMonitor.redrive``."""
        with self._changed:
            chosen = _by_time(self._dead)[:limit]
            for job_id in chosen:
                del self._dead[job_id]
                self._jobs[job_id].receives = 0
                self._show(job_id, 0)
            return len(chosen)

    def purge(self, *, dead: bool) -> int:
        """See ``photogate.ports.queue.JobMonitor.purge``."""
        with self._changed:
            gone = list(self._dead) if dead else [*self._visible, *self._delayed]
            for job_id in gone:
                del self._jobs[job_id]
            if dead:
                self._dead.clear()
            else:
                self._visible.clear()
                self._delayed.clear()
            return len(gone)

    def check(self) -> dict[str, Any]:
        """Answer a health probe."""
        return {"jobs": len(self._jobs)}

    def _current(self, delivery: Delivery) -> bool:
        job = self._jobs.get(delivery.job_id)
        return job is not None and job.token == delivery.token

    def _show(self, job_id: str, delay_ms: int) -> None:
        if delay_ms > 0:
            self._delayed[job_id] = self._now() + delay_ms
        else:
            self._visible.append(job_id)
            self._changed.notify()

    def _put_back(self, job_id: str, delay_ms: int, error: str) -> None:
        """A job leaves a worker's hands unfinished: it dies, waits, or is visible at once."""
        del self._in_flight[job_id]
        job = self._jobs[job_id]
        job.token, job.error = None, error
        if job.receives >= self._max_receives:
            self._dead[job_id] = self._now()
        else:
            self._show(job_id, delay_ms)

    def _reclaimed(self) -> bool:
        """Bring back those whose time has run out; tell whether any job is visible."""
        now = self._now()
        for job_id in _by_time(self._delayed, until_ms=now):
            del self._delayed[job_id]
            self._show(job_id, 0)
        for job_id in _by_time(self._in_flight, until_ms=now):
            self._put_back(job_id, 0, "its worker did not answer in time")
        return bool(self._visible)


def _by_time(times: dict[str, int], *, until_ms: float = float("inf")) -> list[str]:
    return sorted((i for i, at in times.items() if at <= until_ms), key=lambda i: (times[i], i))
