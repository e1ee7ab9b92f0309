"""The list of photos that remain: what a restored backup is held against.

A backup brings back what was erased or withdrawn after it. So an installation writes, as often as
wanted, which photos it has and what became of each; a restore then removes what is not in the
newest list, withdraws what is not approved there any more, and decides what was decided since,
before a machine looks at it again. No row says that something was erased: another program may
delete rows as well, and history ends some day.

``python -m local.backup.remaining write|replay`` does both over standard output and input, for
containers.
"""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from local.backup.processes import check_none, forget
from local.process import begin, run_main
from photogate.adapters.postgres.changes import PostgresChanges
from photogate.adapters.postgres.pool import Connection, Pool
from photogate.domain import Principal, Role, Status, Verdict
from photogate.domain.changes import Change, decided, held, withdrawn
from photogate.domain.verdicts import Reason
from photogate.errors import ConfigError
from photogate.settings import DatabaseSettings, read

_HEAD, _END = "photogate-remaining-1", "end"
#: Who withdraws photos again, as history has it.
RESTORER = Principal(user_id="photogate restore", role=Role.ADMIN)
_AT_ONCE = 200

_PHOTOS = """
    COPY (SELECT CAST(id AS text), moderation_status,
              CASE WHEN moderation_reason = ANY ('{reasons}') THEN moderation_reason END,
              held_at IS NOT NULL
          FROM media WHERE media_type = 'photo') TO STDOUT WITH (FORMAT csv)
"""
_BATCH = """
    SELECT CAST(id AS text) AS id, CAST(user_id AS text) AS user_id,
        CAST(moderation_status AS text) AS status, held_at IS NOT NULL AS held, reopened,
        CAST(created_at AS timestamptz) AS created_at
    FROM media WHERE media_type = 'photo' AND CAST(id AS text) > :after
    ORDER BY CAST(id AS text) LIMIT :n
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Remaining:
    """One photo of the list."""

    status: Status
    #: A ``Reason``; a person's own words are not written down again.
    reason: str | None
    held: bool


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A list that was read."""

    #: By the clock of the database.
    at: datetime
    photos: dict[str, Remaining]


@dataclass(kw_only=True)
class Replayed:
    """What became of the photos of a restored database."""

    photos: int = 0
    erased: int = 0
    #: Approved in the backup, and not any more.
    withdrawn: int = 0
    #: Open in the backup, and decided since.
    decided: int = 0
    #: Kept, as they are younger than the list.
    newer: int = 0
    #: Photos that the list does not have, and that are held: a person decides.
    refused: list[str] = field(default_factory=list)
    #: Objects of what was erased.
    object_keys: set[str] = field(default_factory=set)


def write(connection: Connection, file: IO[bytes]) -> int:
    """Write the list of this moment; gives how many photos there are.

    Raises:
        ConfigError: the database has no tables of Photogate's.
    """
    connection.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    try:
        if connection.run("SELECT to_regclass('holds') IS NULL")[0][0]:
            raise ConfigError("there are no photos in this database, or of an earlier version")
        # Of all photos, which may take a while.
        connection.run("SET LOCAL statement_timeout = 0")
        ((now,),) = connection.run("SELECT now()")
        file.write(f"{_HEAD},{now.isoformat()}\n".encode())
        reasons = "{" + ",".join(Reason) + "}"
        connection.run(_PHOTOS.format(reasons=reasons), stream=file)
        count = max(0, int(connection.row_count))
        file.write(f"{_END},{count}\n".encode())
    finally:
        connection.run("ROLLBACK")
    return count


def parsed(lines: Iterable[str]) -> Listed:
    """Read a list.

    Raises:
        ConfigError: it is none, or not a complete one.
    """
    rows = csv.reader(lines)
    head = next(rows, [])
    if len(head) != 2 or head[0] != _HEAD:
        raise ConfigError("this is no list of remaining photos: `photogate remaining` writes one")
    photos: dict[str, Remaining] = {}
    for row in rows:
        if len(row) == 2 and row[0] == _END and int(row[1]) == len(photos):
            return Listed(at=datetime.fromisoformat(head[1]), photos=photos)
        if len(row) != 4:
            break
        id_, status, reason, is_held = row
        photos[id_] = Remaining(
            status=Status(status), reason=reason or None, held=is_held in ("t", "true")
        )
    raise ConfigError("the list of remaining photos is not complete: write another")


