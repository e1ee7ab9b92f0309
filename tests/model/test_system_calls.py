"""The filter of system calls, followed as the kernel does, also for processors not at hand."""

from __future__ import annotations

import struct

import pytest

from photogate_vision.decoding import system_calls

ARM, X86 = "aarch64", "x86_64"
ALLOWED, EPERM, ENOSYS, KILLED = 0x7FFF0000, 0x50001, 0x50026, 0x80000000
THREAD = 0x3D0F00  # as glibc makes threads


def verdict(on: str, number: int, *arguments: int, architecture: int | None = None) -> int:
    """Run the filter of a processor on one call."""
    known, column = system_calls._ARCHITECTURES[on]
    program = system_calls._instructions(known, column)
    call = struct.pack("<IIQ", number, known if architecture is None else architecture, 0)
    call += struct.pack("<6Q", *arguments, *[0] * (6 - len(arguments)))
    at, loaded = 0, 0
    while True:
        code, then, otherwise, value = struct.unpack_from("<HBBI", program, 8 * at)
        at += 1
        match code:
            case 0x20:
                (loaded,) = struct.unpack_from("<I", call, value)
            case 0x54:
                loaded &= value
            case 0x15:
                at += then if loaded == value else otherwise
            case 0x06:
                return int(value)


@pytest.mark.parametrize(
    ("what", "x86", "arm", "arguments", "expected"),
    [
        ("read", 0, 63, (0, 0, 24), ALLOWED),
        ("memory", 9, 222, (0, 4096, 0x3, 0x22), ALLOWED),
        ("machine code", 9, 222, (0, 4096, 0x7, 0x22), EPERM),
        ("memory becomes machine code", 10, 226, (0, 4096, 0x5), EPERM),
        ("a thread", 56, 220, (THREAD,), ALLOWED),
        ("a process", 56, 220, (17,), EPERM),
        ("a thread or a process", 435, 435, (0, 88), ENOSYS),
        ("the name of a thread", 157, 167, (15,), ALLOWED),
        ("another prctl", 157, 167, (4, 1), EPERM),
        ("its own limits", 302, 261, (0, 7, 0, 1 << 40), ALLOWED),
        ("new limits", 302, 261, (0, 7, 1 << 12), EPERM),
        ("new limits at a high address", 302, 261, (0, 7, 1 << 40), EPERM),
        ("limits of others", 302, 261, (1, 7), EPERM),
        ("who is signalled", 72, 25, (0, 8, 1), EPERM),
        ("openat", 257, 56, (), EPERM),
        ("openat2", 437, 437, (), EPERM),
        ("socket", 41, 198, (2, 1), EPERM),
        ("connect", 42, 203, (), EPERM),
        ("sendto", 44, 206, (), EPERM),
        ("execve", 59, 221, (), EPERM),
        ("kill", 62, 129, (1, 0), EPERM),
        ("tgkill", 234, 131, (), EPERM),
        ("ptrace", 101, 117, (16,), EPERM),
        ("process_vm_readv", 310, 270, (), EPERM),
        ("memfd_create", 319, 279, (), EPERM),
        ("io_uring_setup", 425, 425, (), EPERM),
        ("unshare", 272, 97, (1 << 28,), EPERM),
        ("seccomp", 317, 277, (), EPERM),
    ],
)
def test_a_call(what: str, x86: int, arm: int, arguments: tuple[int, ...], expected: int) -> None:
    assert verdict(X86, x86, *arguments) == expected
    assert verdict(ARM, arm, *arguments) == expected


def test_calls_in_the_manner_of_another_processor_end_the_process() -> None:
    assert verdict(X86, 0, architecture=0x40000003) == KILLED  # 32 bits
    assert verdict(X86, 0x40000000) == EPERM  # x32
