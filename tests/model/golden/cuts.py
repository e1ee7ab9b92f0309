"""Cuts the tensors of the golden scores out of sample photographs, to the last bit.

Strides, repeated pixels, means over squares and tints in whole numbers only: no
resampling, whose result differs between libraries. As a program it writes the bytes
of all cuts of a golden file to standard output, for ``make_golden.mjs``::

    python -m tests.model.golden.cuts tests/model/golden/mobilenet_v2.json
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from local.samples import photograph


@dataclass(frozen=True, kw_only=True)
class Cut:
    """How one tensor is cut out of a photograph."""

    #: Name of a PNG of scikit-image (JPEG decoders differ in the last bit).
    photo: str
    #: First row that is taken.
    top: int
    #: First column that is taken.
    left: int
    #: Distance between the rows, and between the columns, that are taken.
    step: int = 1
    #: How often each pixel is repeated, down and across.
    repeat: int = 1
    #: Side of the square around each pixel that is averaged; 1 leaves it sharp.
    blur: int = 1
    #: R, G and B are multiplied by this and divided by 256.
    tint: tuple[int, ...] = (256, 256, 256)


def cut_pixels(cut: Cut, size: int) -> NDArray[np.uint8]:
    """Cut one tensor: uint8, size x size x 3, RGB."""
    extent = -(-size // cut.repeat) * cut.step
    pixels = np.asarray(photograph(cut.photo), np.int64)
    pixels = pixels[cut.top : cut.top + extent : cut.step, cut.left : cut.left + extent : cut.step]
    pixels = pixels.repeat(cut.repeat, axis=0).repeat(cut.repeat, axis=1)[:size, :size]
    if pixels.shape != (size, size, 3):
        raise ValueError(f"{cut} reaches beyond the photograph")
    total, reach = np.zeros_like(pixels), cut.blur // 2
    for down in range(-reach, cut.blur - reach):
        for right in range(-reach, cut.blur - reach):
            total += np.roll(pixels, (down, right), (0, 1))
    tinted: NDArray[np.int64] = total // cut.blur**2 * np.array(cut.tint) // 256
    return np.minimum(tinted, 255).astype(np.uint8)


def main(path: Path) -> None:
    """Write the bytes of all cuts of a golden file, one after the other."""
    golden = json.loads(path.read_text())
    for entry in golden["cuts"]:
        sys.stdout.buffer.write(cut_pixels(Cut(**entry["cut"]), golden["size"]).tobytes())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
