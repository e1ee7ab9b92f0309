"""How long upload-complete takes while photos keep coming in and are moderated."""

from __future__ import annotations

import multiprocessing
import time
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass

import requests

from bench.figures import Figure, percentile
from bench.installation import Address, Installation
from bench.photos import TWO_MEGAPIXELS, photos
from local.client import ApiRefused, Upload

_PHOTOS = 3
_PER_SECOND = 10.0
#: So long before it is handed in, a user's uploading begins.
_LEAD_S = 2.0
#: The first ones open the API's database connections, and are not counted.
_WARM_UP_S = 1.0

_uploads: list[Upload] = []


@dataclass(frozen=True, kw_only=True)
class _Uploaded:
    user_id: str
    file_keys: list[str]


def measure(installation: Installation, *, seconds: float) -> list[Figure]:
    """Hand in three 2-megapixel photos ten times a second, whatever the answers do.

    Open loop: a request's time runs from when it was due, so that a slow answer does not
    hide the wait of those behind it. Another process uploads the photos beforehand,
    through the same API. Every request comes from a new user on a new connection.

    Args:
        seconds: how long requests are counted, after a second of warming up.
    """
    address = installation.address
    context = multiprocessing.get_context("spawn")
    pictures = photos(TWO_MEGAPIXELS, 9)
    with (
        ProcessPoolExecutor(1, context, initializer=_keep, initargs=(pictures,)) as uploader,
        ThreadPoolExecutor(16) as callers,
    ):
        uploader.submit(int).result()  # it has started
        lead, warm_up = int(_LEAD_S * _PER_SECOND), int(_WARM_UP_S * _PER_SECOND)
        requests_in_all = warm_up + int(seconds * _PER_SECOND)
        coming: list[Future[_Uploaded]] = []
        answers: list[Future[float | None]] = []
        start = time.perf_counter()
        for tick in range(requests_in_all + lead):
            due = start + tick / _PER_SECOND
            time.sleep(max(0.0, due - time.perf_counter()))
            if tick < requests_in_all:
                user_id = installation.new_user()
                coming.append(uploader.submit(_upload, address, user_id, tick * _PHOTOS))
            if tick >= lead:
                answers.append(callers.submit(_hand_in, address, coming[tick - lead], due))
        taken_s = [answer.result() for answer in answers]
    good_ms = [taken * 1000 for taken in taken_s[warm_up:] if taken is not None]
    answered = sum(taken is not None for taken in taken_s)
    installation.accepted += answered * _PHOTOS
    installation.refused += len(taken_s) - answered
    name = f"upload-complete, {_PER_SECOND:g} requests/s of {_PHOTOS} photos"
    return [
        Figure(name=f"{name}: p50", value=percentile(good_ms, 50), unit="ms", predecessor=200),
        Figure(name="  p95", value=percentile(good_ms, 95), unit="ms", bound=50, predecessor=200),
        Figure(name="  max", value=percentile(good_ms, 100), unit="ms", predecessor=200),
    ]


def _keep(pictures: list[Upload]) -> None:
    """Run first in the uploading process."""
    _uploads.extend(pictures)


def _upload(address: Address, user_id: str, first: int) -> _Uploaded:
    client = address.client(user_id)
    chosen = [_uploads[(first + n) % len(_uploads)] for n in range(_PHOTOS)]
    return _Uploaded(user_id=user_id, file_keys=[client.put(upload) for upload in chosen])


def _hand_in(address: Address, coming: Future[_Uploaded], due: float) -> float | None:
    """Give the seconds from ``due``, or from the end of late uploads; None when refused."""
    late = not coming.done()
    try:
        uploaded = coming.result()
        client = address.client(uploaded.user_id)
        started = time.perf_counter() if late else due
        client.complete(uploaded.file_keys)
    except (ApiRefused, requests.RequestException):
        return None
    return time.perf_counter() - started
