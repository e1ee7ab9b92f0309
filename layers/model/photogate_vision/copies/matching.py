"""Whether a copy shows what was judged.

Both are held against each other at the size that was judged, the copy as it comes out of its file.
They were reduced in different ways (libjpeg decodes at 1/2, 1/4 or 1/8; pictures are reduced before
or after their colours are converted), and the copy was compressed once more. So single pixels may
differ: at an edge by as much as the edge. What must not differ is what there is to see:

- fine: the mean difference of brightness over all pixels, where detail would come and go;
- coarse: the largest difference of the mean colour of a part, of which there are 64 along the
  longer side, where something would be that was not judged.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from photogate_vision.decoding.decode import Picture

#: Parts along the longer side, of no fewer pixels than that each.
_PARTS, _SMALLEST_PART_PX = 64, 8
#: In levels of 255. Measured in November 2026 on 56 photographs and drawings of 14 to 4,032 pixels
#: (cameras' and phones', scikit-image's, ``bench.photos``) and 9 of noise, patterns and coloured
#: text, as JPEG and WebP: with quality 85 fine 4.1 and coarse 11 at most; with quality 60, the
#: lowest setting, 8.1 and 15 (grass at its own size; red text on blue).
MOST_FINE = 10.0
MOST_COARSE = 24.0


@dataclass(frozen=True, kw_only=True)
class Difference:
    """How far two pictures are from each other, in levels of 255."""

    #: Mean difference of brightness of pixels.
    fine: float
    #: Largest difference, in any colour, of the mean of a part.
    coarse: float

    @property
    def tolerable(self) -> bool:
        """Whether both show the same."""
        return self.fine <= MOST_FINE and self.coarse <= MOST_COARSE


def difference(judged: Picture, copy: Image.Image) -> Difference:
    """Compare what was judged with a copy of it, at the size of the smaller.

    Args:
        judged: as ``decode`` gives it.
        copy: of the same photo, mode RGB.
    """
    small = judged.image
    size = (min(small.width, copy.width), min(small.height, copy.height))
    longer = max(size)
    parts = min(_PARTS, max(1, longer // _SMALLEST_PART_PX))
    across, down = (max(1, round(side * parts / longer)) for side in size)
    return Difference(
        fine=float(_apart(small.convert("L"), copy.convert("L"), size).mean()),
        coarse=min(
            float(_apart(small, copy, (across, down), box).max()) for box in _placed(judged)
        ),
    )


def _placed(judged: Picture) -> list[tuple[float, float, float, float]]:
    """Say which part of the judged pixels is the picture.

    Where its size is no multiple of the factor by which it was reduced, the last pixels of a row
    and of a column cover less of it than the others; the first ones, if it was turned since.
    """
    (left, right), (top, bottom) = (
        _placed_along(whole, reduced)
        for whole, reduced in zip((judged.width, judged.height), judged.size, strict=True)
    )
    return sorted({(x, y, x + right, y + bottom) for x in (0, left) for y in (0, top)})


def _placed_along(whole: int, reduced: int) -> tuple[float, float]:
    """Give the longest way from the first pixel to the picture, and the picture's length."""
    covered = whole / math.ceil(whole / reduced)
    return reduced - covered, covered


def _apart(
    one: Image.Image,
    other: Image.Image,
    size: tuple[int, int],
    box: tuple[float, float, float, float] | None = None,
) -> NDArray[np.int16]:
    first = np.asarray(one.resize(size, Image.Resampling.BOX, box), np.int16)
    second = np.asarray(other.resize(size, Image.Resampling.BOX), np.int16)
    apart: NDArray[np.int16] = np.abs(first - second)
    return apart
