"""From bytes to an upright picture: formats, modes, orientations, and what is refused."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from local.samples import photograph
from photogate.errors import PhotoRefused
from photogate_vision.decode import decode
from photogate_vision.quality import blur_variance, canonical_grey


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    """600 × 400 pixels, different in every corner."""
    return photograph("coffee.png").resize((600, 400))


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def distance(a: Image.Image, b: Image.Image) -> float:
    """Mean absolute difference of two pictures, in grey levels of 255."""
    small = [np.asarray(i.convert("RGB").resize((64, 64)), dtype=np.int16) for i in (a, b)]
    return float(np.abs(small[0] - small[1]).mean())


def refusal(data: bytes) -> tuple[str, str]:
    with pytest.raises(PhotoRefused) as caught:
        decode(data)
    return caught.value.reason, str(caught.value)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "GIF"])
def test_every_format_shows_the_same_picture(photo: Image.Image, kind: str) -> None:
    picture = decode(encoded(photo, kind))
    assert (picture.format, picture.width, picture.height) == (kind, 600, 400)
    assert picture.image.mode == "RGB"
    assert distance(picture.image, photo) < 4


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_orientation_is_applied(photo: Image.Image, orientation: int, kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    tagged = photo.copy()
    tagged.info["exif"] = exif.tobytes()
    expected = ImageOps.exif_transpose(
        Image.open(BytesIO(encoded(photo, "PNG", exif=exif.tobytes())))
    )
    picture = decode(encoded(photo, kind, exif=exif.tobytes()))
    assert (picture.width, picture.height) == expected.size
    assert picture.image.size == expected.size
    assert distance(picture.image, expected) < 3


@pytest.mark.parametrize(
    ("mode", "kind", "most"),
    [
        ("L", "PNG", 2),
        ("LA", "PNG", 2),
        ("P", "PNG", 6),
        ("RGBA", "PNG", 1),
        ("1", "PNG", 60),
        ("CMYK", "JPEG", 8),
        ("L", "JPEG", 3),
        ("RGBA", "WEBP", 3),
    ],
)
def test_every_mode_becomes_rgb(photo: Image.Image, mode: str, kind: str, most: float) -> None:
    source = photo.convert(mode)
    picture = decode(encoded(source, kind))
    assert picture.image.mode == "RGB"
    assert distance(picture.image, source) < most


@pytest.mark.parametrize("size", [(1300, 950), (60, 9000), (9000, 60)])
@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_every_mode_can_be_reduced(photo: Image.Image, mode: str, size: tuple[int, int]) -> None:
    large = photo.resize(size)
    if mode.startswith("I"):
        source = Image.fromarray(np.asarray(large.convert("L")).astype(np.uint16) * 257)
        shown = large.convert("L")
    else:
        source = shown = large.convert("RGBA").convert(mode) if "A" in mode else large.convert(mode)
    picture = decode(encoded(source, "PNG"))
    assert picture.image.mode == "RGB"
    assert distance(picture.image, shown) < (60 if mode == "1" else 8)


def test_sixteen_bits_are_scaled_not_clipped(photo: Image.Image) -> None:
    grey = np.asarray(photo.convert("L")).astype(np.uint16) * 257
    picture = decode(encoded(Image.fromarray(grey), "PNG"))
    assert distance(picture.image, photo.convert("L")) < 2


def test_what_is_transparent_shows_white(photo: Image.Image) -> None:
    clear = photo.convert("RGBA")
    clear.putalpha(0)
    picture = decode(encoded(clear, "PNG"))
    assert picture.image.getextrema() == ((255, 255),) * 3
    palette = Image.new("P", (300, 300), 0)
    palette.putpalette([255, 0, 0] + [0, 0, 0] * 255)
    picture = decode(encoded(palette, "PNG", transparency=0))
    assert picture.image.getextrema() == ((255, 255),) * 3


def test_the_first_frame_of_an_animation_counts(photo: Image.Image) -> None:
    black = Image.new("RGB", photo.size)
    for kind in ("GIF", "WEBP", "PNG", "AVIF"):
        data = encoded(photo, kind, save_all=True, append_images=[black, black])
        assert distance(decode(data).image, photo) < 5


def test_large_photos_are_reduced_but_not_below_the_working_size() -> None:
    large = photograph("coffee.png").resize((4000, 3000))
    for kind in ("JPEG", "PNG"):
        picture = decode(encoded(large, kind))
        assert (picture.width, picture.height) == (4000, 3000)
        assert 448 <= min(picture.image.size) < 900
        assert distance(picture.image, large) < 2


def test_metadata_that_is_damaged_does_not_matter(photo: Image.Image) -> None:
    for options in ({"exif": b"Exif\0\0MM\0*\xff\xff\xff\xff"}, {"icc_profile": b"not a profile"}):
        assert distance(decode(encoded(photo, "JPEG", **options)).image, photo) < 4


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0",
        b"\xff\xd8\xff",
        b"GIF89a",
        b"\x89PNG\r\n\x1a\n",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%PDF-1.7",
        b"RIFF\x04\0\0\0WEBP",
    ],
)
def test_what_is_no_photo_is_unreadable(data: bytes) -> None:
    assert refusal(data)[0] == "unreadable"


@pytest.mark.parametrize("kind", ["TIFF", "BMP", "ICO", "PPM", "JPEG2000"])
def test_other_formats_are_unreadable(photo: Image.Image, kind: str) -> None:
    reason, words = refusal(encoded(photo, kind))
    assert (reason, words) == ("unreadable", "not one of JPEG, PNG, WEBP, AVIF, GIF")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "GIF"])
@pytest.mark.parametrize("keep", [0.05, 0.5, 0.9])
def test_a_truncated_photo_is_unreadable(photo: Image.Image, kind: str, keep: float) -> None:
    data = encoded(photo, kind)
    assert refusal(data[: int(len(data) * keep)])[0] == "unreadable"


def png_header(width: int, height: int) -> bytes:
    """Give a PNG of this size whose rows are all zero, in a few kilobytes."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(b"\0" * ((width + 1) * height), 9)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )


