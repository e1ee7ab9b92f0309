"""The installation that a backup is taken of, or restored into: its database and its photos."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from local.home import Home
from local.servers.embedded_postgres import EmbeddedPostgres
from photogate.adapters.photos_files import FilePhotoStore
from photogate.errors import ConfigError
from photogate.settings import secret_names


@dataclass(frozen=True, kw_only=True)
class Installation:
    """What has to be saved."""

    #: Of the role that owns the tables.
    database_url: str
    #: None where photos are in a bucket.
    photos_dir: Path | None
    bucket: str | None

    @property
    def store(self) -> FilePhotoStore | None:
        """The folder store, which signs no URL here."""
        if self.photos_dir is None:
            return None
        return FilePhotoStore(self.photos_dir, public_url="http://127.0.0.1", secret=None)


@contextmanager
def installation(*, empty: bool = False, photos: bool = True) -> Iterator[Installation]:
    """Give the installation of the environment, else the one in ``PHOTOGATE_HOME``.

    The embedded PostgreSQL is started unless its stack runs, and stopped again. Settings go into
    the environment.

    Args:
        empty: whether it may be one that does not exist yet; then none may run.
        photos: whether it has to be known where its photos are.

    Raises:
        ConfigError: there is none, or it cannot be started.
    """
    home = Home()
    elsewhere = bool(os.environ.get("DATABASE_URL") or os.environ.get("DB_HOST"))
    stack_was_here = home.load_environment()
    if not (elsewhere or stack_was_here or empty):
        raise ConfigError(
            f"no stack has run in {home.path}: name another folder by PHOTOGATE_HOME, or a"
            " database by DATABASE_URL"
        )
    with ExitStack() as held:
        if not elsewhere and (not stack_was_here or _is_embedded(home)):
            _start(home, held, must_start=empty)
        if photos and elsewhere and not stack_was_here and not _has_storage():
            raise ConfigError("where are the photos? Set PHOTOS_DIR or S3_BUCKET_PHOTOS")
        bucket = os.environ.get("S3_BUCKET_PHOTOS") or None
        if bucket is None and not os.environ.get("PHOTOS_DIR"):
            os.environ["PHOTOS_DIR"] = str(home.folder("photos"))
        yield Installation(
            database_url=_owners_url(),
            photos_dir=None if bucket else Path(os.environ["PHOTOS_DIR"]),
            bucket=bucket,
        )


def names_of_secrets() -> list[str]:
    """Give the names of the secrets that this installation has; never a value."""
    return sorted(name for name in secret_names() if os.environ.get(name))


def _start(home: Home, held: ExitStack, *, must_start: bool) -> None:
    try:
        held.enter_context(home.locked())
    except ConfigError:
        if must_start:
            raise
        return  # it runs: the settings that it keeps lead to its database
    postgres = EmbeddedPostgres(home)
    held.callback(postgres.stop)
    os.environ["DATABASE_URL"] = postgres.start()


def _has_storage() -> bool:
    return bool(os.environ.get("PHOTOS_DIR") or os.environ.get("S3_BUCKET_PHOTOS"))


def _is_embedded(home: Home) -> bool:
    """Tell whether the last stack here had its own PostgreSQL: nobody else has its password."""
    return home.secret("postgres") in os.environ.get("DATABASE_URL", "")


def _owners_url() -> str:
    from photogate.bootstrap import choose
    from photogate.settings import MigrateSettings

    settings = choose.settings_of(MigrateSettings)
    owner = settings.migrate_database_url
    return owner.get_secret_value() if owner else settings.database
