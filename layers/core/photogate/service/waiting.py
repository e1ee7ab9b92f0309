"""Batches that wait for a part that is down: put off as jobs of their own, woken at its return."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection

from photogate.domain import OpenBatch
from photogate.errors import PartUnavailable, RetryableError
from photogate.messages import Job
from photogate.ports.queue import JobSender
from photogate.ports.records import Deliveries

logger = logging.getLogger(__name__)

#: Jobs that one delivery sends when a part is back; the sweep sends the others.
_MOST_WOKEN = 500


class Waiting:
    """Puts batches off, and wakes them. What the queue does not take is left to the sweep."""

    def __init__(self, deliveries: Deliveries, sender: JobSender) -> None:
        self._deliveries = deliveries
        self._sender = sender

    def put_off(
        self,
        job: Job,
        outage: PartUnavailable,
        *,
        batch: OpenBatch | None = None,
        counted: Collection[str] = (),
    ) -> float | None:
        """Let a batch wait, uncounted, and send its next job.

        Args:
            batch: when it was begun.
            counted: its photos whose attempt was counted, and that have no verdict.

        Returns:
            After how many seconds it comes again; None when there is nothing to wait for.
        """
        delay_s = self._deliveries.put_off(
            job,
            sorted(counted),
            attempt_id=None if batch is None else batch.attempt_id,
            part=outage.part,
            error=str(outage),
            at_least_s=outage.retry_after_s or 0.0,
        )
        if delay_s is not None:
            self._send(job, delay_s)
        return delay_s

    def wake(self, part: str, *, has_time: Callable[[], bool]) -> None:
        """Send the jobs of all that wait for a part that is back, while there is time."""
        try:
            jobs = self._deliveries.wake(part, limit=_MOST_WOKEN)
        except RetryableError as error:
            logger.warning("who waits for %s is not woken, but comes by itself: %s", part, error)
            return
        for job in jobs:
            if not has_time() or not self._send(job, 0.0):
                return

    def _send(self, job: Job, delay_s: float) -> bool:
        try:
            self._sender.send(job.encode(), delay_s=delay_s)
        except RetryableError as error:
            logger.warning("a job is left to the sweep: %s", error)
            return False
        return True
