"""Tells people and backends of decisions: each notice at least once, in order, nobody held up.

Channels are served beside each other, and users of a channel as well, a few at a time. Of one user
the next notices are taken when the ones before were settled. Whoever is killed loses nothing: its
leases run out.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from photogate.domain import Deadline
from photogate.domain.changes import UNDO_WITHIN_S, Action, Outcome
from photogate.domain.notices import Failing, Failure, Parcel, Receipt
from photogate.errors import RetryableError
from photogate.messages import NoticeJob
from photogate.ports.notices import Channel, Kind, Notices
from photogate.ports.queue import JobSender
from photogate.service.review_time import ReviewTime

logger = logging.getLogger(__name__)

#: A parcel is begun or goes on for so long; each notice has less, as its channel says.
PARCEL_S = 30.0
#: So long a sender may keep a user's notices: those of one that was killed wait until then.
LEASE_S = 60.0
#: Parcels of one channel that are told at once.
AT_ONCE = 8
#: Notices that are planned in one transaction.
PLANNED_AT_ONCE = 1000
#: A receiver that is down so often in a row, with nothing taken between, is left alone for a while.
_DOWN_IN_A_ROW = 4
_RESTS_S = 15.0
#: Receivers may ask for so much time at most.
_LONGEST_WISH_S = 24 * 3600.0
#: Standard Webhooks: retries for a day or more, growing apart.
GIVE_UP_S = 24 * 3600.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 5.0, 3600.0


def pause_s(failures: int) -> float:
    """Give the time before the next attempt after ``failures`` in a row: 5 s, 10 s … an hour.

    Shortened by up to a half, at random, so that users do not come back all at once.
    """
    longest = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** min(failures - 1, 20))
    return random.uniform(longest / 2, longest)  # noqa: S311 - jitter


class NoticeWatcher(Protocol):
    """Is told what happens, for logs and metrics."""

    def notices_told(self, parcel: Parcel, count: int) -> None:
        """Some notices of a parcel were taken, and that was recorded."""

    def notice_failed(self, parcel: Parcel, failure: Failure, *, dead: bool) -> None:
        """One was not taken; perhaps nothing more is tried."""


class Settling:
    """Records what became of a parcel, and decides when the next attempt comes.

    Args:
        give_up_s: a notice that has failed for so long is dead.
    """

    def __init__(
        self, notices: Notices, watcher: NoticeWatcher, *, give_up_s: float = GIVE_UP_S
    ) -> None:
        self._notices = notices
        self._watcher = watcher
        self._give_up_s = give_up_s

    def settle(self, kind: Kind, parcel: Parcel, receipt: Receipt) -> None:
        """Record it; may be called again.

        Raises:
            RetryableError: the database does not answer. The parcel then comes again, told or not.
        """
        failure = receipt.failure
        failures = parcel.failures + 1 if receipt.told == 0 else 1
        wish_s = min(_LONGEST_WISH_S, failure.retry_after_s or 0.0) if failure else 0.0
        dead = failure is not None and (
            failure.kind in (Failing.IMPOSSIBLE, Failing.GONE)
            # Of one before which others were told this is the first attempt.
            or (receipt.told == 0 and parcel.failing_s >= self._give_up_s)
        )
        self._notices.settle(
            parcel,
            receipt,
            # Nothing was told: nobody is disturbed by the next attempt.
            rests_s=kind.rests_s if receipt.told else 0.0,
            retry_in_s=max(pause_s(failures), wish_s) if failure else 0.0,
            gives_up=dead,
        )
        if failure and failure.kind is Failing.DOWN and wish_s > 0:
            self._notices.rest(parcel.channel, for_s=wish_s)
        if receipt.told:
            self._watcher.notices_told(parcel, receipt.told)
        if failure:
            self._watcher.notice_failed(parcel, failure, dead=dead)


@dataclass(kw_only=True)
class _Turn:
    """One channel's part of a run."""

    channel: Channel
    lock: threading.Lock = field(default_factory=threading.Lock)
    told: int = 0
    down_in_a_row: int = 0
    over: bool = False


