"""Redis killed, cut, frozen, down and empty: uploads are accepted, and the sweep heals."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import redis

from tests.faults.client import Load
from tests.faults.conftest import Close, Scale
from tests.faults.installation import Installation, Servers, fleet, steady
from tests.faults.ledger import Ledger
from tests.faults.photos import Album
from tests.servers import eventually

pytestmark = pytest.mark.slow


def killed(servers: Servers, _: float) -> None:
    """``kill -9``, and up again."""
    servers.redis_process().kill()
    eventually(lambda: not servers.redis.alive)
    servers.redis.start()


def down(servers: Servers, seconds: float) -> None:
    """Stopped in order, and up again later."""
    servers.redis.stop()
    time.sleep(seconds)
    servers.redis.start()


def frozen(servers: Servers, seconds: float) -> None:
    """Takes connections and answers nobody, for a time."""
    process = servers.redis_process()
    process.send_signal(signal.SIGSTOP)
    time.sleep(seconds)
    process.send_signal(signal.SIGCONT)


def cut(servers: Servers, _: float) -> None:
    """All of its clients lose their connections."""
    with redis.Redis.from_url(servers.redis_url) as client:
        client.client_kill_filter(_type="normal", skipme=True)


def flushed(servers: Servers, _: float) -> None:
    """All jobs are gone."""
    with redis.Redis.from_url(servers.redis_url) as client:
        client.flushall()


@pytest.mark.parametrize(
    ("fault", "some", "full"),
    [
        pytest.param(killed, 1, 10),
        pytest.param(flushed, 1, 10),
        pytest.param(cut, 1, 20, marks=pytest.mark.long),
        pytest.param(down, 1, 2, marks=pytest.mark.long),
        pytest.param(frozen, 1, 2, marks=pytest.mark.long),
    ],
)
def test_redis(
    fault: Callable[[Servers, float], None],
    some: int,
    full: int,
    installation: Installation,
    servers: Servers,
    ledger: Ledger,
    album: Album,
    scale: Scale,
    close: Close,
) -> None:
    """Photos are handed in all the while, each with its 200."""
    times, seconds = scale.of(some, full), float(scale.of(2, 30))
    recoveries = []
    with fleet(installation, steady(delay_factor=0.1), steady(delay_factor=0.1)):
        for _ in range(times):
            with _uploads(installation, ledger, album):
                fault(servers, seconds)
            since = time.monotonic()
            # What Redis lost is due again after a minute, which passes at once here.
            installation.settle(hasten=True)
            recoveries.append(time.monotonic() - since)
    name = (fault.__doc__ or "").strip(".").replace("``", "")
    assert ledger.statuses.keys() == {200}
    close(
        f"Redis: {name[0].lower()}{name[1:]}",
        injected=times,
        recovery_s=max(recoveries),
        note=f"slowest 200 of upload-complete {max(ledger.accepting_s):.1f} s",
    )


@contextmanager
def _uploads(installation: Installation, ledger: Ledger, album: Album) -> Iterator[None]:
    """Hand photos in before, while and after something happens."""
    before = ledger.photos
    with Load(installation, ledger, album, photos=10_000, users_at_once=2, pause_s=0.1) as load:
        while ledger.photos < before + 20 and not load.done:
            time.sleep(0.01)
        yield
        reached = ledger.photos
        while ledger.photos < reached + 20 and not load.done:
            time.sleep(0.01)
