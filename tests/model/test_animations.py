"""Animations: which frames are looked at, what they show, and what is refused."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from local.samples import photograph
from photogate.domain import Reason, Status
from photogate.errors import PhotoRefused
from photogate.policies import preset
from photogate.service.looking import judge
from photogate_vision.analyzer import VisionAnalyzer
from photogate_vision.decoding.decode import decode
from photogate_vision.decoding.frames import MAX_FRAMES_SAMPLED, MAX_LOOKS, sampled
from tests.model.files import ANIMATED, animation, gif
from tests.model.originals import another_still
from tests.model.test_decode import distance, refusal


@pytest.fixture(scope="module")
def cat() -> Image.Image:
    return photograph("chelsea.png")


def numbered(count: int, size: tuple[int, int] = (240, 160)) -> list[Image.Image]:
    """Give frames that differ everywhere: frame n is all of level 10 n."""
    return [Image.new("RGB", size, (10 * n,) * 3) for n in range(1, count + 1)]


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        (1, [1]),
        (2, [1, 2]),
        (8, [1, 2, 3, 4, 5, 6, 7, 8]),
        (9, [1, 2, 3, 4, 6, 7, 8, 9]),
        (20, [1, 4, 6, 9, 12, 15, 17, 20]),
        (2000, [1, 287, 572, 858, 1143, 1429, 1714, 2000]),
    ],
)
def test_frames_are_spread_evenly_from_first_to_last(frames: int, expected: list[int]) -> None:
    assert sampled(frames) == expected


def test_no_frame_is_looked_at_twice() -> None:
    for frames in range(1, 200):
        numbers = sampled(frames)
        assert len(numbers) == len(set(numbers)) == min(frames, MAX_FRAMES_SAMPLED), frames
        assert (numbers[0], numbers[-1]) == (1, frames), frames


@pytest.mark.parametrize("kind", ANIMATED)
@pytest.mark.parametrize("count", [2, 3, 20])
def test_each_picture_is_the_frame_that_it_says(kind: str, count: int) -> None:
    pictures = decode(animation(numbered(count), kind))
    assert [picture.frame for picture in pictures] == list(range(1, count + 1))
    for picture in pictures:
        assert picture.frame is not None
        assert (picture.frames, picture.size) == (count, (240, 160))
        assert abs(np.asarray(picture.image, np.int16) - 10 * picture.frame).max() <= 3


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_frames_are_composed_as_a_viewer_shows_them(kind: str) -> None:
    """Encoders store only what changed: here a square that wanders over a photo."""
    frames = []
    for left in range(0, 200, 20):
        frames.append(photograph("coffee.png").resize((240, 160)))
        ImageDraw.Draw(frames[-1]).rectangle((left, 60, left + 30, 90), fill="red")
    options = {"lossless": True} if kind == "WEBP" else {}
    for picture in decode(animation(frames, kind, **options)):
        assert picture.frame is not None
        assert distance(picture.image, frames[picture.frame - 1]) < 3


@pytest.mark.parametrize("kind", ANIMATED)
def test_the_worst_frame_decides_and_is_named(kind: str, cat: Image.Image, bundle: Path) -> None:
    frames = [cat.rotate(angle) for angle in range(20)]
    frames[5] = Image.new("RGB", cat.size, "teal")
    analyzer = VisionAnalyzer(bundle)
    verdict, signals = judge(animation(frames, kind), analyzer, preset("community"))
    assert (verdict.status, verdict.reason) == (Status.REJECTED, Reason.BLANK)
    assert (signals.frame, signals.frames) == (6, 20)
    document = signals.to_json()
    assert (document["frame"], document["frames"]) == (6, 20)
    verdict, signals = judge(animation(frames[:5], kind), analyzer, preset("community"))
    assert (verdict.status, signals.frame) == (Status.APPROVED, 1)


@pytest.mark.parametrize("kind", ANIMATED)
def test_a_damaged_later_frame_makes_it_unreadable(kind: str, cat: Image.Image) -> None:
    data = animation([cat.rotate(angle) for angle in range(6)], kind)
    assert refusal(data[: len(data) * 9 // 10])[0] == "unreadable"


def test_several_views_in_one_file_are_one_photo(cat: Image.Image) -> None:
    (picture,) = decode(animation([cat, Image.new("RGB", cat.size)], "MPO"))
    assert (picture.format, picture.frames, picture.frame) == ("JPEG", 1, None)
    assert distance(picture.image, cat) < 4


@pytest.mark.parametrize("kind", ["GIF", "PNG", "AVIF"])
def test_a_large_animation_is_refused(kind: str) -> None:
    frames = [Image.new("L", (4000, 3100), level) for level in (0, 99)]
    reason, words = refusal(animation(frames, kind))
    assert (reason, "4000×3100" in words) == ("too_large", True)


def test_a_long_animation_is_refused_before_it_is_decoded() -> None:
    data = gif((800, 600), [(0, 0, 1, 1)] * 250)
    reason, words = refusal(data)
    assert reason == "too_large"
    assert words == ("250 frames of 800×600 pixels; at most 2000 frames and 100 megapixels in all")


@pytest.mark.slow
@pytest.mark.parametrize(
    "make",
    [
        lambda: gif((1, 1), [(0, 0, 1, 1)] * 1_200_000),
        lambda: gif((1, 1), [(0, 0, 1, 1)])[:-1] + b"!\xfe" + b"\x01a" * 9_000_000 + b"\0;",
        lambda: gif((1, 1), [(0, 0, 1, 1)])[:-1] + b"\0" * 18_000_000 + b",",
    ],
    ids=["a million frames", "millions of blocks", "padding"],
)
def test_a_gif_made_to_be_walked_costs_little(make: Callable[[], bytes]) -> None:
    data = make()
    started = time.process_time()
    with pytest.raises(PhotoRefused):
        decode(data)
    assert time.process_time() - started < 5


def test_a_frame_beyond_the_canvas_of_a_gif_widens_it() -> None:
    """Viewers differ; what matters is that it is counted before memory is taken."""
    assert refusal(gif((10, 10), [(0, 0, 9, 9), (60_000, 60_000, 9, 9)]))[0] == "too_large"


def test_a_png_that_hides_frames_is_unreadable() -> None:
    data = animation(numbered(5), "PNG")
    at = data.index(b"acTL")
    body = (2).to_bytes(4, "big") + data[at + 8 : at + 12]
    crc = zlib.crc32(b"acTL" + body).to_bytes(4, "big")
    reason, words = refusal(data[: at + 4] + body + crc + data[at + 16 :])
    assert (reason, "tell 2 and 5 frames" in words) == ("unreadable", True)


def test_the_picture_for_who_knows_no_apng_is_looked_at_too(cat: Image.Image) -> None:
    hidden = animation([cat, *numbered(3, cat.size)], "PNG", default_image=True)
    pictures = decode(hidden)
    assert [picture.frame for picture in pictures] == [1, 2, 3, 4]
    assert distance(pictures[0].image, cat) < 1


@pytest.mark.slow
@pytest.mark.parametrize("kind", ANIMATED)
def test_one_other_frame_among_many_is_found(kind: str, cat: Image.Image) -> None:
    frames = [cat.copy() for _ in range(100)]
    for number, frame in enumerate(frames):
        frame.putpixel((number, 0), (255, 0, 0))  # else encoders leave it out
    frames[50] = Image.new("RGB", cat.size, "teal")
    pictures = decode(animation(frames, kind))
    assert 51 in [picture.frame for picture in pictures]
    assert {picture.frames_unseen for picture in pictures} == {0}


@pytest.mark.parametrize("kind", ANIMATED)
def test_what_is_beyond_the_looks_is_told(kind: str) -> None:
    data = animation(numbered(25), kind)
    assert {picture.frames_unseen for picture in decode(data)} == {0}
    many = [Image.new("RGB", (60, 40), (n % 8 * 32, n // 8 * 32, 0)) for n in range(60)]
    pictures = decode(animation(many, kind))
    seen = {picture.frame for picture in pictures}
    assert len(pictures) <= MAX_LOOKS
    assert set(sampled(60)) <= seen
    assert {picture.frames_unseen for picture in pictures} == {60 - len(seen)}


def test_looks_are_bounded_also_on_two_backgrounds() -> None:
    many = [Image.new("RGBA", (60, 40), (n * 4, 0, 0, 128)) for n in range(60)]
    pictures = decode(animation(many, "PNG"))
    assert {picture.background for picture in pictures} == {"white", "black"}
    assert 30 < len(pictures) <= MAX_LOOKS


def test_the_still_picture_of_a_sequence_is_looked_at_too(cat: Image.Image) -> None:
    pictures = decode(another_still([Image.new("RGB", cat.size, "teal")] * 2, cat))
    assert [picture.frame for picture in pictures][-1] == 0
    assert distance(pictures[-1].image, cat) < 4
    same = decode(animation([cat, cat.rotate(90)], "AVIF"))
    assert [picture.frame for picture in same] == [1, 2]