class Sending:
    """Plans what is due, and tells it, until nothing is left to tell, or no time.

    Args:
        channels: all that are set up here.
        at_once: parcels of one channel that are told at once.
        lease_s: see ``LEASE_S``.
    """

    def __init__(
        self,
        notices: Notices,
        channels: Sequence[Channel],
        settling: Settling,
        *,
        at_once: int = AT_ONCE,
        lease_s: float = LEASE_S,
    ) -> None:
        self._notices = notices
        self._channels = tuple(channels)
        self._settling = settling
        self._at_once = at_once
        self._lease_s = lease_s
        self._review_time = ReviewTime(notices)

    def run(self, *, time_left_s: Callable[[], float]) -> int:
        """Tell what is due; return how many notices were taken by their receivers.

        May run anywhere, any number of times at once.

        Raises:
            RetryableError: the database does not answer.
        """
        plan(self._notices, self._channels, time_left_s)
        turns = [_Turn(channel=channel) for channel in self._channels]
        if not turns:
            return 0
        with ThreadPoolExecutor(len(turns), thread_name_prefix="channel") as threads:
            for served in [threads.submit(self._serve, turn, time_left_s) for turn in turns]:
                served.result()
        return sum(turn.told for turn in turns)

    def _serve(self, turn: _Turn, time_left_s: Callable[[], float]) -> None:
        """Keep up to ``at_once`` parcels of a channel under way."""
        first = self._take(turn, self._at_once, time_left_s)
        if not first:
            return
        with ThreadPoolExecutor(self._at_once, thread_name_prefix=turn.channel.name) as threads:
            waiting: set[Future[None]] = set()
            parcels = first
            while parcels or waiting:
                waiting |= {threads.submit(self._tell, turn, p, time_left_s) for p in parcels}
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for told in done:
                    told.result()
                parcels = self._take(turn, self._at_once - len(waiting), time_left_s)

    def _take(self, turn: _Turn, limit: int, time_left_s: Callable[[], float]) -> list[Parcel]:
        if turn.over or time_left_s() <= 0:
            return []
        try:
            taken = self._notices.take(turn.channel, limit=limit, lease_s=self._lease_s)
        except RetryableError as error:
            logger.warning("no notices for %s: %s", turn.channel.name, error)
            turn.over = True
            return []
        return self._review_time.said_on(turn.channel, taken)

    def _tell(self, turn: _Turn, parcel: Parcel, time_left_s: Callable[[], float]) -> None:
        if turn.over:
            with suppress(RetryableError):  # else its lease runs out
                self._notices.release(parcel)
            return
        deadline = Deadline.after(max(0.001, min(PARCEL_S, time_left_s())))
        receipt = told_by(turn.channel, parcel, deadline)
        try:
            self._settling.settle(turn.channel, parcel, receipt)
        except RetryableError as error:
            # Its lease runs out, and what was told comes again under the same ids.
            logger.warning("notices for %s are not settled: %s", turn.channel.name, error)
            turn.over = True
            return
        with turn.lock:
            turn.told += receipt.told
            down = receipt.failure is not None and receipt.failure.kind is Failing.DOWN
            turn.down_in_a_row = turn.down_in_a_row + 1 if down and not receipt.told else 0
            if turn.down_in_a_row < _DOWN_IN_A_ROW or turn.over:
                return
            turn.over = True
        logger.warning("%s is down: it is left alone for a while", turn.channel.name)
        with suppress(RetryableError):  # the next run finds out again
            self._notices.rest(turn.channel.name, for_s=_RESTS_S)


def plan(notices: Notices, kinds: Sequence[Kind], time_left_s: Callable[[], float]) -> int:
    """Let all that is due be owed to these channels; return how many notices."""
    planned = 0
    while (n := notices.plan(kinds, limit=PLANNED_AT_ONCE)) > 0:
        planned += n
        if n < PLANNED_AT_ONCE or time_left_s() <= 0:
            break
    return planned


def reminder(sender: JobSender) -> Callable[[Outcome], None]:
    """Make what sends a job when a person's decision may be told, where no process looks.

    When that fails, the sweep tells it within a minute.
    """

    def remind(outcome: Outcome) -> None:
        if outcome.change.action is Action.DECIDE:
            try:
                sender.send(NoticeJob().encode(), delay_s=UNDO_WITHIN_S + 1)
            except RetryableError as error:
                logger.warning("a decision is told by the sweep: %s", error)

    return remind


def told_by(channel: Channel, parcel: Parcel, deadline: Deadline) -> Receipt:
    """Let a channel tell a parcel; what nobody foresaw is a failure of its first notice."""
    try:
        return channel.tell(parcel, deadline)
    except Exception as error:
        logger.exception("%s failed unexpectedly", channel.name)
        failure = Failure(kind=Failing.REFUSED, error=f"unexpected: {type(error).__name__}")
        return Receipt(told=0, failure=failure)
