"""Files that show viewers one thing and a careless decoder another, for trying copies of them.

Those of ``originals``, and files with several pictures in them. ``marked`` gives a file with words
in every place that a format has for words.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterator
from functools import partial
from io import BytesIO

from PIL import Image, PngImagePlugin

from local.samples import jpeg, photograph
from tests.model.files import (
    animation,
    bent_srgb,
    display_p3,
    encoded,
    good,
    swapped_colours,
    with_chunk,
    with_segment,
)
from tests.model.originals import Original, animations, picture, stills

#: Stands in every marked place, which the rest of the word names.
MARK = b"photogate-marker-"
#: Words that may be in a photo and in no copy. GPS and serial numbers are EXIF.
MARKED_FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "HEIF")


def gallery() -> Iterator[Original]:
    """Give every file."""
    yield from stills()
    yield from animations()
    yield from _several_pictures()


def _several_pictures() -> Iterator[Original]:
    other = photograph("coffee.png").resize((448, 448))
    for name, make, kind in (
        ("MPO", partial(animation, [picture(), other], "MPO"), "jpeg"),
        ("JPEG, another in its EXIF", partial(_with_thumbnail, other), "jpeg"),
        ("JPEG, another behind its end", lambda: jpeg(picture()) + jpeg(other), "jpeg"),
        (
            "JPEG, a page behind its end",
            lambda: jpeg(picture()) + b"<script>alert(1)</script>",
            "jpeg",
        ),
        ("PNG, a ZIP behind its end", lambda: encoded(picture(), "PNG") + _zip(), "png"),
        ("GIF that is JavaScript", _gif_of_javascript, "gif"),
        ("PNG, a page in its text", _png_with_page, "png"),
        ("WebP, a chunk more", partial(_webp_with_chunk, other), "webp"),
        ("CMYK of Adobe", _cmyk_of_adobe, "jpeg"),
        ("large CMYK", lambda: good(_large().convert("CMYK"), "JPEG"), "jpeg"),
        ("large, Display P3", lambda: good(_large(), "JPEG", icc_profile=display_p3()), "jpeg"),
        (
            "large PNG, swapped",
            lambda: encoded(_large(), "PNG", icc_profile=swapped_colours()),
            "png",
        ),
        ("large and transparent", _large_and_clear, "png"),
    ):
        yield Original(name=name, make=make, type=f"image/{kind}")


def two_faced() -> bytes:
    """Give a PNG whose fine pattern has another mean before its colours are converted than after.

    What is judged is reduced first; a viewer converts first.
    """
    size = 1400
    wide = picture().resize((size, size))
    pattern = Image.effect_noise((size, size), 100).point(lambda level: 255 * (level > 128))
    dark = Image.blend(wide, Image.merge("RGB", [pattern] * 3), 0.8)
    return encoded(dark, "PNG", icc_profile=bent_srgb(lambda n: 255 * (n / 255) ** 0.25))


def marked(kind: str) -> bytes:
    """Give a photo with marks in all of its metadata and behind its end."""

    def mark(place: bytes) -> str:
        return (MARK + place).decode()

    exif = Image.Exif()
    exif[0x010F], exif[0x0131], exif[0x013B] = mark(b"maker"), mark(b"software"), mark(b"artist")
    exif[0x8298], exif[0x010E] = mark(b"copyright"), mark(b"description")
    inner = exif.get_ifd(0x8769)
    inner[0xA431], inner[0xA435], inner[0x9286] = mark(b"serial"), mark(b"lens"), mark(b"comment")
    places = exif.get_ifd(0x8825)
    places[0x0001], places[0x001B] = "N", mark(b"gps")
    profile = display_p3().replace(b"made by a test\0", MARK[:14] + b"\0")
    xmp = b"<x:xmpmeta>" + MARK + b"xmp</x:xmpmeta>"
    image = photograph("astronaut.png")
    if kind == "JPEG":
        data = encoded(
            image,
            kind,
            exif=exif.tobytes(),
            icc_profile=profile,
            xmp=xmp,
            comment=MARK + b"comment",
        )
        data = with_segment(data, 0xED, b"Photoshop 3.0\0" + MARK + b"iptc")
        data = with_segment(data, 0xEC, b"Ducky" + MARK + b"app12")
        small = encoded(image.resize((160, 160)), "JPEG", comment=MARK + b"thumbnail")
        data = with_segment(data, 0xE1, _thumbnail(small))
    elif kind == "PNG":
        text = PngImagePlugin.PngInfo()
        text.add_text("Comment", mark(b"text"))
        text.add_itxt("XML:com.adobe.xmp", xmp.decode())
        text.add_text("Author", mark(b"compressed"), zip=True)
        data = encoded(image, kind, exif=exif.tobytes(), icc_profile=profile, pnginfo=text)
        data = with_chunk(data, b"prVt", MARK + b"private")
    elif kind == "GIF":
        data = encoded(image, kind, comment=MARK + b"comment")
        block = b"!\xff\x0bXMP DataXMP" + bytes((len(xmp),)) + xmp + b"\0"
        data = data[:-1] + block + b";"
    else:
        data = encoded(image, kind, exif=exif.tobytes(), icc_profile=profile, xmp=xmp)
    if kind in ("AVIF", "HEIF"):
        return data + struct.pack(">I4s", 8 + len(MARK) + 3, b"free") + MARK + b"end"
    return data + MARK + b"end"


def _with_thumbnail(other: Image.Image) -> bytes:
    return with_segment(jpeg(picture()), 0xE1, _thumbnail(jpeg(other.resize((160, 160)))))


def _thumbnail(small: bytes) -> bytes:
    """Give EXIF that holds a JPEG as its thumbnail (EXIF 2.32, 4.5.5)."""
    second = 8 + 2 + 4
    place = second + 2 + 3 * 12 + 4
    tiff = b"MM\0*\0\0\0\x08" + struct.pack(">HI", 0, second)
    tiff += struct.pack(">H", 3)
    for tag, kind, value in ((0x0103, 3, 6 << 16), (0x0201, 4, place), (0x0202, 4, len(small))):
        tiff += struct.pack(">HHII", tag, kind, 1, value)
    return b"Exif\0\0" + tiff + bytes(4) + small


def _zip() -> bytes:

    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("index.html", "<script>alert(1)</script>")
    return buffer.getvalue()


def _gif_of_javascript() -> bytes:
    comment = b"*/=1;alert(1);/*"
    return encoded(picture(), "GIF", comment=comment)


def _png_with_page() -> bytes:
    return with_chunk(encoded(picture(), "PNG"), b"tEXt", b"Comment\0<script>alert(1)</script>")


def _webp_with_chunk(other: Image.Image) -> bytes:
    """Give a WebP with another one in a chunk that nobody knows."""
    data = good(picture(), "WEBP", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0")
    hidden = good(other, "WEBP")
    body = data[8:] + b"hIdE" + struct.pack("<I", len(hidden)) + hidden + bytes(len(hidden) % 2)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _cmyk_of_adobe() -> bytes:
    return with_segment(
        good(picture().convert("CMYK"), "JPEG"), 0xEE, b"Adobe" + struct.pack(">HHHB", 100, 0, 0, 0)
    )


def _large() -> Image.Image:
    return picture().resize((2500, 2500))


def _large_and_clear() -> bytes:
    image = _large().convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    return encoded(image, "PNG")
