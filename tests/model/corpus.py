"""Hostile and odd files, and how each must end under the preset ``profile``.

``python -m tests.model.corpus BUNDLE FACES`` judges all of them in one process.
"""

from __future__ import annotations

import json
import sys
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import cache, partial
from io import BytesIO
from pathlib import Path
from typing import TypeAlias

import numpy as np
import psutil
from PIL import Image, ImageCms

from local.samples import photograph
from photogate.policies import preset
from photogate.service.looking import judge
from photogate_vision.analyzer import VisionAnalyzer
from photogate_vision.decoding.sandbox import Sandbox
from photogate_vision.faces.detector import EmbeddedFaces
from tests.model.files import (
    ANIMATED,
    FORMATS,
    animation,
    black_png,
    display_p3,
    encoded,
    exif_bomb,
    gif,
    good,
    png,
    sixteen_bits,
    tagged,
    with_chunk,
    with_segment,
)

#: A name, what makes the file, and how it must end: ``status`` or ``status/reason``.
Case: TypeAlias = tuple[str, Callable[[], bytes], str]

APPROVED, UNREADABLE, TOO_LARGE = "approved", "rejected/unreadable", "rejected/too_large"
TOO_SMALL, BLANK = "rejected/too_small", "rejected/blank"

HTML = b"<html><script>alert(1)</script></html>"
PHP = b"<?php system($_GET['c']); ?>"


def portrait() -> Image.Image:
    """Give a photo that every preset approves."""
    return photograph("astronaut.png")


def corpus() -> Iterator[Case]:
    """Give every file; none is made before it is asked for, since pytest lists them all."""
    yield from _bombs()
    yield from _in_metadata()
    yield from _damaged()
    yield from _in_disguise()
    yield from _odd_pixels()
    yield from _odd_shapes()


def _bombs() -> Iterator[Case]:
    yield "144 MP in a small PNG", partial(black_png, 12_000, 12_000), TOO_LARGE
    yield "900 MP announced by a PNG", partial(png, (30_000, 30_000), b"", colour=2), TOO_LARGE
    yield "256 MP announced by an AVIF", partial(_stretched_avif, 16_000), TOO_LARGE
    yield "268 MP announced by a WebP", _stretched_webp, TOO_LARGE
    yield "4 GP announced by a JPEG", _stretched_jpeg, TOO_LARGE
    yield "4 GP announced by a GIF", partial(gif, (65_535,) * 2, [(0, 0, 1, 1)]), TOO_LARGE
    yield "GIF with a far frame", partial(gif, (9, 9), [(65_000, 65_000, 1, 1)]), TOO_LARGE
    yield "a million frames", partial(gif, (1, 1), [(0, 0, 1, 1)] * 1_000_000), TOO_LARGE
    yield "thousands of scans", _endless_scans, UNREADABLE


def _in_metadata() -> Iterator[Case]:
    yield "zTXt bomb", partial(_bomb_in_png, b"zTXt", b"Comment\0\0"), UNREADABLE
    yield "iCCP bomb", partial(_bomb_in_png, b"iCCP", b"Comment\0\0"), UNREADABLE
    yield "iTXt bomb", partial(_bomb_in_png, b"iTXt", b"Comment\0\1\0\0\0"), UNREADABLE
    yield "EXIF bomb in a PNG", lambda: with_chunk(_png(), b"eXIf", _large_exif()), APPROVED
    yield "EXIF bomb in a WebP", lambda: good(portrait(), "WEBP", exif=_large_exif()), APPROVED
    yield "EXIF bomb in a JPEG", _exif_bomb_in_jpeg, APPROVED
    yield "a million segments", _segments, APPROVED
    yield "damaged ICC", lambda: good(portrait(), "JPEG", icc_profile=b"nothing"), APPROVED
    yield "ICC of RGB on grey", _grey_with_icc_of_rgb, APPROVED
    yield "Display P3", _in_display_p3, APPROVED


