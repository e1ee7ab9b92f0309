"""Files that viewers and a careless decoder see differently: a gallery of originals.

Each is judged as Chromium shows it (``tests/browser/test_originals.py``), or goes to a person
by the measure that it names.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from local.samples import photograph
from tests.model.corpus import in_display_p3
from tests.model.files import (
    animation,
    bent_srgb,
    chunk,
    display_p3,
    encoded,
    good,
    grey_profile,
    png,
    sixteen_bits,
    swapped_colours,
    tagged,
    with_chunk,
    with_segment,
)


@dataclass(frozen=True, kw_only=True)
class Original:
    """One file."""

    name: str
    make: Callable[[], bytes]
    #: Media type.
    type: str
    #: What sends it to a person; None when it is judged as it is shown.
    measure: str | None = None
    #: How far what is shown may be from what is judged, in grey levels of 255.
    grey_levels: float = 4.0


#: A browser shows each for a while; they are of few kinds.
_SLOW_BUT_ONE_IN = 12
#: Chromium 156 takes opacity and sequences in AVIF for video levels, where the file does not
#: repeat its range beside them; libavif, Pillow and others go by the pixels' own header.
_VIDEO_LEVELS = 9.0


@cache
def picture() -> Image.Image:
    """Give a harmless crop that the model scores high, and differently in other colours."""
    return photograph("retina.jpg").crop((244, 70, 694, 520)).resize((448, 448))


def most_of_them_slow(originals: Iterable[Original]) -> list[Any]:
    """Give them as parameters: one in so many for ``make test``, the others slow."""
    return [
        pytest.param(
            each, id=each.name, marks=[pytest.mark.slow] if number % _SLOW_BUT_ONE_IN else []
        )
        for number, each in enumerate(originals)
    ]


@cache
def stills() -> tuple[Original, ...]:
    """Give pictures, each of which shows one thing on one page."""
    return (
        *_plain(),
        *_profiles(),
        *_png_colours(),
        *_avif_colours(),
        *_transparent(),
        *_shapes(),
    )


@cache
def animations() -> tuple[Original, ...]:
    """Give animations."""
    return (*_animations(),)


def _animations() -> Iterator[Original]:
    for kind, mime in (("GIF", "gif"), ("WEBP", "webp"), ("PNG", "png"), ("AVIF", "avif")):
        for name, make in (
            ("12 frames", partial(animation, _turning(12))),
            ("a square that wanders", _wandering),
            ("one other frame of a hundred", _hiding),
        ):
            levels = _VIDEO_LEVELS if kind == "AVIF" else 4.0
            yield _made(f"{kind}, {name}", partial(make, kind), mime, grey_levels=levels)
        unseen = "frames_unseen"
        yield _made(f"{kind}, a film", partial(animation, _film(), kind), mime, unseen)
        if kind != "AVIF":
            yield _made(f"{kind}, transparent", partial(_clear_frames, kind), mime)
    for disposal in (1, 2, 3):
        yield _made(f"GIF, disposal {disposal}", partial(_disposed, disposal), "gif")
        measure = "colour_unsure" if disposal > 1 else None
        yield _made(f"opaque GIF, disposal {disposal}", partial(_opaque, disposal), "gif", measure)
    yield _made("GIF, its first frame in a corner", _in_a_corner, "gif", "colour_unsure")
    yield _made("AVIF, another still picture", _other_still, "avif", grey_levels=_VIDEO_LEVELS)
    for side, measure in ((300, None), (448, "colour_unsure")):
        hidden = [photograph("coffee.png").resize((side, side)), *_turning(3)]
        make = partial(animation, hidden, "PNG", default_image=True)
        yield _made(f"APNG, a hidden picture of {side} pixels", make, "png", measure)


def _made(
    name: str,
    make: Callable[[], bytes],
    kind: str,
    measure: str | None = None,
    *,
    grey_levels: float = 4.0,
) -> Original:
    return Original(
        name=name,
        make=make,
        type=f"image/{kind}",
        measure=measure,
        grey_levels=grey_levels,
    )


def _plain() -> Iterator[Original]:
    for kind in ("JPEG", "PNG", "WEBP", "AVIF", "GIF"):
        yield _made(kind, partial(good, picture(), kind), kind.lower())
        if kind != "GIF":
            large = photograph("astronaut.png").resize((1500, 1500))
            yield _made(f"large {kind}", partial(good, large, kind), kind.lower())
        # Chromium 156 leaves a WebP as it lies; others turn it.
        if kind in ("JPEG", "PNG", "AVIF"):
            yield _made(f"turned {kind}", partial(tagged, picture(), kind, 6), kind.lower())
    yield _made("CMYK", lambda: good(picture().convert("CMYK"), "JPEG"), "jpeg")
    yield _made("grey", lambda: good(picture().convert("L"), "JPEG"), "jpeg")
    yield _made("16 bits", lambda: sixteen_bits(picture()), "png")
    yield _made("palette", lambda: encoded(picture().quantize(64), "PNG"), "png")
    xmp = b"http://ns.adobe.com/xap/1.0/\0<x hdrgm='http://ns.adobe.com/hdr-gain-map/1.0/'/>"
    yield _made(
        "JPEG with a gain map",
        lambda: with_segment(good(picture(), "JPEG"), 0xE1, xmp),
        "jpeg",
        "gain_map",
    )


def _profiles() -> Iterator[Original]:
    linear, grey = bent_srgb(_linear), picture().convert("L")
    wavy = bent_srgb(lambda n: n + 7 * math.sin(2 * math.pi * n / 51))
    spikes = bent_srgb(lambda n: n if n % 51 == 0 else 255 - n)
    for kind in ("JPEG", "PNG", "WEBP", "AVIF"):
        for name, profile, measure in (
            ("Display P3", display_p3(), None),
            ("swapped colours", swapped_colours(), None),
            ("a linear curve", linear, None),
            ("a negative", bent_srgb(lambda n: 255 - n), None),
            ("the identity at six levels", wavy, None),
            ("other levels between six", spikes, "colour_unsure"),
            ("code points inside", _with_code_points(), "colour_unsure"),
            ("a damaged curve", display_p3().replace(b"para", b"parx"), "colour_unsure"),
            ("no profile at all", b"nothing", None),
        ):
            if kind == "AVIF" and profile == b"nothing":
                continue  # which Chromium does not show at all
            yield _made(
                f"{kind}, {name}",
                partial(good, picture(), kind, icc_profile=profile),
                kind.lower(),
                measure,
            )
        for name, profile in (("RGB", linear), ("grey", grey_profile(1.0))):
            yield _made(
                f"grey {kind}, profile of {name}",
                partial(good, grey, kind, icc_profile=profile),
                kind.lower(),
            )
    # A PNG with one is unreadable: the text of none may be as long.
    too_large = display_p3().ljust(4_100_000, b"\0")
    yield _made(
        "JPEG, a large profile",
        lambda: good(picture(), "JPEG", icc_profile=too_large),
        "jpeg",
        "colour_unsure",
    )
    clear = grey.convert("LA")
    clear.putalpha(_fade())
    for name, profile in (("RGB", linear), ("grey", grey_profile(1.0))):
        yield _made(
            f"transparent grey PNG, profile of {name}",
            partial(encoded, clear, "PNG", icc_profile=profile),
            "png",
        )
    yield _made(
        "Display P3, converted",
        lambda: encoded(in_display_p3(picture()), "PNG", icc_profile=display_p3()),
        "png",
    )


def _png_colours() -> Iterator[Original]:
    plain = encoded(picture(), "PNG")
    p3 = (0.3127, 0.329, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06)
    chrm = (b"cHRM", struct.pack(">8I", *(round(number * 100_000) for number in p3)))
    srgb, unsure = (b"sRGB", b"\0"), "colour_unsure"

    def gama(level: int) -> tuple[bytes, bytes]:
        return b"gAMA", struct.pack(">I", level)

    def cicp(*points: int) -> tuple[bytes, bytes]:
        return b"cICP", bytes(points)

    for name, chunks, measure in (
        ("gAMA 1", [gama(100_000)], None),
        ("gAMA .6", [gama(60_000)], None),
        ("gAMA .45455", [gama(45_455)], None),
        ("gAMA 2.2", [gama(220_000)], unsure),
        ("gAMA 0", [gama(0)], unsure),
        ("gAMA twice", [gama(45_455), gama(100_000)], unsure),
        ("gAMA and cHRM", [gama(45_455), chrm], None),
        ("cHRM alone", [chrm], None),
        ("sRGB before gAMA", [srgb, gama(100_000)], None),
        ("gAMA before sRGB", [gama(100_000), srgb], None),
        ("cICP of P3", [cicp(12, 13, 0, 1)], None),
        ("cICP of video", [cicp(1, 1, 0, 1)], None),
        ("cICP of BT.2020", [cicp(9, 14, 0, 1)], None),
        ("cICP, linear", [cicp(1, 8, 0, 1)], None),
        ("cICP, PQ", [cicp(9, 16, 0, 1)], unsure),
        ("cICP, HLG", [cicp(9, 18, 0, 1)], unsure),
        ("cICP before gAMA", [cicp(1, 13, 0, 1), gama(100_000)], None),
    ):
        yield _made(f"PNG, {name}", partial(_with_chunks, plain, chunks), "png", measure)
    profiled = encoded(picture(), "PNG", icc_profile=swapped_colours())
    yield _made("PNG, iCCP and gAMA", lambda: with_chunk(profiled, *gama(100_000)), "png")
    yield _made("PNG, iCCP and cICP", lambda: with_chunk(profiled, *cicp(1, 13, 0, 1)), "png")


def _avif_colours() -> Iterator[Original]:
    plain = good(picture(), "AVIF")
    at = plain.index(b"colrnclx") + 8
    unsure = "colour_unsure"
    for name, primaries, curve, measure in (
        ("P3", 12, 13, None),
        ("BT.2020", 9, 14, None),
        ("video", 1, 1, None),
        ("unspecified", 2, 2, None),
        ("BT.601", 6, 6, None),
        ("linear", 1, 8, None),
        ("gamma 2.2", 1, 4, None),
        ("PQ", 9, 16, unsure),
        ("HLG", 9, 18, unsure),
        ("reserved", 1, 99, unsure),
    ):
        points = struct.pack(">HH", primaries, curve)
        data = plain[:at] + points + plain[at + 4 :]
        yield _made(f"AVIF, {name}", partial(bytes, data), "avif", measure)
    silent = plain.replace(b"colrnclx", b"freenclx")
    yield _made("AVIF that says nothing of its colours", lambda: silent, "avif", unsure)


def _transparent() -> Iterator[Original]:
    clear = picture().convert("RGBA")
    clear.putalpha(_fade())
    for kind in ("PNG", "WEBP", "AVIF"):
        levels = _VIDEO_LEVELS if kind == "AVIF" else 4.0
        for name, options in (("", {}), (", Display P3", {"icc_profile": display_p3()})):
            make = partial(good, clear, kind, **options)
            yield _made(f"{kind} that fades{name}", make, kind.lower(), grey_levels=levels)
    # What it shows is in its opacity alone: nothing on the page of the same colour.
    for name, colour in (("white", 255), ("black", 0)):
        shape = Image.new("RGBA", (448, 448), (colour,) * 3)
        shape.putalpha(picture().convert("L"))
        yield _made(f"a shape of {name}", partial(encoded, shape, "PNG"), "png")
    few = picture().quantize(16)
    yield _made("clear colour of a palette", lambda: encoded(few, "PNG", transparency=3), "png")
    yield _made("clear colour of a GIF", lambda: encoded(few, "GIF", transparency=3), "gif")
    shares = bytes(range(0, 256, 16))
    yield _made("palette of opacities", lambda: encoded(few, "PNG", transparency=shares), "png")
    grey = np.asarray(picture().convert("L"))
    rows = b"".join(b"\0" + row.tobytes() for row in grey)
    yield _made(
        "clear level of grey", lambda: png((448, 448), rows, colour=0, more=_clear(100)), "png"
    )
    deep = b"".join(b"\0" + (row.astype(">u2") * 257).tobytes() for row in grey)
    yield _made(
        "clear level of 16 bits",
        lambda: png((448, 448), deep, colour=0, depth=16, more=_clear(100 * 257)),
        "png",
        "colour_unsure",
    )
    coarse = grey >> 4
    packed = b"".join(b"\0" + (row[::2] << 4 | row[1::2]).tobytes() for row in coarse)
    yield _made(
        "clear level of 4 bits",
        lambda: png((448, 448), packed, colour=0, depth=4, more=_clear(8)),
        "png",
        "colour_unsure",
    )


def _shapes() -> Iterator[Original]:
    strip = photograph("coffee.png").resize((1200, 250))
    yield _made("a strip of 4.8:1", lambda: good(strip, "JPEG"), "jpeg", "aspect")
    tall = strip.transpose(Image.Transpose.ROTATE_90)
    yield _made("a strip of 1:4.8", lambda: good(tall, "PNG"), "png", "aspect")


def _linear(number: float) -> float:
    share = number / 255
    return 255 * (12.92 * share if share <= 0.0031308 else 1.055 * share ** (1 / 2.4) - 0.055)


def _with_code_points() -> bytes:
    """Give Display P3 with a tag ``cicp`` of PQ in place of its name (ICC.1:2022, 9.2.17)."""
    profile = display_p3()
    at = profile.index(b"cprt")
    place = int.from_bytes(profile[at + 4 : at + 8], "big")
    body = b"cicp" + bytes(4) + bytes((9, 16, 0, 1))
    entry = b"cicp" + struct.pack(">II", place, len(body))
    profile = profile[:at] + entry + profile[at + 12 :]
    return profile[:place] + body + profile[place + len(body) :]


def _with_chunks(data: bytes, chunks: list[tuple[bytes, bytes]]) -> bytes:
    for kind, body in reversed(chunks):
        data = with_chunk(data, kind, body)
    return data


def _clear(level: int) -> bytes:
    return chunk(b"tRNS", struct.pack(">H", level))


def _fade() -> Image.Image:
    return Image.linear_gradient("L").resize((448, 448))


def _turning(count: int) -> list[Image.Image]:
    return [picture().rotate(30 * number).resize((300, 300)) for number in range(count)]


def _film() -> list[Image.Image]:
    """Give frames that all differ, more than are looked at."""
    wide = photograph("coffee.png").resize((1500, 1000))
    return [wide.crop((10 * n, 5 * n, 10 * n + 240, 5 * n + 200)) for n in range(60)]


def _hiding(kind: str) -> bytes:
    frames = [photograph("coffee.png").resize((300, 200)) for _ in range(100)]
    for number, frame in enumerate(frames):
        frame.putpixel((number, number), (255, 0, 0))  # else encoders leave it out
    frames[50] = picture().resize((300, 200))
    return animation(frames, kind)


def _wandering(kind: str) -> bytes:
    frames = []
    for left in range(0, 200, 20):
        frames.append(photograph("coffee.png").resize((300, 200)))
        ImageDraw.Draw(frames[-1]).rectangle((left, 60, left + 60, 120), fill="red")
    return animation(frames, kind)


def _clear_frames(kind: str) -> bytes:
    frames = []
    for number in range(4):
        frame = picture().resize((300, 300)).convert("RGBA")
        alpha = Image.new("L", frame.size, 255)
        ImageDraw.Draw(alpha).ellipse((40 * number, 30, 40 * number + 150, 250), fill=0)
        frame.putalpha(alpha)
        frames.append(frame)
    return (
        animation(frames, kind, disposal=2 if kind == "GIF" else 1)
        if kind != "WEBP"
        else (animation(frames, kind, quality=95))
    )


def _in_a_corner() -> bytes:
    """Give two opaque frames, the first of which is smaller than the canvas."""
    data = bytearray(_opaque(1))
    at = data.index(b",")  # its place and size (GIF 89a, 20)
    while data[at + 1 : at + 9] != struct.pack("<4H", 0, 0, 300, 300):
        at = data.index(b",", at + 1)
    data[6:10] = struct.pack("<2H", 400, 400)
    return bytes(data)


def _opaque(disposal: int) -> bytes:
    """Give frames of which each but the first has a part only, and nothing is transparent."""
    frames = [Image.new("P", (300, 300), 1) for _ in range(4)]
    for number, frame in enumerate(frames):
        frame.putpalette([0, 90, 200, 250, 240, 80, 200, 30, 30])
        ImageDraw.Draw(frame).rectangle((60 * number, 40, 60 * number + 80, 200), fill=2)
    data = bytearray(
        encoded(
            frames[0],
            "GIF",
            save_all=True,
            append_images=frames[1:],
            duration=100,
            disposal=1,
            optimize=False,
        )
    )
    at = data.find(b"!\xf9\x04")
    while at >= 0:
        data[at + 3] = disposal << 2  # and no colour is transparent
        at = data.find(b"!\xf9\x04", at + 1)
    return bytes(data)


def _disposed(disposal: int) -> bytes:
    frames = []
    for number in range(4):
        frame = Image.new("RGBA", (300, 300))
        frame.paste(picture().resize((120, 120)), (45 * number, 60 * number))
        frames.append(frame)
    return animation(frames, "GIF", disposal=disposal)


def _other_still() -> bytes:
    other = photograph("coffee.png").resize((300, 300))
    return another_still(_turning(2), other)


def another_still(frames: list[Image.Image], still: Image.Image) -> bytes:
    """Give an animation's frames and another still picture in one AVIF.

    A sequence has a primary item, which is its first frame. Here the item's extent names the
    pixels of another picture, which stand at the end (ISO/IEC 14496-12, 8.11.3).
    """
    pixels, data = _mdat(encoded(still, "AVIF")), animation(frames, "AVIF", quality=75)
    extent = data.index(b"iloc") + 4 + 4 + 2 + 2 + 2 + 2 + 2
    place = struct.pack(">II", len(data) + 8, len(pixels))
    box = struct.pack(">I4s", len(pixels) + 8, b"mdat") + pixels
    return data[:extent] + place + data[extent + 8 :] + box


def _mdat(data: bytes) -> bytes:
    at = data.index(b"mdat")
    return data[at + 4 : at - 4 + int.from_bytes(data[at - 4 : at], "big")]
