"""From untrusted bytes to the picture that is shown: by the steps that were judged, but larger.

Runs in a decoder process, as ``decoding.decode`` does.
"""

from __future__ import annotations

import warnings
from dataclasses import replace

from PIL import Image

from photogate.errors import RetryableError
from photogate_vision.decoding.colour_marks import colour_marks
from photogate_vision.decoding.containers import as_sequence
from photogate_vision.decoding.decode import Picture, decode
from photogate_vision.decoding.opening import (
    MAX_PIXELS,
    check_size,
    faults_of_the_photo,
    open_photo,
)
from photogate_vision.decoding.shaping import (
    WORKING_SIDE,
    orientation,
    shaped,
    upright,
    working_size,
)

#: As sharp as bicubic, at half of Lanczos' cost (17 of 36 ms from 2,016 to 1,600 pixels).
RESAMPLING = Image.Resampling.HAMMING
#: Parts of a picture of this size are not reduced by ``shaped``.
_PART = (4096, WORKING_SIDE)


def to_show(data: bytes, longer_side_px: int) -> list[Picture]:
    """Give the picture that was judged, and the same one as it is to be shown.

    Of an animation it is the first frame; what is transparent is on white.

    Args:
        data: a photo.
        longer_side_px: of what is shown; smaller photos are not enlarged.

    Raises:
        PhotoRefused, RetryableError: as ``decode``.
    """
    judged = decode(data)[0]
    with warnings.catch_warnings(action="ignore"):
        return [judged, replace(judged, image=_large(data, longer_side_px))]


def _large(data: bytes, longer_side_px: int) -> Image.Image:
    with faults_of_the_photo():
        source, kind, _ = open_photo(as_sequence(data))
        marks = colour_marks(data, source, kind)
        size = fitting(source.size, longer_side_px)
        if kind == "JPEG":
            source.draft("RGB", size)
            check_size(source.size, MAX_PIXELS, "JPEG of this shape")
        source.load()
    try:
        turned = orientation(source)
        image = _shaped_in_parts(source, marks.profile, longer_side_px)
        if image.size != size:
            image = image.resize(size, RESAMPLING)
        return upright(image, turned)
    except MemoryError:
        raise
    except Exception as error:
        raise RetryableError(f"a decoded {kind} could not be shaped: {error}") from error


def fitting(size: tuple[int, int], longer_side_px: int) -> tuple[int, int]:
    """Give the size whose longer side is at most so long, in the same proportions."""
    if max(size) <= longer_side_px:
        return size
    scale = longer_side_px / max(size)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _shaped_in_parts(
    source: Image.Image, profile: bytes | None, longer_side_px: int
) -> Image.Image:
    """Bring a picture into 8-bit sRGB, on white, by ``shaped``, but reduce it less than that.

    All that is done there to a pixel depends on that pixel alone, so parts give the same as the
    whole, and take less memory. Each is reduced by a whole factor, as far as is left enough.
    """
    factor = max(1, max(source.size) // longer_side_px)
    across, down = (min(factor, side) for side in source.size)
    wide, high = (max(most // by * by, by) for most, by in zip(_PART, (across, down), strict=True))
    canvas = Image.new("RGB", (-(-source.width // across), -(-source.height // down)))
    for top in range(0, source.height, high):
        for left in range(0, source.width, wide):
            box = (left, top, min(left + wide, source.width), min(top + high, source.height))
            part = source.crop(box)
            if working_size(part.size) != part.size:
                raise ValueError(f"a part of {part.size} would be reduced")
            # The first background is ours.
            image = next(iter(shaped(part, 1, profile).on.values()))
            reduced = image if factor == 1 else image.reduce((across, down))
            canvas.paste(reduced, (left // across, top // down))
    return canvas
