"""When the work on one photo has to end."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Deadline:
    """A moment that the store, the decoder and the face service obey alike.

    A timeout of a socket begins anew with every byte; what is left until a deadline never grows.
    """

    #: On the clock of ``time.monotonic``.
    at: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """Give the one that comes in so many seconds."""
        return cls(time.monotonic() + seconds)

    def within(self, seconds: float) -> Deadline:
        """Give the earlier one of this and the one in so many seconds."""
        return Deadline(min(self.at, time.monotonic() + seconds))

    def left_s(self) -> float:
        """Give the seconds that are left, never below 0."""
        return max(0.0, self.at - time.monotonic())

    @property
    def passed(self) -> bool:
        """Whether nothing is left."""
        return self.left_s() == 0

    def bound(self, call: Callable[[], T]) -> T:
        """Call, and wait for the result no longer than until then.

        For libraries whose own timeouts begin anew: a call that is still under way is left to
        itself, in a thread that ends with it and does not keep the process.

        Raises:
            TimeoutError: there is no result yet.
        """
        results: list[T] = []
        errors: list[BaseException] = []

        def run() -> None:
            try:
                results.append(call())
            except BaseException as error:
                errors.append(error)

        thread = threading.Thread(target=run, name="bounded", daemon=True)
        thread.start()
        thread.join(min(self.left_s(), threading.TIMEOUT_MAX))
        if errors:
            raise errors[0]
        if not results:
            raise TimeoutError("there was no answer in time")
        return results[0]


#: For work that nobody waits for in a hurry, such as files on the command line.
NEVER = Deadline(math.inf)
