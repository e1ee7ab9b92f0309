"""The system calls that a decoder process may make, as a filter that the kernel obeys.

A list of what is allowed, since kernels learn new calls. It has what Pillow, its codecs, glibc
and CPython need once everything is imported (seen by strace, over all formats that are decoded,
November 2026): memory, time, threads, and the files that are open already. All else fails with
EPERM: opening files, sockets, processes, signals, ptrace.
"""

from __future__ import annotations

import ctypes
import platform
import struct
import sys
from typing import NamedTuple

_PR_SET_NAME, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 15, 22, 2
_ALLOW, _KILL, _EPERM, _ENOSYS = 0x7FFF0000, 0x80000000, 0x50001, 0x50026
#: linux/audit.h; the columns of ``_ALLOWED``.
_ARCHITECTURES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
_F_GETFD, _F_DUPFD_CLOEXEC = 1, 1030
_PROT_EXEC, _CLONE_THREAD = 0x4, 0x10000


class _Where(NamedTuple):
    """A condition on one half of an argument."""

    #: 0 and 1 are the lower and the upper half of the first argument, and so on.
    half: int
    value: int
    #: Of which bits.
    mask: int = 0xFFFFFFFF


_NO_CODE = _Where(4, 0, _PROT_EXEC)
#: Numbers on x86-64 and on 64-bit ARM, then what must hold; the most frequent first.
_ALLOWED: tuple[tuple[tuple[int, int], tuple[_Where, ...]], ...] = (
    ((0, 63), ()),  # read
    ((1, 64), ()),  # write
    ((202, 98), ()),  # futex
    ((9, 222), (_NO_CODE,)),  # mmap
    ((11, 215), ()),  # munmap
    ((10, 226), (_NO_CODE,)),  # mprotect
    ((25, 216), ()),  # mremap
    ((28, 233), ()),  # madvise
    ((12, 214), ()),  # brk
    ((38, 103), ()),  # setitimer
    ((228, 113), ()),  # clock_gettime
    ((96, 169), ()),  # gettimeofday
    ((230, 115), ()),  # clock_nanosleep
    ((24, 124), ()),  # sched_yield
    ((204, 123), ()),  # sched_getaffinity
    ((318, 278), ()),  # getrandom
    ((3, 57), ()),  # close
    ((72, 25), (_Where(2, _F_GETFD),)),  # fcntl
    ((72, 25), (_Where(2, _F_DUPFD_CLOEXEC),)),
    ((13, 134), ()),  # rt_sigaction
    ((14, 135), ()),  # rt_sigprocmask
    ((15, 139), ()),  # rt_sigreturn
    ((131, 132), ()),  # sigaltstack
    ((219, 128), ()),  # restart_syscall
    ((39, 172), ()),  # getpid
    ((186, 178), ()),  # gettid
    ((56, 220), (_Where(0, _CLONE_THREAD, _CLONE_THREAD),)),  # clone: threads, no processes
    ((273, 99), ()),  # set_robust_list
    ((334, 293), ()),  # rseq
    ((157, 167), (_Where(0, _PR_SET_NAME),)),  # prctl: names of threads
    # prlimit64: its own limits, to be read: the address of new ones is 0.
    ((302, 261), (_Where(0, 0), _Where(4, 0), _Where(5, 0))),
    ((60, 93), ()),  # exit
    ((231, 94), ()),  # exit_group
)
#: Its flags are in memory, which a filter cannot read; glibc then takes clone.
_CLONE3 = 435


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def filter_calls() -> str:
    """Leave this process those calls alone; cannot be taken back.

    Returns:
        why it could not be done; empty when it was.
    """
    if sys.platform != "linux" or platform.machine() not in _ARCHITECTURES:
        return f"no filter is known for {sys.platform} on {platform.machine()}"
    instructions = _instructions(*_ARCHITECTURES[platform.machine()])
    program = _Program(len(instructions) // 8, instructions)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0):
        return f"the kernel refuses it (error {ctypes.get_errno()})"
    return ""


def _instructions(architecture: int, column: int) -> bytes:
    """Put the filter together, in the kernel's classic BPF; see seccomp(2)."""
    code = _load(4) + _unless(architecture, skip=0, then=1) + _give(_KILL)
    for numbers, conditions in (*_ALLOWED, ((_CLONE3, _CLONE3), ())):
        verdict = _give(_ENOSYS if numbers[column] == _CLONE3 else _ALLOW)
        for where in reversed(conditions):
            left = len(verdict) // 8
            test = _load(16 + 4 * where.half) + _masked(where.mask)
            verdict = test + _unless(where.value, skip=left) + verdict
        code += _load(0) + _unless(numbers[column], skip=len(verdict) // 8) + verdict
    return code + _give(_EPERM)


def _load(offset: int) -> bytes:
    return struct.pack("<HBBI", 0x20, 0, 0, offset)


def _masked(mask: int) -> bytes:
    return struct.pack("<HBBI", 0x54, 0, 0, mask)


def _unless(value: int, *, skip: int, then: int = 0) -> bytes:
    """Skip ``skip`` instructions unless the loaded number is ``value``, else ``then``."""
    return struct.pack("<HBBI", 0x15, then, skip, value)


def _give(verdict: int) -> bytes:
    return struct.pack("<HBBI", 0x06, 0, 0, verdict)
