"""Writes new picture files from pixels, of 1 MB at most."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import Literal

from PIL import Image

#: Behind API Gateway and Lambda an answer may have 6 MB, a third of which base64 takes.
MAX_COPY_BYTES = 1_000_000
#: Where a copy would be larger its quality is lowered by such steps, and not below the last.
_STEP, _LOWEST = 20, 5


@dataclass(frozen=True, kw_only=True)
class CopyForm:
    """What copies look like; see ``photogate.settings.CopySettings``."""

    format: Literal["JPEG", "WEBP"] = "JPEG"
    #: As Pillow takes it, 1 to 95.
    quality: int = 85
    #: Longer sides, in pixels. Smaller photos are not enlarged.
    display_px: int = 1600
    thumb_px: int = 320


def encoded(image: Image.Image, form: CopyForm) -> bytes | None:
    """Give a file of at most ``MAX_COPY_BYTES``, or None where even the lowest quality has more.

    The quality is the form's, lowered by twenty until it fits: noise and fine patterns need that,
    photographs do not. The file has pixels and nothing else: no EXIF, ICC
    profile (it is sRGB), XMP or comment. The same pixels give the same bytes.

    Args:
        image: mode RGB, in sRGB, or mode L.
        form: of which format and quality.
    """
    # Made anew, so that nothing that Pillow would write along can come with it.
    bare = Image.frombytes(image.mode, image.size, image.tobytes())
    for quality in range(form.quality, min(form.quality, _LOWEST) - 1, -_STEP):
        buffer = BytesIO()
        # WebP's least effort takes a fifth of the default's time, for 7 % more bytes.
        options = {"method": 0} if form.format == "WEBP" else {}
        bare.save(buffer, form.format, quality=quality, **options)
        if buffer.tell() <= MAX_COPY_BYTES:
            return buffer.getvalue()
    return None
