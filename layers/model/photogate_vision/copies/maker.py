"""Makes all copies of a photo: the ``CopyMaker`` port."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

from PIL import Image, ImageFilter

from photogate.domain import NEVER, Copy, Deadline
from photogate.errors import CopyDiffers
from photogate_vision.copies.encoding import CopyForm, encoded
from photogate_vision.copies.matching import MOST_COARSE, MOST_FINE, difference
from photogate_vision.copies.showing import RESAMPLING, fitting
from photogate_vision.decoding.decode import Picture

#: Version of the steps from bytes to copies: the same bytes, form and version give the same files.
#: Raise it whenever copies come out otherwise, so that it is known which ones are older.
COPIES = "1"

#: For moderators, who should see what a photo is about and no more. Nothing that is finer than a
#: fortieth of the picture is left.
_PREVIEW_PX, _BLUR_PX = 160, 4


class Copier:
    """Makes copies out of what a decoder process gives.

    Args:
        show: ``Sandbox.show``.
        form: of the copies.
    """

    def __init__(
        self,
        show: Callable[[bytes, int, Deadline], tuple[Picture, Picture]],
        form: CopyForm,
    ) -> None:
        self._show = show
        self._form = form

    def copies(self, data: bytes, deadline: Deadline = NEVER) -> list[Copy]:
        """See ``photogate.ports.vision.CopyMaker.copies``.

        Files are written here, from nothing but pixels: even a decoder process that was broken
        into cannot put anything else into a copy.

        Raises:
            CopyDiffers: the display copy does not show what was judged, or cannot be small enough.
            PhotoRefused, DecoderFailed, RetryableError: as ``Sandbox.show``.
        """
        judged, shown = self._show(data, self._form.display_px, deadline)
        display = self._written("display", shown.image)
        found = difference(judged, _read(display))
        if not found.tolerable:
            raise CopyDiffers(
                f"its copy differs from what was judged by {found.fine:.1f} in detail (at most"
                f" {MOST_FINE:g}) and {found.coarse:.0f} in colour (at most {MOST_COARSE:g})"
            )
        return [
            display,
            self._written("thumb", _reduced(shown.image, self._form.thumb_px)),
            self._written("preview", _preview(shown.image)),
        ]

    def _written(self, name: str, image: Image.Image) -> Copy:
        data = encoded(image, self._form)
        if data is None:
            raise CopyDiffers(f"its {name} copy is too large at the lowest quality")
        return Copy(name=name, format=self._form.format, data=data)


def _read(copy: Copy) -> Image.Image:
    """Open a file of our own as anybody will."""
    with Image.open(BytesIO(copy.data), formats=(copy.format,)) as image:
        return image.convert("RGB")


def _reduced(image: Image.Image, longer_side_px: int) -> Image.Image:
    size = fitting(image.size, longer_side_px)
    return image.resize(size, RESAMPLING, reducing_gap=2.0)


def _preview(image: Image.Image) -> Image.Image:
    small = _reduced(image.convert("L"), _PREVIEW_PX)
    return small.filter(ImageFilter.GaussianBlur(_BLUR_PX))
