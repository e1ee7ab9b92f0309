"""Which frames of an animation are looked at: those that differ from what was seen."""

from __future__ import annotations

from PIL import Image, ImageChops

#: Looks at one photo, over all its frames and backgrounds. Each costs what a photo costs, so
#: that the worst takes the time of a few batches; for what is beyond, a person looks.
MAX_LOOKS = 40
#: Frames that are looked at however alike they are: evenly spread, the first and the last too.
MAX_FRAMES_SAMPLED = 8
#: Of all looks together, as they are given to the model: 4 bytes each.
MAX_PIXELS_OF_ALL_LOOKS = 32_000_000

#: Frames are compared on so many pixels a side. Where none of them differs by more grey levels
#: than that, in colour or opacity, both show the same.
_SIDE, _SAME_LEVELS = 64, 8
_BEYOND = [255 * (level > _SAME_LEVELS) for level in range(256)] * 4


def sampled(frames: int, most: int = MAX_FRAMES_SAMPLED) -> list[int]:
    """Name the frames, from 1, that are always looked at: all of few, else evenly spread ones."""
    if frames <= most:
        return list(range(1, frames + 1))
    if most == 1:
        return [1]
    gaps = most - 1
    return [1 + round(gap * (frames - 1) / gaps) for gap in range(most)]


class Choice:
    """Chooses frames of one animation, which are offered in their order.

    Args:
        frames: how many there are.
        pixels: of one look.
        backgrounds: looks that a frame may take.
    """

    def __init__(self, frames: int, pixels: int, backgrounds: int) -> None:
        self._most_looks = min(MAX_LOOKS, MAX_PIXELS_OF_ALL_LOOKS // pixels)
        self._backgrounds = backgrounds
        affordable = max(1, self._most_looks // backgrounds)
        self._sampled = set(sampled(frames, min(MAX_FRAMES_SAMPLED, affordable)))
        self._seen: list[Image.Image] = []
        self._looks = 0
        #: Frames that differ from what was seen before them, and that are not looked at.
        self.unseen = 0

    def wants(self, number: int, frame: Image.Image) -> bool:
        """Tell whether to look at this frame; say ``looked`` then."""
        small = thumbnail(frame)
        known = any(_alike(small, other) for other in reversed(self._seen))
        if number in self._sampled:
            self._sampled.remove(number)
        elif known:
            return False
        elif self._looks + (len(self._sampled) + 1) * self._backgrounds > self._most_looks:
            self.unseen += 1
            return False
        if not known:
            self._seen.append(small)
        return True

    def shows(self, frame: Image.Image) -> bool:
        """Tell whether one that was looked at shows the same."""
        small = thumbnail(frame)
        return any(_alike(small, other) for other in self._seen)

    def looked(self, looks: int) -> None:
        """Count the looks that a frame took."""
        self._looks += looks


def thumbnail(frame: Image.Image) -> Image.Image:
    """Give the mean colours, weighted by opacity, of the parts of a frame."""
    clear = frame.mode in ("RGBA", "LA", "PA", "P") or "transparency" in frame.info
    small = frame.convert("RGBA" if clear else "RGB").convert("RGBa" if clear else "RGB")
    small = small.resize((_SIDE, _SIDE), Image.Resampling.BOX)
    if not clear:
        small.putalpha(255)
        return small
    # As numbers of four bands: what is clear has no colour.
    return Image.frombytes("RGBA", small.size, small.tobytes())


def _alike(one: Image.Image, other: Image.Image) -> bool:
    beyond = ImageChops.difference(one, other).point(_BEYOND)
    return beyond.getbbox(alpha_only=False) is None
