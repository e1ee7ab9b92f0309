"""The rows that the memory adapters share, and the time that they go by."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from photogate.domain import BATCH_DAYS, PhotoRow, Principal, Status, WorkerInfo
from photogate.domain.changes import Undo
from photogate.domain.effects import HistoryRow
from photogate.domain.notices import Notice
from photogate.domain.samples import SampleOutcome

MINUTE = timedelta(minutes=1)


@dataclass(kw_only=True)
class Photo:
    """A row of ``media``."""

    id: str
    user_id: str
    user_name: str | None
    file_key: str
    batch_id: str
    display_order: int
    etag: str | None
    size_bytes: int | None
    created_at: datetime
    original_key: str | None
    display_key: str | None = None
    copies_due_at: datetime | None = None
    copies_lease_until: datetime | None = None
    copies_attempts: int = 0
    copies_failures: int = 0
    #: Of an installation that kept no copies.
    earlier_layout: bool = False
    status: Status = Status.PENDING
    reason: str | None = None
    scores: dict[str, Any] | None = None
    error: str | None = None
    decided_by: str | None = None
    verified_by: str | None = None
    moderated_at: datetime | None = None
    reopened: bool = False
    #: Attempts that began and did not finish in an orderly way.
    attempts: int = 0
    #: How many rows the history has of it.
    changes: int = 0
    undo: Undo | None = None
    #: Until when ``undo`` is allowed.
    undo_until: datetime | None = None
    #: Withheld for suspected abuse of a child.
    held: bool = False
    test: bool = False

    @property
    def open(self) -> bool:
        """Whether it waits for the machine."""
        return self.status is Status.PENDING or self.reopened

    @property
    def given_up(self) -> bool:
        """Whether automatic moderation gave it up."""
        return (
            self.status is Status.REVIEW
            and self.error is not None
            and self.decided_by is None
            and not self.reopened
        )

    @property
    def row(self) -> PhotoRow:
        """The row as people and clients see it."""
        return PhotoRow(
            id=self.id,
            user_id=self.user_id,
            user_name=self.user_name,
            file_key=self.file_key,
            original_key=self.original_key,
            display_key=None if self.held else self.display_key,
            held=self.held,
            earlier_layout=self.earlier_layout,
            status=self.status,
            reason=self.reason,
            scores=self.scores,
            error=self.error,
            batch_id=self.batch_id,
            decided_by=self.decided_by,
            verified_by=self.verified_by,
            created_at=self.created_at,
            moderated_at=self.moderated_at,
            display_order=self.display_order,
            test=self.test,
        )


@dataclass(kw_only=True)
class BatchRow:
    """A row of ``batches``."""

    id: str
    user_id: str
    file_keys: tuple[str, ...]
    correlation_id: str | None
    created_at: datetime
    next_enqueue_at: datetime
    enqueue_interval: timedelta = MINUTE
    language: str | None = None
    #: Its job was sent.
    queued: bool = False
    generation: int = 1
    deliveries: int = 0
    finished_at: datetime | None = None
    last_error: str | None = None
    lease_job_id: str | None = None
    lease_until: datetime | None = None
    attempt_id: str | None = None
    #: The part that was down at the last delivery, and how often it was put off for that.
    waits_for: str | None = None
    put_off: int = 0

    def release(self) -> None:
        """No delivery holds it any more."""
        self.lease_job_id = self.lease_until = self.attempt_id = None


@dataclass(kw_only=True)
class Usage:
    """A row of ``upload_usage``, which the rate limit counts."""

    user_id: str
    photos: int
    created_at: datetime


@dataclass(kw_only=True)
class UploadUrl:
    """A row of ``upload_urls``: an upload that may be under way."""

    file_key: str
    user_id: str
    size_bytes: int
    expires_at: datetime
    handed_in: bool = False
    #: Handed in, and no worker has kept its bytes yet.
    wanted: bool = False


@dataclass(kw_only=True)
class Deletion:
    """A row of ``object_deletions``: an object that is to be removed."""

    file_key: str
    photo_id: str | None
    user_id: str
    created_at: datetime
    next_try_at: datetime
    removed_at: datetime | None = None
    #: That failed in a row.
    attempts: int = 0


@dataclass(kw_only=True)
class SweepRow:
    """The row of ``sweeps``."""

    holder: str | None = None
    held_until: datetime | None = None
    ended_at: datetime | None = None


@dataclass(kw_only=True)
class ReviewItem:
    """A row of ``review_items``: what waits for a person."""

    photo_id: str
    kind: str
    created_at: datetime
    closed_at: datetime | None = None
    priority: int = 0
    folded: bool = False
    lease_by: str | None = None
    lease_until: datetime | None = None
    note: str | None = None
    raised_by: str | None = None
    test: bool = False
    id: int = field(default_factory=itertools.count(1).__next__)


@dataclass(kw_only=True)
class Sample:
    """A row of ``samples``: an approved photo that was drawn to check the machine."""

    drawn_at: datetime
    policy: str | None
    model: str | None
    #: Share of approvals that was drawn then.
    rate: float | None
    #: None while nobody has decided.
    outcome: SampleOutcome | None = None
    reason: str | None = None
    #: The change in history that ended it.
    n: int | None = None


@dataclass(kw_only=True)
class HoldRow:
    """A row of ``holds``."""

    photo_id: str
    held_at: datetime
    held_by: str
    reported_at: datetime | None = None
    reported_by: str | None = None
    report: str | None = None
    lifted_at: datetime | None = None
    lifted_by: str | None = None
    lifted_because: str | None = None


@dataclass(kw_only=True)
class NoticeRow:
    """A row of ``notices``."""

    notice: Notice
    due_at: datetime
    #: For its photo's copy.
    waits: bool
    planned: bool = False
    void: bool = False


@dataclass(kw_only=True)
class Owed:
    """A row of ``notice_deliveries``; they stand in the order in which users are told."""

    row: NoticeRow
    channel: str
    told_at: datetime | None = None
    dead_at: datetime | None = None
    error: str | None = None

    @property
    def open(self) -> bool:
        """Whether it is to be told."""
        return self.told_at is None and self.dead_at is None


@dataclass(kw_only=True)
class Line:
    """A row of ``notice_lines``."""

    next_at: datetime
    lease: str | None = None
    failures: int = 0
    failing_since: datetime | None = None


@dataclass(kw_only=True)
class SessionRow:
    """A row of ``sessions``."""

    principal: Principal
    created_at: datetime
    seen_at: datetime


@dataclass(kw_only=True)
class Entry:
    """A row of history and when it was written."""

    row: HistoryRow
    at: datetime


class Clock:
    """The time; a test may move it forward."""

    def __init__(self) -> None:
        self._moved = timedelta()

    def now(self) -> datetime:
        """Tell the time."""
        return datetime.now(UTC) + self._moved

    def now_ms(self) -> int:
        """Tell it in milliseconds, as queues take it."""
        return int(self.now().timestamp() * 1000)

    def advance(self, **span: float) -> None:
        """Let time pass: ``timedelta``'s arguments."""
        self._moved += timedelta(**span)


