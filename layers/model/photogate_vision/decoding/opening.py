"""From untrusted bytes to an opened file: which formats are read, and how large they may be."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from io import BytesIO

from PIL import AvifImagePlugin, Image, UnidentifiedImageError, WebPImagePlugin

from photogate.domain import Reason
from photogate.errors import PhotoRefused
from photogate_vision.decoding.containers import Malformed, announced, is_heic

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


class _WebP(WebPImagePlugin.WebPImageFile):
    """A WebP that frees libwebp's two canvases as soon as the last frame's pixels are out.

    Each takes 4 bytes a pixel: of a still one of 25 megapixels 200 MB, which Pillow would hold as
    long as the file is open.
    """

    def _get_next(self) -> tuple[bytes, int, int]:
        frame = super()._get_next()
        if self.n_frames == 1:
            self._decoder = None
        return frame


# The limits above are checked before anything is decoded; this one, of Pillow's own, is for
# what contradicts its own header.
Image.MAX_IMAGE_PIXELS = MAX_PIXELS_JPEG
# A process per core gives most.
AvifImagePlugin.DEFAULT_MAX_THREADS = 1
# Otherwise the first photo pays for loading the plugins, and for all that Pillow has.
Image.preinit()
Image.register_open("WEBP", _WebP, WebPImagePlugin._accept)


def open_photo(data: bytes) -> tuple[Image.Image, str, int]:
    """Read the header and hold it against the limits.

    Returns:
        The picture, not decoded yet; its kind, one of ``FORMATS`` or ``HEIC``; its frames.

    Raises:
        PhotoRefused: ``too_large``, or a HEIC that cannot be read here. Whatever else its bytes
            lead to is for ``faults_of_the_photo``.
    """
    header = announced(data)
    if header.canvas is not None:
        check_size(header.canvas, MAX_PIXELS, "this format")
    if header.frames is not None and header.frames > 1:
        _check_frames(header.canvas or (1, 1), header.frames)
    source = Image.open(BytesIO(data), formats=_formats(data))
    still = source.format in ("MPO", "HEIF")
    kind = {"MPO": "JPEG", "HEIF": "HEIC"}.get(str(source.format), str(source.format))
    frames = 1 if still else int(getattr(source, "n_frames", 1))
    if header.frames not in (None, frames):
        raise Malformed(f"its header and its contents tell {frames} and {header.frames} frames")
    if kind == "JPEG":
        check_size(source.size, MAX_PIXELS_JPEG, kind)
        _check_scans(data, source)
    elif frames > 1:
        check_size(source.size, MAX_PIXELS_ANIMATED, f"an animated {kind}")
        _check_frames(source.size, frames)
    else:
        check_size(source.size, MAX_PIXELS, kind)
    return source, kind, frames


@contextmanager
def faults_of_the_photo() -> Iterator[None]:
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
    check_size(source.size, pixels, f"a progressive JPEG of {components} components")
    # The marker of a scan cannot occur inside entropy-coded data (ITU-T T.81, B.1.1.2).
    if data.count(b"\xff\xda") > MAX_SCANS:
        raise PhotoRefused(f"a JPEG of more than {MAX_SCANS} scans", reason=Reason.UNREADABLE.value)


def check_size(size: tuple[int, int], most: int, what: str) -> None:
    """Refuse what has more than so many pixels; ``what`` names it in the refusal."""
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
