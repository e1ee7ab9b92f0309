"""What looks at pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from photogate.domain import NEVER, Copy, Deadline, Face, Jpeg, Signals


class PhotoAnalyzer(Protocol):
    """Looks at pixels."""

    @property
    def model_digest(self) -> str:
        """sha256 of the model file in use."""

    @property
    def measures(self) -> frozenset[str]:
        """Names of all that it can measure, of those in ``photogate.domain.measures``."""

    def analyze(self, data: bytes, deadline: Deadline = NEVER) -> Sequence[Signals]:
        """Measure one photo: one entry, or one for each frame looked at of an animation.

        Raises:
            PhotoRefused: the bytes are no readable photo, or one that is too large.
            OutOfTime: the deadline passed before it was measured.
            RetryableError: a fault of ours; no score is given then.
        """


class CopyMaker(Protocol):
    """Makes the copies that are shown."""

    def copies(self, data: bytes, deadline: Deadline = NEVER) -> Sequence[Copy]:
        """Make all copies of one photo, the display copy first; none is larger than 1 MB.

        Raises:
            PhotogateError: none can be made that shows what was judged.
            OutOfTime: the deadline passed before they were made.
            RetryableError: a fault of ours.
        """


class UprightPicture(Protocol):
    """A decoded picture, upright and reduced, in whichever form a detector wants it."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""

    def rgb(self) -> bytes:
        """Give the pixels: 8 bit, rows from the top, R, G, B in turn."""

    def jpeg(self) -> Jpeg:
        """Give it as a JPEG of at most 1024 pixels a side."""


class FaceDetector(Protocol):
    """Finds faces, and their ages where it can."""

    @property
    def tells_age(self) -> bool:
        """Whether its faces carry an age."""

    def detect(self, picture: UprightPicture, deadline: Deadline = NEVER) -> list[Face]:
        """Find all faces, the surest first; [] when there is none.

        Raises:
            OutOfTime: the deadline passed; says nothing about the detector.
            RetryableError: it does not answer, or not sensibly. Never to be read as "no face".
            ConfigError: it refuses this installation, e.g. its key.
        """
