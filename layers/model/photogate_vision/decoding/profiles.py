"""Writes ICC profiles for what files say of their colours in other words.

PNG has ``gAMA``, ``cHRM`` and ``cICP``, AVIF and HEIC have ``nclx``. As a profile each of them
takes the same way to sRGB as any other.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import TypeAlias

#: x and y of white, red, green and blue.
Primaries: TypeAlias = tuple[float, float, float, float, float, float, float, float]
#: Parameters of an ICC curve: g alone, or g, a, b, c, d (ICC.1:2022, 10.18).
Curve: TypeAlias = tuple[float, ...]
_Matrix: TypeAlias = tuple[tuple[float, ...], ...]

_D65 = (0.3127, 0.3290)
BT709: Primaries = (*_D65, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
#: By the code of ISO/IEC 23091-2 (ITU-T H.273), table 2.
PRIMARIES: dict[int, Primaries] = {
    1: BT709,
    5: (*_D65, 0.64, 0.33, 0.29, 0.60, 0.15, 0.06),
    6: (*_D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    7: (*_D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    9: (*_D65, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),
    12: (*_D65, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
}
SRGB_CURVE: Curve = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
#: What screens make of video (ITU-R BT.1886); browsers take it, and not a camera's curve.
_VIDEO_CURVE: Curve = (2.4,)
#: By the code of table 3 there. Those for high dynamic range (16, 18) are no curves to sRGB.
CURVES: dict[int, Curve] = {
    1: _VIDEO_CURVE,
    4: (2.2,),
    5: (2.8,),
    6: _VIDEO_CURVE,
    8: (1.0,),
    13: SRGB_CURVE,
    14: _VIDEO_CURVE,
    15: _VIDEO_CURVE,
}

_D50 = (0.9642, 1.0, 0.8249)
#: Bradford's cone responses (ICC.1:2022, annex E).
_CONES: _Matrix = (
    (0.8951, 0.2664, -0.1614),
    (-0.7502, 1.7135, 0.0367),
    (0.0389, -0.0685, 1.0296),
)


@lru_cache(maxsize=8)
def matrix_profile(primaries: Primaries, curve: Curve) -> bytes:
    """Give a profile of three primaries and one curve (ICC.1:2001-04, 6.3.1.2).

    Raises:
        ValueError: nothing can be shown with these primaries.
    """
    white, *colours = (_xyz(*primaries[at : at + 2]) for at in (0, 2, 4, 6))
    columns = _transposed(tuple(colours))
    amounts = _times(_inverse(columns), white)
    lit = [tuple(part * amount for part in c) for c, amount in zip(colours, amounts, strict=True)]
    seen = [_to_d50(colour, white) for colour in lit]
    kind = 0 if len(curve) == 1 else 3
    shape = b"para" + struct.pack(">IHH", 0, kind, 0) + _fixed(*curve)
    tags = {b"wtpt": b"XYZ " + bytes(4) + _fixed(*_D50)}
    for name, colour in zip((b"r", b"g", b"b"), seen, strict=True):
        tags[name + b"XYZ"] = b"XYZ " + bytes(4) + _fixed(*colour)
        tags[name + b"TRC"] = shape
    return _written(tags)


def _to_d50(colour: tuple[float, ...], white: tuple[float, ...]) -> tuple[float, ...]:
    """Give what ``colour`` is to an eye that is used to D50 instead of ``white``."""
    cones = _times(_CONES, white)
    if min(cones) <= 0:
        raise ValueError("a white that no eye sees")
    pairs = zip(_times(_CONES, colour), _times(_CONES, _D50), cones, strict=True)
    return _times(_inverse(_CONES), tuple(c * there / here for c, there, here in pairs))


def _written(tags: dict[bytes, bytes]) -> bytes:
    start, table, body = 132 + 12 * len(tags), b"", b""
    for tag, value in tags.items():
        table += tag + struct.pack(">II", start + len(body), len(value))
        body += value
    head = struct.pack(">I4xI", start + len(body), 0x02400000) + b"mntrRGB XYZ "
    head = head.ljust(36, b"\0") + b"acsp"
    head = head.ljust(68, b"\0") + _fixed(*_D50)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def _fixed(*numbers: float) -> bytes:
    try:
        return b"".join(struct.pack(">i", round(number * 65536)) for number in numbers)
    except struct.error as error:
        raise ValueError("numbers too large for a profile") from error


def _xyz(x: float, y: float) -> tuple[float, float, float]:
    if y <= 0:
        raise ValueError("a colour without light")
    return x / y, 1.0, (1 - x - y) / y


def _times(matrix: _Matrix, vector: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(sum(m * v for m, v in zip(row, vector, strict=True)) for row in matrix)


def _transposed(matrix: _Matrix) -> _Matrix:
    return tuple(zip(*matrix, strict=True))


def _inverse(matrix: _Matrix) -> _Matrix:
    (a, b, c), (d, e, f), (g, h, i) = matrix
    cofactors = (
        (e * i - f * h, c * h - b * i, b * f - c * e),
        (f * g - d * i, a * i - c * g, c * d - a * f),
        (d * h - e * g, b * g - a * h, a * e - b * d),
    )
    determinant = a * cofactors[0][0] + b * cofactors[1][0] + c * cofactors[2][0]
    if abs(determinant) < 1e-9:
        raise ValueError("three primaries on one line")
    return tuple(tuple(number / determinant for number in row) for row in cofactors)
