"""What a file announces, read before any decoder is asked.

Where asking the decoder would already cost too much (GIF, WebP), or where it believes one
number while viewers go by another (PNG).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

#: Brands of HEIF files whose pictures are HEVC (ISO/IEC 23008-12, annex B; ``heim`` and
#: the like are its layered kinds).
_HEVC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"})
#: Encoders fill blocks of 255 bytes and chunks of kilobytes. More parts than this are made
#: to keep a reader busy.
_MOST_PARTS = 250_000


class Malformed(Exception):
    """The container contradicts its format. ``str(error)`` is one line."""


@dataclass(frozen=True, kw_only=True)
class Announced:
    """What the container says, for its decoder to keep to."""

    #: Width and height of the canvas, in pixels; None where the decoder is to be asked.
    canvas: tuple[int, int] | None
    #: None where the decoder is to be asked.
    frames: int | None
    #: Whether viewers clear parts of frames that our decoder fills with a colour (GIF).
    ambiguous: bool = False


def announced(data: bytes) -> Announced:
    """Read the header, and where frames can only be counted by walking, walk.

    Takes below a second for 20 MB of the worst.

    Raises:
        Malformed: it is no file of the kind that its first bytes name.
    """
    try:
        if data.startswith((b"GIF87a", b"GIF89a")):
            return _gif(data)
        if data.startswith(b"\x89PNG\r\n\x1a\n"):
            return Announced(canvas=None, frames=_png_frames(data))
        if data.startswith(b"RIFF") and data[8:16] == b"WEBPVP8X":
            width, height = (int.from_bytes(data[at : at + 3], "little") + 1 for at in (24, 27))
            return Announced(canvas=(width, height), frames=None)
    except (struct.error, IndexError) as error:
        raise Malformed("it ends in the middle") from error
    return Announced(canvas=None, frames=None)


def is_heic(data: bytes) -> bool:
    """Tell whether the bytes say that they are a HEIF file of HEVC pictures."""
    if data[4:8] != b"ftyp":
        return False
    end = min(int.from_bytes(data[:4], "big"), 256)
    brands = {data[8:12], *(data[at : at + 4] for at in range(16, end, 4))}
    return bool(brands & _HEVC_BRANDS) and not brands & {b"avif", b"avis"}


def as_sequence(data: bytes) -> bytes:
    """Give a file that Pillow reads as an animation, where an AVIF has one and a still.

    Viewers go by the first brand, or by what they can show; the decoder by the brand alone.
    """
    return data if as_still(data) is None else data[:8] + b"avis" + data[12:]


def as_still(data: bytes) -> bytes | None:
    """Give a file that Pillow reads as a still picture; None where there is no other one."""
    if data[4:12] not in (b"ftypavis", b"ftypavif") or b"moov" not in data or b"pitm" not in data:
        return None
    return data[:8] + b"avif" + data[12:]


def _gif(data: bytes) -> Announced:
    """Walk the blocks (GIF 89a, 18 to 26). Frames may reach beyond the canvas and widen it."""
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    at, frames, parts = 13 + _colour_table_bytes(flags), 0, 0
    canvas, control, partial, filled = (0, 0, width, height), 0, False, False
    while at < len(data) and data[at] != 0x3B:
        if data[at] == 0x00:  # padding, as some encoders leave
            at += 1
            continue
        if data[at] == 0x2C:
            left, top, wide, high, flags = struct.unpack_from("<HHHHB", data, at + 1)
            width, height, frames = max(width, left + wide), max(height, top + high), frames + 1
            at += 11 + _colour_table_bytes(flags)
            # What is not transparent is disposed of by clearing it, or nothing was before it.
            opaque, disposal = not control & 1, control >> 2 & 7
            covers = (left, top, wide, high) == canvas
            partial |= not covers
            filled |= opaque and (disposal == 2 or (frames == 1 and (disposal == 3 or not covers)))
            control = 0
        elif data[at] == 0x21:
            if data[at + 1 : at + 3] == b"\xf9\x04":
                control = data[at + 3]
            at, parts = at + 2, parts + 1
        else:
            raise Malformed("there is something else where a GIF's next block should begin")
        # The first block comes with every frame; frames are for the caller to bound.
        at += data[at] + 1 if data[at] else 0
        while length := data[at]:
            at, parts = at + length + 1, parts + 1
        at += 1
        if parts > _MOST_PARTS:
            raise Malformed(f"a GIF of more than {_MOST_PARTS} blocks")
    return Announced(canvas=(width, height), frames=frames, ambiguous=partial and filled)


def _colour_table_bytes(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _png_frames(data: bytes) -> int:
    """Count what an APNG shows: its frames, and the picture for who knows no APNG."""
    at, parts, frames, shown_apart, animated = 8, 0, 0, False, False
    while at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        if kind == b"IEND":
            break
        if kind == b"acTL":
            animated = True
        elif kind == b"IDAT" and not frames:
            shown_apart = True
        elif kind == b"fcTL":
            frames += 1
        at, parts = at + 12 + length, parts + 1
        if parts > _MOST_PARTS:
            raise Malformed(f"a PNG of more than {_MOST_PARTS} chunks")
    return frames + shown_apart if animated else 1
