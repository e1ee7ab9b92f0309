"""The queue: sending jobs, receiving them, and looking at their numbers."""

from __future__ import annotations

from typing import Protocol

from photogate.domain import DeadJob, Delivery, QueueStats
from photogate.ports.probe import Probe


class JobSender(Protocol):
    """Puts jobs into the queue."""

    def send(self, body: str, *, delay_s: float = 0.0) -> str:
        """Make the job visible after ``delay_s`` (0..900) and return its id."""


class JobReceiver(Protocol):
    """Takes jobs out, at least once each.

    A job that is neither acknowledged nor extended within the visibility timeout
    becomes visible again; one that was delivered ``max_receives`` times and comes
    back once more is dead. A delivery whose token is no longer current is stale:
    extend, ack and nack then do nothing and return False.
    """

    def receive(self, *, wait_s: float) -> Delivery | None:
        """Take the next visible job, waiting up to ``wait_s`` for one; None when none came."""

    def extend(self, delivery: Delivery, *, visibility_s: float) -> bool:
        """Keep the job invisible for ``visibility_s`` from now."""

    def ack(self, delivery: Delivery) -> bool:
        """Remove the job for good."""

    def nack(self, delivery: Delivery, *, delay_s: float, error: str) -> bool:
        """Hand the job back, visible after ``delay_s``, or dead after its last delivery."""


class JobMonitor(Protocol):
    """Looks at the queue from outside."""

    def stats(self) -> QueueStats:
        """Count the jobs by state, after bringing back those whose time has run out."""

    def dead(self, *, limit: int) -> list[DeadJob]:
        """List dead jobs, oldest first."""

    def redrive(self, *, limit: int) -> int:
        """Make up to ``limit`` dead jobs visible again, as if new; return how many."""

    def purge(self, *, dead: bool) -> int:
        """Remove the jobs that wait, delayed ones too, or the dead ones only; return how many.

        Those at work go on, except on SQS, which empties a queue as a whole: what they do counts,
        and they do not come back when it fails. What is sent meanwhile may be removed as well.
        """


class Queue(JobSender, JobReceiver, JobMonitor, Probe, Protocol):
    """All sides of one queue: what an adapter gives to ``bootstrap``."""
