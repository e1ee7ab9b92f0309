"""``python -m bench``: measure a whole stack over HTTP; exits with 1 when a bound is missed."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from types import FrameType

import requests
from rich.console import Console

from bench import batch, outcome, report, throughput, upload
from bench.figures import Figure
from bench.installation import Installation, running
from bench.machine import Processors, machine_line
from bench.memory import WorkerMemory
from photogate.errors import PhotogateError

_WORKERS = 2
_PARTS = ("upload", "batch", "throughput")
#: Where nobody watches, the table keeps its width.
console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)


def main() -> int:
    """Measure and print; gives 0, 1 when a bound is missed, 2 when it could not be measured."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure Photogate.")
    parser.add_argument("part", nargs="?", choices=_PARTS, help="only this part")
    parser.add_argument("--quick", action="store_true", help="a rough look, below 30 s")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, _end)
    started = time.monotonic()
    figures: list[Figure] = []
    try:
        with running(workers=_WORKERS, progress=_say) as installation:
            processors = Processors()
            with WorkerMemory(installation.worker_pids) as memory:
                for part in (arguments.part,) if arguments.part else _PARTS:
                    _say(f"measuring {part}")
                    figures += _measure(part, installation, quick=arguments.quick)
                figures += outcome.figures(installation)
            figures += memory.figures()
            verdicts, busy = outcome.verdicts_line(installation), processors.line()
            _say("stopping")
    except (PhotogateError, requests.RequestException) as error:
        console.print(f"{error}", style="red", markup=False)
        return 2
    except KeyboardInterrupt:
        return 130
    console.print(machine_line(workers=_WORKERS), markup=False)
    console.print(report.table(figures))
    took_s = time.monotonic() - started
    console.print(f"{verdicts}; {busy}; {took_s:.0f} s in all", markup=False)
    return 0 if all(figure.met for figure in figures) else 1


def _measure(part: str, installation: Installation, *, quick: bool) -> list[Figure]:
    if part == "upload":
        return upload.measure(installation, seconds=5 if quick else 30)
    if part == "batch":
        return batch.measure(installation, repetitions=3 if quick else 10)
    return throughput.measure(installation, count=180 if quick else 2000)


def _say(line: str) -> None:
    console.print(f"· {line}", style="dim", markup=False)


def _end(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - what a handler gets
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
