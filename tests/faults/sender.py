"""A sender of notices that ends by ``kill -9`` when it reaches a stage: see ``STAGES``.

``python -m tests.faults.sender STAGE N``: at the N-th time, or never with the stage ``never``. It
otherwise tells what is due until nothing is left, and ends.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

from photogate import bootstrap
from photogate.adapters.channels.webhook import WebhookChannel
from photogate.adapters.postgres.notices import PostgresNotices

#: By what is called just then, before it or after.
STAGES = (
    "before plan",
    "after plan",
    "before take",
    "after take",
    "before post",
    "after post",
    "before settle",
    "after settle",
)
_CALLS: dict[str, tuple[type, str]] = {
    "plan": (PostgresNotices, "plan"),
    "take": (PostgresNotices, "take"),
    "post": (WebhookChannel, "_post"),
    "settle": (PostgresNotices, "settle"),
}


def main(stage: str, nth: int) -> None:
    """Tell until nothing is left, or until it is killed."""
    if stage != "never":
        when, _, what = stage.partition(" ")
        owner, name = _CALLS[what]
        setattr(owner, name, _killing(getattr(owner, name), nth, before=when == "before"))
    sending = bootstrap.sending()
    ends = time.monotonic() + 60
    while sending.run(time_left_s=lambda: ends - time.monotonic()):
        pass


def _killing(call: Callable[..., Any], nth: int, *, before: bool) -> Callable[..., Any]:
    counter = itertools.count(1)

    def inner(*args: Any, **more: Any) -> Any:
        number = next(counter)
        if before and number == nth:
            os.kill(os.getpid(), signal.SIGKILL)
        result = call(*args, **more)
        if not before and number == nth:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return inner


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
