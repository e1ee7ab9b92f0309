"""``python -m bench.soak [MINUTES]``: does anything grow under half load? 60 minutes unless said.

An embedded stack of two workers; photos of mixed sizes at half of what it managed in the first
minute; each user's are withdrawn once they have verdicts, so that only what leaks is left. Before
that it stands idle for two minutes. Exits with 1 when a bound is missed.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import psutil
from rich.console import Console
from rich.table import Table

from bench.installation import Installation, running
from bench.photos import mix
from local.client import ApiRefused, ApiUnreachable, Upload
from photogate.adapters.postgres.pool import Pool

_BATCH = 9
_IDLE_S = 120.0
_EVERY_S = 15.0
_MIB = 1024 * 1024
#: What an idle stack may take: MiB in all, and share of one core.
_IDLE_MIB, _IDLE_CORE = 600.0, 0.02
#: What memory, a line through the second half of the samples, may grow by in an hour.
_GROWTH_MIB = 30.0


@dataclass(frozen=True, kw_only=True)
class Sample:
    """The whole stack at one moment."""

    at_s: float
    #: Shared pages divided among those who share them.
    memory_mib: float
    files: int
    connections: int
    waiting: int
    processor_s: float


class Load:
    """Hands in photos at a steady rate, and withdraws them after their verdicts."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._pictures = mix(200)
        self.photos = self.errors = 0
        self.every_s = 0.0
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(n,)) for n in range(3)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def measure(self, seconds: float) -> float:
        """Give photos a second at full load, and go on at half of it."""
        before = self.photos
        self._stopping.wait(seconds)
        rate = (self.photos - before) / seconds
        self.every_s = len(self._threads) * _BATCH / (rate / 2)
        return rate

    def _run(self, number: int) -> None:
        turn = 0
        while not self._stopping.is_set():
            began = time.monotonic()
            turn += 1
            self._one_batch(f"soak-{number}-{turn}", turn * _BATCH)
            self._stopping.wait(max(0.0, self.every_s - (time.monotonic() - began)))

    def _one_batch(self, user: str, first: int) -> None:
        with closing(self._installation.address.client(user)) as client:
            chosen = [self._pictures[(first + n) % len(self._pictures)] for n in range(_BATCH)]
            # Bytes of their own, as real photos have.
            photos = [Upload(name=p.name, data=p.data + user.encode()) for p in chosen]
            try:
                keys = [client.put(photo) for photo in photos]
                client.complete(keys)
                for photo in client.wait(keys, within_s=120).values():
                    client.call("DELETE", f"/users/media/{photo['id']}")
            except (ApiRefused, ApiUnreachable, TimeoutError):
                self.errors += _BATCH
            self.photos += _BATCH


def main() -> int:
    """Measure and print; gives 0, or 1 when a bound is missed."""
    minutes = float(sys.argv[1]) if sys.argv[1:] else 60.0
    with running(workers=2, progress=print) as installation, closing(_pool()) as pool:
        folder = str(installation.stack.home.path)
        began = _sample(folder, installation, pool)
        time.sleep(_IDLE_S)
        idle = _sample(folder, installation, pool)
        core = (idle.processor_s - began.processor_s) / (idle.at_s - began.at_s)
        with Load(installation) as load:
            rate = load.measure(60.0)
            samples = list(_watched(folder, installation, pool, minutes * 60))
        installation.drain(within_s=120)
        after = _sample(folder, installation, pool)
    half = samples[len(samples) // 2 :]
    hours = np.array([sample.at_s for sample in half]) / 3600
    growth = float(np.polyfit(hours, [sample.memory_mib for sample in half], 1)[0])
    table = Table(title=f"{load.photos:,} photos at half of {rate:.1f} a second, {minutes:g} min")
    for title in ("", "memory, MiB", "open files", "connections", "jobs and photos that wait"):
        table.add_column(title, justify="right")
    rows = {"idle": idle, "after a tenth": samples[len(samples) // 10], "at the end": samples[-1]}
    for name, sample in (rows | {"drained": after}).items():
        numbers = (sample.memory_mib, sample.files, sample.connections, sample.waiting)
        table.add_row(name, *(f"{number:.0f}" for number in numbers))
    console = Console(width=100, highlight=False)
    console.print(table)
    console.print(f"idle: {idle.memory_mib:.0f} MiB in all, {core:.1%} of a core")
    console.print(f"memory, second half: {growth:+.0f} MiB an hour; errors: {load.errors}")
    met = (
        idle.memory_mib < _IDLE_MIB,
        core < _IDLE_CORE,
        growth < _GROWTH_MIB,
        load.errors == 0,
        after.waiting == 0,
        after.files <= samples[0].files + 20,
    )
    return 0 if all(met) else 1


def _watched(
    folder: str, installation: Installation, pool: Pool, seconds: float
) -> Iterator[Sample]:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        yield _sample(folder, installation, pool)
        time.sleep(_EVERY_S)


def _pool() -> Pool:
    return Pool(os.environ["DATABASE_URL"], size=1)


def _sample(folder: str, installation: Installation, pool: Pool) -> Sample:
    memory = files = 0
    processor_s = 0.0
    for process in _processes(folder):
        try:
            memory += process.memory_full_info().pss
            files += process.num_fds()
            times = process.cpu_times()
            processor_s += times.user + times.system
        except psutil.Error:  # it has just ended
            continue
    stats = installation.queue_stats()["queue"]
    (row,) = pool.transaction(
        lambda s: s.rows(
            "SELECT count(*) AS n FROM pg_stat_activity WHERE backend_type = 'client backend'"
        )
    )
    return Sample(
        at_s=time.monotonic(),
        memory_mib=memory / _MIB,
        files=files,
        connections=int(row["n"]),
        waiting=stats["length"] + stats["in_flight"] + stats["pending_media"],
        processor_s=processor_s,
    )


def _processes(folder: str) -> set[psutil.Process]:
    """Give all of the stack: what was started here, and the servers, which leave their parent."""
    found = set(psutil.Process().children(recursive=True))
    for process in psutil.process_iter():
        try:
            if folder in " ".join(process.cmdline()):
                found |= {process, *process.children(recursive=True)}
        except psutil.Error:
            continue
    return found - {psutil.Process()}


if __name__ == "__main__":
    sys.exit(main())
