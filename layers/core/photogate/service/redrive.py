"""Moderates once more what was given up, when an operator has mended the cause."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from photogate.domain import DeadJob, UnfinishedBatch
from photogate.domain.changes import reopened
from photogate.ports.queue import JobMonitor
from photogate.ports.records import Changes, Unfinished
from photogate.service.sweep import Sweep


@dataclass(frozen=True, kw_only=True)
class GivenUp:
    """What waits to be redriven."""

    batches: Sequence[UnfinishedBatch]
    #: Jobs that died in the queue, whether or not their batches were concluded since.
    jobs: Sequence[DeadJob]


@dataclass(frozen=True, kw_only=True)
class Redriven:
    """What one call did."""

    batches: int
    photos: int
    #: Dead jobs that are visible again.
    jobs: int


class Redrive:
    """The use case behind ``photogate queue dead`` and ``redrive``. Safe to repeat."""

    def __init__(
        self, *, unfinished: Unfinished, changes: Changes, monitor: JobMonitor, sweep: Sweep
    ) -> None:
        self._unfinished = unfinished
        self._changes = changes
        self._monitor = monitor
        self._sweep = sweep

    def given_up(self, *, limit: int) -> GivenUp:
        """List batches that were concluded without a verdict, and dead jobs, oldest first."""
        return GivenUp(
            batches=self._unfinished.batches(limit=limit), jobs=self._monitor.dead(limit=limit)
        )

    def run(self, *, limit: int) -> Redriven:
        """Moderate up to ``limit`` of these batches anew, and revive as many dead jobs.

        Batches come first: a dead job of one that was concluded finds nothing to do, while
        its new generation gets a job of its own, from the outbox.
        """
        batch_ids = [batch.batch_id for batch in self._unfinished.batches(limit=limit)]
        outcomes = self._changes.make(
            [reopened(photo_id) for photo_id in self._unfinished.photos(batch_ids)]
        )
        photos = sum(outcome.changed for outcome in outcomes)
        jobs = self._monitor.redrive(limit=limit)
        self._sweep.run()
        return Redriven(batches=len(batch_ids), photos=photos, jobs=jobs)
