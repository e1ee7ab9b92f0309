"""Forks workers off a process that has imported everything already.

Importing costs a worker 0.8 s of processor time, too much for hundreds of kills. All that a worker
opens or loads, the model too, it opens and loads itself.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

import psutil

from local.process import SUPERVISED, stop
from tests.faults.ports import Plan

#: What a worker imports only when its settings ask for it.
_LAZY = (
    "photogate.adapters.faces_compreface",
    "photogate.adapters.photos_files",
    "photogate.adapters.photos_s3",
    "photogate.adapters.postgres.copies",
    "photogate.adapters.postgres.deliveries",
    "photogate.adapters.postgres.pool",
    "photogate.adapters.postgres.workers",
    "photogate.adapters.queue_redis",
    "photogate.service.copying",
    "photogate.service.moderate",
    "photogate.service.outages",
    "photogate_vision.analyzer",
    "photogate_vision.copies.maker",
    "photogate_vision.decoding.sandbox",
    "tests.faults.worker",
)


class WorkerForker:
    """The side of the tests. One thread at a time."""

    def __init__(self) -> None:
        self._process = Popen(
            [sys.executable, "-m", "tests.faults.forker"],
            stdin=PIPE,
            stdout=PIPE,
            start_new_session=True,
        )

    def start_worker(self, plan: Plan, *, log: Path, settings: Mapping[str, str]) -> psutil.Process:
        """Start a worker; ``settings`` go over the environment."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        order = {"plan": plan.encode(), "log": str(log), "settings": dict(settings)}
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._process.stdin.flush()
        return psutil.Process(int(self._process.stdout.readline()))

    def close(self) -> None:
        """Start no more; workers that still live get a SIGTERM."""
        stop(self._process)
        if self._process.stdout is not None:
            self._process.stdout.close()


def main() -> None:
    """Fork a worker for each line of standard input, and print its pid."""
    for module in _LAZY:
        import_module(module)
    # The kernel reaps them, so that no pid is waited for that is in use again.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    # Read by all workers and written by nobody, it ends with this process.
    life, held = os.pipe()
    while line := sys.stdin.buffer.readline():
        pid = os.fork()
        if pid == 0:
            os.close(held)
            _run_worker(json.loads(line), life)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()


def _run_worker(order: Mapping[str, Any], life: int) -> None:
    """Become a worker, as ``local.process.start_module`` would start one; never returns."""
    status = 1
    try:
        os.setsid()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        log = os.open(order["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        for opened, number in ((life, 0), (log, 1), (log, 2)):
            os.dup2(opened, number)
        os.environ |= {**order["settings"], SUPERVISED: "1"}
        import_module("tests.faults.worker").run(Plan.decode(order["plan"]))
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    main()
