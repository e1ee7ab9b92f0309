"""Photos at each limit of the decoder, of every format that the image reads, and beyond it."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from PIL import Image

from bench.photos import TWELVE_MEGAPIXELS, TWO_MEGAPIXELS, photos
from local.samples import photograph


def _encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _still(side: tuple[int, int], kind: str, **options: Any) -> bytes:
    return _encoded(photograph("astronaut.png").resize(side), kind, **options)


def _moving(kind: str, *, colours: int | None = None, **options: Any) -> bytes:
    """Eight frames of twelve megapixels, each different."""
    frame = photograph("astronaut.png").resize((4000, 3000))
    turns = [frame.transpose(turn) for turn in list(Image.Transpose)[:2]]
    frames = [Image.eval(turns[n % 2], lambda level, n=n: max(0, level - 8 * n)) for n in range(8)]  # type: ignore[misc]
    if colours is not None:
        frames = [frame.quantize(colours, dither=Image.Dither.NONE) for frame in frames]
    return _encoded(
        frames[0], kind, save_all=True, append_images=frames[1:], duration=100, **options
    )


def _noise() -> bytes:
    """Give a PNG as large as a file may be, nearly: noise cannot be compressed."""
    values = np.random.default_rng(1).integers(0, 256, (2560, 2560, 3), dtype=np.uint8)
    return _encoded(Image.fromarray(values), "PNG", compress_level=1)


def _black(width: int, height: int) -> bytes:
    return _encoded(Image.new("L", (width, height)), "PNG")


def _cut() -> bytes:
    data = photos(TWELVE_MEGAPIXELS, 1)[0].data
    return data[: len(data) // 2]


PHOTOS: dict[str, Callable[[], bytes]] = {
    "JPEG, 2 megapixels": lambda: photos(TWO_MEGAPIXELS, 1)[0].data,
    "JPEG, 12 megapixels": lambda: photos(TWELVE_MEGAPIXELS, 1)[0].data,
    "JPEG, 100 megapixels": partial(_still, (10_000, 10_000), "JPEG", quality=90),
    "JPEG, progressive, 40 megapixels": partial(
        _still, (8000, 5000), "JPEG", quality=90, progressive=True, subsampling=0
    ),
    "PNG, 25 megapixels": partial(_still, (5000, 5000), "PNG", compress_level=1),
    "PNG, noise, nearly 20 MB": _noise,
    "PNG, black, 25 megapixels": partial(_black, 5000, 5000),
    "WebP, 25 megapixels": partial(_still, (5000, 5000), "WEBP", method=0),
    "AVIF, 25 megapixels": partial(_still, (5000, 5000), "AVIF", speed=10),
    "GIF, 25 megapixels": partial(_still, (5000, 5000), "GIF"),
    "GIF, 8 frames of 12 megapixels": partial(_moving, "GIF", colours=16),
    "WebP, 8 frames of 12 megapixels": partial(_moving, "WEBP", method=0),
    "PNG, black, 144 megapixels": partial(_black, 12_000, 12_000),
    "JPEG, cut in half": _cut,
}
