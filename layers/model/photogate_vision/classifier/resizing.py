"""Brings a decoded picture to the square that a model reads."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from PIL import Image

#: Only the middle square of a picture is kept, so that of a long strip no more than this
#: many times its shorter side is resized: a strip of 10 × 30,000 would take gigabytes.
_LONGEST = 8


class Fit(StrEnum):
    """How a picture that is not square becomes one."""

    #: Both sides are brought to the same length; nothing is lost, shapes are distorted.
    SQUEEZE = "squeeze"
    #: The shorter side is brought to that length and the middle is cut out; what lies
    #: towards the ends of the longer side is not seen.
    SHORTEST_EDGE = "shortest_edge"


@dataclass(frozen=True, kw_only=True)
class Resizing:
    """From any picture to ``side`` x ``side`` pixels, as a model was trained."""

    fit: Fit
    #: Pixels that ``fit`` brings the sides to; at least ``side``.
    to: int
    #: The middle of so many pixels, squared, is what the model reads.
    side: int
    resample: Image.Resampling

    def pixels(self, image: Image.Image) -> NDArray[np.uint8]:
        """Resize and cut.

        Args:
            image: mode RGB, of any size.

        Returns:
            uint8, side x side x 3, RGB, 0..255.
        """
        if self.fit is Fit.SQUEEZE:
            width = height = self.to
        else:
            image = _shortened(image)
            shorter, longer = sorted(image.size)
            # Rounded down, as Hugging Face's image processors do.
            length = int(self.to * longer / shorter)
            width, height = (self.to, length) if image.width <= image.height else (length, self.to)
        pixels = np.asarray(image.resize((width, height), self.resample))
        top, left = (height - self.side) // 2, (width - self.side) // 2
        return pixels[top : top + self.side, left : left + self.side]


def _shortened(image: Image.Image) -> Image.Image:
    """Cut what lies so far out that it can never be in the middle square."""
    width, height = image.size
    most = _LONGEST * min(width, height)
    if max(width, height) <= most:
        return image
    left, top = max(0, (width - most) // 2), max(0, (height - most) // 2)
    return image.crop((left, top, left + min(width, most), top + min(height, most)))
