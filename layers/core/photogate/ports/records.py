"""The database, by who uses it: uploads, workers, authors of changes, the sweep, readers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from photogate.domain import (
    Batch,
    DayStats,
    ExhaustedBatch,
    NewBatch,
    OpenBatch,
    OpenPhoto,
    PhotoRow,
    Place,
    Status,
    Total,
    UnfinishedBatch,
    UserSummary,
    WorkerInfo,
)
from photogate.domain.changes import Change, Outcome
from photogate.messages import Job


class Intake(Protocol):
    """The upload side of the database."""

    def find(self, user_id: str, file_keys: Sequence[str]) -> Batch | None:
        """Give the batch of exactly these keys, in any order, or None.

        Raises:
            Conflict: some keys belong to another batch; ``file_keys`` names them.
        """

    def accept(self, batch: NewBatch, *, photos_per_day: int) -> Batch:
        """Store batch and photos, their usage and the outbox entry, in one transaction.

        Safe to repeat: the same keys give the same batch.

        Raises:
            Conflict: as ``find``.
            RateLimited: more than ``photos_per_day`` in the last 24 hours.
        """


class Deliveries(Protocol):
    """The worker's side of the database."""

    def begin(self, job: Job, *, job_id: str, lease_s: float) -> OpenBatch | None:
        """Open an attempt on the batch; None when nothing is left to do.

        Counts the delivery. On a first attempt it counts one for every photo; when an
        earlier one did not finish it counts none, and the caller counts singly.

        Raises:
            BatchBusy: a delivery with another job id holds the lease.
        """

    def count(self, photo: OpenPhoto, *, attempt_id: str) -> None:
        """Count one more attempt of one photo, before its bytes are touched.

        Nothing happens when another delivery holds the lease by now.
        """

    def hand_back(self, job: Job, photo_ids: Sequence[str], *, attempt_id: str, error: str) -> None:
        """End an attempt that failed in an orderly way: uncount it, keep its error.

        Nothing happens when another delivery holds the lease by now.
        """


class Changes(Protocol):
    """Makes every change of a photo's state."""

    def make(self, changes: Sequence[Change]) -> list[Outcome]:
        """Make the changes that ``photogate.domain.transitions`` allows, in one transaction.

        At most one change for each photo. Each also writes a row of history and the review items
        that follow, and closes a batch in which no photo is open any more. A reopened photo's batch
        begins a new generation, whose job is due now; a deleted photo's object is noted for
        removal. Gives one outcome a change, in their order. Safe to repeat: after a broken
        connection, changes that were committed are not made twice.
        """


class Outbox(Protocol):
    """The sweep's side of the database."""

    def take_due(self, *, limit: int) -> list[Job]:
        """Take batches whose job should be sent (again); they are due anew in a minute."""

    def sent(self, batch_ids: Sequence[str]) -> None:
        """Note that their jobs are queued; each time they are due again after twice as long."""

    def exhausted(self, *, max_deliveries: int, limit: int) -> list[ExhaustedBatch]:
        """List batches that were delivered too often and that no worker holds, oldest first.

        One in which no photo waits any more is closed, and listed this last time.
        """

    def take_deletions(self, *, limit: int) -> list[str]:
        """Give keys of deleted photos whose objects may still be there."""

    def deleted(self, file_key: str) -> None:
        """Note that the object is gone; the note goes once no upload URL can bring it back."""

    def prune(self, *, limit: int) -> int:
        """Remove rows that nobody asks for any more, up to ``limit`` of each kind.

        Those are: what the rate limit counted, after 48 hours; batches that finished before
        ``BATCH_DAYS``, unless a photo of theirs waits for the machine or was given up by it;
        history, and closed review items, older than ``HISTORY_DAYS``. Returns how many; 0 when
        there is nothing left.
        """


class Unfinished(Protocol):
    """Batches that automatic moderation gave up."""

    def batches(self, *, limit: int) -> list[UnfinishedBatch]:
        """List those whose photos wait for a person for this reason, oldest first."""

    def photos(self, batch_ids: Sequence[str]) -> list[str]:
        """List the ids of those photos."""


class Views(Protocol):
    """Reads for clients, moderators and operators."""

    def summary(self, user_id: str) -> UserSummary:
        """Count a user's photos."""

    def of_user(
        self, user_id: str, *, limit: int = 100, after: Place | None = None
    ) -> list[PhotoRow]:
        """List up to ``limit`` of a user's photos, newest first; those that come ``after``."""

    def page(
        self, *, status: Status | None, limit: int, skip: int = 0, after: Place | None = None
    ) -> tuple[list[PhotoRow], Total]:
        """List up to ``limit`` photos, newest first, and count all of this status.

        Begins after so many, or ``after`` that place, which costs the same however far it is.

        Raises:
            InvalidRequest: ``after`` is not of this database.
        """

    def waiting(self, *, limit: int) -> list[PhotoRow]:
        """List what waits for a person, oldest first."""

    def last_day(self) -> DayStats:
        """Summarise the last 24 whole hours and the running one."""


class Workers(Protocol):
    """Which workers live."""

    def announce(self, worker: WorkerInfo) -> None:
        """Write or renew a worker's row."""

    def leave(self, worker_id: str) -> None:
        """Remove it."""

    def alive(self) -> list[WorkerInfo]:
        """List those seen within ``ALIVE_WITHIN_S``."""

    def newest(self) -> WorkerInfo | None:
        """Give the living one that started last: its policy is in force.

        Where none lives, as between photos on Lambda, it is the one that started last of
        those that were seen within a day; None when there was none.
        """
