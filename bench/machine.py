"""What the figures were measured on, and how much of it other programs took meanwhile."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import psutil

#: Flags of the processor that decide which int8 kernels run.
_FLAGS = ("avx2", "avx_vnni", "avx512_vnni")


def cores() -> int:
    """Give the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def machine_line(*, workers: int) -> str:
    """Say what the figures were measured on, without naming the machine."""
    flags = _processor_flags()
    told = ", ".join(f"{'' if flag in flags else 'no '}{flag}" for flag in _FLAGS)
    return (
        f"{cores()} cores ({platform.machine()}; {told if flags else 'flags unknown'}),"
        f" {platform.system()}, Python {platform.python_version()}; {workers} workers,"
        " the API, both servers and the clients share them"
    )


class Processors:
    """Tells, from when it is made, how busy the processors were, and by whom."""

    def __init__(self) -> None:
        self._all_s, self._busy_s = _machine_times_s()
        self._own_s = _own_time_s()

    def line(self) -> str:
        """Say how busy they were; call it while the stack still runs."""
        all_s, busy_s = _machine_times_s()
        whole = max(all_s - self._all_s, 0.01)
        busy = (busy_s - self._busy_s) / whole
        others = max(0.0, busy - (_own_time_s() - self._own_s) / whole)
        return f"processors {busy:.0%} busy, {others:.0%} with other programs"


def _machine_times_s() -> tuple[float, float]:
    """Give all processor time of the machine, and what of it was not idle, in seconds."""
    times = psutil.cpu_times()
    everything = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
    return everything, everything - times.idle - getattr(times, "iowait", 0.0)


def _own_time_s() -> float:
    """Give the processor seconds of this process and all below it, ended ones included."""
    own = psutil.Process()
    used = 0.0
    for process in [own, *own.children(recursive=True)]:
        try:
            used += sum(process.cpu_times()[:4])
        except psutil.Error:
            continue
    return used


def _processor_flags(cpuinfo: Path = Path("/proc/cpuinfo")) -> frozenset[str]:
    try:
        lines = cpuinfo.read_text().splitlines()
    except OSError:
        return frozenset()
    return frozenset(next((line.split() for line in lines if line.startswith("flags")), ()))
