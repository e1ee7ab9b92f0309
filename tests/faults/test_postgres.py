"""PostgreSQL restarted, killed, its backends ended, and its connections broken at COMMIT."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from http import HTTPStatus
from urllib.parse import urlsplit

import pytest

from local.client import ApiRefused
from photogate.adapters.postgres.pool import Pool
from tests.faults.client import Load, User
from tests.faults.conftest import Close, Scale
from tests.faults.installation import Installation, Servers, fleet, steady
from tests.faults.ledger import Ledger
from tests.faults.photos import Album, Photo
from tests.proxy import Break, Proxy, by_chance, proxied
from tests.servers import eventually

pytestmark = pytest.mark.slow

#: What the project promises, from the moment at which PostgreSQL answers again.
RECOVERED_WITHIN_S = 5.0


def restarted(servers: Servers) -> None:
    """Stopped at once and started again."""
    servers.postgres.stop()
    servers.postgres.start()


def killed(servers: Servers) -> None:
    """``kill -9`` of all of it, and up again."""
    process = servers.postgres_process()
    process.suspend()  # it starts nobody while we count
    for part in [*process.children(), process]:
        part.kill()
    eventually(lambda: not servers.postgres.alive)
    servers.postgres.start()


@pytest.mark.parametrize("fault", [killed, pytest.param(restarted, marks=pytest.mark.long)])
def test_restarts(
    fault: Callable[[Servers], None],
    installation: Installation,
    servers: Servers,
    ledger: Ledger,
    album: Album,
    scale: Scale,
    close: Close,
) -> None:
    """Photos are handed in all the while; what got no 200 is sent again by its client."""
    times, recoveries = scale.of(1, 10), []
    with (
        fleet(installation, steady(delay_factor=0.1), steady(delay_factor=0.1)),
        Load(installation, ledger, album, photos=100_000, most_open=10, users_at_once=2) as load,
    ):
        for _ in range(times):
            _await_photos(ledger, load, 30)
            fault(servers)
            since, before = time.monotonic(), len(ledger.accepting_s)
            accepted = lambda before=before: len(ledger.accepting_s) > before  # noqa: E731
            eventually(accepted, within_s=30)
            recoveries.append(time.monotonic() - since)
        load.stop()
        installation.settle(hasten=True)
    name = (fault.__doc__ or "").strip(".").replace("``", "")
    close(
        f"PostgreSQL: {name[0].lower()}{name[1:]}",
        injected=times,
        recovery_s=max(recoveries),
        note=_answers(ledger),
    )
    assert max(recoveries) < RECOVERED_WITHIN_S + scale.busy_s


@pytest.mark.long
def test_backends_ended_in_storms(
    installation: Installation,
    ledger: Ledger,
    album: Album,
    scale: Scale,
    close: Close,
) -> None:
    """``pg_terminate_backend`` for whoever is connected, again and again."""
    ended = 0
    with (
        fleet(installation, steady(delay_factor=0.1), steady(delay_factor=0.1)),
        Load(installation, ledger, album, photos=100_000, most_open=10, users_at_once=2) as load,
    ):
        while ended < scale.of(30, 1000):
            rows = installation.pool.transaction(
                lambda s: s.rows(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )
            ended += len(rows)
            _await_photos(ledger, load, 5)
        load.stop()
        since = time.monotonic()
        installation.settle(hasten=True)
        recovery_s = time.monotonic() - since
    close(
        "PostgreSQL: backends terminated",
        injected=ended,
        recovery_s=recovery_s,
        note=_answers(ledger),
    )


def test_connections_broken_at_commit(
    servers: Servers,
    installation: Installation,
    ledger: Ledger,
    album: Album,
    scale: Scale,
    close: Close,
) -> None:
    """Before the server has seen COMMIT, and after it has done it: one batch, one verdict."""
    wanted = scale.of(20, 1500)
    with _behind_proxy(servers, installation) as (proxy, broken):
        proxy.decide = by_chance(
            scale.seed, 0.25, Break.BEFORE, Break.AFTER, when=lambda sent: b"COMMIT" in sent
        )
        with (
            fleet(broken, steady(delay_factor=0.1), steady(delay_factor=0.1)),
            Load(broken, ledger, album, photos=100_000, most_open=10, repeats=0.3) as load,
        ):
            eventually(
                lambda: (proxy.count >= wanted and len(ledger.durations_s) >= wanted) or load.done,
                within_s=scale.of(60, 400),
            )
            load.stop()
            proxy.decide = lambda _: Break.NOT
            since = time.monotonic()
            broken.settle(hasten=True)
            recovery_s = time.monotonic() - since
    close(
        "PostgreSQL: connection broken at COMMIT",
        injected=proxy.count,
        recovery_s=recovery_s,
        note=f"{proxy.broken[Break.BEFORE]} before, {proxy.broken[Break.AFTER]} after;"
        f" {_answers(ledger)}",
    )


@pytest.mark.long
def test_a_database_that_falls_silent(
    servers: Servers,
    installation: Installation,
    ledger: Ledger,
    album: Album,
    scale: Scale,
    close: Close,
) -> None:
    """It takes everything and answers nothing: a 503 in time, and one batch in the end."""
    with _behind_proxy(servers, installation) as (proxy, broken):
        user = User(broken, ledger)
        photos = user.upload(album.take(9))
        for kind in (lambda sent: b"COMMIT" in sent, lambda _: True):
            proxy.decide = by_chance(scale.seed, 1.0, Break.SILENCE, when=kind)
            with pytest.raises(ApiRefused) as refused:
                user.once(lambda client: client.complete(list(photos)))
            assert refused.value.status == HTTPStatus.SERVICE_UNAVAILABLE
        proxy.decide = lambda _: Break.NOT
        proxy.cut()
        user.complete(photos)
        user.close()
        with fleet(broken, steady(delay_factor=0.1)):
            broken.settle(hasten=True)
    close("PostgreSQL: silent", injected=proxy.count, note=_answers(ledger))


@pytest.mark.long
def test_thirty_stay_thirty(
    servers: Servers,
    installation: Installation,
    ledger: Ledger,
    album: Album,
    scale: Scale,
    close: Close,
) -> None:
    """Users who hand in too much, at once and again, while every other COMMIT breaks.

    Their role's transactions default to REPEATABLE READ, whose snapshot is older than a lock.
    """
    users = scale.of(1, 10)
    with _role_repeats_reads(servers), _behind_proxy(servers, installation) as (proxy, broken):
        proxy.decide = by_chance(
            scale.seed, 0.5, Break.BEFORE, Break.AFTER, when=lambda sent: b"COMMIT" in sent
        )
        for number in range(users):
            _hand_in_too_much(broken, ledger, album, f"eager-{scale.seed}-{number}")
        proxy.decide = lambda _: Break.NOT
        with fleet(broken, steady(delay_factor=0.1), steady(delay_factor=0.1)):
            broken.settle(hasten=True)
    account = close("PostgreSQL: too many photos, at a breaking COMMIT", injected=proxy.count)
    # 4 batches of 9 each: the fourth is refused, whichever comes last.
    assert account.photos == users * 27
    assert ledger.statuses[429] == users
    assert ledger.statuses.keys() <= {200, 429, 503}


@contextmanager
def _role_repeats_reads(servers: Servers) -> Iterator[None]:
    """Let new connections of Photogate's role default to REPEATABLE READ."""
    role = "DO $$ BEGIN EXECUTE format('ALTER ROLE CURRENT_USER IN DATABASE %I {}', {}); END $$"
    database = "current_database()"
    with closing(Pool(servers.database_url)) as pool:
        change = "SET default_transaction_isolation = ''repeatable read''"
        pool.transaction(lambda s: s.rows(role.format(change, database)))
        try:
            yield
        finally:
            change = "RESET default_transaction_isolation"
            pool.transaction(lambda s: s.rows(role.format(change, database)))


