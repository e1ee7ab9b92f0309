"""Pictures with little to see, made of numbers: which of them are blank?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from local.samples import photograph

#: A phone's sensor by day, by lamplight, and in the dark: standard deviation in grey levels.
_NOISE = (3, 10, 25)
_SIZES = ((816, 612), (1633, 1225), (4032, 3024))
_MIDDLE = _SIZES[1]


def dull_frames() -> Iterator[tuple[str, Image.Image]]:
    """Name and give each; always the same ones."""
    random = np.random.default_rng(2026)

    def noisy(levels: NDArray[np.floating], sigma: float) -> Image.Image:
        grain = random.standard_normal((*levels.shape[:2], 3), dtype=np.float32)
        shown = levels.astype(np.float32) + grain * np.float32(sigma)
        return Image.fromarray(shown.clip(0, 255).astype(np.uint8))

    for what, level in (("lens cap", 0), ("grey card", 128)):
        for width, height in _SIZES:
            flat = np.full((height, width, 1), float(level))
            for sigma in _NOISE:
                yield f"{what}, {width * height / 1e6:.1f} MP, noise {sigma}", noisy(flat, sigma)

    width, height = _MIDDLE
    across = np.linspace(-1, 1, width, dtype=np.float32)
    from_centre = (across**2 + np.linspace(-1, 1, height, dtype=np.float32)[:, None] ** 2) / 2
    for percent in (10, 30):
        wall = 230 * (1 - from_centre[..., None] * percent / 100)
        yield f"white wall, corners {percent} % darker", noisy(wall, 3)
    for range_ in (20, 255):
        gradient = np.broadcast_to((across + 1) / 2 * range_, (height, width))[..., None]
        yield f"gradient over {range_} levels", noisy(gradient, 1)

    table = np.asarray(photograph("coffee.png").resize(_MIDDLE), np.float32)
    for percent in (5, 10, 20):
        fog = 200 + (table - 128) * np.float32(percent / 100)
        yield f"table in fog, {percent} % of its contrast", noisy(fog, 1)
    portrait = np.asarray(photograph("astronaut.png").resize((1400, 1400)), np.float32)
    for percent in (4, 8, 15, 30):
        yield f"portrait at night, {percent} % of its light", noisy(portrait * percent / 100, 4)
    yield "night sky (Hubble)", photograph("hubble_deep_field.jpg")

    for lines in (0, 1, 30):
        page = Image.new("RGB", (height, width), "white")
        for line in range(lines):
            text = "Photographs of documents have few dark pixels. " * 2
            ImageDraw.Draw(page).text((80, 80 + 45 * line), text, "black", font_size=22)
        yield f"page of {lines} lines", page
