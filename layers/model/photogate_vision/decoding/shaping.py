"""From a decoded picture of any mode to upright, reduced, 8-bit sRGB."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass

from PIL import Image

from photogate_vision.decoding.colours import conversion

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


#: On which pages a picture that is transparent somewhere may stand. The first is ours.
BACKGROUNDS = ("white", "black")


@dataclass(frozen=True, kw_only=True)
class Shaped:
    """What a decoded picture looks like."""

    #: By background; None where it does not matter.
    on: Mapping[str | None, Image.Image]
    #: Whether viewers may see other colours.
    unsure: bool


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


def upright(image: Image.Image, turned: int) -> Image.Image:
    """Undo ``turned``, an EXIF orientation; what stands upright is given as it is."""
    return image.transpose(_TURNS[turned]) if turned in _TURNS else image


def shaped(image: Image.Image, turned: int, profile: bytes | None) -> Shaped:
    """Give reduced copies, upright and in 8-bit sRGB, on each background that shows through.

    Reduces as early as the mode allows, since each step copies what is left.

    Args:
        turned: its EXIF orientation, 1 to 8.
        profile: the bytes of its ICC profile; None stands for sRGB.
    """
    if image.mode.startswith("I"):
        image = _eight_bits(image)
    if "transparency" in image.info:
        image = image.convert("LA" if image.mode in ("1", "L") else "RGBA")
    elif image.mode in ("P", "1"):
        image = image.convert("RGB" if image.mode == "P" else "L")
    image = reduced(image)
    alpha = _alpha(image)
    plain = {"LA": "L", "La": "L", "L": "L", "CMYK": "CMYK"}.get(image.mode, "RGB")
    if image.mode != plain:  # each conversion copies
        image = image.convert(plain)
    way = conversion(profile, image.mode)
    image = way.apply(image)
    shown: dict[str | None, Image.Image]
    if alpha is None:
        shown = {None: image}
    else:
        shown = {name: _on(name, image, alpha) for name in BACKGROUNDS}
    shown = {name: upright(each, turned) for name, each in shown.items()}
    return Shaped(on=shown, unsure=way.unsure)


def _alpha(image: Image.Image) -> Image.Image | None:
    """Give the opacity; None where nothing shows through."""
    if image.mode not in ("LA", "La", "PA", "RGBA", "RGBa"):
        return None
    alpha = image.getchannel(image.mode[-1])
    return alpha if alpha.getextrema() != (255, 255) else None


def _on(background: str, image: Image.Image, alpha: Image.Image) -> Image.Image:
    return Image.composite(image, Image.new("RGB", image.size, background), alpha)


def working_size(size: tuple[int, int]) -> tuple[int, int]:
    """Give the size that a picture of ``size`` is reduced to."""
    factor = _factor(size)
    return -(-size[0] // min(factor, size[0])), -(-size[1] // min(factor, size[1]))


def reduced(image: Image.Image) -> Image.Image:
    """Shrink by a whole factor, so far as the working size allows or memory demands."""
    width, height = image.size
    factor = _factor(image.size)
    return image if factor < 2 else image.reduce((min(factor, width), min(factor, height)))


def _factor(size: tuple[int, int]) -> int:
    width, height = size
    for_memory = math.ceil(math.sqrt(width * height / MAX_WORKING_PIXELS))
    return max(min(size) // WORKING_SIDE, for_memory, 1)


def _eight_bits(image: Image.Image) -> Image.Image:
    """Scale 16 bits to 8; Pillow's own conversion would clip at 255."""
    return image.point(lambda level: level * (1 / 256)).convert("L")
