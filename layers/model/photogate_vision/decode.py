"""From untrusted bytes to an upright RGB picture of a size fit for looking at.

Everything that touches a photo's container or its compressed pixels happens in
``decode``, and nowhere else.
"""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from PIL import Image, UnidentifiedImageError

from photogate.domain import Reason
from photogate.errors import PhotoRefused

logger = logging.getLogger(__name__)

#: Version of the steps from bytes to the inputs of model and measures. Stored with every
#: verdict; raise it whenever a change moves scores.
PREPROCESSING = "1"

#: Pillow's names of what is accepted. Anything else is unreadable, whatever its suffix.
FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "GIF")

#: JPEG is decoded at a reduced scale, the others whole: 25 MP of RGB are 75 MB.
MAX_PIXELS_JPEG = 100_000_000
MAX_PIXELS = 25_000_000

#: Shortest side, in pixels, that reducing leaves: twice the default model's input, and
#: enough for the canonical size of ``quality``.
WORKING_SIDE = 448

# The limits above are checked from the header, before anything is decoded.
Image.MAX_IMAGE_PIXELS = None
# Otherwise the first photo pays for loading the plugins.
Image.init()


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A decoded photo."""

    #: Upright, 8 bit, mode RGB, alpha composited on white; the shorter side has at least
    #: ``WORKING_SIDE`` pixels wherever the original's has.
    image: Image.Image
    #: Upright size of the original, in pixels.
    width: int
    height: int
    #: As the bytes say, one of ``FORMATS``.
    format: str


def decode(data: bytes) -> Picture:
    """Decode the first frame.

    Raises:
        PhotoRefused: ``unreadable`` when it is no photo of a known format or a damaged
            one, ``too_large`` when it has more pixels than are decoded.
    """
    try:
        with (
            # About damaged metadata, which does not matter here.
            warnings.catch_warnings(action="ignore"),
            Image.open(BytesIO(data), formats=FORMATS) as source,
        ):
            kind = "JPEG" if source.format == "MPO" else str(source.format)
            width, height = source.size
            _check_pixels(kind, width, height)
            if kind == "JPEG":
                source.draft("RGB", (WORKING_SIDE, WORKING_SIDE))
            source.load()
            turned = _orientation(source) in (5, 6, 7, 8)
            image = _upright(_rgb(_reduced(source)), _orientation(source))
    except PhotoRefused:
        raise
    except MemoryError:
        raise
    except UnidentifiedImageError as error:
        raise PhotoRefused(
            f"not one of {', '.join(FORMATS)}", reason=Reason.UNREADABLE.value
        ) from error
    except Exception as error:
        # Pillow's plugins raise whatever the damage leads to: OSError, SyntaxError,
        # ValueError, struct.error, IndexError, zlib.error … all mean the same here.
        words = "".join(c if c.isprintable() else "?" for c in str(error)[:200])
        raise PhotoRefused(
            f"not a readable photo: {words}", reason=Reason.UNREADABLE.value
        ) from error
    if turned:
        width, height = height, width
    return Picture(image=image, width=width, height=height, format=kind)


def _check_pixels(kind: str, width: int, height: int) -> None:
    most = MAX_PIXELS_JPEG if kind == "JPEG" else MAX_PIXELS
    if width * height > most:
        raise PhotoRefused(
            f"{width}×{height} pixels; at most {most // 1_000_000} megapixels for {kind}",
            reason=Reason.TOO_LARGE.value,
        )


def _reduced(image: Image.Image) -> Image.Image:
    """Shrink by a whole factor while the shorter side keeps ``WORKING_SIDE`` pixels."""
    factor = min(image.size) // WORKING_SIDE
    if factor < 2 or image.mode in ("P", "1"):
        return image
    return image.reduce(factor)


def _rgb(image: Image.Image) -> Image.Image:
    """Bring any mode to 8-bit RGB; what is transparent shows white."""
    if image.mode == "RGB":
        return image
    if image.mode.startswith("I"):
        # 16 bit per pixel: Pillow's own conversion would clip at 255.
        grey = (np.asarray(image).astype(np.int64).clip(0, 65535) >> 8).astype(np.uint8)
        return Image.fromarray(grey).convert("RGB")
    if "A" in image.mode or "a" in image.mode or "transparency" in image.info:
        layer = image.convert("RGBA")
        backdrop = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(backdrop, layer).convert("RGB")
    return image.convert("RGB")


def _orientation(image: Image.Image) -> int:
    """Read EXIF orientation, 1 (upright) to 8; damaged metadata counts as upright."""
    try:
        return int(image.getexif().get(0x0112, 1))
    except Exception as error:
        logger.debug("unreadable EXIF is ignored: %s", error)
        return 1


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


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    turn = _TURNS.get(orientation)
    return image if turn is None else image.transpose(turn)
