"""Many uploads at once, and jobs that cannot be sent after the commit."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from statistics import quantiles

import pytest

from tests.faults.client import User
from tests.faults.conftest import Close, Scale
from tests.faults.installation import Installation, Servers, fleet, steady
from tests.faults.ledger import Ledger
from tests.faults.photos import Album, Photo

pytestmark = pytest.mark.slow


def test_uploads_at_once_and_again(
    installation: Installation, ledger: Ledger, album: Album, scale: Scale, close: Close
) -> None:
    """All call upload-complete in the same moment, every fifth of them twice."""
    number = scale.of(50, 500)
    users = [User(installation, ledger) for _ in range(number)]
    with ThreadPoolExecutor(8) as pool:
        uploads = list(pool.map(lambda user: user.upload(album.take(1)), users))
    twins = [User(installation, ledger, name=user.id) for user in users[::5]]
    calls = [*zip(users, uploads, strict=True), *zip(twins, uploads[::5], strict=True)]
    together = threading.Barrier(len(calls))

    def complete(user: User, photos: dict[str, Photo]) -> None:
        together.wait(60)
        user.complete(photos)
        user.close()

    with fleet(installation, steady(), steady()):
        with ThreadPoolExecutor(len(calls)) as pool:
            list(pool.map(lambda call: complete(*call), calls))
        installation.settle()
    assert set(ledger.statuses) == {200}
    p50, p95 = (quantiles(ledger.accepting_s, n=100)[at] for at in (49, 94))
    close(
        f"uploads: {number} at once, {len(twins)} of them twice",
        injected=len(calls),
        note=f"upload-complete p50 {p50:.1f} s, p95 {p95:.1f} s",
    )


def test_sending_fails_after_the_commit(
    installation: Installation,
    servers: Servers,
    ledger: Ledger,
    album: Album,
    scale: Scale,
    close: Close,
) -> None:
    """There is no queue: every upload has its 200, and the sweep sends every job later."""
    number = scale.of(50, 1000)
    servers.redis.stop()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: _hand_in_one(installation, ledger, album), range(number)))
    assert set(ledger.statuses) == {200}
    assert installation.open_batches() == number
    servers.redis.start()
    with fleet(installation, steady(), steady()):
        installation.a_while_passes(30)
        since = time.monotonic()
        installation.settle()
        recovery_s = time.monotonic() - since
    close("uploads: sending fails after the commit", injected=number, recovery_s=recovery_s)


def _hand_in_one(installation: Installation, ledger: Ledger, album: Album) -> None:
    user = User(installation, ledger)
    user.hand_in(album.take(1))
    user.close()
