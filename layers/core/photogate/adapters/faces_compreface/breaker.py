"""Keeps calls away from a service that is down."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class CircuitBreaker:
    """Lets calls pass until too many fail in a row; then one trial after each rest. Thread-safe.

    The outcome of a trial closes it again or begins the next rest. A trial whose outcome is never
    told blocks nothing: the next trial comes after another rest.

    Args:
        failures: so many in a row open it.
        rest_s: seconds between two trials while it is open.
        clock: seconds that never go back.
    """

    def __init__(
        self, *, failures: int, rest_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most_failures = failures
        self._rest_s = rest_s
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._next_trial = 0.0

    def wait_s(self) -> float:
        """Let the caller pass, giving 0, or give the seconds until the next trial.

        Whoever passes tells the outcome by ``succeeded`` or ``failed``.
        """
        with self._lock:
            if self._failures < self._most_failures:
                return 0.0
            now = self._clock()
            if now < self._next_trial:
                return self._next_trial - now
            self._next_trial = now + self._rest_s
            return 0.0

    def succeeded(self) -> None:
        """Note that the service answered."""
        with self._lock:
            self._failures = 0

    def failed(self) -> None:
        """Note that it did not."""
        with self._lock:
            self._failures += 1
            self._next_trial = self._clock() + self._rest_s
