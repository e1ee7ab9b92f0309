"""What the services need from the outside world, as small contracts.

Adapters live in ``photogate.adapters`` (and ``photogate_vision`` for pixels);
``photogate.bootstrap`` alone chooses among them. Every method may raise the
``RetryableError`` of its kind when the technology behind it does not answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from photogate.domain import (
    Batch,
    DayStats,
    DeadJob,
    Delivery,
    ExhaustedBatch,
    Face,
    Jpeg,
    Media,
    NewBatch,
    OpenBatch,
    OpenPhoto,
    QueueStats,
    Signals,
    Status,
    StoredObject,
    UnfinishedBatch,
    UploadTicket,
    UserSummary,
    WorkerInfo,
)
from photogate.domain.changes import Change, Outcome
from photogate.messages import Job


class PhotoAnalyzer(Protocol):
    """Looks at pixels."""

    @property
    def model_digest(self) -> str:
        """sha256 of the model file in use."""

    @property
    def measures(self) -> frozenset[str]:
        """Names of all that it can measure, of those in ``photogate.domain.measures``."""

    def analyze(self, data: bytes) -> Sequence[Signals]:
        """Measure one photo: one entry, or one for each frame looked at of an animation.

        Raises:
            PhotoRefused: the bytes are no readable photo, or one that is too large.
            RetryableError: a fault of ours; never a made-up score.
        """


class UprightPicture(Protocol):
    """A decoded picture, upright and reduced, in whichever form a detector wants it."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""

    def rgb(self) -> bytes:
        """Give the pixels: 8 bit, rows from the top, R, G, B in turn."""

    def jpeg(self) -> Jpeg:
        """Give it as a JPEG of at most 1024 pixels a side."""


class FaceDetector(Protocol):
    """Finds faces, and their ages where it can."""

    @property
    def tells_age(self) -> bool:
        """Whether its faces carry an age."""

    def detect(self, picture: UprightPicture) -> list[Face]:
        """Find all faces, the surest first; [] when there is none.

        Raises:
            RetryableError: it does not answer, or not sensibly. Never to be read as "no face".
            ConfigError: it refuses this installation, e.g. its key.
        """


class PhotoStore(Protocol):
    """Keeps photos by key. The HTTP side of its URLs is reached by clients directly."""

    def presign_put(
        self, key: str, *, content_type: str, size_bytes: int | None, expires_in_s: int
    ) -> UploadTicket:
        """Sign one upload of ``key``; the type and, when given, the exact size are bound."""

    def presign_get(self, key: str, *, expires_in_s: int) -> str:
        """Sign one reading of ``key``; says nothing about whether it exists."""

    def head(self, key: str) -> StoredObject | None:
        """Describe the object, or None when there is none."""

    def get(self, key: str, *, etag: str | None, max_bytes: int) -> bytes:
        """Read the whole object.

        Raises:
            NotFound: there is none.
            PhotoChanged: ``etag`` is given and is no longer the object's.
            PhotoRefused: it has more than ``max_bytes`` bytes (reason ``too_large``).
        """

    def delete(self, key: str) -> None:
        """Remove the object; nothing happens when there is none."""


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
        """Hand the job back, visible after ``delay_s``, or dead when it had its chances."""


class JobMonitor(Protocol):
    """Looks at the queue from outside."""

    def stats(self) -> QueueStats:
        """Count the jobs by state, after bringing back those whose time has run out."""

    def dead(self, *, limit: int) -> list[DeadJob]:
        """List dead jobs, oldest first."""

    def redrive(self, *, limit: int) -> int:
        """Make up to ``limit`` dead jobs visible again, as if new; return how many."""


class Batches(Protocol):
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


class Outbox(Protocol):
    """The sweep's side of the database."""

    def take_due(self, *, limit: int) -> list[Job]:
        """Take batches whose job should be sent (again); they are due anew in a minute."""

    def sent(self, batch_ids: Sequence[str]) -> None:
        """Note that their jobs are in the queue; each time they rest twice as long."""

    def exhausted(self, *, max_deliveries: int, limit: int) -> list[ExhaustedBatch]:
        """List batches that were delivered too often and that no worker holds, oldest first.

        One in which no photo waits any more is closed, and listed this last time.
        """

    def take_deletions(self, *, limit: int) -> list[str]:
        """Give keys of deleted photos whose objects may still be there."""

    def deleted(self, file_key: str) -> None:
        """Note that the object is gone; forgotten once no upload URL can bring it back."""

    def prune_history(self, *, limit: int) -> int:
        """Remove rows of history that are older than ``HISTORY_DAYS``; return how many."""


class Attempts(Protocol):
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


class Unfinished(Protocol):
    """Batches that automatic moderation gave up."""

    def batches(self, *, limit: int) -> list[UnfinishedBatch]:
        """List those whose photos wait for a person for this reason, oldest first."""

    def photos(self, batch_ids: Sequence[str]) -> list[str]:
        """List the ids of those photos."""


class MediaViews(Protocol):
    """Reads for clients, moderators and operators."""

    def summary(self, user_id: str) -> UserSummary:
        """Count a user's photos."""

    def of_user(self, user_id: str) -> list[Media]:
        """List a user's photos, newest first."""

    def page(self, *, status: Status | None, page: int, limit: int) -> tuple[list[Media], int]:
        """Give page ``page`` (from 1), newest first, and the total count."""

    def waiting(self, *, limit: int) -> list[Media]:
        """List what waits for a person, oldest first."""

    def last_day(self) -> DayStats:
        """Summarise the last 24 hours."""


class Changes(Protocol):
    """The one door for changes of a photo's state."""

    def make(self, changes: Sequence[Change]) -> list[Outcome]:
        """Make those changes that ``photogate.domain.changes`` allows, in one transaction.

        At most one a photo. With each go a row of history, what then waits for people, and
        the closing of a batch in which nothing is open any more. A reopened photo's batch
        begins a new generation, whose job is due now; a deleted photo's object is noted for
        removal. Gives one outcome a change, in their order. Safe to repeat: what a broken
        connection hid is found again, not made twice.
        """


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


class Probe(Protocol):
    """Answers whether a part of the installation works."""

    def check(self) -> dict[str, Any]:
        """Give details for an operator; raises what the part raises."""


class Queue(JobSender, JobReceiver, JobMonitor, Probe, Protocol):
    """All sides of one queue: what an adapter gives to ``bootstrap``."""


class Store(PhotoStore, Probe, Protocol):
    """A photo store that can be probed: what an adapter gives to ``bootstrap``."""
