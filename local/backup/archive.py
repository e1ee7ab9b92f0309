"""The file of a backup: a tar that appears under its name once it is complete.

Its members, in this order: ``manifest.json``, ``database.dump`` (pg_dump's custom format),
``photos/KEY`` for each object of the folder store, ``end.json``.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Any, cast

from photogate.errors import ConfigError

MANIFEST, DUMP, END = "manifest.json", "database.dump", "end.json"
PHOTOS = "photos/"
_PART = ".photogate-part-"
#: A part that nobody has held for so long is of a process that was killed.
_LEFT_S = 60.0


@contextmanager
def written_whole(target: Path, *, replace: bool = False) -> Iterator[IO[bytes]]:
    """Give a file for its owner alone that gets its name at the end, or none at all.

    Args:
        replace: whether it may take another file's place.

    Raises:
        ConfigError: there is such a file already, or it cannot be written.
    """
    if not target.parent.is_dir():
        raise ConfigError(f"there is no folder {target.parent}: make it, or name another")
    if target.exists() and not replace:
        raise _taken(target)
    try:
        _remove_parts(target.parent)
        with NamedTemporaryFile(dir=target.parent, prefix=_PART, delete=False) as part:
            try:
                fcntl.flock(part, fcntl.LOCK_EX)
                yield cast(IO[bytes], part)
                part.flush()
                os.fsync(part.fileno())
                _name(Path(part.name), target, replace=replace)
            finally:
                Path(part.name).unlink(missing_ok=True)
        _sync(target.parent)
    except OSError as error:
        raise ConfigError(f"cannot write {target}: {error.strerror}") from error


def _name(part: Path, target: Path, *, replace: bool) -> None:
    """Give a complete file its name; another process may have taken it meanwhile."""
    if not replace:
        try:
            target.hardlink_to(part)
            return
        except FileExistsError:
            raise _taken(target) from None
        except OSError:
            # Disks that know no second name: FAT, and some of the network's.
            if target.exists():
                raise _taken(target) from None
    part.replace(target)


def _taken(target: Path) -> ConfigError:
    return ConfigError(f"{target} is there already: name another file")


def _remove_parts(folder: Path) -> None:
    """Remove what killed processes left."""
    for part in folder.glob(f"{_PART}*"):
        with contextlib.suppress(OSError), part.open("rb") as left:
            fcntl.flock(left, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if part.stat().st_mtime < time.time() - _LEFT_S:
                part.unlink()


def _sync(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


class Writer:
    """Adds members to a tar."""

    def __init__(self, file: IO[bytes]) -> None:
        self._tar = tarfile.TarFile(fileobj=file, mode="w", format=tarfile.PAX_FORMAT)

    def document(self, name: str, value: dict[str, Any]) -> None:
        """Add a JSON document."""
        data = json.dumps(value, indent=1).encode()
        self._add(name, BytesIO(data), len(data))

    def file(self, name: str, file: IO[bytes]) -> None:
        """Add an open file, as long as it is at this moment."""
        self._add(name, file, os.fstat(file.fileno()).st_size)

    def close(self) -> None:
        """Write the end of the tar."""
        self._tar.close()

    def _add(self, name: str, data: IO[bytes], size: int) -> None:
        member = tarfile.TarInfo(name)
        member.size, member.mode, member.mtime = size, 0o600, int(time.time())
        self._tar.addfile(member, data)
        _forget_members(self._tar)


class Reader:
    """Reads a backup from its beginning.

    Raises:
        ConfigError: it is no backup, or not a complete one.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        head: dict[str, tarfile.TarInfo] = {}
        last = ""
        try:
            self._tar = self._open()
            for member in _members(self._tar):
                last = member.name
                if last in (MANIFEST, DUMP):
                    head[last] = member
        except (OSError, tarfile.TarError) as error:
            raise ConfigError(f"{path} cannot be read as a backup: {error}") from error
        if list(head) != [MANIFEST, DUMP]:
            raise ConfigError(f"{path} is no backup of Photogate")
        # The last member says that nothing is missing.
        if last != END:
            raise ConfigError(f"{path} is not complete: take another backup")
        self._head = head

    def manifest(self) -> dict[str, Any]:
        """Give what the backup says of itself."""
        document: dict[str, Any] = json.load(_opened(self._tar, self._head[MANIFEST]))
        return document

    def dump(self) -> IO[bytes]:
        """Give pg_dump's output."""
        return _opened(self._tar, self._head[DUMP])

    def photos(self) -> Iterator[tuple[str, IO[bytes]]]:
        """Give each object with its key."""
        with self._open() as tar:
            for member in _members(tar):
                if member.name.startswith(PHOTOS):
                    yield member.name.removeprefix(PHOTOS), _opened(tar, member)

    def close(self) -> None:
        """Close the file."""
        self._tar.close()

    def _open(self) -> tarfile.TarFile:
        return tarfile.open(self._path, mode="r:")


def _members(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Give one member after the other, and keep none: there may be millions."""
    while (member := tar.next()) is not None:
        yield member
        _forget_members(tar)


def _forget_members(tar: tarfile.TarFile) -> None:
    """Let a tar keep none of its members in memory, as it does otherwise."""
    tar.members.clear()  # type: ignore[attr-defined]  # where it keeps them


def _opened(tar: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    opened = tar.extractfile(member) if member.isreg() else None
    if opened is None:
        raise ConfigError(f"{member.name} in the backup is not a file")
    return opened