@dataclass(kw_only=True)
class Database:
    """All rows. A call of an adapter holds ``lock`` from beginning to end, as a transaction."""

    clock: Clock = field(default_factory=Clock)
    lock: threading.RLock = field(default_factory=threading.RLock)
    history_days: int = 730
    batch_days: int = BATCH_DAYS
    photos: dict[str, Photo] = field(default_factory=dict)
    batches: dict[str, BatchRow] = field(default_factory=dict)
    usage: list[Usage] = field(default_factory=list)
    #: By object key.
    upload_urls: dict[str, UploadUrl] = field(default_factory=dict)
    deletions: dict[str, Deletion] = field(default_factory=dict)
    sweep: SweepRow = field(default_factory=SweepRow)
    history: list[Entry] = field(default_factory=list)
    review_items: list[ReviewItem] = field(default_factory=list)
    #: By photo.
    samples: dict[str, Sample] = field(default_factory=dict)
    notices: list[NoticeRow] = field(default_factory=list)
    owed: list[Owed] = field(default_factory=list)
    #: By channel and user.
    lines: dict[tuple[str, str], Line] = field(default_factory=dict)
    #: By channel and user.
    addresses: dict[tuple[str, str], str] = field(default_factory=dict)
    #: Channels that are left alone until then.
    rests: dict[str, datetime] = field(default_factory=dict)
    #: By photo and person: when first.
    reveals: dict[tuple[str, str], datetime] = field(default_factory=dict)
    holds: list[HoldRow] = field(default_factory=list)
    used_links: set[str] = field(default_factory=set)
    #: By the hash of their secret.
    sessions: dict[str, SessionRow] = field(default_factory=dict)
    workers: dict[str, WorkerInfo] = field(default_factory=dict)

    def note_deletion(self, key: str, *, user_id: str, photo_id: str | None = None) -> None:
        """Note an object for removal."""
        self.deletions.setdefault(
            key,
            Deletion(
                file_key=key,
                photo_id=photo_id,
                user_id=user_id,
                created_at=self.clock.now(),
                next_try_at=self.clock.now(),
            ),
        )

    def photos_of(self, batch_id: str) -> list[Photo]:
        """Give a batch's photos."""
        return [photo for photo in self.photos.values() if photo.batch_id == batch_id]

    def open_photos(self, batch_id: str) -> list[Photo]:
        """Give a batch's photos that wait for the machine."""
        return [photo for photo in self.photos_of(batch_id) if photo.open]

    def close_finished(self, batch_ids: Iterable[str], now: datetime) -> None:
        """Close those batches in which no photo waits for the machine any more."""
        for batch_id in batch_ids:
            batch = self.batches.get(batch_id)
            if batch and batch.finished_at is None and not self.open_photos(batch_id):
                batch.finished_at = now
                batch.release()
