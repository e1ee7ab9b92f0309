"""Jobs, workers, and figures of an installation."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime

from photogate.domain.pages import Total
from photogate.domain.verdicts import Gate

#: Between two announcements of a worker.
ANNOUNCE_EVERY_S = 3.0
#: A worker that missed three of them is dead or stuck; operators know within 10 s.
ALIVE_WITHIN_S = 3 * ANNOUNCE_EVERY_S
#: Pauses of a batch that waits for a part that is down, in seconds: at first, as long as few wait,
#: and ever. All have to be done within a minute of the part's return.
_FIRST_PAUSE_S, _FEW_PAUSE_S, _MOST_PAUSE_S = 5.0, 40.0, 300.0
#: Whether more wait makes no pause longer.
MANY_WAIT = int(_MOST_PAUSE_S / 2)


def outage_pause_s(times: int, waiting: int) -> float:
    """Give the next pause of a batch that was put off so often: full jitter, doubled each time.

    The more batches wait, the longer each may: one of them comes every second, and the first that
    succeeds wakes the others.
    """
    longest = min(max(_FEW_PAUSE_S, 2.0 * waiting), _MOST_PAUSE_S)
    return random.uniform(0, min(longest, _FIRST_PAUSE_S * 2 ** min(times, 10)))  # noqa: S311


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """A job that one worker holds until it is acknowledged or its time runs out."""

    job_id: str
    #: Names this very delivery; a later one of the same job makes it stale.
    token: str
    body: str
    #: 1 for the first delivery.
    receive_count: int
    sent_at: datetime


@dataclass(frozen=True, kw_only=True)
class QueueStats:
    """Jobs by state."""

    visible: int
    in_flight: int
    delayed: int
    dead: int


@dataclass(frozen=True, kw_only=True)
class DeadJob:
    """A job that was delivered too often."""

    job_id: str
    body: str
    receive_count: int
    last_error: str | None


@dataclass(frozen=True, kw_only=True)
class UnfinishedBatch:
    """A batch with photos that went to a person because moderation could not finish."""

    batch_id: str
    #: How many of its photos wait like that.
    photos: int
    deliveries: int
    error: str
    concluded_at: datetime


@dataclass(frozen=True, kw_only=True)
class ExhaustedBatch:
    """A batch that was delivered as often as any may be, and is not finished."""

    id: str
    generation: int
    #: Why its last delivery failed.
    error: str
    #: Its photos without a verdict.
    photo_ids: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class WorkerInfo:
    """A worker that announced itself lately."""

    id: str
    host: str
    pid: int
    #: sha256 of its model.
    model: str
    #: ``name@version`` of the policy that it decides by.
    policy: str
    gates: tuple[Gate, ...]
    started_at: datetime
    seen_at: datetime
    last_photo_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class DayStats:
    """Photos by their present state, of those that were moderated last in the last 24 hours."""

    #: Whole hours are counted: this lies 24 to 25 hours back.
    since: datetime
    total: int
    approved: int
    rejected: int
    failed: int
    #: By code; what people wrote in words of their own counts as ``other``.
    rejection_reasons: dict[str, int]
    #: Photos that wait for the machine now, however old.
    pending_media: Total
    #: Age of the oldest batch that is not finished; None when there is none.
    oldest_age_s: float | None

    @property
    def in_review(self) -> int:
        """How many of ``total`` went to a person and wait, ``failed`` ones among them."""
        return self.total - self.approved - self.rejected


@dataclass(frozen=True, kw_only=True)
class LastHour:
    """What the machine did within the last hour, as far as ``COUNT_TO`` verdicts go."""

    #: When the newest photo was handed in; None when there is none.
    newest_photo_at: datetime | None
    judged: Total
    #: Of those that were counted.
    approved: int
    rejected: int
    #: Left to a person, also because checking could not finish.
    to_people: int


@dataclass(frozen=True, kw_only=True)
class Backlog:
    """What waits, at one moment."""

    #: Photos that wait for a person; at most 10,000 are counted.
    reviews: int
    #: Age of the oldest of them, in seconds; 0 when there is none.
    oldest_review_s: float
    #: Age of the oldest batch that is not finished, in seconds; 0 when there is none.
    oldest_batch_s: float
