"""Moderates files directly, without any service."""

from __future__ import annotations

import mimetypes
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from photogate.domain import Copy, Finding, Reason, Signals, Status, Verdict
from photogate.domain.policy import Policy
from photogate.errors import ConfigError, DecoderFailed, PhotogateError, RetryableError
from photogate.ports.vision import CopyMaker, PhotoAnalyzer
from photogate.service.looking import judge
from photogate.texts import rule_text

#: Names standard input.
STDIN = "-"
#: What folders may hold beside what the platform's tables know as pictures.
_SUFFIXES = frozenset({".avif", ".heic", ".heif", ".webp"})


@dataclass(frozen=True, kw_only=True)
class Photo:
    """One file to moderate, or standard input."""

    #: As it was given, with its folders.
    name: str
    #: For people: without the folders that all have in common.
    short: str = ""
    #: None for standard input.
    path: Path | None

    def read(self, *, max_bytes: int) -> tuple[int, bytes]:
        """Give its size in bytes, and its bytes where they are at most ``max_bytes``.

        Raises:
            OSError: it is not there or cannot be read.
        """
        if self.path is None:
            data = sys.stdin.buffer.read(max_bytes + 1)
            return len(data), data if len(data) <= max_bytes else b""
        size = self.path.stat().st_size
        return size, self.path.read_bytes() if size <= max_bytes else b""


@dataclass(frozen=True, kw_only=True)
class Checked:
    """One photo, what was found, and how long that took."""

    photo: Photo
    finding: Finding
    duration_ms: float
    #: A small copy, as users would be shown; None where none was asked for or can be made.
    thumb: Copy | None = None

    @property
    def why(self) -> str:
        """The rule that decided, or what went wrong, in words; "" for an approval."""
        verdict = self.finding.verdict
        return (verdict.rule and rule_text(verdict.rule)) or verdict.detail or self.error

    @property
    def error(self) -> str:
        """What could not be done, in words; "" where all could."""
        return self.finding.error or ""

    def to_json(self) -> dict[str, Any]:
        """Give the object that ``--json`` prints."""
        document = {
            "file": self.photo.name,
            "status": self.finding.verdict.status.value,
            "reason": self.finding.verdict.reason,
            "scores": self.finding.scores(),
            "duration_ms": self.duration_ms,
        }
        return document | ({"error": self.error} if self.error else {})


def photos(arguments: Sequence[str]) -> list[Photo]:
    """Give the files of the command line, and the pictures of its folders and their folders.

    Files whose names begin with a dot are left out of folders, and so is what is no picture by
    its suffix. A file that is not there is given all the same: reading it tells.

    Raises:
        ConfigError: a folder holds no picture.
    """
    found = []
    for argument in arguments:
        path = Path(argument)
        if argument == STDIN:
            found.append(Photo(name="standard input", path=None, short="standard input"))
        elif path.is_dir():
            inside = [Photo(name=str(one), path=one) for one in _pictures(path)]
            if not inside:
                raise ConfigError(f"there are no pictures in {path}")
            found += inside
        else:
            found.append(Photo(name=argument, path=path))
    folders = [str(photo.path.absolute().parent) for photo in found if photo.path]
    common = os.path.commonpath(folders) if folders else ""
    return [
        replace(photo, short=str(photo.path.absolute().relative_to(common)))
        if photo.path
        else photo
        for photo in found
    ]


def _pictures(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        kind = mimetypes.guess_type(path.name)[0] or ""
        picture = kind.startswith("image/") or path.suffix.lower() in _SUFFIXES
        if picture and not hidden and path.is_file():
            yield path


def check_photo(
    photo: Photo,
    analyzer: PhotoAnalyzer,
    policy: Policy,
    *,
    max_bytes: int,
    maker: CopyMaker | None = None,
) -> Checked:
    """Moderate one photo; its bytes are not kept.

    Args:
        maker: makes the small copy; None where none is wanted.

    Raises:
        OSError: it is not there or cannot be read.
    """
    started = time.perf_counter()
    error = None
    size_bytes, data = photo.read(max_bytes=max_bytes)
    if size_bytes > max_bytes:
        verdict = Verdict(status=Status.REJECTED, reason=Reason.TOO_LARGE.value)
        signals = Signals(size_bytes=size_bytes)
    else:
        try:
            verdict, signals = judge(data, analyzer, policy)
        except (RetryableError, DecoderFailed) as fault:
            verdict, signals = Verdict(status=Status.REVIEW), Signals(size_bytes=size_bytes)
            error = str(fault)
    return Checked(
        photo=photo,
        finding=Finding(photo_id=photo.name, verdict=verdict, signals=signals, error=error),
        duration_ms=round((time.perf_counter() - started) * 1000, 2),
        thumb=_thumb(data, maker) if maker and data else None,
    )


def _thumb(data: bytes, maker: CopyMaker) -> Copy | None:
    try:
        copies = maker.copies(data)
    except PhotogateError:
        return None
    return next(copy for copy in copies if copy.name == "thumb")


def summary(found: Sequence[Checked]) -> str:
    """Count verdicts, in one line."""
    verdicts = [checked.finding.verdict for checked in found]
    n = Counter(verdict.status for verdict in verdicts)
    reasons = Counter(v.reason for v in verdicts if v.status is Status.REJECTED and v.reason)
    why = ", ".join(f"{reason} {count}" for reason, count in reasons.most_common())
    photos = "1 photo" if len(found) == 1 else f"{len(found)} photos"
    return (
        f"{photos}: {n[Status.APPROVED]} approved, {n[Status.REJECTED]} rejected"
        f"{f' ({why})' if why else ''}, {n[Status.REVIEW]} to a person"
    )
