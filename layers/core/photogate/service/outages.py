"""Whether the store or the face service is down; while it is, nobody calls it.

A failed call is an outage when the part's probe fails as well, or when the calls for three
different batches failed in a row. Otherwise it is the photo's own fault, and counts: a batch
whose photos alone cannot be read ends with a person, and stops nobody else.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

from photogate.domain import NEVER, Deadline, Face
from photogate.errors import (
    ConfigError,
    OutOfTime,
    PartUnavailable,
    PhotogateError,
    RetryableError,
)
from photogate.ports.probe import Probe
from photogate.ports.vision import FaceDetector, UprightPicture

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: Calls for so many different batches failed in a row: the part is down, whatever its probe says.
_BATCHES = 3
#: Seconds between two trials of one process while a part is down.
_REST_S = 10.0
_PROBE_WITHIN_S = 5.0
_batch_in_hand: ContextVar[str | None] = ContextVar("batch_in_hand", default=None)


@contextmanager
def working_on(batch_id: str) -> Iterator[None]:
    """Tell guards, in this thread, whose photos they are called for."""
    token = _batch_in_hand.set(batch_id)
    try:
        yield
    finally:
        _batch_in_hand.reset(token)


class Guard:
    """Keeps calls away from a part that is down, but for one trial after each rest. Thread-safe.

    A trial whose outcome is never told blocks nothing: the next comes after another rest.

    Args:
        part: ``storage`` or ``faces``.
        probe: of that part.
        rest_s: between two trials.
        probe_within_s: a probe that takes longer has failed.
        clock: seconds that never go back.
    """

    def __init__(
        self,
        part: str,
        probe: Probe,
        *,
        rest_s: float = _REST_S,
        probe_within_s: float = _PROBE_WITHIN_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.part = part
        self._probe = probe
        self._rest_s = rest_s
        self._probe_within_s = probe_within_s
        self._clock = clock
        self._lock = threading.Lock()
        self._down = False
        self._why = ""
        self._next_trial = 0.0
        #: The batches of the last calls, while all of them failed; without one, each by itself.
        self._failed: deque[object] = deque(maxlen=_BATCHES)

    def outage(self) -> PartUnavailable | None:
        """Say that the part is down and no trial is due; None when it may be called."""
        with self._lock:
            return self._outage()

    def call(self, call: Callable[[], T], *, deadline: Deadline) -> T:
        """Call the part for a photo.

        Raises:
            PartUnavailable: it is down; the call failed, or was not made.
        """
        self._pass()
        try:
            result = call()
        except OutOfTime:
            raise  # says nothing about the part
        except (RetryableError, ConfigError) as error:
            if outage := self._failure(error, deadline):
                raise outage from error
            raise
        except PhotogateError:
            self._success()  # it answered
            raise
        self._success()
        return result

    def _pass(self) -> None:
        """Let one caller pass when a trial is due, and all while the part is not down."""
        with self._lock:
            if outage := self._outage():
                raise outage
            self._next_trial = self._clock() + self._rest_s

    def _outage(self) -> PartUnavailable | None:
        wait_s = self._next_trial - self._clock() if self._down else 0.0
        return self._unavailable(wait_s) if wait_s > 0 else None

    def _success(self) -> None:
        with self._lock:
            if self._down:
                logger.info("%s is back", self.part)
            self._down = False
            self._failed.clear()

    def _failure(self, error: Exception, deadline: Deadline) -> PartUnavailable | None:
        """Note a failed call; gives the outage that it is part of."""
        with self._lock:
            self._failed.append(_batch_in_hand.get() or object())
            down = len(set(self._failed)) == _BATCHES
        down = down or not self._answers(deadline)
        with self._lock:
            if down and not self._down:
                logger.warning("%s is down: %s", self.part, error)
            self._down, self._why = down, str(error)
            self._next_trial = self._clock() + self._rest_s
            return self._unavailable(self._rest_s) if down else None

    def _answers(self, deadline: Deadline) -> bool:
        try:
            deadline.within(self._probe_within_s).bound(self._probe.check)
        except (PhotogateError, TimeoutError):
            # Without time for an answer nothing is known, and nothing is blamed on the part.
            return deadline.passed
        return True

    def _unavailable(self, wait_s: float) -> PartUnavailable:
        message = f"{self._why} (it is asked again in {wait_s:.0f} s)"
        return PartUnavailable(message, part=self.part, retry_after_s=wait_s)


class GuardedFaces:
    """A ``FaceDetector`` that is asked through a guard."""

    def __init__(self, inner: FaceDetector, guard: Guard) -> None:
        self._inner = inner
        self._guard = guard

    @property
    def tells_age(self) -> bool:
        """See ``photogate.ports.vision.FaceDetector.tells_age``."""
        return self._inner.tells_age

    def detect(self, picture: UprightPicture, deadline: Deadline = NEVER) -> list[Face]:
        """See ``photogate.ports.vision.FaceDetector.detect``."""
        return self._guard.call(lambda: self._inner.detect(picture, deadline), deadline=deadline)
