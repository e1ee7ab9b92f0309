"""Real servers for the tests: PostgreSQL, Redis, the model. Each starts once, when first needed."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import redis
import requests
from botocore.loaders import JSONFileLoader
from hypothesis import settings

from local.home import Home
from local.models.build import SECOND, ensure_bundle, ensure_faces, ensure_third
from local.process import start_server, stop, wait_until
from local.samples import jpeg, photograph
from local.servers.embedded_postgres import EmbeddedPostgres
from local.servers.embedded_redis import EmbeddedRedis
from photogate.adapters.postgres.migrate import migrate
from photogate.adapters.postgres.pool import Pool, connect_arguments
from photogate.adapters.postgres.pool import connect as connect_postgres
from photogate.adapters.queue_redis import connect
from photogate.errors import ConfigError
from tests.records import MemoryRecords, PostgresRecords, Records
from tests.warm import warm_models, warm_sandbox

if TYPE_CHECKING:  # what needs no browser needs no playwright
    from playwright.sync_api import Browser

__all__ = ["warm_models", "warm_sandbox"]

SECRET = "0123456789abcdef-only-for-the-tests"


# No example fails because the machine is busy.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

# Metrics go to standard output, where they would drown what pytest prints.
os.environ.setdefault("POWERTOOLS_METRICS_DISABLED", "true")

_parsed = cache(JSONFileLoader().load_file)


def _parsed_once(self: JSONFileLoader, file_path: str) -> Any:
    return _parsed(file_path)


# Each session of boto3 parses the descriptions of AWS's services anew; here there are hundreds.
JSONFileLoader.load_file = _parsed_once  # type: ignore[method-assign]

#: Of this run alone: pytest takes other users' rights away from the folder that all runs share,
#: whenever one begins, and PostgreSQL runs as another user when the tests run as root.
_TEMPORARY = "PYTEST_DEBUG_TEMPROOT"
_own_folder: Path | None = None
if _TEMPORARY not in os.environ:
    _own_folder = Path(tempfile.mkdtemp(prefix="photogate-tests-"))
    os.environ[_TEMPORARY] = str(_own_folder)


def pytest_sessionfinish(exitstatus: int) -> None:
    """Keep what a failed test left behind, for a look at it."""
    if _own_folder is not None and exitstatus == 0:
        shutil.rmtree(_own_folder, ignore_errors=True)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let ``make faults`` ask for more than ``make test`` does."""
    parser.addoption(
        "--faults",
        choices=("some", "full"),
        default="some",
        help="how much of each fault tests/faults puts in",
    )
    parser.addoption("--faults-seed", default="1", help="the same seed, the same faults")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the fast folders first; what needs no server is for ``make quick``.

    Where several processes share the tests, the long ones come first: at the end nobody waits for
    the last of them alone.
    """
    order = ["unit", "service", "model", "contract", "functions", "faults", "e2e", "browser"]

    def place(item: pytest.Item) -> int:
        folder = item.path.relative_to(Path(__file__).parent).parts[0]
        return order.index(folder) if folder in order else len(order)

    items.sort(key=place, reverse="PYTEST_XDIST_WORKER" in os.environ)
    for item in items:
        if place(item) == order.index("unit"):
            item.add_marker("quick")


def _needed(start: Callable[[], str], what: str) -> str:
    """Start a server; where it cannot be had, skip on a laptop and fail in CI."""
    try:
        return start()
    except ConfigError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"{what}: {error}")


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A folder for this run's servers."""
    return Home(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="session")
def postgres_url(home: Home) -> Iterator[str]:
    """A PostgreSQL of this run's own."""
    server = EmbeddedPostgres(home)
    url = _needed(server.start, "PostgreSQL")
    _hurry(url)
    yield url
    server.stop()


def _hurry(url: str) -> None:
    """Wait for no disk, since each test commits often; only a machine that stops loses anything."""
    with closing(connect_postgres(connect_arguments(url))) as connection:
        for setting in ("fsync", "full_page_writes"):
            connection.run(f"ALTER SYSTEM SET {setting} = off")
        connection.run("SELECT pg_reload_conf()")


@pytest.fixture(scope="session")
def redis_url(home: Home) -> Iterator[str]:
    """A Redis of this run's own."""
    server = EmbeddedRedis(home)
    yield _needed(server.start, "Redis")
    server.stop()


