"""Restores a backup into an empty installation, without what was erased after it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from local.backup import programs
from local.backup.archive import Reader
from local.backup.installation import Installation
from local.backup.processes import forget
from local.backup.remaining import Listed, Replayed, parsed, replay
from photogate import bootstrap
from photogate.adapters.photos_files import FilePhotoStore
from photogate.adapters.postgres.migrate import set_timeouts
from photogate.adapters.postgres.migration_files import shipped
from photogate.adapters.postgres.pool import Pool
from photogate.errors import ConfigError, NotFound

_TABLES = """
    SELECT count(*) AS n FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm')
        AND relnamespace = CAST(current_schema() AS regnamespace)
"""


@dataclass(frozen=True, kw_only=True)
class Restored:
    """What a restore did."""

    objects: int
    #: None where nobody knows what was erased.
    replayed: Replayed | None
    #: Names of secrets that the installation had.
    secrets: list[str]
    bucket: bool


def restore(
    file: Path,
    into: Installation,
    remaining: Path | None,
    progress: Callable[[str], None],
    *,
    erase_all: bool = False,
) -> Restored:
    """Restore. Photos' files come last, and none of those that were erased.

    Args:
        file: a backup.
        into: an installation without tables and photos, which does not run.
        remaining: the newest list of the photos that remain; None brings back what was erased.
        progress: called with one line for each step.
        erase_all: whether a list without photos counts.

    Raises:
        ConfigError: the installation is not empty, the backup not complete, or of a newer
            version; says what to do. Or a step failed, and what came before stays done.
    """
    backup = Reader(file)
    try:
        manifest = backup.manifest()
        listed = _listed(remaining, manifest) if remaining else None
        pool = Pool(into.database_url, size=2)
        _check(pool, into, manifest)
        progress("restoring the database")
        _load(backup, into.database_url, manifest)
        bootstrap.migrate()
        set_timeouts(pool)
        forget(pool)
        replayed = None
        if listed is not None:
            progress("erasing and withdrawing what was since")
            replayed = replay(pool, listed, erase_all=erase_all)
        objects = 0
        if into.store is not None:
            progress("restoring photos")
            objects = _put(backup, into.store, replayed.object_keys if replayed else set())
        pool.close()
    finally:
        backup.close()
    return Restored(
        objects=objects,
        replayed=replayed,
        secrets=list(manifest["secrets"]),
        bucket=_bucket(manifest) is not None,
    )


def _bucket(manifest: dict[str, Any]) -> str | None:
    """Give the bucket that holds the photos, where the backup does not."""
    said = str(manifest["photos"])
    return said.removeprefix("bucket ") if said.startswith("bucket ") else None


def _listed(file: Path, manifest: dict[str, Any]) -> Listed:
    try:
        with file.open(encoding="utf-8", newline="") as lines:
            listed = parsed(lines)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {file}: {error}") from error
    if listed.at < datetime.fromisoformat(manifest["at"]):
        raise ConfigError(
            f"{file} was written before the backup, and does not tell what was erased after it"
        )
    return listed


def _check(pool: Pool, into: Installation, manifest: dict[str, Any]) -> None:
    newest = max(migration.number for migration in shipped())
    if manifest["schema"] > newest:
        raise ConfigError(
            f"the backup is of Photogate {manifest['photogate']}, which is newer than this:"
            " restore with that version"
        )
    bucket = _bucket(manifest)
    if bucket and not into.bucket:
        raise ConfigError(
            f"the photos of this backup are in the bucket {bucket}, and not in the file: set"
            " S3_BUCKET_PHOTOS to it, or to a copy of it"
        )
    if into.bucket and not bucket:
        raise ConfigError(
            f"the backup holds photos of a folder, and this installation keeps its own in the"
            f" bucket {into.bucket}: set PHOTOS_DIR instead of S3_BUCKET_PHOTOS"
        )
    state = pool.transaction(
        lambda s: s.row(f"SELECT current_setting('server_version') AS v, ({_TABLES}) AS n")
    )
    assert state is not None  # noqa: S101 - there is always one row
    if state["n"]:
        raise ConfigError(
            "the database is not empty; a backup goes into an empty installation alone: make a new"
            " database, or choose an empty folder with PHOTOGATE_HOME. That holds after a restore"
            " that was interrupted as well"
        )
    made_by = programs.major_of(manifest["postgres"])
    if programs.major_of(state["v"]) < made_by:
        raise ConfigError(
            f"the backup is of PostgreSQL {made_by}, this server is {state['v']}: take one of"
            f" {made_by} or newer"
        )
    folder = into.photos_dir
    if folder is not None and folder.is_dir() and any(p.is_file() for p in folder.rglob("*")):
        raise ConfigError(f"{folder} holds photos already: choose an empty folder")


def _load(backup: Reader, url: str, manifest: dict[str, Any]) -> None:
    made_by = programs.major_of(manifest["postgres"])
    program = programs.find("pg_restore", at_least=max(made_by, manifest["pg_dump"]))
    options = ["--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges"]
    database = f"--dbname={programs.environment(url)['PGDATABASE']}"
    programs.run(program, [*options, database], url, stdin=backup.dump())


def _put(backup: Reader, store: FilePhotoStore, erased: set[str]) -> int:
    """Write the objects, but for those of erased photos; gives how many."""
    written = 0
    for key, data in backup.photos():
        if key in erased:
            continue
        try:
            store.put(key, data.read(), content_type="")
        except NotFound as error:  # which leads out of the folder, say
            raise ConfigError(f"the backup holds an object with an odd name: {key!r}") from error
        written += 1
    return written
