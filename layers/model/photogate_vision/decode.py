"""From untrusted bytes to an upright RGB picture of a size fit for looking at.

Everything that touches a photo's container or its compressed pixels happens in
``decode``, and nowhere else.
"""

from __future__ import annotations

import logging
import math
import warnings
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from PIL import Image, UnidentifiedImageError

from photogate.domain import Jpeg, Reason
from photogate.errors import PhotoRefused, RetryableError

logger = logging.getLogger(__name__)

#: Version of the steps from bytes to the inputs of model and measures. Stored with every
#: verdict; raise it whenever a change moves scores.
PREPROCESSING = "1"

#: Pillow's names of what is accepted. Anything else is unreadable, whatever its suffix.
FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "GIF")

#: From the header. JPEG is decoded at a reduced scale, the others whole.
MAX_PIXELS_JPEG = 100_000_000
MAX_PIXELS = 25_000_000
#: Frames of an animation are composed in several buffers of the whole canvas.
MAX_PIXELS_ANIMATED = 12_000_000
#: libjpeg holds every coefficient of a progressive JPEG, 2 bytes each, at full scale.
MAX_COEFFICIENT_BYTES = 240_000_000
#: Cameras and editors write up to a dozen scans; each costs a pass over all pixels.
MAX_SCANS = 64

#: Shortest side, in pixels, that reducing leaves: twice the default model's input.
WORKING_SIDE = 448
#: Longer side of what is sent to a face service.
_LARGEST_JPEG = 1024
#: Long strips are reduced below that: more pixels than this tell the model nothing.
MAX_WORKING_PIXELS = 4_000_000

# The limits above are checked from the header, before anything is decoded.
Image.MAX_IMAGE_PIXELS = None
# Otherwise the first photo pays for loading the plugins.
Image.init()


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A decoded photo."""

    #: Upright, 8 bit, mode RGB, alpha composited on white; the shorter side has at least
    #: ``WORKING_SIDE`` pixels wherever the original's has, unless it is a long strip.
    image: Image.Image
    #: Upright size of the original, in pixels.
    width: int
    height: int
    #: As the bytes say, one of ``FORMATS``.
    format: str
    #: 1, or how many an animation has; only the first is decoded.
    frames: int

    @property
    def size(self) -> tuple[int, int]:
        """See ``photogate.ports.UprightPicture.size``."""
        return self.image.size

    def rgb(self) -> bytes:
        """See ``photogate.ports.UprightPicture.rgb``."""
        return self.image.tobytes()

    def jpeg(self) -> Jpeg:
        """See ``photogate.ports.UprightPicture.jpeg``."""
        small, buffer = self.image.copy(), BytesIO()
        small.thumbnail((_LARGEST_JPEG, _LARGEST_JPEG))
        small.save(buffer, "JPEG", quality=90)
        return Jpeg(data=buffer.getvalue(), width=small.width, height=small.height)


def decode(data: bytes) -> Picture:
    """Decode the first frame.

    Raises:
        PhotoRefused: ``unreadable`` when it is no photo of a known format or a damaged
            one, ``too_large`` when decoding it would take too much.
        RetryableError: it was decoded, and we could not bring it into shape.
    """
    # Warnings are about damaged metadata, which does not matter here.
    with warnings.catch_warnings(action="ignore"):
        loaded = _load(data)
        width, height = loaded.size
        try:
            turn = _TURNS.get(_orientation(loaded.image))
            image = _shaped(loaded.image)
            image = image if turn is None else image.transpose(turn)
        except MemoryError:
            raise
        except Exception as error:
            raise RetryableError(
                f"a decoded {loaded.format} could not be shaped: {error}"
            ) from error
    if turn in _SIDEWAYS:
        width, height = height, width
    return Picture(
        image=image, width=width, height=height, format=loaded.format, frames=loaded.frames
    )


@dataclass(frozen=True, kw_only=True)
class _Loaded:
    """Decoded, and still in whatever mode and orientation it came."""

    image: Image.Image
    #: Of the original; the image may be smaller.
    size: tuple[int, int]
    format: str
    frames: int


def _load(data: bytes) -> _Loaded:
    """Do all that depends on what the bytes say."""
    try:
        source = Image.open(BytesIO(data), formats=FORMATS)
        kind = "JPEG" if source.format == "MPO" else str(source.format)
        size = source.size
        frames = 1 if source.format == "MPO" else int(getattr(source, "n_frames", 1))
        _check_pixels(source, kind, frames)
        if kind == "JPEG":
            _check_scans(data, source)
            source.draft("RGB", (WORKING_SIDE, WORKING_SIDE))
            _check_size(source.size, MAX_PIXELS, "JPEG of this shape")
        source.load()
    except (PhotoRefused, MemoryError):
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
    return _Loaded(image=source, size=size, format=kind, frames=frames)


def _check_pixels(source: Image.Image, kind: str, frames: int) -> None:
    if kind == "JPEG":
        _check_size(source.size, MAX_PIXELS_JPEG, kind)
    elif frames > 1:
        _check_size(source.size, MAX_PIXELS_ANIMATED, f"an animated {kind}")
    else:
        _check_size(source.size, MAX_PIXELS, kind)


def _check_scans(data: bytes, source: Image.Image) -> None:
    if not source.info.get("progressive"):
        return
    components = len(source.getbands())
    pixels = MAX_COEFFICIENT_BYTES // (2 * components)
    _check_size(source.size, pixels, f"a progressive JPEG of {components} components")
    # The marker of a scan cannot occur inside entropy-coded data (ITU-T T.81, B.1.1.2).
    if data.count(b"\xff\xda") > MAX_SCANS:
        raise PhotoRefused(f"a JPEG of more than {MAX_SCANS} scans", reason=Reason.UNREADABLE.value)


def _check_size(size: tuple[int, int], most: int, what: str) -> None:
    width, height = size
    if width * height > most:
        raise PhotoRefused(
            f"{width}×{height} pixels; at most {most / 1e6:.0f} megapixels for {what}",
            reason=Reason.TOO_LARGE.value,
        )


def _shaped(image: Image.Image) -> Image.Image:
    """Bring any mode to reduced 8-bit RGB; what is transparent shows white.

    Reduces as early as the mode allows, since each step copies what is left.
    """
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
    return image.convert("RGB")


def _reduced(image: Image.Image) -> Image.Image:
    """Shrink by a whole factor, so far as the working size allows or memory demands."""
    width, height = image.size
    for_memory = math.ceil(math.sqrt(width * height / MAX_WORKING_PIXELS))
    factor = max(min(image.size) // WORKING_SIDE, for_memory)
    return image if factor < 2 else image.reduce((min(factor, width), min(factor, height)))


def _eight_bits(image: Image.Image) -> Image.Image:
    """Scale 16 bits to 8; Pillow's own conversion would clip at 255."""
    values = np.asarray(image)
    if values.dtype != np.uint16:
        values = values.clip(0, 65535).astype(np.uint16)
    return Image.fromarray((values >> 8).astype(np.uint8))


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
_SIDEWAYS = {_TURNS[number] for number in (5, 6, 7, 8)}