@pytest.fixture(scope="session")
def migrated_url(postgres_url: str) -> str:
    """The database with Photogate's schema."""
    pool = Pool(postgres_url)
    migrate(pool)
    pool.close()
    return postgres_url


@pytest.fixture
def fresh_url(postgres_url: str) -> Iterator[str]:
    """A database without any table, for one test."""
    with new_database(postgres_url) as url:
        yield url


@contextmanager
def new_database(server_url: str, *, like: str | None = None) -> Iterator[str]:
    """Make a database; gives its URL.

    Args:
        like: the URL of one to copy, which nobody is connected to. What was set for a role in it
            (``set_timeouts``) stays behind.
    """
    name = f"fresh_{time.time_ns()}"
    template = f" TEMPLATE {urlsplit(like).path[1:]}" if like else ""
    # CREATE DATABASE refuses to run in a transaction.
    with closing(connect_postgres(connect_arguments(server_url))) as connection:
        connection.run(f"CREATE DATABASE {name}{template}")
        yield urlsplit(server_url)._replace(path=f"/{name}").geturl()
        connection.run(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def pool(migrated_url: str) -> Iterator[Pool]:
    """A pool on an empty database."""
    pool = Pool(migrated_url)
    empty(pool)
    yield pool
    pool.close()


@pytest.fixture(params=[pytest.param("memory", marks=pytest.mark.quick), "postgres"])
def records(request: pytest.FixtureRequest) -> Records:
    """The database's ports on each technology, without any row but the history's."""
    if request.param == "memory":
        return MemoryRecords()
    return PostgresRecords(request.getfixturevalue("pool"))


#: For a test of what only PostgreSQL promises.
on_postgres = pytest.mark.parametrize("records", ["postgres"], indirect=True)


def empty(pool: Pool) -> None:
    """Remove every row but the history's, which nobody can."""
    pool.transaction(
        lambda s: s.rows(
            "UPDATE media SET held_at = NULL WHERE held_at IS NOT NULL; DELETE FROM holds;"
            " DELETE FROM media; DELETE FROM batches; DELETE FROM upload_usage;"
            " DELETE FROM object_deletions; DELETE FROM upload_urls;"
            " DELETE FROM workers; DELETE FROM jobs;"
            " DELETE FROM review_items; DELETE FROM samples; DELETE FROM sweeps;"
            " DELETE FROM hourly_counts;"
            " DELETE FROM notices; DELETE FROM notice_lines; DELETE FROM notice_channels;"
            " DELETE FROM notice_addresses;"
            " DELETE FROM sessions; DELETE FROM sign_in_links; DELETE FROM reveals"
        )
    )


@pytest.fixture
def redis_client(redis_url: str) -> Iterator[redis.Redis]:
    """A client of an empty Redis."""
    client = connect(redis_url)
    client.flushall()
    yield client
    client.close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A browser that knows no other host than ``tests.chromium.HOST``."""
    from tests import chromium

    with chromium.launched(_needed(chromium.program, "Chromium")) as browser:
        yield browser


@pytest.fixture(scope="session")
def bundle() -> Path:
    """The default model, built when it is missing."""
    return ensure_bundle("mobilenet_v2", print)


@pytest.fixture(scope="session")
def second_bundle() -> Path:
    """The second model, built when it is missing."""
    return ensure_bundle(SECOND, print)


@pytest.fixture(scope="session")
def third_bundle() -> Path:
    """What may take the third seat, fetched when it is missing."""
    return ensure_third(print)


@pytest.fixture(scope="session")
def faces_bundle() -> Path:
    """The face detector, built when it is missing."""
    return ensure_faces(print)


@pytest.fixture(scope="session")
def portrait() -> bytes:
    """A photo that every preset should like."""
    return jpeg(photograph("astronaut.png"))


@pytest.fixture(scope="session")
def moto_server(home: Home) -> Iterator[str]:
    """S3 and SQS as moto plays them, in a process of their own; gives the URL."""
    port, log = home.port("moto"), home.folder("logs") / "moto.log"
    url = f"http://127.0.0.1:{port}"
    process = start_server(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], log=log
    )

    def answers() -> bool:
        try:
            return requests.get(f"{url}/moto-api/", timeout=5).ok
        except requests.ConnectionError:
            return False

    try:
        wait_until(answers, process=process, what="moto", log=log)
        yield url
    finally:
        stop(process)
