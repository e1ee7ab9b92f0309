"""What was measured on pictures, kept in a file; never the pictures."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from photogate.domain import Reason, Signals


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What is known of the bytes of one picture."""

    #: Hex digest of the bytes.
    sha256: str
    #: One for each look at it; empty when it could not be opened.
    looks: tuple[Signals, ...] = ()
    #: Why the bytes are no photo that anybody takes.
    refused: Reason | None = None
    #: Words for ``refused``.
    detail: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Give what a line of the notebook holds."""
        document: dict[str, Any] = {"sha256": self.sha256}
        if self.refused is not None:
            return document | {"refused": self.refused.value, "detail": self.detail}
        return document | {"looks": [look.to_json() for look in self.looks]}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Measured:
        """Read what ``to_json`` gave."""
        refused = document.get("refused")
        return cls(
            sha256=document["sha256"],
            looks=tuple(Signals.from_json(look) for look in document.get("looks", ())),
            refused=None if refused is None else Reason(refused),
            detail=document.get("detail"),
        )


class Notebook:
    """A file with one JSON object a line, added to as pictures are measured.

    A run that is killed leaves whole lines and perhaps a part of one, which is measured again.

    Args:
        path: made when it is missing, readable by its owner only.
    """

    def __init__(self, path: Path) -> None:
        self._known: dict[str, Measured] = {}
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        whole = self._read(path)
        self._file: TextIO = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+")
        self._file.truncate(whole)
        self._file.seek(whole)

    def get(self, sha256: str) -> Measured | None:
        """Give what was measured on these bytes before."""
        return self._known.get(sha256)

    def add(self, measured: Sequence[Measured]) -> None:
        """Keep more; it is on disk when this returns."""
        for one in measured:
            self._known[one.sha256] = one
            self._file.write(json.dumps(one.to_json(), allow_nan=False) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _read(self, path: Path) -> int:
        """Read what is there; gives the length in bytes of its whole lines."""
        if not path.exists():
            return 0
        whole = 0
        with path.open("rb") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    break
                try:
                    one = Measured.from_json(json.loads(line))
                except (ValueError, KeyError, TypeError):
                    break
                self._known[one.sha256] = one
                whole += len(line)
        return whole
