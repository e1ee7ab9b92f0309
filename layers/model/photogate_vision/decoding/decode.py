"""From untrusted bytes to upright RGB pictures of a size fit for looking at.

Everything that touches a photo's container or its compressed pixels happens below
``decode``, and nowhere else.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from io import BytesIO

import PIL.WebPImagePlugin  # noqa: F401 - registers itself
from PIL import AvifImagePlugin, Image, UnidentifiedImageError

from photogate.domain import Jpeg, Reason
from photogate.errors import PhotoRefused, RetryableError
from photogate_vision.decoding.colour_marks import Marks, colour_marks
from photogate_vision.decoding.containers import (
    Malformed,
    announced,
    as_sequence,
    as_still,
    is_heic,
)
from photogate_vision.decoding.frames import Choice
from photogate_vision.decoding.shaping import (
    BACKGROUNDS,
    WORKING_SIDE,
    orientation,
    shaped,
    upright_size,
    working_size,
)

#: Version of the steps from bytes to the inputs of model and measures. Stored with every
#: verdict; raise it whenever a change moves scores.
PREPROCESSING = "3"

#: Pillow's names of what is accepted, HEIC besides where its extra is installed. Anything
#: else is unreadable, whatever its suffix.
FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "GIF")

#: From the header. JPEG is decoded at a reduced scale, the others whole.
MAX_PIXELS_JPEG = 100_000_000
MAX_PIXELS = 25_000_000
#: Frames of an animation are composed in several buffers of the whole canvas.
MAX_PIXELS_ANIMATED = 12_000_000
#: To show one frame all before it have to be composed, at up to 33 ns a pixel (WebP and APNG
#: of photographs, November 2026): about 3 s at most.
MAX_PIXELS_OF_ALL_FRAMES = 100_000_000
#: However small, each takes some steps of an interpreter.
MAX_FRAMES = 2_000
#: libjpeg holds every coefficient of a progressive JPEG, 2 bytes each, at full scale.
MAX_COEFFICIENT_BYTES = 240_000_000
#: Cameras and editors write up to a dozen scans; each costs a pass over all pixels.
MAX_SCANS = 64

#: Longer side of what is sent to a face service.
_LARGEST_JPEG = 1024

# The limits above are checked before anything is decoded; this one, of Pillow's own, is for
# what contradicts its own header.
Image.MAX_IMAGE_PIXELS = MAX_PIXELS_JPEG
# A process per core gives most.
AvifImagePlugin.DEFAULT_MAX_THREADS = 1
# Otherwise the first photo pays for loading the plugins, and for all that Pillow has.
Image.preinit()


@dataclass(frozen=True, kw_only=True)
class Picture:
    """What a photo, or one frame of an animation, looks like on one background."""

    #: Upright, 8 bit, mode RGB in sRGB, composited on ``background``; the shorter side has at
    #: least ``WORKING_SIDE`` pixels wherever the original's has, unless it is a long strip.
    image: Image.Image
    #: Upright size of the original, in pixels.
    width: int
    height: int
    #: As the bytes say, one of ``FORMATS`` or ``HEIC``.
    format: str
    #: 1, or how many an animation has.
    frames: int
    #: Which of them, from 1, this is; None in a still. 0 is the still picture in an animated
    #: AVIF, for viewers that show no animations, where it is another one.
    frame: int | None = None
    #: One of ``BACKGROUNDS``; None where nothing of the picture is transparent.
    background: str | None = None
    #: Frames that differ from those looked at, and were not looked at.
    frames_unseen: int = 0
    #: Whether viewers may see other colours, or other parts transparent.
    colour_unsure: bool = False
    #: Whether brighter screens show it otherwise, by a second picture in the file.
    gain_map: bool = False

    @property
    def size(self) -> tuple[int, int]:
        """See ``photogate.ports.vision.UprightPicture.size``."""
        return self.image.size

    def rgb(self) -> bytes:
        """See ``photogate.ports.vision.UprightPicture.rgb``."""
        return self.image.tobytes()

    def jpeg(self) -> Jpeg:
        """See ``photogate.ports.vision.UprightPicture.jpeg``."""
        small, buffer = self.image.copy(), BytesIO()
        small.thumbnail((_LARGEST_JPEG, _LARGEST_JPEG))
        small.save(buffer, "JPEG", quality=90)
        return Jpeg(data=buffer.getvalue(), width=small.width, height=small.height)


def decode(data: bytes) -> list[Picture]:
    """Decode a photo: what viewers may see of it, each look once, in their order.

    A picture that is transparent somewhere is given on white and on black. Of an animation
    some frames are always given, the first and the last among them, and others that differ
    from those; they are composed as a viewer shows them. Several views in one file (MPO,
    HEIC) are one photo: its primary one.

    Raises:
        PhotoRefused: ``unreadable`` when it is no photo of a known format or a damaged
            one, in whichever frame; ``too_large`` when decoding it would take too much.
        RetryableError: it was decoded, and we could not bring it into shape.
    """
    # Warnings are about damaged metadata, which does not matter here.
    with warnings.catch_warnings(action="ignore"):
        with _faults_of_the_photo():
            source, kind, frames = _open(as_sequence(data))
            marks = colour_marks(data, source, kind)
            size = source.size
            if kind == "JPEG":
                source.draft("RGB", (WORKING_SIDE, WORKING_SIDE))
                _check_size(source.size, MAX_PIXELS, "JPEG of this shape")
        photo = Picture(
            image=source, width=0, height=0, format=kind, frames=frames, gain_map=marks.gain_map
        )
        if frames == 1:
            return _looks(photo, source, marks, size)
        return _frames(photo, source, marks, data)


def _frames(photo: Picture, source: Image.Image, marks: Marks, data: bytes) -> list[Picture]:
    """Give the frames that are looked at, and the still picture where it is another one."""
    across, down = working_size(source.size)
    choice, looks = Choice(photo.frames, across * down, len(BACKGROUNDS)), list[Picture]()
    for number in range(1, photo.frames + 1):
        with _faults_of_the_photo():
            source.seek(number - 1)
            source.load()
        if choice.wants(number, source):
            found = _looks(replace(photo, frame=number), source, marks, source.size)
            choice.looked(len(found))
            looks += found
    if (still := as_still(data)) is not None:
        with _faults_of_the_photo():
            source, _, _ = _open(still)
            source.load()
        if not choice.shows(source):
            looks += _looks(replace(photo, frame=0), source, marks, source.size)
    unsure = any(look.colour_unsure for look in looks)
    return [replace(each, frames_unseen=choice.unseen, colour_unsure=unsure) for each in looks]


def _open(data: bytes) -> tuple[Image.Image, str, int]:
    """Read the header and hold it against the limits; give kind and frames with it."""
    header = announced(data)
    if header.canvas is not None:
        _check_size(header.canvas, MAX_PIXELS, "this format")
    if header.frames is not None and header.frames > 1:
        _check_frames(header.canvas or (1, 1), header.frames)
    source = Image.open(BytesIO(data), formats=_formats(data))
    still = source.format in ("MPO", "HEIF")
    kind = {"MPO": "JPEG", "HEIF": "HEIC"}.get(str(source.format), str(source.format))
    frames = 1 if still else int(getattr(source, "n_frames", 1))
    if header.frames not in (None, frames):
        raise Malformed(f"its header and its contents tell {frames} and {header.frames} frames")
    if kind == "JPEG":
        _check_size(source.size, MAX_PIXELS_JPEG, kind)
        _check_scans(data, source)
    elif frames > 1:
        _check_size(source.size, MAX_PIXELS_ANIMATED, f"an animated {kind}")
        _check_frames(source.size, frames)
    else:
        _check_size(source.size, MAX_PIXELS, kind)
    return source, kind, frames


def _looks(
    photo: Picture, source: Image.Image, marks: Marks, size: tuple[int, int]
) -> list[Picture]:
    """Decode ``source`` where it stands and bring it into shape; ``size`` is the original's."""
    with _faults_of_the_photo():
        source.load()
    try:
        turned = orientation(source)
        width, height = upright_size(size, turned)
        found = shaped(source, turned, marks.profile)
    except MemoryError:
        raise
    except Exception as error:
        raise RetryableError(f"a decoded {photo.format} could not be shaped: {error}") from error
    unsure = marks.unsure or found.unsure
    return [
        replace(
            photo,
            image=image,
            width=width,
            height=height,
            background=background,
            colour_unsure=unsure,
        )
        for background, image in found.on.items()
    ]


