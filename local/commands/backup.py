"""``photogate backup``, ``remaining`` and ``restore``; see docs/backup.md."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from local.console import errors_as_lines, out, step


def backup(
    place: Annotated[
        Path, typer.Argument(metavar="DIR|FILE", help="A folder, or a .tar that is not there yet.")
    ],
    allow_missing: Annotated[
        bool, typer.Option("--allow-missing", help="Succeed where photos' objects are missing.")
    ] = False,
) -> None:
    """Save the database, the photos of a folder, and the names of the secrets."""
    from local.backup.installation import installation
    from local.backup.make import back_up
    from photogate.errors import ConfigError

    with errors_as_lines(), installation() as here:
        made = back_up(place, here)
    _say(f"{made.file}: {made.objects} objects of photos, {made.size_bytes / 1e6:.1f} MB")
    if made.missing and (allow_missing or not made.lacks_photos):
        _say(
            f"{made.missing} objects that the database names are not in the folder, or went"
            " meanwhile; is PHOTOS_DIR the right one?"
        )
    if made.bucket:
        _say(
            f"photos are in the bucket {made.bucket}, which this file does not hold:"
            " its versioning or replication keeps them (docs/backup.md)"
        )
    with errors_as_lines():
        if made.lacks_photos and not allow_missing:
            raise ConfigError(
                f"{made.missing} of {made.needed} objects that the database names are not in"
                f" {here.photos_dir}, nor in the file: name the right folder by PHOTOS_DIR and take"
                " another, or say --allow-missing"
            )


def remaining(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Is replaced when it is there.")],
    force: Annotated[
        bool, typer.Option("--force", help="Replace a list of photos by one that has none.")
    ] = False,
) -> None:
    """List the photos that remain, so that a restore brings back no erased one."""
    from local.backup.archive import written_whole
    from local.backup.installation import installation
    from local.backup.remaining import holds_none, write
    from photogate.adapters.postgres.pool import Pool
    from photogate.errors import ConfigError

    with errors_as_lines(), installation(photos=False) as here:
        pool = Pool(here.database_url, size=1)
        with written_whole(file, replace=True) as list_, pool.patient() as connection:
            count = write(connection, list_)
            if not (count or force) and file.exists() and not holds_none(file):
                raise ConfigError(
                    f"there are no photos in this database, and there were in {file}, which stays:"
                    " is it the right one? Where all were erased, say --force"
                )
    _say(f"{file}: {count} photos remain")


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A backup.")],
    remaining: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The newest list that `photogate remaining` wrote."),
    ] = None,
    with_erased: Annotated[
        bool, typer.Option("--with-erased", help="Bring back what was erased after the backup.")
    ] = False,
    erase_all: Annotated[
        bool, typer.Option("--erase-all", help="Follow a list that holds no photo.")
    ] = False,
) -> None:
    """Restore a backup into an empty installation, without what was erased since."""
    from local.backup import restore as module
    from local.backup.installation import installation
    from local.backup.remaining import summary
    from photogate.errors import ConfigError

    with errors_as_lines():
        if (remaining is None) != with_erased:
            raise ConfigError(
                "what was erased after the backup must not come back: name the newest list of"
                " `photogate remaining` by --remaining FILE, or say --with-erased"
            )
        with installation(empty=True) as here:
            done = module.restore(file, here, remaining, step, erase_all=erase_all)
    _say(summary(done.replayed) if done.replayed else "all photos came back, erased ones as well")
    if done.bucket:
        _say("photos' objects are in the bucket: see docs/backup.md")
    else:
        _say(f"{done.objects} objects of photos were written")
    if done.secrets:
        _say(f"secrets that it had, and that are not in the file: {', '.join(done.secrets)}")


def _say(line: str) -> None:
    out.print(line, highlight=False, markup=False, soft_wrap=True)
