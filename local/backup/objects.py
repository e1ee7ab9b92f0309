"""Which objects rows name; and removes, from a restored folder, files that none names.

Containers save the folder after the database: photos that came between the two are in it, perhaps
erased since, and nothing would ever remove them. ``python -m local.backup.objects remove-unnamed``
does, once the folder is back.
"""

from __future__ import annotations

import csv
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from local.backup.processes import check_none
from local.process import begin, run_main
from photogate.adapters.postgres.pool import Pool
from photogate.errors import ConfigError
from photogate.settings import DatabaseSettings, read

#: What a photo's row names, and whether it has to be there: an upload is gone once its bytes are
#: kept elsewhere.
NAMED = """
    SELECT key, bool_or(needed) AS needed FROM media, LATERAL (VALUES
        (original_key, true), (display_key, true), (upload_key, false),
        (replace(display_key, '/display/', '/thumb/'), true),
        (replace(display_key, '/display/', '/preview/'), true),
        (CASE WHEN upload_key IS NULL THEN url END, true)) AS named (key, needed)
    WHERE media_type = 'photo' AND key IS NOT NULL GROUP BY key
"""
#: An upload may be under way yet. What is to be deleted is named by nothing.
_UNNAMED = (
    f"FROM found WHERE NOT EXISTS (SELECT FROM ({NAMED}) AS named WHERE named.key = found.key)"  # noqa: S608 - our own text
    " AND NOT EXISTS (SELECT FROM upload_urls WHERE file_key = found.key AND NOT EXISTS"
    "   (SELECT FROM object_deletions AS gone WHERE gone.file_key = found.key))"
)
#: What is ours to remove; another program may keep files beside.
_FOLDERS = ("incoming", "kept", "copies")


def remove_unnamed(pool: Pool, folder: Path) -> int:
    """Remove the files of a folder store that no row names; gives how many.

    Safe to repeat, while nothing runs.

    Raises:
        ConfigError: none of the files is of this database; nothing was removed.
    """
    with (
        TemporaryFile() as found,
        TemporaryFile() as unnamed,
        pool.patient() as connection,
    ):
        count = _write(_keys(folder), found)
        connection.run("BEGIN")
        connection.run("SET LOCAL statement_timeout = 0")
        connection.run("CREATE TEMPORARY TABLE found (key text) ON COMMIT DROP")
        connection.run("COPY found FROM STDIN WITH (FORMAT csv)", stream=found)
        ((wanted,),) = connection.run(f"SELECT count(*) {_UNNAMED}")
        if count and wanted == count:
            raise ConfigError(
                f"no row of this database names any of the {count} files in {folder}: is it the"
                " right one? Where all photos were erased, empty the folder yourself"
            )
        connection.run(f"COPY (SELECT key {_UNNAMED}) TO STDOUT WITH (FORMAT csv)", stream=unnamed)
        connection.run("ROLLBACK")
        for (key,) in keys_in(unnamed):
            (folder / key).unlink(missing_ok=True)
    return int(wanted)


def keys_in(file: IO[bytes]) -> Iterator[list[str]]:
    """Give the rows that the database copied to a file."""
    file.seek(0)
    return csv.reader(io.TextIOWrapper(file, encoding="utf-8", newline=""))


def _keys(folder: Path) -> Iterator[str]:
    for name in _FOLDERS:
        for place, _, files in os.walk(folder / name):
            yield from (str((Path(place) / file).relative_to(folder)) for file in files)


def _write(keys: Iterator[str], file: IO[bytes]) -> int:
    lines, count = io.TextIOWrapper(file, encoding="utf-8", newline=""), 0
    rows = csv.writer(lines)
    for key in keys:
        rows.writerow([key])
        count += 1
    lines.flush()
    lines.detach()
    file.seek(0)
    return count


def main() -> None:
    """Remove what no row names from ``PHOTOS_DIR``."""
    begin()
    if sys.argv[1:] != ["remove-unnamed"]:
        raise ConfigError("say remove-unnamed")
    folder = os.environ.get("PHOTOS_DIR")
    if not folder:
        raise ConfigError("PHOTOS_DIR is not set: no folder holds these photos")
    pool = Pool(read(DatabaseSettings).database, size=1)
    check_none(pool)
    removed = remove_unnamed(pool, Path(folder))
    sys.stdout.write(f"files that no photo has, and that were removed: {removed}\n")


if __name__ == "__main__":
    run_main(main)
