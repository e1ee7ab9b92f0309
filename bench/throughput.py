"""How many photos a minute: with their uploads, and from a filled queue."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import requests

from bench.figures import Better, Figure, percentile
from bench.installation import Address, Installation
from bench.photos import mix
from local.client import ApiRefused, Upload

_BATCH = 9
#: Three full batches stay below the limit of 30 photos in 24 hours.
_PER_USER = 27
_CLIENTS = 4
#: The predecessor's, with 4 workers.
_PREDECESSOR_PER_MINUTE = 500.0


@dataclass(frozen=True, kw_only=True)
class _HandedIn:
    accepted: int
    refused: int
    #: One per upload-complete, in milliseconds.
    taken_ms: tuple[float, ...]


def measure(installation: Installation, *, count: int) -> list[Figure]:
    """Hand in ``count`` photos of mixed sizes twice, and count the verdicts per minute.

    Args:
        count: photos; the folder of the installation grows by 1 MB for each, for a while.
    """
    pictures = mix(count)
    longest_s = 30 + count / 5

    started = time.perf_counter()
    taken_ms = _hand_in_all(installation, pictures)
    done = installation.drain(within_s=longest_s)
    together_s = time.perf_counter() - started if done else float("nan")

    with _paused(installation.worker_pids()):
        _hand_in_all(installation, pictures)
        started = time.perf_counter()
    done = installation.drain(within_s=longest_s)
    drain_s = time.perf_counter() - started if done else float("nan")
    return [
        _figure(f"{count:,} photos, uploads included", count, together_s),
        Figure(name="  upload-complete meanwhile: p95", value=percentile(taken_ms, 95), unit="ms"),
        _figure(f"{count:,} photos from a filled queue", count, drain_s),
    ]


def _figure(name: str, count: int, taken_s: float) -> Figure:
    return Figure(
        name=name,
        value=count / taken_s * 60,
        unit="photos/min",
        bound=_PREDECESSOR_PER_MINUTE,
        predecessor=_PREDECESSOR_PER_MINUTE,
        better=Better.HIGHER,
        digits=0,
    )


def _hand_in_all(installation: Installation, pictures: Sequence[Upload]) -> list[float]:
    """Upload and hand in everything, four users at a time; give upload-complete's times."""
    groups = [pictures[n : n + _PER_USER] for n in range(0, len(pictures), _PER_USER)]
    users = [installation.new_user() for _ in groups]
    with ThreadPoolExecutor(_CLIENTS) as clients:
        results = list(clients.map(partial(_hand_in, installation.address), users, groups))
    installation.accepted += sum(result.accepted for result in results)
    installation.refused += sum(result.refused for result in results)
    return [taken for result in results for taken in result.taken_ms]


def _hand_in(address: Address, user_id: str, pictures: Sequence[Upload]) -> _HandedIn:
    client = address.client(user_id)
    accepted, refused, taken_ms = 0, 0, []
    for start in range(0, len(pictures), _BATCH):
        batch = pictures[start : start + _BATCH]
        try:
            file_keys = [client.put(upload) for upload in batch]
            started = time.perf_counter()
            client.complete(file_keys)
            taken_ms.append((time.perf_counter() - started) * 1000)
        except (ApiRefused, requests.RequestException):
            refused += len(batch)
        else:
            accepted += len(batch)
    return _HandedIn(accepted=accepted, refused=refused, taken_ms=tuple(taken_ms))


@contextmanager
def _paused(pids: Sequence[int]) -> Iterator[None]:
    """Hold processes still; they go on whatever happens."""
    try:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
