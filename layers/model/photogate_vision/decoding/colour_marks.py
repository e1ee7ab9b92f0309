"""What a file says of its colours, in whichever words its format has for it.

Where several say something, the one counts that browsers go by: ``cICP`` before ``iCCP``
before ``sRGB`` before ``gAMA`` and ``cHRM`` in a PNG (Chromium 156 and PNG, third edition,
4.3), a profile before ``nclx`` in an AVIF. What viewers show otherwise, or what cannot be
brought to sRGB here, is told: a person looks then.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image

from photogate_vision.decoding.containers import announced
from photogate_vision.decoding.profiles import (
    BT709,
    CURVES,
    PRIMARIES,
    matrix_profile,
)


@dataclass(frozen=True, kw_only=True)
class Marks:
    """What there is to know before colours are converted."""

    #: ICC profile to be applied; None where the numbers are sRGB.
    profile: bytes | None = None
    #: Whether the file says something that is not followed here.
    unsure: bool = False
    #: Whether a second picture inside tells brighter screens what to show instead.
    gain_map: bool = False


def colour_marks(data: bytes, source: Image.Image, kind: str) -> Marks:
    """Read what the file says of its colours.

    Args:
        data: the whole file.
        source: as Pillow opened it.
        kind: its format, as in ``Picture.format``.
    """
    found = source.info.get("icc_profile")
    profile = found if isinstance(found, bytes) and found else None
    match kind:
        case "JPEG":
            return _of_jpeg(data, source, profile)
        case "PNG":
            return _of_png(data, profile)
        case "WEBP":
            # A bit of its header promises a profile.
            promised = data[12:16] == b"VP8X" and bool(data[20] & 0x20)
            return Marks(profile=profile, unsure=promised and profile is None)
        case "AVIF" | "HEIC":
            return _of_heif(data, profile)
        case "GIF":
            return Marks(unsure=announced(data).ambiguous)
    return Marks()


#: In the XMP or an APP2 of a JPEG (Ultra HDR 1.1; ISO 21496-1), and of Apple's second pictures.
_GAIN_MAPS = (
    b"ns.adobe.com/hdr-gain-map/",
    b"urn:iso:std:iso:ts:21496:-1",
    b"urn:com:apple:photo:2020:aux:hdrgainmap",
)


def _of_jpeg(data: bytes, source: Image.Image, profile: bytes | None) -> Marks:
    segments = [body for _, body in getattr(source, "applist", ())]
    promised = any(body.startswith(b"ICC_PROFILE\0") for body in segments)
    several = source.format == "MPO"
    gain_map = any(
        name in part for name in _GAIN_MAPS for part in ([data] if several else segments)
    )
    return Marks(profile=profile, unsure=promised and profile is None, gain_map=gain_map)


def _of_png(data: bytes, profile: bytes | None) -> Marks:
    chunks, unsure = _png_chunks(data)
    gain_map = b"gmAP" in chunks
    colour, depth = data[25], data[24]
    # Pillow compares the clear colour with levels that were scaled to 8 bits.
    unsure |= b"tRNS" in chunks and depth != 8 and colour in (0, 2)
    unsure |= b"iCCP" in chunks and profile is None
    if (points := chunks.get(b"cICP")) is not None:
        stated = _of_points(*points[:2]) if len(points) == 4 and points[2] == 0 else None
        return Marks(profile=stated, unsure=unsure or stated is None, gain_map=gain_map)
    if profile is None and b"sRGB" not in chunks and b"gAMA" in chunks:
        profile, sound = _of_gamma(chunks[b"gAMA"], chunks.get(b"cHRM"))
        unsure |= not sound
    return Marks(profile=profile, unsure=unsure, gain_map=gain_map)


_COLOURS = frozenset({b"cICP", b"iCCP", b"sRGB", b"gAMA", b"cHRM"})


def _png_chunks(data: bytes) -> tuple[dict[bytes, bytes], bool]:
    """Give the chunks before the pixels that matter here, and whether readers may differ."""
    chunks: dict[bytes, bytes] = {}
    unsure = False
    for kind, body, crc in _walked(data):
        if kind == b"IDAT":
            break
        if kind in _COLOURS or kind in (b"tRNS", b"gmAP"):
            # Given twice, behind the palette, or damaged: some take it, some leave it.
            unsure |= kind in chunks or zlib.crc32(kind + body).to_bytes(4, "big") != crc
            unsure |= kind in _COLOURS and b"PLTE" in chunks
            chunks.setdefault(kind, body)
        elif kind in (b"PLTE", b"acTL", b"fcTL"):
            chunks[kind] = b""
    if b"acTL" in chunks and b"fcTL" not in chunks:
        # The hidden picture stands below the first frame, as Pillow has it; not in browsers.
        first = next((body for kind, body, _ in _walked(data) if kind == b"fcTL"), b"")
        unsure |= first[4:20] != data[16:24] + bytes(8) or first[25:26] != b"\0"
    return chunks, unsure


def _walked(data: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Give kind, body and checksum of each chunk of a PNG."""
    at = 8
    while at + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 8 + length
        yield kind, data[at + 8 : end] if kind != b"IDAT" else b"", data[end : end + 4]
        at = end + 4