def replay(
    pool: Pool, listed: Listed, *, keep_newer: bool = False, erase_all: bool = False
) -> Replayed:
    """Erase and withdraw, in a restored database, whatever is gone according to the list.

    Safe to repeat. Objects are noted for the sweep, which removes them.

    Args:
        keep_newer: whether rows that are younger than the list stay, as it cannot know them. A
            backup that is older than its list has none, whatever another program wrote there.
        erase_all: whether a list without photos counts.

    Raises:
        ConfigError: the list is empty, or of another installation; nothing was changed.
    """
    _check_kin(pool, listed, erase_all=erase_all)
    done, changes = Replayed(), PostgresChanges(pool)
    for rows in _batches(pool):
        done.photos += len(rows)
        known = [row for row in rows if not (keep_newer and _is_newer(row, listed))]
        done.newer += len(rows) - len(known)
        wanted = [change for row in known if (change := _change(row, listed)) is not None]
        for outcome in changes.make(wanted):
            if outcome.refusal is not None:
                done.refused.append(outcome.change.photo_id)
            elif outcome.after is None:
                done.erased += 1
                done.object_keys.update(outcome.object_keys)
            elif outcome.before is not None and outcome.before.status is Status.APPROVED:
                done.withdrawn += 1
            else:
                done.decided += 1
    return done


def holds_none(file: Path) -> bool:
    """Tell whether a file is an empty list, or has nothing in it."""
    try:
        with file.open(encoding="utf-8", newline="") as lines:
            return not file.stat().st_size or not parsed(lines).photos
    except (ConfigError, UnicodeDecodeError):
        return False


def _check_kin(pool: Pool, listed: Listed, *, erase_all: bool) -> None:
    """Refuse a list that would erase everything."""
    if erase_all and not listed.photos:
        return
    some = False
    for rows in _batches(pool):
        some = True
        if not listed.photos:
            raise ConfigError(
                "the list holds no photo, and would erase all: take an earlier list, or say"
                " --erase-all where all photos were erased"
            )
        if any(row["id"] in listed.photos for row in rows):
            return
    if some:
        raise ConfigError(
            "none of the restored photos is in the list of those that remain:"
            " it is of another installation"
        )


def _batches(pool: Pool) -> Iterator[list[dict[str, Any]]]:
    after = ""
    while rows := pool.transaction(lambda s, a=after: s.rows(_BATCH, after=a, n=_AT_ONCE)):  # type: ignore[misc]  # bound now
        yield rows
        after = rows[-1]["id"]


def _is_newer(row: dict[str, Any], listed: Listed) -> bool:
    return row["id"] not in listed.photos and row["created_at"] > listed.at


def _change(row: dict[str, Any], listed: Listed) -> Change | None:
    """Say what a photo lacks to be no better off than in the list."""
    id_, known = row["id"], listed.photos.get(row["id"])
    if known is None:
        return withdrawn(id_, by=Principal(user_id=row["user_id"]))
    if known.held and not row["held"]:
        return held(id_, by=RESTORER)
    status = Status(row["status"])
    if known.status is Status.REJECTED and status is not Status.REJECTED:
        return decided(id_, Verdict(status=Status.REJECTED, reason=known.reason), by=RESTORER)
    # A machine that looks once more could approve what waits for a person in the list.
    looks = status is Status.PENDING or row["reopened"]
    if (status is Status.APPROVED and known.status is not Status.APPROVED) or (
        looks and known.status is Status.REVIEW
    ):
        return decided(id_, Verdict(status=Status.REVIEW), by=RESTORER)
    return None


def main() -> None:
    """Write a list to standard output, or replay the one on standard input."""
    begin()
    pool = Pool(read(DatabaseSettings).database, size=2)
    match sys.argv[1:]:
        case ["write", *options] if options in ([], ["--force"]):
            with pool.patient() as connection:
                count = write(connection, sys.stdout.buffer)
            if not (count or options):
                raise ConfigError(
                    "there are no photos in this database: is it the right one? Where all were"
                    " erased, say write --force"
                )
        case ["replay", *options] if options in ([], ["--erase-all"]):
            text = io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8", newline="")
            check_none(pool)
            done = replay(pool, parsed(text), keep_newer=True, erase_all=bool(options))
            forget(pool)
            sys.stdout.write(f"{summary(done)}\n")
        case _:
            raise ConfigError("say write [--force], or replay [--erase-all]")


def summary(done: Replayed) -> str:
    """Say what a replay did, in one line."""
    line = (
        f"photos that came back: {done.photos}; erased again: {done.erased};"
        f" withdrawn again: {done.withdrawn}"
    )
    if done.decided:
        line += f"; decided again: {done.decided}"
    if done.newer:
        line += f"; newer than the list, and kept: {done.newer}"
    if done.refused:
        line += f"; held, and left as they are: {', '.join(done.refused[:5])}"
    return line


if __name__ == "__main__":
    run_main(main)
