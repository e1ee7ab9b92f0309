"""Takes a backup: the database, and the photos of a folder store."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from local.backup import programs
from local.backup.archive import DUMP, END, MANIFEST, PHOTOS, Writer, written_whole
from local.backup.installation import Installation, names_of_secrets
from local.backup.objects import NAMED, keys_in
from photogate import __version__
from photogate.adapters.photos_files import FilePhotoStore
from photogate.adapters.postgres.pool import Connection, Pool
from photogate.errors import ConfigError, NotFound

_KEYS = f"COPY ({NAMED}) TO STDOUT WITH (FORMAT csv)"
_STATE = """
    SELECT now(), current_setting('server_version'), pg_export_snapshot(),
        (SELECT max(number) FROM schema_migrations)
"""


@dataclass(frozen=True, kw_only=True)
class Made:
    """What is in a backup."""

    file: Path
    size_bytes: int
    objects: int
    #: Objects that rows name and that have to be there, and those of them that are not.
    needed: int
    missing: int
    #: The bucket that it does not hold.
    bucket: str | None

    @property
    def lacks_photos(self) -> bool:
        """Whether more is missing than goes while a backup is taken: 3 objects, and 1 %."""
        return self.missing >= 3 and self.missing * 100 > self.needed


def back_up(place: Path, of: Installation) -> Made:
    """Write a backup; it has its name only once it is complete. Changes nothing.

    Args:
        place: a folder, in which it gets a name with the time, or a ``.tar`` that is not there.
        of: may be at work meanwhile: all of it is of one moment.

    Raises:
        ConfigError: it cannot be written, or the database cannot be dumped.
    """
    if place.is_dir():
        place = place / f"photogate-{datetime.now(UTC):%Y%m%d-%H%M%S}.tar"
    elif place.suffix != ".tar":
        raise ConfigError(f"there is no folder {place}: make it, or name a file that ends in .tar")
    pool = Pool(of.database_url, size=1)
    with (
        written_whole(place) as file,
        TemporaryFile(dir=place.parent) as dump,
        TemporaryFile(dir=place.parent) as keys,
        pool.patient() as connection,
    ):
        at, server, snapshot, schema = _begin(connection)
        program = programs.find("pg_dump", at_least=programs.major_of(server))
        options = ["--format=custom", "--no-owner", "--no-privileges", f"--snapshot={snapshot}"]
        programs.run(program, options, of.database_url, stdout=dump)
        connection.run(_KEYS, stream=keys)
        connection.run("ROLLBACK")
        tar = Writer(file)
        tar.document(
            MANIFEST,
            {
                "photogate": __version__,
                "at": at.isoformat(),
                "postgres": server,
                "pg_dump": programs.version_of(program),
                "schema": schema,
                "photos": f"bucket {of.bucket}" if of.bucket else "in this file",
                "secrets": names_of_secrets(),
            },
        )
        dump.seek(0)
        tar.file(DUMP, dump)
        objects, needed, missing = _add_photos(tar, of.store, keys) if of.store else (0, 0, 0)
        tar.document(END, {"objects": objects})
        tar.close()
        size_bytes = file.tell()
    return Made(
        file=place,
        size_bytes=size_bytes,
        objects=objects,
        needed=needed,
        missing=missing,
        bucket=of.bucket,
    )


def _begin(connection: Connection) -> tuple[datetime, str, str, int]:
    """Begin a transaction whose view of the database pg_dump shares."""
    if connection.run("SELECT to_regclass('schema_migrations') IS NULL")[0][0]:
        raise ConfigError("this database has no tables of Photogate's: there is nothing to save")
    connection.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    connection.run("SET LOCAL statement_timeout = 0")
    connection.run("SET LOCAL idle_in_transaction_session_timeout = 0")
    ((at, server, snapshot, schema),) = connection.run(_STATE)
    return at, server, snapshot, schema


def _add_photos(tar: Writer, store: FilePhotoStore, keys: IO[bytes]) -> tuple[int, int, int]:
    """Add the objects that are there; gives how many, how many have to be, and are missing."""
    added = needed = missing = 0
    for key, has_to_be in keys_in(keys):
        needed += has_to_be == "t"
        try:
            with store.path(key).open("rb") as photo:
                tar.file(PHOTOS + key, photo)
        except (NotFound, FileNotFoundError):
            missing += has_to_be == "t"
            continue
        added += 1
    return added, needed, missing
