"""Makes files of every kind, sound and hostile, out of pictures and single bytes."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

try:
    from pillow_heif import register_heif_opener
except ImportError:  # the extra `heic`
    HEIC = False
else:
    register_heif_opener()
    HEIC = True

FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "GIF", *(("HEIF",) if HEIC else ()))
ANIMATED = ("GIF", "WEBP", "PNG", "AVIF")
#: Enough of it that what differs is not the encoder's doing.
QUALITY: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 95},
    "WEBP": {"quality": 95},
    "AVIF": {"quality": 95, "speed": 8},
    "HEIF": {"quality": 95},
}
#: x265 takes seconds for a large photo; larger files do no harm here.
_FAST: dict[str, dict[str, Any]] = {"HEIF": {"enc_params": {"preset": "ultrafast"}}}

_UNDO = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **(_FAST.get(kind, {}) | options))
    return buffer.getvalue()


def good(image: Image.Image, kind: str, **options: Any) -> bytes:
    """Encode it so well that it measures alike."""
    return encoded(image, kind, **(QUALITY.get(kind, {}) | options))


def tagged(image: Image.Image, kind: str, orientation: int) -> bytes:
    """Store it turned, with the EXIF tag that turns it back."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    turned = image.transpose(_UNDO[orientation]) if orientation in _UNDO else image
    return good(turned, kind, exif=exif.tobytes())


def animation(frames: list[Image.Image], kind: str, **options: Any) -> bytes:
    options = {"duration": 100, **({"speed": 10} if kind == "AVIF" else {}), **options}
    return encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)


def chunk(kind: bytes, body: bytes) -> bytes:
    """Give a chunk of a PNG."""
    crc = zlib.crc32(kind + body)
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", crc)


def png(
    size: tuple[int, int], rows: bytes, *, colour: int, depth: int = 8, more: bytes = b""
) -> bytes:
    """Write a PNG by hand.

    Args:
        rows: each with its filter byte before it.
        colour: 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGB and alpha.
        more: chunks before the pixels.
    """
    header = struct.pack(">IIBBBBB", *size, depth, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + more
        + chunk(b"IDAT", zlib.compress(rows, 9))
        + chunk(b"IEND", b"")
    )


def black_png(width: int, height: int) -> bytes:
    """Give a grey PNG of this size whose pixels are all zero, in a few kilobytes."""
    return png((width, height), b"\0" * ((width + 1) * height), colour=0)


def with_chunk(data: bytes, kind: bytes, body: bytes) -> bytes:
    """Put a chunk behind the header of a PNG."""
    at = 8 + 25
    return data[:at] + chunk(kind, body) + data[at:]


def sixteen_bits(image: Image.Image) -> bytes:
    """Give a PNG of 16 bits a channel, which Pillow does not write."""
    values = np.asarray(image.convert("RGB")).astype(">u2") * 257
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    return png(image.size, rows, colour=2, depth=16)


def without_segment(jpeg: bytes, marker: int) -> bytes:
    """Take the segments of one marker, e.g. 0xEE, out of a JPEG."""
    at, kept = 2, [jpeg[:2]]
    while jpeg[at + 1] != 0xDA:
        end = at + 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
        if jpeg[at + 1] != marker:
            kept.append(jpeg[at:end])
        at = end
    return b"".join([*kept, jpeg[at:]])


def with_segment(jpeg: bytes, marker: int, body: bytes) -> bytes:
    """Put a segment behind the first bytes of a JPEG."""
    return jpeg[:2] + bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


def exif_bomb(size: int) -> bytes:
    """Give EXIF whose thousands of tags all have the same bytes as their value."""
    count = size // 24
    value_at = 10 + 12 * count + 4
    entries = [
        struct.pack(">HHII", 0x8000 + number % 0x7FFF, 7, size - value_at, value_at)
        for number in range(count)
    ]
    return (b"MM\0*\0\0\0\x08" + struct.pack(">H", count) + b"".join(entries)).ljust(size, b"x")


def gif(canvas: tuple[int, int], frames: list[tuple[int, int, int, int]]) -> bytes:
    """Write a GIF by hand; each frame (left, top, width, height) holds one pixel's data."""
    pixel = b"\x02\x02\x44\x01\0"  # LZW of a single 0
    head = b"GIF89a" + struct.pack("<HHBBB", *canvas, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    boxes = (b"," + struct.pack("<HHHHB", *box, 0) + pixel for box in frames)
    return head + b"".join(boxes) + b";"


#: Primaries, adapted to D50, as columns of red, green and blue.
_SRGB = ((0.43607, 0.22250, 0.01393), (0.38506, 0.71688, 0.09710), (0.14308, 0.06062, 0.71417))
_P3 = ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407))


def display_p3() -> bytes:
    """Give the ICC profile that phones write."""
    return _profile(_P3)


def swapped_colours() -> bytes:
    """Give an ICC profile whose red is blue, whose green is red, and whose blue is green."""
    return _profile((_SRGB[2], _SRGB[0], _SRGB[1]))


def bent_srgb(levels: Callable[[float], float]) -> bytes:
    """Give an ICC profile whose number n, 0..255, is what sRGB calls ``levels(n)``."""
    table = []
    for number in range(256):
        level = min(max(levels(number), 0), 255) / 255
        light = level / 12.92 if level <= 0.04045 else ((level + 0.055) / 1.055) ** 2.4
        table.append(round(light * 65535))
    return _profile(_SRGB, b"curv" + struct.pack(">II256H", 0, 256, *table))


def grey_profile(gamma: float) -> bytes:
    """Give an ICC profile of grey."""
    curve = b"curv" + struct.pack(">IIH", 0, 1, round(gamma * 256)) + b"\0\0"
    return _written(b"GRAY", {b"kTRC": curve})


def _profile(
    primaries: tuple[tuple[float, float, float], ...], curve: bytes | None = None
) -> bytes:
    """Write a matrix profile (ICC.1:2001-04), with sRGB's curve unless another is given."""
    if curve is None:
        curve = b"para" + bytes(4) + struct.pack(">HH", 3, 0)
        curve += _fixed(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
    named = zip((b"r", b"g", b"b"), primaries, strict=True)
    tags = {c + b"XYZ": b"XYZ " + bytes(4) + _fixed(*p) for c, p in named}
    return _written(b"RGB ", tags | {c + b"TRC": curve for c in (b"r", b"g", b"b")})


def _fixed(*numbers: float) -> bytes:
    return b"".join(struct.pack(">i", round(number * 65536)) for number in numbers)


def _written(space: bytes, more: dict[bytes, bytes]) -> bytes:
    name = b"made by a test\0"
    tags = {
        b"desc": b"desc" + bytes(4) + struct.pack(">I", len(name)) + name + bytes(78),
        b"cprt": b"text" + bytes(4) + b"none\0",
        b"wtpt": b"XYZ " + bytes(4) + _fixed(0.9642, 1.0, 0.8249),
        **more,
    }
    start, table, body = 132 + 12 * len(tags), b"", b""
    for tag, value in tags.items():
        table += tag + struct.pack(">II", start + len(body), len(value))
        body += value + bytes(-len(value) % 4)
    head = struct.pack(">I4sI", start + len(body), b"lcms", 0x02400000) + b"mntr" + space + b"XYZ "
    head = head.ljust(36, b"\0") + b"acsp"
    head = head.ljust(68, b"\0") + _fixed(0.9642, 1.0, 0.8249)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body
