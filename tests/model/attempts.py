"""What a decoder that was taken over may try against a process, a file and the network.

``python -m tests.model.attempts MEANS VICTIM FILE PORT`` tries all of it under some of the means
of ``confinement`` alone, and prints what came of each.
"""

from __future__ import annotations

import ctypes
import errno
import json
import mmap
import os
import socket
import sys
from collections.abc import Callable

from photogate_vision.decoding import confinement, system_calls

_PR_SET_NO_NEW_PRIVS, _PTRACE_SEIZE = 38, 0x4206
_MEANS: dict[str, Callable[[], str]] = {
    "user": confinement._change_user,
    "landlock": confinement._landlock,
    "seccomp": system_calls.filter_calls,
}
_libc = ctypes.CDLL(None, use_errno=True)
_ptrace, _prctl = _libc.ptrace, _libc.prctl


def attempt_all(victim: int, file: str, port: int) -> dict[str, str]:
    """Try everything.

    Args:
        victim: a process of the user that started this one.
        file: that anybody may read, in a folder where anybody may write.
        port: on which something listens.

    Returns:
        by what was tried, ``done``, or the name of the error.
    """
    attempts: dict[str, Callable[[], object]] = {
        "environment of another": lambda: _read(f"/proc/{victim}/environ"),
        "memory of another": lambda: _read(f"/proc/{victim}/mem"),
        "list of processes": lambda: os.listdir("/proc"),  # noqa: PTH208
        "file of another": lambda: _read(file),
        "new file": lambda: os.close(os.open(f"{file}.new", os.O_WRONLY | os.O_CREAT)),
        "new link": lambda: os.symlink("x", f"{file}.link"),  # noqa: PTH211
        "TCP": lambda: _connect(socket.SOCK_STREAM, port),
        "UDP": lambda: _connect(socket.SOCK_DGRAM, port),
        "signal": lambda: os.kill(victim, 0),
        "ptrace": lambda: _trace(victim),
        "fork": _fork,
        "program": _run,
        "exec": lambda: os.execv("/", ["x"]),  # noqa: S606 - would be EACCES
        "machine code": _make_executable,
    }
    return {name: _tried(attempt) for name, attempt in attempts.items()}


def _tried(attempt: Callable[[], object]) -> str:
    try:
        attempt()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error))
    return "done"


def _read(path: str) -> None:
    os.close(os.open(path, os.O_RDONLY))


def _connect(kind: int, port: int) -> None:
    with socket.socket(type=kind) as connection:
        connection.connect(("127.0.0.1", port))


def _trace(victim: int) -> None:
    if _ptrace(_PTRACE_SEIZE, victim, None, None):
        raise OSError(ctypes.get_errno(), "ptrace")


def _fork() -> None:
    if (child := os.fork()) == 0:
        os._exit(0)
    os.waitpid(child, 0)


def _run() -> None:
    os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)


def _make_executable() -> None:
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).close()


if __name__ == "__main__":
    names, victim, file, port = sys.argv[1:]
    _prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    refusals = {name: why for name in names.split(",") if name and (why := _MEANS[name]())}
    sys.stdout.write(json.dumps(refusals or attempt_all(int(victim), file, int(port))))
