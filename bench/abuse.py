"""``python -m bench.abuse``: how long health takes while clients are slow and greedy."""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable

import requests
from rich.console import Console
from rich.table import Table

from bench import attacks
from bench.figures import percentile
from bench.installation import Installation, running
from bench.machine import machine_line
from photogate.errors import PhotogateError

_SECONDS = 12.0
_EVERY_S = 0.02
_BOUND_MS = 100.0
console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)

#: What is done -> by whom, and by how many at once. The greedy ones are few: they send as fast as
#: they are answered, and a flood of requests is for a proxy's limits.
_ATTACKS: dict[str, tuple[Callable[[str], attacks.Attack], int]] = {
    "nothing": (lambda _: attacks.silent(), 0),
    "silence": (lambda _: attacks.silent(), 200),
    "heads that never end": (lambda _: attacks.half_head(), 200),
    "JSON bodies, byte by byte": (lambda _: attacks.slow_json(), 200),
    "uploads, byte by byte": (attacks.slow_put, 200),
    "heads of 96 MB": (lambda _: attacks.large_head(), 4),
    "JSON that is nested 60,000 deep": (lambda _: attacks.deep_json(), 4),
}


def main() -> int:
    """Measure and print; gives 1 when the bound is missed, 2 when it could not be measured."""
    table = Table(header_style="bold")
    table.add_column("what clients send")
    for title in ("clients", "health, median", "p95", "worst", "cut off or refused"):
        table.add_column(title, justify="right")
    met = True
    try:
        with running(workers=1, progress=lambda _: None) as installation:
            for name, (_, clients) in _ATTACKS.items():
                taken_ms, ended = _under(name, installation)
                cells = [f"{percentile(taken_ms, p):.1f} ms" for p in (50, 95, 100)]
                table.add_row(name, str(clients), *cells, f"{ended:,}")
                met = met and percentile(taken_ms, 95) < _BOUND_MS
    except (PhotogateError, requests.RequestException) as error:
        console.print(f"{error}", style="red", markup=False)
        return 2
    console.print(machine_line(workers=1), markup=False)
    console.print(table)
    return 0 if met else 1


def _under(name: str, installation: Installation) -> tuple[list[float], int]:
    """Give the milliseconds of each health request, and how many attackers were done with."""
    url = installation.address.url
    client = installation.address.client(installation.new_user())
    upload_url = client.call("GET", "/users/media/upload-url")["upload_url"]
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    attacker = context.Process(target=_attack, args=(name, url, upload_url, results), daemon=True)
    attacker.start()
    results.get()  # it has started
    taken_ms = []
    end = time.perf_counter() + _SECONDS
    with requests.Session() as session:
        while (began := time.perf_counter()) < end:
            session.get(f"{url}/api/v1/health", timeout=30).raise_for_status()
            taken_ms.append((time.perf_counter() - began) * 1000)
            time.sleep(_EVERY_S)
    attacker.terminate()
    ended = int(results.get())
    attacker.join()
    client.close()
    return taken_ms, ended


def _attack(name: str, url: str, upload_url: str, results: multiprocessing.Queue[int]) -> None:
    """Attack until SIGTERM, in a process of its own."""
    answers: Counter[str] = Counter()
    make, clients = _ATTACKS[name]

    async def run() -> None:
        until = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, until.set)
        results.put(0)
        await attacks.attack_with(
            make(upload_url), url, connections=clients, until=until, answers=answers
        )

    asyncio.run(run())
    results.put(sum(answers.values()) - answers["connections"])


if __name__ == "__main__":
    sys.exit(main())
