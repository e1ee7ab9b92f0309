"""Cuts pictures out of the sample photographs that well-known wheels carry.

For calibration and for measuring what int8 changes. None of the photographs is
explicit: "warm" crops are close, blurred and tinted ones, made to bring the model
near its borders without.
"""

import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageFilter

Picture = NDArray[np.uint8]

#: Package and file of each photograph.
PHOTOS = (
    ("skimage", "data/astronaut.png"),
    ("skimage", "data/chelsea.png"),
    ("skimage", "data/coffee.png"),
    ("skimage", "data/motorcycle_left.png"),
    ("skimage", "data/rocket.jpg"),
    ("skimage", "data/ihc.png"),
    ("skimage", "data/retina.jpg"),
    ("sklearn", "datasets/images/china.jpg"),
    ("sklearn", "datasets/images/flower.jpg"),
    ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg"),
)

#: Those that show skin, fur, or something of that colour.
WARM_PHOTOS = tuple(
    PHOTOS[index]
    for index, (_, path) in enumerate(PHOTOS)
    if any(name in path for name in ("astronaut", "chelsea", "coffee", "ihc", "grace_hopper"))
)


def photo_path(package: str, path: str) -> Path:
    """Where a wheel keeps a photograph, found without importing the package.

    Raises:
        SystemExit: the package is not installed.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise SystemExit(
            f"{package} is not installed: "
            "`pip install --require-hashes -r requirements/model-calibrate.txt`."
        )
    return Path(spec.origin).parent / path


def ordinary(count: int, *, size: int, seed: int) -> Picture:
    """Random crops with small changes of light.

    Args:
        count: how many.
        size: height and width.
        seed: the same seed gives the same crops.

    Returns:
        uint8, count x size x size x 3, RGB.
    """
    return _cut(PHOTOS, _ordinary, count, size, seed)


def warm(count: int, *, size: int, seed: int) -> Picture:
    """Close crops of warm photographs, tinted and often blurred; see ``ordinary``."""
    return _cut(WARM_PHOTOS, _warm, count, size, seed)


def calibration(size: int) -> Picture:
    """The 140 pictures whose extremes become the ranges of the int8 models."""
    return np.concatenate([ordinary(80, size=size, seed=1), warm(60, size=size, seed=2)])


def _cut(
    photos: tuple[tuple[str, str], ...],
    change: Callable[[Image.Image, np.random.Generator], Image.Image],
    count: int,
    size: int,
    seed: int,
) -> Picture:
    draw = np.random.default_rng(seed)
    opened = [Image.open(photo_path(*photo)).convert("RGB") for photo in photos]
    pictures = [
        change(opened[index % len(opened)], draw).resize((size, size), Image.Resampling.BILINEAR)
        for index in range(count)
    ]
    return np.stack([np.asarray(picture, np.uint8) for picture in pictures])


def _ordinary(photo: Image.Image, draw: np.random.Generator) -> Image.Image:
    picture = _window(photo, draw, 0.5, 1.0)
    picture = ImageEnhance.Brightness(picture).enhance(draw.uniform(0.75, 1.25))
    return ImageEnhance.Contrast(picture).enhance(draw.uniform(0.75, 1.25))


def _warm(photo: Image.Image, draw: np.random.Generator) -> Image.Image:
    picture = _window(photo, draw, 0.12, 0.5)
    if draw.random() < 0.6:
        picture = picture.filter(ImageFilter.GaussianBlur(draw.uniform(0.5, 6.0)))
    tint = np.array([draw.uniform(1.0, 1.3), draw.uniform(0.85, 1.05), draw.uniform(0.55, 0.9)])
    tinted = np.asarray(picture, np.float64) * tint * draw.uniform(0.7, 1.2)
    return Image.fromarray(np.clip(np.rint(tinted), 0, 255).astype(np.uint8))


def _window(
    photo: Image.Image, draw: np.random.Generator, least: float, most: float
) -> Image.Image:
    side = round(min(photo.size) * draw.uniform(least, most))
    left = int(draw.integers(0, photo.width - side + 1))
    top = int(draw.integers(0, photo.height - side + 1))
    picture = photo.crop((left, top, left + side, top + side))
    return picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if draw.random() < 0.5 else picture
