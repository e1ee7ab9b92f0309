"""Photos whose true verdict is known, each one's bytes its own."""

from __future__ import annotations

import hashlib
import random
import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from PIL import ImageFilter

from local.samples import jpeg, photograph


class Truth(StrEnum):
    """What a photo is, whatever happens on its way. Only ``GOOD`` may be approved."""

    GOOD = "good"
    BLURRED = "blurred"
    TINY = "tiny"
    BROKEN = "broken"
    #: Its signals go missing in the worker (``tests.faults.ports``).
    UNMEASURED = "unmeasured"
    #: Whatever looks at it never comes back; only where a test asks for it.
    HANGS = "hangs"


@dataclass(frozen=True, kw_only=True)
class Photo:
    """One file of a client."""

    #: Found again in its bytes.
    mark: str
    truth: Truth
    data: bytes

    @property
    def sha256(self) -> str:
        """Of its bytes."""
        return hashlib.sha256(self.data).hexdigest()


class Album:
    """An endless row of photos, the same for the same seed. Three of four are good."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)
        self._seed = seed
        self._count = 0

    def take(self, count: int, *, truth: Truth | None = None) -> list[Photo]:
        """Give the next photos; all of one kind when ``truth`` says so."""
        return [self._next(truth) for _ in range(count)]

    def batch(self) -> list[Photo]:
        """Give as many as one upload-complete may hold: 1 to 9."""
        return self.take(self._random.randint(1, 9))

    def _next(self, truth: Truth | None) -> Photo:
        self._count += 1
        kinds = [Truth.GOOD] * 12 + [t for t in Truth if t not in (Truth.GOOD, Truth.HANGS)]
        truth = truth or self._random.choice(kinds)
        name = self._random.choice(("astronaut.png", "chelsea.png", "coffee.png"))
        mark = f"{self._seed}/{self._count}/{truth}"
        return Photo(mark=mark, truth=truth, data=_marked(_encoded(truth, name), mark))


def mark_of(data: bytes) -> str:
    """Read the mark of a photo's bytes; a broken one still has it."""
    found = re.search(rb"\xff\xfe..photogate ([^\xff]+)", data, re.DOTALL)
    return found.group(1).decode() if found else ""


def _marked(data: bytes, mark: str) -> bytes:
    """Put a comment behind the first two bytes of a JPEG."""
    text = f"photogate {mark}".encode()
    return data[:2] + b"\xff\xfe" + (len(text) + 2).to_bytes(2, "big") + text + data[2:]


@cache
def _encoded(truth: Truth, name: str) -> bytes:
    picture = photograph(name)
    picture.thumbnail((320, 320))
    if truth is Truth.BLURRED:
        picture = picture.filter(ImageFilter.GaussianBlur(8))
    if truth is Truth.TINY:
        picture = picture.resize((64, 64))
    data = jpeg(picture)
    return data[: len(data) // 2] if truth is Truth.BROKEN else data
