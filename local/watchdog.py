"""Ends a worker whose loop hangs, and shows its supervisor that the process runs at all.

A hung thread cannot be ended in Python, a process can: whoever runs it starts it again, and its job
comes back by itself.
"""

from __future__ import annotations

import faulthandler
import os
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

#: Names a file; its time of change moves while the process runs.
HEARTBEAT = "PHOTOGATE_HEARTBEAT"
BEAT_EVERY_S = 1.0
#: What a step may take beyond its time: handing back and acknowledging wait for servers.
OVERRUN_S = 30.0
#: A process that gave this module no turn for so long, because native code holds the
#: interpreter's lock, is ended by a thread that does not need it.
_NO_TURN_S = 60.0


class Progress:
    """Until when the step that a loop is at should be done. Written by the loop, read by others."""

    def __init__(self) -> None:
        self._due_at = float("inf")

    def step(self, may_take_s: float) -> None:
        """The loop moved; its next step may take so long."""
        self._due_at = time.monotonic() + may_take_s

    def stood_still(self, seconds: float) -> None:
        """The whole process did, for so long: a debugger, or SIGSTOP."""
        self._due_at += seconds

    @property
    def late_s(self) -> float:
        """Seconds since the step should have been done; not positive while it has time."""
        return time.monotonic() - self._due_at


def watch(
    progress: Progress, *, overrun_s: float = OVERRUN_S, no_turn_s: float = _NO_TURN_S
) -> None:
    """End this process when a step takes ``overrun_s`` longer than it may.

    First it writes what each thread is at to standard error, and then one line.
    """
    threading.Thread(
        target=_watch, args=(progress, overrun_s, no_turn_s), name="watchdog", daemon=True
    ).start()


def _watch(progress: Progress, overrun_s: float, no_turn_s: float) -> NoReturn:
    heartbeat = os.environ.get(HEARTBEAT)
    while True:
        faulthandler.dump_traceback_later(no_turn_s, exit=True, file=sys.__stderr__ or 2)
        if heartbeat:
            with suppress(OSError):
                Path(heartbeat).touch()
        before = time.monotonic()
        time.sleep(min(BEAT_EVERY_S, overrun_s))
        slept_s = time.monotonic() - before
        if slept_s > 5 * BEAT_EVERY_S:
            progress.stood_still(slept_s)
        if progress.late_s > overrun_s:
            _end(f"{progress.late_s:.0f} s later than it should have moved")


def _end(why: str) -> NoReturn:
    faulthandler.dump_traceback(file=sys.__stderr__ or 2)
    os.write(2, f"photogate: this worker hangs and ends itself: {why}\n".encode())
    os._exit(1)