def _hand_in_too_much(broken: Installation, ledger: Ledger, album: Album, name: str) -> None:
    four = [User(broken, ledger, name=name) for _ in range(4)]
    uploaded = [user.upload(album.take(9)) for user in four]
    threads = [
        threading.Thread(target=_complete_or_be_refused, args=(user, photos))
        for user, photos in zip(four, uploaded, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for user in four:
        user.close()


def _complete_or_be_refused(user: User, photos: dict[str, Photo]) -> None:
    with suppress(ApiRefused):
        user.complete(photos)


@contextmanager
def _behind_proxy(
    servers: Servers, installation: Installation
) -> Iterator[tuple[Proxy, Installation]]:
    """Run an API and a sweep whose way to PostgreSQL leads through a proxy."""
    port = urlsplit(servers.database_url).port or 0
    with proxied(port) as proxy:
        url = servers.database_url.replace(f":{port}/", f":{proxy.port}/")
        broken = Installation(servers, settings={"DATABASE_URL": url})
        try:
            broken.start()
            yield proxy, broken
        finally:
            proxy.decide = lambda _: Break.NOT
            broken.stop()


def _await_photos(ledger: Ledger, load: Load, more: int) -> None:
    """Wait until so many more photos were accepted."""
    wanted = ledger.photos + more
    eventually(lambda: ledger.photos >= wanted or load.done, within_s=60)


def _answers(ledger: Ledger) -> str:
    """Say how clients were answered."""
    told = ", ".join(f"{n:,} × {status or 'none'}" for status, n in sorted(ledger.statuses.items()))
    return f"answers {told}; slowest {max(ledger.durations_s):.1f} s"
