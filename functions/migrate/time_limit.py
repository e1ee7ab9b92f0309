"""Interrupts a migration before Lambda ends the whole function."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

#: Kept for telling CloudFormation, which takes at most this long; half of a shorter time.
ANSWER_S = 60.0


class OutOfTime(BaseException):
    """The function's time is nearly over. No ``Exception``: nothing in between may catch it."""


@contextmanager
def time_limit(context: LambdaContext | None) -> Iterator[None]:
    """Interrupt what runs inside before Lambda would end the function.

    A function that Lambda ends answers nobody, and its frozen connection would hold the
    locks of a half-done migration. Works in the main thread only, where Lambda calls.

    Raises:
        OutOfTime: it was interrupted.
    """
    if context is None:
        yield
        return

    def interrupt(*_: Any) -> None:
        raise OutOfTime("the migration took longer than the function may run; it was rolled back")

    left_s = context.get_remaining_time_in_millis() / 1000
    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, max(left_s - ANSWER_S, left_s / 2))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