def _damaged() -> Iterator[Case]:
    yield "0 bytes", bytes, UNREADABLE
    yield "1 byte", lambda: b"\xff", UNREADABLE
    yield "noise", lambda: np.random.default_rng(1).bytes(100_000), UNREADABLE
    for kind in FORMATS:
        for share in (0.02, 0.5, 0.95):
            yield f"{share:.0%} of a {kind}", partial(_beginning, kind, share), UNREADABLE


def _in_disguise() -> Iterator[Case]:
    yield "HTML behind", lambda: _good("JPEG") + HTML, APPROVED
    yield "HTML before", lambda: HTML + _good("JPEG"), UNREADABLE
    yield "ZIP behind", lambda: _good("JPEG") + _zip(b"shell.php", PHP), APPROVED
    yield "ZIP before", lambda: _zip(b"shell.php", PHP) + _good("JPEG"), UNREADABLE
    yield "PHP behind a GIF", lambda: encoded(portrait(), "GIF") + PHP, APPROVED
    yield "PHP in a JPEG", lambda: with_segment(_good("JPEG"), 0xFE, PHP), APPROVED
    yield "PHP in a PNG", lambda: with_chunk(_png(), b"tEXt", b"Comment\0" + PHP), APPROVED
    yield "a script that begins like a GIF", lambda: b"GIF89a/*" + HTML + b"*/=1;", UNREADABLE
    yield "HTML", lambda: HTML, UNREADABLE
    yield "SVG", lambda: b'<svg xmlns="http://www.w3.org/2000/svg"><path d="M0"/></svg>', UNREADABLE
    yield "MP4", lambda: b"\0\0\0\x18ftypisom\0\0\2\0isomiso2" + bytes(999), UNREADABLE
    for kind in ("PDF", "ICO", "BMP", "TIFF", "JPEG2000", "PPM", "TGA"):
        yield kind, partial(_portrait_as, kind), UNREADABLE


def _odd_pixels() -> Iterator[Case]:
    for mode, kind in (("CMYK", "JPEG"), ("L", "JPEG"), ("LA", "PNG"), ("RGBA", "PNG")):
        yield f"{mode} {kind}", partial(_converted, mode, kind), APPROVED
    yield "1 bit", lambda: encoded(portrait().convert("1"), "PNG"), APPROVED
    yield "16 bits of grey", _sixteen_bits_of_grey, APPROVED
    yield "16 bits of RGB", lambda: sixteen_bits(portrait()), APPROVED
    yield "palette", lambda: encoded(_few_colours(), "PNG"), APPROVED
    clear = {"transparency": 3}
    yield "palette with a clear colour", lambda: encoded(_few_colours(), "PNG", **clear), APPROVED
    yield "all clear", _all_clear, BLANK
    yield "progressive", lambda: good(portrait(), "JPEG", progressive=True), APPROVED


def _odd_shapes() -> Iterator[Case]:
    yield "1×1", lambda: encoded(Image.new("RGB", (1, 1)), "PNG"), TOO_SMALL
    yield "30,000×10", partial(black_png, 30_000, 10), TOO_SMALL
    yield "10×30,000", lambda: encoded(Image.new("RGB", (10, 30_000)), "JPEG"), TOO_SMALL
    for kind in ANIMATED:
        yield f"animated {kind}", partial(_fading, kind), APPROVED
        yield f"{kind} with a blank frame", partial(_with_blank_frame, kind), BLANK
    for kind in (kind for kind in FORMATS if kind != "GIF"):
        for number in range(1, 9):
            yield f"{kind}, orientation {number}", partial(_turned, kind, number), APPROVED


@cache
def _png() -> bytes:
    return encoded(portrait(), "PNG")


@cache
def _zeros() -> bytes:
    """Give 200 MB of zeros in 200 kB."""
    return zlib.compress(bytes(200_000_000), 9)


def _bomb_in_png(kind: bytes, head: bytes) -> bytes:
    return with_chunk(_png(), kind, head + _zeros())


@cache
def _large_exif() -> bytes:
    return exif_bomb(1_500_000)


def _exif_bomb_in_jpeg() -> bytes:
    return with_segment(_good("JPEG"), 0xE1, b"Exif\0\0" + exif_bomb(65_000))


