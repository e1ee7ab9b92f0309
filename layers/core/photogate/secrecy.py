"""Keeps the secrets of a process from other processes of its user.

``/proc/PID/environ`` shows the environment that a process was started with, for as long as it
runs, and ``/proc/PID/mem`` all of its memory, to each process of the same user: to a decoder
that a photo took over as well.
"""

from __future__ import annotations

import ctypes
import os
import sys

from photogate import settings

_PR_SET_DUMPABLE = 4


def hide() -> None:
    """Show environment and memory of this process to root alone; on Linux, elsewhere nothing.

    Debuggers and core dumps need root, too, from now on. Processes that it starts are not hidden.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def take_secrets() -> None:
    """Hide this process, and move its secret settings to where only ``settings.read`` finds them.

    Nothing that it starts inherits them then. What the AWS SDK reads by itself stays.
    """
    hide()
    found = {name: os.environ.pop(name) for name in settings.secret_names() & os.environ.keys()}
    settings.keep(found)
