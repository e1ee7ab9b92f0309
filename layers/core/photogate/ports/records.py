"""The database, by who uses it: uploads, workers, authors of changes, the sweep, readers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from photogate.domain import (
    Batch,
    CopyProgress,
    DayStats,
    ExhaustedBatch,
    LastHour,
    NewBatch,
    OpenBatch,
    OpenPhoto,
    PhotoRow,
    Place,
    Status,
    Total,
    UncopiedPhoto,
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
            Conflict: some keys belong to another batch, or to deleted photos; ``file_keys``
                names them.
        """

    def issue(
        self,
        user_id: str,
        file_key: str,
        *,
        size_bytes: int,
        expires_in_s: float,
        most_urls: int,
        most_bytes: int,
    ) -> None:
        """Note an upload URL before it is given out.

        Raises:
            RateLimited: more than ``most_urls`` uploads, or than ``most_bytes`` bytes, of this
                user are under way: issued, not handed in, and not removed yet.
        """

    def accept(self, batch: NewBatch, *, photos_per_day: int) -> Batch:
        """Store batch and photos, their usage and the outbox entry, in one transaction.

        Safe to repeat: the same keys give the same batch.

        Raises:
            Conflict: as ``find``; or the time of an upload is over.
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

    def hand_back(
        self,
        job: Job,
        photo_ids: Sequence[str],
        *,
        attempt_id: str,
        error: str,
        delivery_counts: bool = True,
    ) -> None:
        """End an attempt that failed in an orderly way: uncount it, keep its error.

        Nothing happens when another delivery holds the lease by now.

        Args:
            delivery_counts: False uncounts the batch's delivery as well.
        """

    def put_off(
        self,
        job: Job,
        photo_ids: Sequence[str] = (),
        *,
        attempt_id: str | None,
        part: str,
        error: str,
        at_least_s: float,
    ) -> float | None:
        """Let the batch wait for a part that is down, as if it had not been delivered.

        Uncounts the delivery and these photos' attempts, and keeps the error. The sweep sends its
        job a minute after it should have come, in case the caller could not.

        Args:
            attempt_id: of the delivery; None when none was begun.
            at_least_s: when the part is tried again; ``outage_pause_s`` comes on top.

        Returns:
            After how many seconds a fresh job is to come; None when there is nothing to wait for:
            the batch is finished, or another delivery holds it.
        """

    def wake(self, part: str, *, limit: int) -> list[Job]:
        """Take jobs of batches that wait for this part, which is back, oldest first.

        Those beyond the limit are left to the sweep, which finds them due.
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


class Copies(Protocol):
    """Photos of which copies are to be made."""

    def begin(self, photo_ids: Sequence[str], *, lease_s: float) -> list[UncopiedPhoto]:
        """Count one attempt for each of these that still wants copies, and give them.

        Those that another delivery works on are left out.
        """

    def made(self, photo_id: str, *, display_key: str, original_key: str) -> bool:
        """Note that all copies are there; False when the photo is gone by now."""

    def put_off(self, photo_ids: Sequence[str], *, for_s: float) -> None:
        """End attempts that failed for a reason outside of the photos: uncounted, due later."""

    def failed(self, photo_id: str, *, for_s: float) -> None:
        """End an attempt that failed while others work: a failure instead, due later."""

    def abandon(self, photo_id: str) -> None:
        """No copies are wanted any more: none can be made, and nothing of the photo is shown."""

    def take_due(self, *, limit: int) -> list[str]:
        """Take photos for which a job should be sent (again); they are due anew later."""

    def schedule_earlier(self, *, limit: int) -> int:
        """Let photos of the earlier layout have copies; return how many.

        Those in review first, which nobody can see until then; else the oldest.
        """

    def progress(self) -> CopyProgress:
        """Count what waits for copies."""

    def release_originals(self, *, days: float, limit: int) -> int:
        """Note for removal the originals of photos that were approved so long ago.

        Only where copies are there. Return how many.
        """

    def release_uploads(self, *, limit: int) -> int:
        """Note for removal what clients uploaded and nobody wants; return how many."""


