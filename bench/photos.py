"""Photos with the bytes of real ones, made from the photographs that scikit-image ships."""

from __future__ import annotations

import numpy as np
from PIL import Image

from local.client import Upload
from local.samples import jpeg, photograph

VGA = (640, 480)
ONE_MEGAPIXEL = (1280, 960)
TWO_MEGAPIXELS = (1633, 1225)
TWELVE_MEGAPIXELS = (4032, 3024)

_PHOTOGRAPHS = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "motorcycle_left.png")
#: Standard deviation, in grey levels, of the grain that upscaling lacks: it brings a
#: 2-megapixel JPEG to about 0.7 MB, as a phone's.
_GRAIN = 6.0

#: Size of a photo, how many different ones are made, and their share of the mix in percent.
_MIX = ((VGA, 8, 30), (ONE_MEGAPIXEL, 8, 34), (TWO_MEGAPIXELS, 9, 34), (TWELVE_MEGAPIXELS, 2, 2))


def photos(size: tuple[int, int], count: int) -> list[Upload]:
    """Make ``count`` different JPEGs of quality 90; the same ones every time.

    Args:
        size: width and height in pixels.
    """
    random = np.random.default_rng(size[0])
    return [_photo(size, number, random) for number in range(count)]


def mix(count: int) -> list[Upload]:
    """Give ``count`` photos as a day brings them: 640×480 to 12 megapixels, shuffled."""
    random = np.random.default_rng(2000)
    kinds = [photos(size, different) for size, different, _ in _MIX]
    shares = np.array([share for *_, share in _MIX]) / 100
    exact = np.floor(shares * count).astype(int)
    exact[0] += count - exact.sum()
    chosen = [
        kind[number % len(kind)]
        for kind, amount in zip(kinds, exact.tolist(), strict=True)
        for number in range(amount)
    ]
    return [chosen[place] for place in random.permutation(len(chosen)).tolist()]


def _photo(size: tuple[int, int], number: int, random: np.random.Generator) -> Upload:
    width, height = size
    source = photograph(_PHOTOGRAPHS[number % len(_PHOTOGRAPHS)])
    # A window of the right proportions, nearly as large as the photograph allows.
    scale = min(source.width / width, source.height / height) * random.uniform(0.85, 1.0)
    w, h = width * scale, height * scale
    x, y = random.uniform(0, source.width - w), random.uniform(0, source.height - h)
    picture = source.resize(size, Image.Resampling.BICUBIC, box=(x, y, x + w, y + h))
    grain = random.standard_normal((height, width, 1), dtype=np.float32) * _GRAIN
    pixels = (np.asarray(picture, dtype=np.float32) + grain).clip(0, 255).astype(np.uint8)
    return Upload(name=f"{width}x{height}-{number}.jpg", data=jpeg(Image.fromarray(pixels)))
