"""A full disk: what could not be kept is not answered with 200."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from pathlib import Path

import pytest

from local.client import ApiRefused
from local.home import Home
from photogate.errors import RetryableError
from tests.faults.client import User
from tests.faults.conftest import Close, Scale
from tests.faults.installation import Installation, Servers, fleet, steady
from tests.faults.ledger import Ledger
from tests.faults.photos import Album


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 200 MB in memory; making one needs root."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=200m", "tmpfs", folder],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.mark.long
def test_no_false_200_on_a_full_disk(
    small_disk: Path,
    installation: Installation,
    ledger: Ledger,
    album: Album,
    scale: Scale,
    close: Close,
) -> None:
    """Photos, PostgreSQL and Redis share a disk that fills up, is full, and has room again."""
    servers = Servers(Home(small_disk / "home"))
    full = Installation(servers)
    ballast, times = small_disk / "ballast", scale.of(1, 5)
    try:
        servers.start()
        full.start()
        with fleet(full, steady(delay_factor=0.1)):
            for _ in range(times):
                _use(full, ledger, album, ballast)
            full.settle(hasten=True)
        refused = ledger.statuses[HTTPStatus.SERVICE_UNAVAILABLE]
        close("disk: full", injected=times, at=full, note=f"{refused} requests refused with 503")
    finally:
        full.stop()
        servers.stop()


def _use(full: Installation, ledger: Ledger, album: Album, ballast: Path) -> None:
    """Hand photos in before the disk is full, while it is, and afterwards."""
    users = [User(full, ledger) for _ in range(20)]
    uploaded = [(user, user.upload(album.take(2))) for user in users]
    for user, photos in uploaded[:5]:
        user.complete(photos)
    _fill(ballast)
    assert [
        user.id for user in users if _succeeds(partial(user.upload, album.take(1), within_s=0))
    ] == []
    for user, photos in uploaded[5:15]:
        _succeeds(partial(user.complete, photos, within_s=0))
    # PostgreSQL's log of changes finds no room either.
    with suppress(RetryableError):
        full.pool.transaction(lambda s: s.rows("SELECT pg_switch_wal()"))
    for user, photos in uploaded[15:]:
        _succeeds(partial(user.complete, photos, within_s=0))
    ballast.unlink()
    full.servers.start()
    for user, photos in uploaded:
        user.complete(photos)
        user.close()


def _succeeds(call: Callable[[], object]) -> bool:
    """Tell whether a request was answered with 200; else it must be a 503."""
    try:
        call()
    except ApiRefused as error:
        return error.status != HTTPStatus.SERVICE_UNAVAILABLE
    return True


def _fill(ballast: Path) -> None:
    """Write until nothing more fits."""
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while file.write(bytes(65536)):
            pass