class Outbox(Protocol):
    """The sweep's side of the database."""

    def take_due(self, *, limit: int, lost: int | None = None) -> list[Job]:
        """Take batches whose job should be sent (again); they are due anew in a minute.

        Args:
            lost: of those whose job was sent before, take so many at most, the longest due
                first, and what has been due for an hour; None takes all.
        """

    def sent(self, batch_ids: Sequence[str]) -> None:
        """Note that their jobs are queued; each time they are due again after twice as long."""

    def queued(self) -> int:
        """Count unfinished batches whose job was sent: so many jobs the queue should hold."""

    def exhausted(self, *, max_deliveries: int, limit: int) -> list[ExhaustedBatch]:
        """List batches that were delivered too often and that no worker holds, oldest first.

        One in which no photo waits any more is closed, and listed this last time.
        """

    def take_deletions(self, *, limit: int) -> list[str]:
        """Give keys of deleted photos whose objects may still be there and that are due.

        Those that failed least often come first.
        """

    def deleted(self, file_key: str) -> None:
        """Note that the object is gone; the note goes once no upload URL can bring it back."""

    def put_off(self, file_key: str) -> None:
        """Note that a removal failed: it is due again after a minute, then two, at most an hour."""

    def prune(self, *, limit: int) -> int:
        """Remove rows that nobody asks for any more, up to ``limit`` of each kind.

        Those are: what the rate limit counted, after 48 hours; batches that finished before
        ``BATCH_DAYS``, unless a photo of theirs waits for the machine or was given up by it;
        history, and closed review items, older than ``HISTORY_DAYS``. Returns how many; 0 when
        there is nothing left.
        """


class Rounds(Protocol):
    """Sees to it that one sweep is at work at a time, wherever it runs."""

    def begin(self, holder: str, *, lasts_s: float) -> bool:
        """Begin a round, or hold it for ``lasts_s`` more; False while another holder has it."""

    def end(self, holder: str) -> None:
        """End the round; nothing happens when another holder has it by now."""


class Unfinished(Protocol):
    """Batches that automatic moderation gave up."""

    def batches(self, *, limit: int) -> list[UnfinishedBatch]:
        """List those whose photos wait for a person for this reason, oldest first."""

    def photos(self, batch_ids: Sequence[str]) -> list[str]:
        """List the ids of those photos."""


class Views(Protocol):
    """Reads for clients, moderators and operators."""

    def summary(self, user_id: str) -> UserSummary:
        """Count a user's photos, without those that are held."""

    def photo(self, photo_id: str) -> PhotoRow | None:
        """Give one photo, or None."""

    def of_user(
        self, user_id: str, *, limit: int = 100, after: Place | None = None
    ) -> list[PhotoRow]:
        """List up to ``limit`` of a user's photos, newest first; those that come ``after``.

        What is held is not among them.
        """

    def page(
        self,
        *,
        status: Status | None,
        limit: int,
        skip: int = 0,
        after: Place | None = None,
        failed: bool = False,
        test: bool = False,
    ) -> tuple[list[PhotoRow], Total]:
        """List up to ``limit`` photos, newest first, and count all of this status.

        With ``failed`` only those that the machine could not finish. Test photos are not among
        them; with ``test`` they alone are.

        Begins after so many, or ``after`` that place, which costs the same however far it is.

        Raises:
            InvalidRequest: ``after`` is not of this database.
        """

    def waiting(self, *, limit: int) -> list[PhotoRow]:
        """List what waits for a person, oldest first."""

    def last_day(self) -> DayStats:
        """Summarise the last 24 whole hours and the running one, without test photos."""

    def last_hour(self) -> LastHour:
        """Count the machine's verdicts of the last 60 minutes, without test photos."""


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
