"""How long photos wait for their verdicts when nothing else is going on."""

from __future__ import annotations

import math
import time

import requests

from bench.figures import Figure, percentile
from bench.installation import Installation
from bench.photos import TWO_MEGAPIXELS, photos
from local.client import ApiRefused, PhotogateClient, Upload

#: Between two looks at moderation-status; a verdict is seen this much late at most.
_POLL_S = 0.01
_LONGEST_S = 60.0


def measure(installation: Installation, *, repetitions: int) -> list[Figure]:
    """Time one photo and nine, from sending upload-complete until the last verdict is seen.

    Args:
        repetitions: of each, by a new user each time.
    """
    pictures = photos(TWO_MEGAPIXELS, 9)
    _time_s(installation, pictures[:1])
    singles = [_time_s(installation, [pictures[n % 9]]) * 1000 for n in range(repetitions)]
    nines = [_time_s(installation, pictures) * 1000 for _ in range(repetitions)]
    return [
        *_figures("a photo of 2 megapixels to its verdict", singles, predecessor_ms=1800),
        *_figures("a batch of 9 to its last verdict", nines, predecessor_ms=3000),
    ]


def _figures(name: str, taken_ms: list[float], *, predecessor_ms: float) -> list[Figure]:
    return [
        Figure(
            name=f"{name}: median",
            value=percentile(taken_ms, 50),
            unit="ms",
            predecessor=predecessor_ms,
        ),
        Figure(
            name="  worst",
            value=max(taken_ms),
            unit="ms",
            bound=1000,
            predecessor=predecessor_ms,
        ),
    ]


def _time_s(installation: Installation, pictures: list[Upload]) -> float:
    """Give the seconds to the last verdict; infinity when there was an error or none came."""
    client = installation.address.client(installation.new_user())
    try:
        file_keys = [client.put(upload) for upload in pictures]
        started = time.perf_counter()
        client.complete(file_keys)
        installation.accepted += len(file_keys)
        _await_verdicts(client, len(file_keys), deadline=started + _LONGEST_S)
    except (ApiRefused, requests.RequestException):
        installation.refused += 1
        return math.inf
    except TimeoutError:
        return math.inf
    return time.perf_counter() - started


def _await_verdicts(client: PhotogateClient, count: int, *, deadline: float) -> None:
    while time.perf_counter() < deadline:
        states = [photo["moderation_status"] for photo in client.photos()]
        if len(states) == count and "pending" not in states:
            return
        time.sleep(_POLL_S)
    raise TimeoutError
