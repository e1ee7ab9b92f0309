"""Says when a migration has to end, and interrupts it before Lambda ends the whole function."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

#: Kept for telling CloudFormation, which takes at most this long; half of a shorter time.
ANSWER_S = 60.0
#: PostgreSQL cancels what runs this long before it is interrupted; a quarter of a shorter time.
_ORDERLY_S = 30.0


class OutOfTime(BaseException):
    """The function's time is nearly over. No ``Exception``: nothing in between may catch it."""


@contextmanager
def time_limit(context: LambdaContext | None) -> Iterator[float]:
    """Give the moment of ``time.monotonic`` at which to end, and interrupt what does not.

    A function that Lambda ends answers nobody, and its frozen connection would hold the
    locks of a half-done migration. The interruption is for a database that does not answer.
    Works in the main thread only, where Lambda calls.

    Raises:
        OutOfTime: it was interrupted.
    """
    if context is None:
        yield math.inf
        return

    def interrupt(*_: Any) -> None:
        raise OutOfTime(
            "the migration took longer than the function may run; what it was doing was rolled back"
        )

    left_s = context.get_remaining_time_in_millis() / 1000
    before = signal.signal(signal.SIGALRM, interrupt)
    limit_s = max(left_s - ANSWER_S, left_s / 2)
    signal.setitimer(signal.ITIMER_REAL, limit_s)
    try:
        yield time.monotonic() + limit_s - min(_ORDERLY_S, limit_s / 4)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
