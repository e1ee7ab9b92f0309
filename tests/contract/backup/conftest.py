"""Installations over real PostgreSQL, each with a database and folders of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from photogate.adapters.postgres.migrate import migrate
from photogate.adapters.postgres.pool import connect, connect_arguments
from tests.contract.backup.place import Place


@pytest.fixture
def make_place(postgres_url: str, tmp_path: Path) -> Iterator[Callable[[], Place]]:
    """Make installations, each with a new database."""
    connection = connect(connect_arguments(postgres_url))
    names: list[str] = []
    made: list[Place] = []

    def make() -> Place:
        names.append(f"place_{time.time_ns()}")
        connection.run(f"CREATE DATABASE {names[-1]}")
        folder = tmp_path / names[-1]
        folder.mkdir()
        url = urlsplit(postgres_url)._replace(path=f"/{names[-1]}").geturl()
        made.append(Place(folder, url))
        return made[-1]

    yield make
    for place in made:
        place.pool.close()
    for name in names:
        connection.run(f"DROP DATABASE {name} WITH (FORCE)")
    connection.close()


@pytest.fixture
def here(make_place: Callable[[], Place]) -> Place:
    """One with tables."""
    place = make_place()
    migrate(place.pool)
    return place


@pytest.fixture
def there(make_place: Callable[[], Place]) -> Place:
    """An empty one."""
    return make_place()


@pytest.fixture
def backups(tmp_path: Path) -> Path:
    folder = tmp_path / "backups"
    folder.mkdir()
    return folder
