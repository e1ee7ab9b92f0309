"""From a decoded picture of any mode to upright, reduced, 8-bit sRGB."""

from __future__ import annotations

import math
import struct

from PIL import Image

from photogate_vision.decoding.colours import to_srgb

#: Shortest side, in pixels, that reducing leaves: twice the default model's input.
WORKING_SIDE = 448
#: Long strips are reduced below that: more pixels than this tell the model nothing.
MAX_WORKING_PIXELS = 4_000_000

#: EXIF 2.32, table of tag 274.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ORIENTATION, _SHORT = 0x0112, 3


def orientation(image: Image.Image) -> int:
    """Read EXIF orientation, 1 (upright) to 8; damaged metadata counts as upright.

    Pillow would read every tag; thousands of them may point at the same megabytes.
    """
    exif = image.info.get("exif")
    if not isinstance(exif, bytes):
        return 1
    tiff = exif.removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return 1
    try:
        (start,) = struct.unpack_from(f"{order}I", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, start)
        for at in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind, _, value = struct.unpack_from(f"{order}HHIH", tiff, at)
            if (tag, kind) == (_ORIENTATION, _SHORT):
                return int(value) if value in _TURNS else 1
    except struct.error:
        pass
    return 1


def upright_size(size: tuple[int, int], turned: int) -> tuple[int, int]:
    """Give what ``size`` is once ``turned``, an EXIF orientation, is undone."""
    return (size[1], size[0]) if turned >= 5 else size


def shaped(image: Image.Image, turned: int) -> Image.Image:
    """Give a reduced copy, upright and in 8-bit sRGB; what is transparent shows white.

    Reduces as early as the mode allows, since each step copies what is left.

    Args:
        turned: its EXIF orientation, 1 to 8.
    """
    profile = image.info.get("icc_profile")
    if image.mode.startswith("I"):
        image = _eight_bits(image)
    if "transparency" in image.info:
        image = image.convert("RGBA")
    elif image.mode in ("P", "1"):
        image = image.convert("RGB")
    image = _reduced(image)
    if "A" in image.mode or "a" in image.mode:
        layer = image.convert("RGBA")
        backdrop = Image.new("RGBA", layer.size, "white")
        image = Image.alpha_composite(backdrop, layer)
    image = to_srgb(image, profile)
    return image.transpose(_TURNS[turned]) if turned in _TURNS else image


def _reduced(image: Image.Image) -> Image.Image:
    """Shrink by a whole factor, so far as the working size allows or memory demands."""
    width, height = image.size
    for_memory = math.ceil(math.sqrt(width * height / MAX_WORKING_PIXELS))
    factor = max(min(image.size) // WORKING_SIDE, for_memory)
    return image if factor < 2 else image.reduce((min(factor, width), min(factor, height)))


def _eight_bits(image: Image.Image) -> Image.Image:
    """Scale 16 bits to 8; Pillow's own conversion would clip at 255."""
    return image.point(lambda level: level * (1 / 256)).convert("L")