def test_a_bomb_is_refused_before_it_is_decoded() -> None:
    data = png_header(12_000, 12_000)
    assert len(data) < 200_000
    reason, words = refusal(data)
    assert reason == "too_large"
    assert "12000×12000 pixels; at most 25 megapixels" in words


def test_a_progressive_photo_of_any_phone_is_decoded() -> None:
    photo = photograph("coffee.png").resize((4000, 3000))
    picture = decode(encoded(photo, "JPEG", progressive=True))
    assert (picture.width, picture.height) == (4000, 3000)


def test_a_progressive_photo_that_would_take_too_much_memory_is_refused() -> None:
    reason, words = refusal(encoded(Image.new("RGB", (8000, 6000)), "JPEG", progressive=True))
    assert reason == "too_large"
    assert "at most 40 megapixels for a progressive JPEG" in words


def test_a_photo_of_endless_scans_is_refused(photo: Image.Image) -> None:
    data = encoded(photo, "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    reason, words = refusal(data[:-2] + data[last:-2] * 100 + data[-2:])
    assert (reason, "scans" in words) == ("unreadable", True)


def test_an_animation_tells_how_many_frames_it_has(photo: Image.Image) -> None:
    black = Image.new("RGB", photo.size)
    for kind in ("GIF", "WEBP", "PNG", "AVIF"):
        assert decode(encoded(photo, kind)).frames == 1
        data = encoded(photo, kind, save_all=True, append_images=[black, photo])
        assert decode(data).frames == 3


def test_a_large_animation_is_refused() -> None:
    first = Image.new("P", (4000, 4000), 0)
    second = Image.new("P", (4000, 4000), 1)
    data = encoded(first, "GIF", save_all=True, append_images=[second])
    assert refusal(data)[0] == "too_large"


def test_a_long_strip_is_decoded() -> None:
    picture = decode(png_header(30_000, 10))
    assert (picture.width, picture.height) == (30_000, 10)


class TestBlur:
    def test_blurring_lowers_it_and_a_flat_picture_has_none(self, photo: Image.Image) -> None:
        from PIL import ImageFilter

        values = [
            blur_variance(canonical_grey(photo.filter(ImageFilter.GaussianBlur(radius)))) or 0.0
            for radius in (0, 1, 2, 4, 8)
        ]
        assert values == sorted(values, reverse=True)
        assert values[0] > 100 > 20 > values[-1]
        assert blur_variance(canonical_grey(Image.new("RGB", (800, 600), "teal"))) == 0

    @pytest.mark.parametrize("size", [(1, 1), (2, 500), (200, 65_500)])
    def test_a_picture_that_is_too_narrow_has_none(self, size: tuple[int, int]) -> None:
        assert blur_variance(canonical_grey(Image.new("RGB", size, "teal"))) is None

    def test_three_pixels_are_enough(self) -> None:
        assert blur_variance(canonical_grey(Image.new("RGB", (3, 3), "teal"))) == 0
