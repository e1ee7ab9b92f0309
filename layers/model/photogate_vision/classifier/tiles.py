"""Which parts of a photo are looked at by themselves."""

from __future__ import annotations

from PIL import Image

#: x0, y0, x1, y1 as shares of width and height.
Box = tuple[float, float, float, float]

#: From so many pixels on, or where the longer side is so many times the shorter one, a part that
#: matters may be lost in the whole: at 224 pixels nothing is left of it.
LARGE_PIXELS = 500_000
LONG = 1.5
#: Share of a tile that it has in common with its neighbour.
_OVERLAP = 0.25


def are_worth_it(width: int, height: int) -> bool:
    """Tell whether a photo is so large or so long that a small part of it may matter."""
    return width * height >= LARGE_PIXELS or max(width, height) > LONG * min(width, height)


def boxes(width: int, height: int, side: int) -> list[Box]:
    """Cover a photo with ``side`` times ``side`` overlapping tiles, row by row.

    In long photos all of them stand in one row, where that makes them more like squares.
    """
    longer, shorter = max(width, height), min(width, height)
    in_one_row = longer > side * shorter
    along, across = (side * side, 1) if in_one_row else (side, side)
    columns, rows = (along, across) if width >= height else (across, along)
    return [
        (left, top, right, bottom)
        for top, bottom in _spans(rows)
        for left, right in _spans(columns)
    ]


def cut(image: Image.Image, box: Box) -> Image.Image:
    """Cut a part out, of one pixel at least."""
    x0, y0, x1, y1 = box
    left, top = int(x0 * image.width), int(y0 * image.height)
    right, bottom = round(x1 * image.width), round(y1 * image.height)
    return image.crop((left, top, max(right, left + 1), max(bottom, top + 1)))


def _spans(count: int) -> list[tuple[float, float]]:
    step = 1 - _OVERLAP
    length = 1 / (1 + step * (count - 1))
    return [(n * step * length, min(n * step * length + length, 1.0)) for n in range(count)]
