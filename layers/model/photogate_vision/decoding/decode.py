"""From untrusted bytes to upright RGB pictures of a size fit for looking at.

Everything that touches a photo's container or its compressed pixels happens below
``decode``, and nowhere else.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from io import BytesIO

from PIL import Image

from photogate.domain import Jpeg
from photogate.errors import RetryableError
from photogate_vision.decoding.colour_marks import Marks, colour_marks
from photogate_vision.decoding.containers import as_sequence, as_still
from photogate_vision.decoding.frames import Choice
from photogate_vision.decoding.opening import (
    MAX_PIXELS,
    check_size,
    faults_of_the_photo,
    open_photo,
)
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

#: Longer side of what is sent to a face service.
_LARGEST_JPEG = 1024


@dataclass(frozen=True, kw_only=True)
class Picture:
    """What a photo, or one frame of an animation, looks like on one background."""

    #: Upright, 8 bit, mode RGB in sRGB, composited on ``background``; the shorter side has at
    #: least ``WORKING_SIDE`` pixels wherever the original's has, unless it is a long strip.
    image: Image.Image
    #: Upright size of the original, in pixels.
    width: int
    height: int
    #: As the bytes say, one of ``opening.FORMATS`` or ``HEIC``.
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
        with faults_of_the_photo():
            source, kind, frames = open_photo(as_sequence(data))
            marks = colour_marks(data, source, kind)
            size = source.size
            if kind == "JPEG":
                source.draft("RGB", (WORKING_SIDE, WORKING_SIDE))
                check_size(source.size, MAX_PIXELS, "JPEG of this shape")
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
        with faults_of_the_photo():
            source.seek(number - 1)
            source.load()
        if choice.wants(number, source):
            found = _looks(replace(photo, frame=number), source, marks, source.size)
            choice.looked(len(found))
            looks += found
    if (still := as_still(data)) is not None:
        with faults_of_the_photo():
            source, _, _ = open_photo(still)
            source.load()
        if not choice.shows(source):
            looks += _looks(replace(photo, frame=0), source, marks, source.size)
    unsure = any(look.colour_unsure for look in looks)
    return [replace(each, frames_unseen=choice.unseen, colour_unsure=unsure) for each in looks]


def _looks(
    photo: Picture, source: Image.Image, marks: Marks, size: tuple[int, int]
) -> list[Picture]:
    """Decode ``source`` where it stands and bring it into shape; ``size`` is the original's."""
    with faults_of_the_photo():
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
