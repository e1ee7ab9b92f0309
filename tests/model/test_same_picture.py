"""The same picture measures alike and gets the same verdict, however it is stored.

Tolerances: .01 of a probability, 7 % of the sharpness and .1 of the contrast in another
format; .001, .1 % and .01 in another orientation of a lossless one.
"""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from PIL import Image

from local.models.build import ensure_faces
from local.samples import photograph
from photogate.domain import Signals
from photogate.policies import preset
from photogate.service.looking import judge
from photogate_vision.analyzer import VisionAnalyzer
from photogate_vision.faces.detector import EmbeddedFaces
from tests.model.corpus import in_display_p3
from tests.model.files import (
    ANIMATED,
    FORMATS,
    animation,
    display_p3,
    encoded,
    good,
    sixteen_bits,
    swapped_colours,
    tagged,
    with_chunk,
)

PICTURES = {
    "a portrait": photograph("astronaut.png"),
    "a table": photograph("coffee.png").crop((150, 50, 550, 350)),
}


_SHARES = [level / 255 for level in range(256)]


@pytest.fixture(scope="module")
def analyzer(bundle: Path) -> VisionAnalyzer:
    return VisionAnalyzer(bundle, faces=EmbeddedFaces(ensure_faces(print)))


@pytest.fixture(params=PICTURES)
def picture(request: pytest.FixtureRequest) -> Image.Image:
    return PICTURES[request.param]


def assert_alike(
    analyzer: VisionAnalyzer,
    picture: Image.Image,
    data: bytes,
    *,
    probability: float = 0.01,
    sharpness: float = 0.07,
    contrast: float = 0.1,
) -> Signals:
    (verdict, signals), (wanted, original) = (
        judge(file, analyzer, preset("profile")) for file in (data, encoded(picture, "PNG"))
    )
    assert (verdict.status, verdict.reason) == (wanted.status, wanted.reason)
    assert signals.nsfw_scores == pytest.approx(original.nsfw_scores, abs=probability)
    assert signals.blur_variance == pytest.approx(original.blur_variance, rel=sharpness)
    assert signals.rms_contrast == pytest.approx(original.rms_contrast, abs=contrast)
    assert (signals.width, signals.height) == (original.width, original.height)
    assert len(signals.faces or ()) == len(original.faces or ())
    return signals


@pytest.mark.parametrize("kind", FORMATS)
def test_in_every_format(analyzer: VisionAnalyzer, picture: Image.Image, kind: str) -> None:
    signals = assert_alike(analyzer, picture, good(picture, kind))
    assert signals.format == ("HEIC" if kind == "HEIF" else kind)


@pytest.mark.parametrize("kind", ANIMATED)
def test_moving(analyzer: VisionAnalyzer, picture: Image.Image, kind: str) -> None:
    frames = [picture, picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)]
    options = {"quality": 95} if kind in ("WEBP", "AVIF") else {}
    assert assert_alike(analyzer, picture, animation(frames, kind, **options)).frame == 1


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(kind, marks=[] if kind in ("JPEG", "PNG") else pytest.mark.slow)
        for kind in FORMATS
        if kind != "GIF"
    ],
)
def test_in_every_orientation(
    analyzer: VisionAnalyzer, picture: Image.Image, kind: str, orientation: int
) -> None:
    bounds = {"probability": 1e-3, "sharpness": 1e-3, "contrast": 1e-2} if kind == "PNG" else {}
    assert_alike(analyzer, picture, tagged(picture, kind, orientation), **bounds)


def test_in_16_bits(analyzer: VisionAnalyzer, picture: Image.Image) -> None:
    assert_alike(analyzer, picture, sixteen_bits(picture), probability=1e-3, sharpness=1e-3)


def test_in_few_colours(analyzer: VisionAnalyzer, picture: Image.Image) -> None:
    assert_alike(analyzer, picture, encoded(picture.quantize(256), "PNG"))


def test_in_cmyk(analyzer: VisionAnalyzer, picture: Image.Image) -> None:
    assert_alike(analyzer, picture, good(picture.convert("CMYK"), "JPEG"))


def test_in_other_colours(analyzer: VisionAnalyzer, picture: Image.Image) -> None:
    """Numbers that mean the same once their profile is applied, as every browser does."""
    wide = encoded(in_display_p3(picture), "PNG", icc_profile=display_p3())
    assert_alike(analyzer, picture, wide)
    blue, red, green = picture.split()[2], picture.split()[0], picture.split()[1]
    # The profile's red channel is blue, its green red, its blue green.
    swapped = Image.merge("RGB", (blue, red, green))
    assert_alike(analyzer, picture, encoded(swapped, "PNG", icc_profile=swapped_colours()))


def test_in_other_colours_that_no_profile_names(
    analyzer: VisionAnalyzer, picture: Image.Image
) -> None:
    numbers = in_display_p3(picture)
    numbers.info.clear()  # else its profile is written
    wide = encoded(numbers, "PNG")
    assert_alike(analyzer, picture, with_chunk(wide, b"cICP", bytes((12, 13, 0, 1))))
    avif = good(numbers, "AVIF")
    at = avif.index(b"colrnclx") + 8
    assert_alike(analyzer, picture, avif[:at] + struct.pack(">HH", 12, 13) + avif[at + 4 :])
    # Light to the power of 1 / 1.8 instead of sRGB's curve.
    light = [n / 12.92 if n <= 0.04045 else ((n + 0.055) / 1.055) ** 2.4 for n in _SHARES]
    other = picture.point([round(255 * share ** (1 / 1.8)) for share in light] * 3)
    other.info.clear()
    gamma = struct.pack(">I", round(100_000 / 1.8))
    assert_alike(analyzer, picture, with_chunk(encoded(other, "PNG"), b"gAMA", gamma))


def test_behind_what_is_transparent_nowhere(analyzer: VisionAnalyzer, picture: Image.Image) -> None:
    assert (
        assert_alike(analyzer, picture, encoded(picture.convert("RGBA"), "PNG")).background is None
    )


def test_on_both_pages_the_worse_counts(analyzer: VisionAnalyzer, picture: Image.Image) -> None:
    """A white picture that only its opacity makes is nothing on a white page."""
    white = Image.new("RGBA", picture.size, "white")
    white.putalpha(picture.convert("L"))
    on_white, on_black = analyzer.analyze(encoded(white, "PNG"))
    assert (on_white.background, on_black.background) == ("white", "black")
    assert (on_white.rms_contrast or 0) == 0 < (on_black.rms_contrast or 0)
    verdict, signals = judge(encoded(white, "PNG"), analyzer, preset("community"))
    assert (verdict.reason, signals.background) == ("blank", "white")
