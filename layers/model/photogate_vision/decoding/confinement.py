"""Takes from a decoder process what decoding does not need, before it sees the first photo.

Limits of memory, files and descriptors everywhere. On Linux three more, of which each alone keeps a
process that was taken over from files and from other processes:

- a user of its own, where this process is root's and may change it;
- Landlock: no files, no network, no signals (kernel 5.13 and later, more with each version);
- seccomp: a short list of system calls (``system_calls``).

What the kernel or the container does not offer is left out, and told to the parent.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import struct
import sys

from photogate_vision.decoding.system_calls import filter_calls

#: Its three, the shared memory, the channel, and what loading a library takes for a moment.
_MOST_FILES = 16
_PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 4, 38
#: Nobody's: below the ids that distributions use, within the 65,536 that a container has. Not
#: 65534, as whom PostgreSQL runs on one machine.
USER = 65_533
_CREATE_RULESET, _RESTRICT_SELF = 444, 446  # the same on every architecture
#: Landlock's rights to files by version: each version knows so many, as bits from the lowest.
_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}


def confine(memory_bytes: int) -> dict[str, str]:
    """Give up what decoding does not need. Cannot be taken back; everything is imported before.

    Args:
        memory_bytes: what this process may have of its own.

    Returns:
        by the name of each means, why it is not in force; empty where it is.
    """
    _limit(resource.RLIMIT_DATA, memory_bytes)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_NOFILE, _MOST_FILES)
    # Not RLIMIT_NPROC: the decoder of HEIC starts a thread of its own.
    for number in (signal.SIGTERM, signal.SIGINT):
        # The parent handles these signals; it may want one more photo first.
        signal.signal(number, signal.SIG_IGN)
    if sys.platform != "linux":
        return dict.fromkeys(("user", "landlock", "seccomp"), f"not on {sys.platform}")
    ctypes.CDLL(None).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    found = {"user": _change_user()}
    # After the change of user, which sets it, too.
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    return found | {"landlock": _landlock(), "seccomp": filter_calls()}


def _limit(kind: int, most: int) -> None:
    _, hard = resource.getrlimit(kind)
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(kind, (most, most))


def _change_user() -> str:
    """Become ``USER``, and lose root's rights with it; gives why not."""
    if os.geteuid() != 0:
        return "needs root"
    try:
        os.setgroups([])
        os.setresgid(USER, USER, USER)
        os.setresuid(USER, USER, USER)
    except OSError as error:
        return f"cannot be changed ({error.strerror})"
    return ""


def _landlock() -> str:
    """Give up all files that are not open, the network, and signals to others; gives why not."""
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(_CREATE_RULESET, None, 0, 1)
    if version < 1:
        return "this kernel has none"
    files = (1 << _RIGHTS.get(version, _RIGHTS[5])) - 1
    network = 0b11 if version >= 4 else 0  # TCP: bind and connect
    scoped = 0b11 if version >= 6 else 0  # abstract sockets and signals
    # Handled and never granted is forbidden. Older kernels take what they do not know as 0.
    handled = struct.pack("<QQQ", files, network, scoped)
    rules = libc.syscall(_CREATE_RULESET, handled, len(handled), 0)
    if rules < 0:
        return f"the kernel refuses it (error {ctypes.get_errno()})"
    refused = libc.syscall(_RESTRICT_SELF, rules, 0)
    why = f"the kernel refuses it (error {ctypes.get_errno()})" if refused else ""
    os.close(rules)
    return why