def _segments() -> bytes:
    return _good("JPEG")[:2] + b"\xff\xe5\0\2" * 1_000_000 + _good("JPEG")[2:]


def _grey_with_icc_of_rgb() -> bytes:
    return good(portrait().convert("L"), "JPEG", icc_profile=display_p3())


def _in_display_p3() -> bytes:
    return good(in_display_p3(portrait()), "PNG", icc_profile=display_p3())


@cache
def _good(kind: str) -> bytes:
    return good(portrait(), kind)


def _beginning(kind: str, share: float) -> bytes:
    return _good(kind)[: int(len(_good(kind)) * share)]


def _portrait_as(kind: str) -> bytes:
    return encoded(portrait(), kind)


def _converted(mode: str, kind: str) -> bytes:
    return good(portrait().convert(mode), kind)


def _sixteen_bits_of_grey() -> bytes:
    grey = np.asarray(portrait().convert("L")).astype(np.uint16) * 257
    return encoded(Image.fromarray(grey), "PNG")


def _few_colours() -> Image.Image:
    return portrait().quantize(64)


def _all_clear() -> bytes:
    clear = portrait().convert("RGBA")
    clear.putalpha(0)
    return encoded(clear, "PNG")


def _fading(kind: str) -> bytes:
    return animation([portrait(), portrait().point(lambda level: level * 0.9)], kind)


def _with_blank_frame(kind: str) -> bytes:
    blank = Image.new("RGB", portrait().size, "teal")
    return animation([portrait(), blank, portrait()], kind)


def _turned(kind: str, orientation: int) -> bytes:
    return tagged(portrait(), kind, orientation)


def _stretched_avif(side: int) -> bytes:
    """Write another size into the header (ISO/IEC 23008-12, 6.5.3)."""
    data = encoded(portrait(), "AVIF")
    at = data.index(b"ispe") + 8
    return data[:at] + side.to_bytes(4, "big") * 2 + data[at + 8 :]


def _stretched_webp() -> bytes:
    """Put a small picture on a canvas of 16,384 × 16,384."""
    inner = encoded(portrait(), "WEBP")[12:]
    extended = b"VP8X\x0a\0\0\0\x02\0\0\0" + (16_383).to_bytes(3, "little") * 2
    control = b"ANIM\x06\0\0\0" + bytes(6)
    frame = bytes(6) + (511).to_bytes(3, "little") * 2 + bytes(4) + inner
    body = b"WEBP" + extended + control + b"ANMF" + len(frame).to_bytes(4, "little") + frame
    return b"RIFF" + len(body).to_bytes(4, "little") + body


def _stretched_jpeg() -> bytes:
    data = _good("JPEG")
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + b"\xff\xfe" * 2 + data[at + 4 :]


def _endless_scans() -> bytes:
    data = good(portrait(), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * 4_000 + data[-2:]


def _zip(name: bytes, body: bytes) -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name.decode(), body)
    return buffer.getvalue()


def in_display_p3(image: Image.Image) -> Image.Image:
    """Give the same colours as numbers of Display P3."""
    srgb, p3 = ImageCms.createProfile("sRGB"), ImageCms.ImageCmsProfile(BytesIO(display_p3()))
    converted = ImageCms.profileToProfile(image, srgb, p3)
    assert converted is not None
    return converted


def main(bundle: Path, faces: Path) -> None:
    """Judge every file in a sandbox; print how each ended and how long it took, as JSON.

    ``decoders`` counts the processes that it took: one, unless one died.
    """
    sandbox = Sandbox()
    analyzer = VisionAnalyzer(bundle, decode=sandbox.decode, faces=EmbeddedFaces(faces))
    endings, seconds, decoders = {}, {}, set()
    for name, make, _ in corpus():
        data = make()
        started = time.perf_counter()
        verdict, _ = judge(data, analyzer, preset("profile"))
        seconds[name] = time.perf_counter() - started
        endings[name] = "/".join(filter(None, (verdict.status.value, verdict.reason)))
        decoders |= {child.pid for child in psutil.Process().children()}
    told = {"endings": endings, "seconds": seconds, "decoders": len(decoders)}
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
