"""From bytes to an upright picture: formats, modes, orientations, and what is refused."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageFilter, ImageOps

from local.samples import photograph
from photogate.errors import PhotoRefused
from photogate_vision.decoding.decode import Picture, decode
from photogate_vision.quality import blur_variance, canonical_grey
from tests.model.files import black_png, encoded


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    """600 × 400 pixels, different in every corner."""
    return photograph("coffee.png").resize((600, 400))


def still(data: bytes) -> Picture:
    """Decode what shows one picture."""
    (picture,) = decode(data)
    assert (picture.frames, picture.frame) == (1, None)
    return picture


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
    picture = still(encoded(photo, kind))
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
    picture = still(encoded(photo, kind, exif=exif.tobytes()))
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
    picture = still(encoded(source, kind))
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
    picture = still(encoded(source, "PNG"))
    assert picture.image.mode == "RGB"
    assert distance(picture.image, shown) < (60 if mode == "1" else 8)


def test_sixteen_bits_are_scaled_not_clipped(photo: Image.Image) -> None:
    grey = np.asarray(photo.convert("L")).astype(np.uint16) * 257
    picture = still(encoded(Image.fromarray(grey), "PNG"))
    assert distance(picture.image, photo.convert("L")) < 2


def test_what_is_transparent_shows_white_and_black(photo: Image.Image) -> None:
    clear = photo.convert("RGBA")
    clear.putalpha(0)
    for_white, for_black = decode(encoded(clear, "PNG"))
    assert for_white.image.getextrema() == ((255, 255),) * 3
    assert for_black.image.getextrema() == ((0, 0),) * 3
    assert (for_white.background, for_black.background) == ("white", "black")
    palette = Image.new("P", (300, 300), 0)
    palette.putpalette([255, 0, 0] + [0, 0, 0] * 255)
    for_white, for_black = decode(encoded(palette, "PNG", transparency=0))
    assert for_white.image.getextrema() == ((255, 255),) * 3
    assert for_black.image.getextrema() == ((0, 0),) * 3


def test_large_photos_are_reduced_but_not_below_the_working_size() -> None:
    large = photograph("coffee.png").resize((4000, 3000))
    for kind in ("JPEG", "PNG"):
        picture = still(encoded(large, kind))
        assert (picture.width, picture.height) == (4000, 3000)
        assert 448 <= min(picture.image.size) < 900
        assert distance(picture.image, large) < 2


def test_metadata_that_is_damaged_does_not_matter(photo: Image.Image) -> None:
    for options in ({"exif": b"Exif\0\0MM\0*\xff\xff\xff\xff"}, {"icc_profile": b"not a profile"}):
        assert distance(still(encoded(photo, "JPEG", **options)).image, photo) < 4


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


def test_a_bomb_is_refused_before_it_is_decoded() -> None:
    data = black_png(12_000, 12_000)
    assert len(data) < 200_000
    reason, words = refusal(data)
    assert reason == "too_large"
    assert "12000×12000 pixels; at most 25 megapixels" in words


def test_a_progressive_photo_of_any_phone_is_decoded() -> None:
    photo = photograph("coffee.png").resize((4000, 3000))
    picture = still(encoded(photo, "JPEG", progressive=True))
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


def test_a_long_strip_is_decoded() -> None:
    picture = still(black_png(30_000, 10))
    assert (picture.width, picture.height) == (30_000, 10)


class TestBlur:
    def test_blurring_lowers_it_and_a_flat_picture_has_none(self, photo: Image.Image) -> None:
        values = [
            blur_variance(canonical_grey(photo.filter(ImageFilter.GaussianBlur(radius))))
            for radius in (0, 1, 2, 4, 8)
        ]
        assert values == sorted(values, reverse=True)
        assert values[0] > 100 > 20 > values[-1]
        assert blur_variance(canonical_grey(Image.new("RGB", (800, 600), "teal"))) == 0

    @pytest.mark.parametrize("size", [(1, 1), (2, 500), (200, 65_500), (3, 3)])
    def test_a_narrow_flat_picture_has_none_either(self, size: tuple[int, int]) -> None:
        assert blur_variance(canonical_grey(Image.new("RGB", size, "teal"))) == 0

    def test_a_narrow_picture_is_continued_beyond_its_edges(self) -> None:
        strip = np.array([[0, 100, 0, 100, 0]], np.int16)
        assert blur_variance(strip) == blur_variance(np.repeat(strip, 3, axis=0)) > 1000