@contextmanager
def _faults_of_the_photo() -> Iterator[None]:
    """Translate whatever the bytes lead to into ``PhotoRefused``."""
    try:
        yield
    except (PhotoRefused, MemoryError):
        raise
    except Image.DecompressionBombError as error:
        raise PhotoRefused(str(error), reason=Reason.TOO_LARGE.value) from error
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


def _formats(data: bytes) -> tuple[str, ...]:
    if not is_heic(data):
        return FORMATS
    if not _reads_heic():
        raise PhotoRefused(
            "a HEIC, which is read only where the extra photogate-vision[heic] is installed",
            reason=Reason.UNREADABLE.value,
        )
    return ("HEIF",)


@cache
def _reads_heic() -> bool:
    """Register the decoder of HEIC, when it is installed."""
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        return False
    # Else an embedded thumbnail may be decoded, which can show something else.
    register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=1)
    return True


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


def _check_frames(size: tuple[int, int], frames: int) -> None:
    width, height = size
    if frames > MAX_FRAMES or width * height * frames > MAX_PIXELS_OF_ALL_FRAMES:
        raise PhotoRefused(
            f"{frames} frames of {width}×{height} pixels; at most {MAX_FRAMES} frames and"
            f" {MAX_PIXELS_OF_ALL_FRAMES / 1e6:.0f} megapixels in all",
            reason=Reason.TOO_LARGE.value,
        )
