"""Brings colours to sRGB, as whoever looks at the photo sees them.

The model saw sRGB only. Photos in Display P3 that are taken for sRGB move its scores by
.012 on average and .23 at most, more than quantization does; a profile that swaps colours
moves them by .88 (November 2026, 140 crops). Profiles are bytes of the uploader's: what is
surely none is ignored, as browsers do; what browsers might read otherwise is told.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from itertools import pairwise, product

from PIL import Image, ImageCms

logger = logging.getLogger(__name__)

#: Those of printing presses take up to 3 MB.
_MOST_PROFILE_BYTES = 4_000_000
#: Grey levels by which a profile may differ from sRGB and still be one: makers round.
_SAME_LEVELS = 3
#: Most grey levels between the results of two neighbouring levels: sRGB of a linear 1 is 13.
#: Pictures are reduced before they are converted, and the mean of two levels must not mean
#: something that is far from both.
_LARGEST_STEP = 24
#: How far a curve may go back and forth, by rounding, in grey levels.
_WAVERING = 8
#: By what the profile is of (ICC.1:2022, table 19): Pillow's modes that it may be applied to.
#: Browsers apply one of RGB to grey pictures, too (Chromium 156).
_MODES = {"RGB": ("RGB", "L"), "CMYK": ("CMYK",), "GRAY": ("L",)}
_HEADER_BYTES = 128

_SRGB = ImageCms.createProfile("sRGB")


@dataclass(frozen=True, kw_only=True)
class Conversion:
    """The way from a photo's numbers to sRGB."""

    #: Mode that the picture must have first.
    mode: str
    #: None when nothing has to be done.
    transform: ImageCms.ImageCmsTransform | None = None
    #: Whether viewers may see other colours than this gives.
    unsure: bool = False

    def apply(self, image: Image.Image) -> Image.Image:
        """Give a copy in mode RGB, in sRGB; alpha is dropped."""
        if self.transform is None:
            return image.convert("RGB")
        image = image if image.mode == self.mode else image.convert(self.mode)
        converted = ImageCms.applyTransform(image, self.transform)
        assert converted is not None  # noqa: S101 - only with inPlace
        return converted


def conversion(profile: bytes | None, mode: str) -> Conversion:
    """Find the way to sRGB.

    Args:
        profile: the bytes of an ICC profile; None stands for sRGB.
        mode: Pillow's, of the picture, without its alpha.
    """
    if not profile or not _is_profile(profile):
        return Conversion(mode=mode)
    if len(profile) > _MOST_PROFILE_BYTES:
        return Conversion(mode=mode, unsure=True)
    return _conversion(profile, mode if mode in ("L", "CMYK") else "RGB")


def _is_profile(profile: bytes) -> bool:
    """Tell whether any reader takes these bytes for a profile (ICC.1:2022, 7.2)."""
    return len(profile) > _HEADER_BYTES and profile[36:40] == b"acsp"


@lru_cache(maxsize=8)
def _conversion(profile: bytes, mode: str) -> Conversion:
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        space = source.profile.xcolor_space.strip()
        if mode not in _MODES.get(space, ()):
            # Browsers leave it alone, too.
            return Conversion(mode=mode, unsure=space not in _MODES)
        mode = "RGB" if space == "RGB" else mode
        transform = ImageCms.buildTransform(source, _SRGB, mode, "RGB")
    except (OSError, ValueError, ImageCms.PyCMSError) as error:
        logger.debug("an unreadable ICC profile is ignored: %s", error)
        return Conversion(mode=mode, unsure=True)
    tags = _tags(profile)
    # A browser takes the code points for high dynamic range from there.
    unsure = b"cicp" in tags or not _is_smooth(transform, mode)
    if mode == "RGB" and not tags & _TABLES and _changes_nothing(transform):
        return Conversion(mode=mode, unsure=unsure)
    return Conversion(mode=mode, transform=transform, unsure=unsure)


#: Between the points that are tried such a table may hold anything.
_TABLES = {b"A2B0", b"A2B1", b"A2B2", b"D2B0", b"D2B1", b"D2B2", b"D2B3"}


def _tags(profile: bytes) -> set[bytes]:
    count = min(int.from_bytes(profile[128:132], "big"), 1_000)
    return {profile[at : at + 4] for at in range(132, 132 + 12 * count, 12)}


#: Each channel through all of its levels, the others at three levels; then all together.
_RAMPS = tuple(
    tuple(tuple(level if channel == at else rest for at in range(3)) for level in range(256))
    for channel, rest in [*product(range(3), (0, 128, 255))]
)
_GREYS = tuple((level,) * 3 for level in range(256))
#: And colours from all over the cube.
_CUBE = tuple(product(range(0, 256, 51), repeat=3))


def _tried(transform: ImageCms.ImageCmsTransform, mode: str, levels: bytes) -> bytes:
    bands = len(mode)
    row = Image.frombytes(mode, (len(levels) // bands, 1), levels)
    moved = ImageCms.applyTransform(row, transform)
    assert moved is not None  # noqa: S101 - only with inPlace
    return moved.tobytes()


def _changes_nothing(transform: ImageCms.ImageCmsTransform) -> bool:
    """Try it on every level of every channel: most photos carry some sRGB profile."""
    colours = (*(colour for ramp in _RAMPS for colour in ramp), *_GREYS, *_CUBE)
    levels = bytes(level for colour in colours for level in colour)
    pairs = zip(levels, _tried(transform, "RGB", levels), strict=True)
    return all(abs(before - after) <= _SAME_LEVELS for before, after in pairs)


def _is_smooth(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    """Tell whether neighbouring levels become neighbouring ones, in one direction."""
    if mode == "RGB":
        ramps = [bytes(level for colour in ramp for level in colour) for ramp in _RAMPS]
    elif mode == "L":
        ramps = [bytes(range(256))]
    else:
        ramps = [
            bytes(level if at == band else 0 for level in range(256) for at in range(4))
            for band in range(4)
        ]
    for ramp in ramps:
        moved = _tried(transform, mode, ramp)
        for band in range(3):
            levels = moved[band::3]
            steps = [b - a for a, b in pairwise(levels)]
            way = sum(map(abs, steps)) - abs(levels[-1] - levels[0])
            if max(map(abs, steps)) > _LARGEST_STEP or way > _WAVERING:
                return False
    return True