#: What PNGs of sRGB say (PNG, 11.3.2.2), and how far from it makers round.
_SRGB_GAMMA, _ROUNDING = 45_455, 50


def _of_gamma(gamma: bytes, chromaticities: bytes | None) -> tuple[bytes | None, bool]:
    """Give the profile that ``gAMA`` and ``cHRM`` stand for, and whether they make sense."""
    if len(gamma) != 4 or (chromaticities is not None and len(chromaticities) != 32):
        return None, False
    (level,) = struct.unpack(">I", gamma)
    if chromaticities is None:
        if abs(level - _SRGB_GAMMA) <= _ROUNDING:
            return None, True
        primaries = BT709
    else:
        x = [number / 100_000 for number in struct.unpack(">8I", chromaticities)]
        primaries = (x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7])
    try:
        return matrix_profile(primaries, (100_000 / level,)), True
    except (ValueError, ZeroDivisionError):
        return None, False


def _of_heif(data: bytes, profile: bytes | None) -> Marks:
    """Look for boxes anywhere: of which picture or track they are does not matter then."""
    gain_map = b"tmap" in data[:_HEADER_BYTES] or _GAIN_MAPS[2] in data[:_HEADER_BYTES]
    if profile is not None:
        return Marks(profile=profile, gain_map=gain_map)
    points, at = set(), data.find(_NCLX)
    while at >= 0:
        points.add(bytes(data[at + 8 : at + 12]))
        at = data.find(_NCLX, at + 8)
    if b"colrprof" in data or len(points) != 1 or len(point := points.pop()) != 4:
        return Marks(unsure=True, gain_map=gain_map)
    primaries, curve = struct.unpack(">HH", point)
    stated = _of_points(
        1 if primaries == _UNSPECIFIED else primaries, 13 if curve in _AS_SRGB else curve
    )
    return Marks(profile=stated, unsure=stated is None, gain_map=gain_map)


_NCLX = b"colrnclx"
#: Boxes with names of items lie before the pixels.
_HEADER_BYTES = 65_536
_UNSPECIFIED = 2
#: Curves that browsers take for sRGB's in a picture (Chromium 156): unspecified and video's.
_AS_SRGB = frozenset({1, _UNSPECIFIED, 6, 14, 15})


def _of_points(primaries: int, curve: int) -> bytes | None:
    """Give the profile of two code points; None where there is none."""
    if primaries not in PRIMARIES or curve not in CURVES:
        return None
    return matrix_profile(PRIMARIES[primaries], CURVES[curve])
