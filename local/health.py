"""Answers a container's health check: ``python -m local.health api|worker|sweep``.

Ends with 0 when the process of this container does its work, else with 1 and one line. It runs
every few seconds, so each check imports only what it needs.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.request import urlopen

from photogate.errors import PhotogateError

if TYPE_CHECKING:
    from photogate.settings import SweepSettings

_API = "http://127.0.0.1:8000/api/v1/health"
#: Rounds within which one must have ended.
_ROUNDS = 3


def _api() -> str | None:
    try:
        with urlopen(_API, timeout=3):
            return None
    except (URLError, TimeoutError) as error:
        return f"the API does not answer: {error}"


def _worker() -> str | None:
    from photogate.adapters.postgres.pool import Pool
    from photogate.adapters.postgres.workers import PostgresWorkers
    from photogate.settings import DatabaseSettings, read

    with closing(Pool(read(DatabaseSettings).database, size=1)) as pool:
        alive = {worker.host for worker in PostgresWorkers(pool).alive()}
    return None if socket.gethostname() in alive else "the worker does not announce itself"


def rounds_within_s(settings: SweepSettings) -> float:
    """Give the seconds within which a sweep that works has ended a round."""
    from photogate.service.sweep import ROUND_S

    return _ROUNDS * (settings.sweep_interval_s + ROUND_S)


def _sweep() -> str | None:
    from photogate.adapters.postgres.pool import Pool
    from photogate.settings import SweepSettings, read

    settings = read(SweepSettings)
    with closing(Pool(settings.database, size=1)) as pool:
        ended = pool.transaction(
            lambda session: session.row(
                "SELECT 1 FROM sweeps WHERE ended_at > now() - make_interval(secs => :s)",
                s=rounds_within_s(settings),
            )
        )
    return None if ended else "no round of the sweep has ended lately"


CHECKS: dict[str, Callable[[], str | None]] = {"api": _api, "worker": _worker, "sweep": _sweep}


def main() -> None:
    """Run the check that the first argument names."""
    try:
        problem = CHECKS[sys.argv[1]]()
    except PhotogateError as error:
        problem = str(error)
    if problem:
        sys.exit(problem)


if __name__ == "__main__":
    main()
