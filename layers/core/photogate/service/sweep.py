"""The sweep, once a minute: finishes what a crash, a lost queue or a store's outage left open."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias
from uuid import uuid4

from photogate.domain.changes import given_up
from photogate.errors import PhotogateError, RetryableError
from photogate.messages import CopyJob
from photogate.ports.notices import Notices
from photogate.ports.photos import PhotoStore
from photogate.ports.queue import JobMonitor, JobSender
from photogate.ports.records import Changes, Copies, Outbox, Rounds
from photogate.service.deletion import remove
from photogate.service.handing_over import HandingOver
from photogate.service.moderate import MAX_DELIVERIES

logger = logging.getLogger(__name__)

#: Of one round, unless the caller has less.
ROUND_S = 50.0
#: Each part does so many at a time, then the other parts have their turn.
_AT_ONCE = 500
#: As many as a batch has.
_PHOTOS_IN_JOB = 9
#: Batches that are concluded in one transaction, with up to 9 photos each.
_CONCLUDED_AT_ONCE = 100
#: At a time, too: a store that stalls takes 20 s for one deletion.
_DELETE_WITHIN_S = 10.0
#: A sweep that is killed keeps others away for so long.
_HELD_S = 30.0

#: Does one portion of its work; tells whether there is more to do.
_Part: TypeAlias = "Callable[[_Round], bool]"


@dataclass(frozen=True, kw_only=True)
class Swept:
    """What one round did."""

    #: Batches whose job was sent again.
    resent: int
    #: Photos that went to a person because their batch was delivered too often.
    concluded: int
    #: Photos for which a job that makes copies was sent.
    copies: int = 0
    #: The parts that failed; the next round does what they left.
    failed: tuple[str, ...] = ()


@dataclass(kw_only=True)
class _Round:
    time_left_s: Callable[[], float]
    #: Jobs that were sent and that the queue does not hold; None when it does not tell.
    lost: int | None = None
    resent: int = 0
    concluded: int = 0
    copies: int = 0
    #: Photos of the earlier layout that may still have copies in this round.
    earlier: int
    failed: list[str] = field(default_factory=list)


class Sweep:
    """Run it once a minute, anywhere: of those that run at once, one works.

    Its parts do not depend on each other: one that fails is logged, and the others go on.

    Args:
        originals_days: after this time the originals of approved photos go.
        earlier_at_once: photos of the earlier layout that have copies made in one round.
        delete_within_s: after this time of deletions the other parts have their turn, so that
            a store which stalls does not keep batches waiting.
        notices: of which old ones are removed.
        notice_days: after this time, when they were told or given up.
        hand_over: hands notices over, where no process of its own tells them.
    """

    def __init__(
        self,
        *,
        outbox: Outbox,
        changes: Changes,
        sender: JobSender,
        monitor: JobMonitor,
        store: PhotoStore,
        rounds: Rounds,
        copies: Copies,
        originals_days: float = 30.0,
        earlier_at_once: int = 500,
        delete_within_s: float = _DELETE_WITHIN_S,
        notices: Notices | None = None,
        notice_days: float = 7.0,
        hand_over: HandingOver | None = None,
    ) -> None:
        self._outbox = outbox
        self._changes = changes
        self._sender = sender
        self._monitor = monitor
        self._store = store
        self._rounds = rounds
        self._copies = copies
        self._originals_days = originals_days
        self._earlier_at_once = earlier_at_once
        self._delete_within_s = delete_within_s
        self._notices = notices
        self._notice_days = notice_days
        self._hand_over = hand_over

    def run(self, *, time_left_s: Callable[[], float] | None = None) -> Swept:
        """Do one round: until nothing is left to do, or no time.

        Every part has at least one turn. While another sweep is at work, nothing is done.

        Args:
            time_left_s: seconds that are left for this round, asked again and again; else it
                takes ``ROUND_S``.

        Raises:
            RetryableError: the database does not answer.
        """
        began = time.monotonic()
        this = _Round(
            time_left_s=time_left_s or (lambda: began + ROUND_S - time.monotonic()),
            earlier=self._earlier_at_once,
        )
        holder = str(uuid4())
        if not self._rounds.begin(holder, lasts_s=_HELD_S):
            logger.info("another sweep is at work")
            return Swept(resent=0, concluded=0)
        try:
            self._work(this, holder)
        finally:
            self._rounds.end(holder)
        if this.resent or this.concluded:
            logger.info(
                "swept: %d batches sent again, %d photos to review", this.resent, this.concluded
            )
        return Swept(
            resent=this.resent,
            concluded=this.concluded,
            copies=this.copies,
            failed=tuple(this.failed),
        )

    def _work(self, this: _Round, holder: str) -> None:
        parts: dict[str, _Part] = {
            "conclude": self._conclude,
            "count": self._count,
            "resend": self._resend,
            "tell": self._tell,
            "copy": self._copy,
            "release": self._release,
            "delete": self._delete,
            "prune": self._prune,
        }
        while True:
            parts = {name: part for name, part in parts.items() if _has_more(name, part, this)}
            if not parts or this.time_left_s() <= 0:
                return
            if not self._rounds.begin(holder, lasts_s=_HELD_S):
                return

    def _conclude(self, this: _Round) -> bool:
        """Send photos of batches that were delivered too often to a person."""
        batches = self._outbox.exhausted(max_deliveries=MAX_DELIVERIES, limit=_CONCLUDED_AT_ONCE)
        outcomes = self._changes.make(
            [
                given_up(photo_id, generation=batch.generation, error=batch.error)
                for batch in batches
                for photo_id in batch.photo_ids
            ]
        )
        concluded = sum(outcome.changed for outcome in outcomes)
        this.concluded += concluded
        return concluded > 0 and len(batches) == _CONCLUDED_AT_ONCE

    def _count(self, this: _Round) -> bool:
        """Find out how many jobs the queue has lost; brings back those of ended workers.

        Jobs for copies are in the queue as well. They hold several photos each, so that rather
        too many seem lost than too few: a job that comes twice does no harm.
        """
        sent = self._outbox.queued() + self._copies.progress().waiting
        stats = self._monitor.stats()
        this.lost = max(0, sent - stats.visible - stats.in_flight - stats.delayed)
        return False

    def _resend(self, this: _Round) -> bool:
        # First what the queue cannot hold, whatever their number; then as many as it lost.
        surely = self._outbox.take_due(limit=_AT_ONCE, lost=0)
        jobs = surely or self._outbox.take_due(limit=_AT_ONCE, lost=this.lost)
        sent: list[str] = []
        try:
            for job in jobs:
                if sent and this.time_left_s() <= 0:
                    break
                self._sender.send(job.encode())
                sent.append(job.batch_id)
        finally:
            if sent:
                self._outbox.sent(sent)
            this.resent += len(sent)
            if this.lost is not None and not surely:
                # Not counted anew: what the queue tells of itself may be a minute old.
                this.lost = max(0, this.lost - len(sent))
        return bool(surely) or len(sent) == _AT_ONCE

    def _tell(self, this: _Round) -> bool:
        """Hand over what people and backends are to be told."""
        if self._hand_over is not None:
            self._hand_over.run(time_left_s=this.time_left_s)
        return False

    def _copy(self, this: _Round) -> bool:
        """Send jobs for copies that are due, and let more of the earlier layout be due."""
        if this.earlier > 0:
            scheduled = self._copies.schedule_earlier(limit=this.earlier)
            this.earlier = this.earlier - scheduled if scheduled else 0
        due = self._copies.take_due(limit=_AT_ONCE)
        for at in range(0, len(due), _PHOTOS_IN_JOB):
            photo_ids = tuple(due[at : at + _PHOTOS_IN_JOB])
            self._sender.send(CopyJob(photo_ids=photo_ids).encode())
            this.copies += len(photo_ids)
        return len(due) == _AT_ONCE

    def _release(self, this: _Round) -> bool:  # noqa: ARG002 - as the other parts
        """Note objects for removal that nobody needs any more."""
        originals = self._copies.release_originals(days=self._originals_days, limit=_AT_ONCE)
        uploads = self._copies.release_uploads(limit=_AT_ONCE)
        return _AT_ONCE in (originals, uploads)

    def _delete(self, this: _Round) -> bool:
        last_start = time.monotonic() + self._delete_within_s
        keys, removed = self._outbox.take_deletions(limit=_AT_ONCE), 0
        for place, key in enumerate(keys):
            if time.monotonic() > last_start or (place and this.time_left_s() <= 0):
                break
            if self._removed(key):
                removed += 1
            else:
                self._outbox.put_off(key)
        return removed > 0 and len(keys) == _AT_ONCE

    def _removed(self, key: str) -> bool:
        try:
            return remove(self._store, self._outbox, key)
        except Exception:
            # Nobody foresaw it; it must not keep the objects behind it from being removed.
            logger.exception("%s could not be removed", key)
            return False

    def _prune(self, this: _Round) -> bool:  # noqa: ARG002 - as the other parts
        pruned = self._outbox.prune(limit=_AT_ONCE)
        if self._notices is not None:
            pruned += self._notices.prune(days=self._notice_days, limit=_AT_ONCE)
        return pruned > 0


def _has_more(name: str, part: _Part, this: _Round) -> bool:
    """Let a part do a portion; one that fails is done for this round."""
    try:
        return part(this)
    except RetryableError as error:
        logger.warning("the sweep could not %s: %s", name, error)
    except PhotogateError as error:
        logger.error("the sweep could not %s: %s", name, error)
    except Exception:
        logger.exception("the sweep could not %s", name)
    this.failed.append(name)
    return False
