"""Watches how much memory the workers use while others measure."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

import psutil

from bench.figures import Figure

_EVERY_S = 0.25
_MIB = 1024 * 1024


class WorkerMemory:
    """Samples each worker with its children four times a second; use it in ``with``.

    Args:
        pids: gives the workers' process ids, asked anew at each sample.
    """

    def __init__(self, pids: Callable[[], Sequence[int]]) -> None:
        self._pids = pids
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="memory", daemon=True)
        #: The most of one worker so far, in bytes; shared pages count in each process.
        self.most_rss = 0
        #: The same, shared pages divided among those who share them; 0 where unknown.
        self.most_pss = 0

    def __enter__(self) -> WorkerMemory:
        """Start watching."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop watching."""
        self._stopping.set()
        self._thread.join()

    def figures(self) -> list[Figure]:
        """Give what one worker used at most, in MiB, children included."""
        figures = [
            Figure(
                name="memory of a worker, children included: most RSS",
                value=self.most_rss / _MIB or float("nan"),
                unit="MiB",
                bound=512,
                predecessor=512,
                digits=0,
            )
        ]
        if self.most_pss:
            pss = self.most_pss / _MIB
            figures.append(
                Figure(name="  most PSS", value=pss, unit="MiB", predecessor=512, digits=0)
            )
        return figures

    def _watch(self) -> None:
        while True:
            for pid in self._pids():
                rss, pss = _family(pid)
                self.most_rss = max(self.most_rss, rss)
                self.most_pss = max(self.most_pss, pss)
            if self._stopping.wait(_EVERY_S):
                return


def _family(pid: int) -> tuple[int, int]:
    """Add up RSS and PSS, in bytes, of a process and all below it; those that end count 0."""
    try:
        parent = psutil.Process(pid)
        processes = [parent, *parent.children(recursive=True)]
    except psutil.Error:
        return 0, 0
    rss = pss = 0
    for process in processes:
        try:
            rss += process.memory_info().rss
        except psutil.Error:
            continue
        pss += _pss(process.pid)
    return rss, pss


def _pss(pid: int) -> int:
    """Give the proportional set size in bytes; 0 where the kernel does not tell."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)
