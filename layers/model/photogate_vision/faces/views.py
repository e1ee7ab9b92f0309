"""Cuts what a network looks at out of a picture, and knows the way back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from photogate_vision.faces.boxes import Boxes

#: x0, y0, x1, y1 in pixels of the picture; may reach beyond it.
Region = tuple[float, float, float, float]


@dataclass(frozen=True, kw_only=True)
class View:
    """A part of a picture at a network's size; what lies outside the picture is black."""

    #: 8 bit, mode RGB.
    image: Image.Image
    #: The part that it shows.
    region: Region

    def in_picture(self, boxes: Boxes) -> Boxes:
        """Turn boxes in pixels of the view into boxes in pixels of the picture."""
        x0, y0, x1, y1 = self.region
        factor = np.array([(x1 - x0) / self.image.width, (y1 - y0) / self.image.height] * 2)
        return np.asarray(boxes * factor + np.array([x0, y0, x0, y0]), np.float32)


def whole(picture: Image.Image, *, side: int, multiple: int) -> View:
    """Show the whole picture, its longer side brought to ``side`` pixels.

    Args:
        picture: any size; a smaller one is enlarged.
        side: of the view, in pixels.
        multiple: right and bottom are filled up until both sides are multiples of this.
    """
    scale = side / max(picture.size)
    width, height = (-(-max(round(n * scale), 1) // multiple) * multiple for n in picture.size)
    return _view(picture, (0, 0, width / scale, height / scale), (width, height))


def letterbox(picture: Image.Image, *, side: int) -> View:
    """Show the whole picture in the middle of a square of ``side`` pixels."""
    half = max(picture.size) / 2
    x, y = picture.width / 2, picture.height / 2
    return _view(picture, (x - half, y - half, x + half, y + half), (side, side))


def close_up(picture: Image.Image, box: Boxes, *, scale: float, side: int) -> View:
    """Show a square around a box.

    Args:
        picture: holds at least a part of the box.
        box: 4 numbers in pixels of the picture.
        scale: side of the square in lengths of the box's longer side.
        side: of the view, in pixels.
    """
    x0, y0, x1, y1 = (float(number) for number in box)
    half = max(x1 - x0, y1 - y0) * scale / 2
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    return _view(picture, (x - half, y - half, x + half, y + half), (side, side))


def values(view: View) -> NDArray[np.float32]:
    """Bring a view into the networks' form.

    Returns:
        float32, 1 x 3 x height x width, RGB, -1..1.
    """
    pixels = np.asarray(view.image).transpose(2, 0, 1)[np.newaxis]
    # Into an array of the networks' own layout: faster than a copy afterwards.
    result = np.empty(pixels.shape, np.float32)
    np.multiply(pixels, np.float32(1 / 127.5), out=result)
    result -= np.float32(1)
    return result


def _view(picture: Image.Image, region: Region, size: tuple[int, int]) -> View:
    """Cut a region out; its borders inside the picture are rounded to pixels of the view."""
    x0, y0, x1, y1 = region
    left, right, from_x, to_x = _span(x0, x1, picture.width, size[0])
    top, bottom, from_y, to_y = _span(y0, y1, picture.height, size[1])
    part = picture.resize(
        (right - left, bottom - top),
        Image.Resampling.BILINEAR,
        box=(from_x, from_y, to_x, to_y),
        reducing_gap=2.0,
    )
    if part.size == size:
        return View(image=part, region=region)
    canvas = Image.new("RGB", size)
    canvas.paste(part, (left, top))
    return View(image=canvas, region=region)


def _span(start: float, end: float, length: int, pixels: int) -> tuple[int, int, float, float]:
    """Find what one axis of a region shows of a picture's axis.

    Returns:
        First and last pixel of the view that show the picture, and from where to where
        in the picture they do.
    """
    step = (end - start) / pixels
    first = min(max(round(-start / step), 0), pixels - 1)
    last = min(max(round((length - start) / step), first + 1), pixels)
    low = min(max(start + first * step, 0.0), length - 1.0)
    high = max(min(start + last * step, float(length)), low + 1.0)
    return first, last, low, min(high, float(length))
