"""Copies: their sizes and bytes, what is not in them, and when there are none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageOps

from bench.photos import TWELVE_MEGAPIXELS, TWO_MEGAPIXELS, photos
from local.samples import jpeg, photograph
from photogate.bootstrap.choose import copy_form
from photogate.domain import Copy, Deadline
from photogate.errors import CopyDiffers, DecoderFailed, OutOfTime, PhotoRefused
from photogate.ports.vision import CopyMaker
from photogate.settings import CopySettings, read
from photogate_vision.copies.encoding import MAX_COPY_BYTES, CopyForm, encoded
from photogate_vision.copies.maker import Copier
from photogate_vision.copies.matching import MOST_COARSE, MOST_FINE, difference
from photogate_vision.copies.showing import RESAMPLING, to_show
from photogate_vision.decoding.decode import decode
from photogate_vision.decoding.sandbox import Sandbox
from tests.model.corpus import TOO_LARGE, UNREADABLE, corpus
from tests.model.files import ANIMATED, FORMATS, animation, good, tagged
from tests.model.gallery import MARK, MARKED_FORMATS, marked, two_faced

WEBP = CopyForm(format="WEBP")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    sandbox = Sandbox()
    yield sandbox
    sandbox.close()


def copies(sandbox: Sandbox, data: bytes, form: CopyForm | None = None) -> list[Copy]:
    maker: CopyMaker = Copier(sandbox.show, form or CopyForm())
    return list(maker.copies(data))


def opened(copy: Copy) -> Image.Image:
    image = Image.open(BytesIO(copy.data))
    assert image.format == copy.format
    image.load()
    return image


@pytest.mark.parametrize(
    "size", [TWO_MEGAPIXELS, TWELVE_MEGAPIXELS, (640, 480), (50, 1000), (3, 2)]
)
@pytest.mark.parametrize("form", [CopyForm(), WEBP], ids=lambda form: form.format)
def test_there_are_three_and_none_is_enlarged(
    sandbox: Sandbox, size: tuple[int, int], form: CopyForm
) -> None:
    (photo,) = photos(size, 1)
    made = copies(sandbox, photo.data, form)
    assert [copy.name for copy in made] == ["display", "thumb", "preview"]
    assert {copy.content_type for copy in made} == {f"image/{form.format.lower()}"}
    for copy, side in zip(made, (1600, 320, 160), strict=True):
        scale = min(1, side / max(size))
        expected = tuple(max(1, round(length * scale)) for length in size)
        assert opened(copy).size == expected
        assert len(copy.data) <= MAX_COPY_BYTES


def test_sizes_format_and_quality_are_those_of_the_form(sandbox: Sandbox) -> None:
    (photo,) = photos(TWO_MEGAPIXELS, 1)
    form = CopyForm(quality=60, display_px=800, thumb_px=100)
    display, thumb, _ = copies(sandbox, photo.data, form)
    assert (opened(display).size, opened(thumb).size) == ((800, 600), (100, 75))
    better, *_ = copies(sandbox, photo.data, CopyForm(quality=95, display_px=800))
    assert len(better.data) > 1.5 * len(display.data)


@pytest.mark.parametrize("kind", FORMATS)
def test_the_same_bytes_give_the_same_copies(sandbox: Sandbox, kind: str) -> None:
    data = good(photograph("coffee.png"), kind)
    other = Sandbox()
    for form in (CopyForm(), WEBP):
        assert copies(sandbox, data, form) == copies(other, data, form)
    other.close()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("width", [600, 1201, 3201])
def test_copies_are_upright(sandbox: Sandbox, orientation: int, width: int) -> None:
    photo = photograph("coffee.png").resize((width, width * 2 // 3))
    display, *_ = copies(sandbox, tagged(photo, "JPEG", orientation))
    shown = opened(display).convert("RGB")
    assert shown.size == ImageOps.contain(photo, (min(width, 1600),) * 2).size
    wanted = photo.resize(shown.size, Image.Resampling.BOX)
    assert np.abs(np.asarray(shown, np.int16) - np.asarray(wanted, np.int16)).mean() < 6


@pytest.mark.slow
@pytest.mark.parametrize("size", [(1633, 1225), (4032, 3024), (901, 2703), (9000, 400)])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_parts_give_what_the_whole_gives(kind: str, size: tuple[int, int]) -> None:
    """What is shown is put together of parts: no seam, and nothing shifts."""
    photo = photograph("motorcycle_left.png").resize(size)
    judged, shown = to_show(good(photo, kind), 1600)
    assert max(shown.image.size) == 1600
    wanted = photo.resize(shown.size, RESAMPLING)
    apart = np.abs(np.asarray(shown.image, np.int16) - np.asarray(wanted, np.int16)).mean(2)
    assert apart.mean() < 5
    assert max(apart.mean(0).max(), apart.mean(1).max()) < 12
    found = difference(judged, shown.image)
    assert found.fine < MOST_FINE / 2
    assert found.coarse < MOST_COARSE / 2


@pytest.mark.parametrize("kind", ANIMATED)
def test_an_animation_is_shown_as_its_first_frame(sandbox: Sandbox, kind: str) -> None:
    frames = [photograph(name).resize((400, 300)) for name in ("coffee.png", "chelsea.png")]
    display, *_ = copies(sandbox, animation(frames, kind))
    assert getattr(opened(display), "n_frames", 1) == 1
    assert difference(decode(good(frames[0], "PNG"))[0], opened(display).convert("RGB")).tolerable


@pytest.mark.slow
@pytest.mark.parametrize("form", [CopyForm(quality=95), CopyForm(format="WEBP", quality=95)])
def test_noise_fits_as_well_at_a_lower_quality(sandbox: Sandbox, form: CopyForm) -> None:
    photo = np.asarray(photograph("astronaut.png").resize((1600, 1600)), np.int16)
    noise = np.random.default_rng(1).normal(0, 40, photo.shape)
    noisy = Image.fromarray((photo + noise).clip(0, 255).astype(np.uint8))
    assert len(good(noisy, form.format, quality=form.quality)) > MAX_COPY_BYTES
    display, *_ = copies(sandbox, good(noisy, "PNG"), form)
    assert MAX_COPY_BYTES / 4 < len(display.data) <= MAX_COPY_BYTES


@pytest.mark.slow
def test_what_does_not_fit_at_any_quality_is_no_copy() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (8000, 8000, 3), dtype=np.uint8)
    assert encoded(Image.fromarray(noise), CopyForm()) is None


@pytest.mark.parametrize("kind", [kind for kind in MARKED_FORMATS if kind in FORMATS])
@pytest.mark.parametrize("form", [CopyForm(), WEBP], ids=lambda form: form.format)
def test_no_word_of_the_original_is_in_a_copy(sandbox: Sandbox, kind: str, form: CopyForm) -> None:
    data = marked(kind)
    assert data.count(MARK[:14]) >= {"GIF": 3, "PNG": 12, "JPEG": 16}.get(kind, 11)
    for copy in copies(sandbox, data, form):
        assert MARK[:9] not in copy.data
        for word in (
            b"Exif",
            b"http",
            b"acsp",
            b"ICC",
            b"XMP",
            b"xmp",
            b"GPS",
            b"8BIM",
            b"Photoshop",
        ):
            assert word not in copy.data
        image = opened(copy)
        # What Pillow says of any JPEG or WebP.
        says = {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
        assert set(image.info) <= says | {"background", "loop", "timestamp", "duration"}
        assert not image.getexif()
        assert copy.data == stripped(copy)


def stripped(copy: Copy) -> bytes:
    """Give the file up to its end, of the parts alone that pixels need."""
    if copy.format == "WEBP":
        size = 8 + int.from_bytes(copy.data[4:8], "little")
        assert copy.data[8:15] == b"WEBPVP8"
        assert copy.data[15:16] in (b" ", b"L")
        return copy.data[:size]
    at, kinds = 2, set()
    while copy.data[at + 1] != 0xDA:
        kinds.add(copy.data[at + 1])
        at += 2 + int.from_bytes(copy.data[at + 2 : at + 4], "big")
    # APP0 of JFIF, quantization, frame, Huffman (ITU-T T.81, table B.1)
    assert kinds <= {0xE0, 0xDB, 0xC0, 0xC4}
    return copy.data[: copy.data.index(b"\xff\xd9", at) + 2]


def test_a_preview_is_grey_and_has_no_detail(sandbox: Sandbox) -> None:
    *_, preview = copies(sandbox, jpeg(photograph("astronaut.png")))
    image = opened(preview)
    assert image.mode == "L"
    levels = np.asarray(image, np.int16)
    assert np.abs(np.diff(levels, axis=1)).max() < 32
    assert np.ptp(levels) > 100


def test_settings_say_what_copies_look_like(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in CopySettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    assert copy_form(read(CopySettings)) == CopyForm()
    for name, value in (
        ("COPY_FORMAT", "webp"),
        ("COPY_QUALITY", "70"),
        ("COPY_DISPLAY_PX", "1000"),
        ("COPY_THUMB_PX", "200"),
    ):
        monkeypatch.setenv(name, value)
    expected = CopyForm(format="WEBP", quality=70, display_px=1000, thumb_px=200)
    assert copy_form(read(CopySettings)) == expected


def test_two_faces_are_no_copy(sandbox: Sandbox) -> None:
    with pytest.raises(CopyDiffers, match="differs from what was judged"):
        copies(sandbox, two_faced())
    judged, shown = to_show(two_faced(), 1600)
    assert difference(judged, shown.image).coarse > MOST_COARSE


@pytest.mark.slow
@pytest.mark.parametrize("side", [200, 448, 800, 1600])
@pytest.mark.parametrize("share", [12, 16])
def test_something_small_that_was_not_judged_is_noticed(side: int, share: int) -> None:
    judged = decode(good(photograph("astronaut.png").resize((side, side)), "PNG"))[0]
    other = judged.image.copy()
    patch = photograph("chelsea.png").resize((side // share, side // share))
    other.paste(patch, (side // 7, side // 2))
    assert not difference(judged, other).tolerable


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "end"), [pytest.param(make, end, id=name) for name, make, end in corpus()]
)
def test_every_file_that_is_judged_by_its_pixels_has_copies(
    sandbox: Sandbox, make: Callable[[], bytes], end: str
) -> None:
    if end in (UNREADABLE, TOO_LARGE):
        with pytest.raises(PhotoRefused):
            copies(sandbox, make())
    else:
        assert len(copies(sandbox, make())) == 3


def test_a_child_that_dies_on_the_second_decoding_is_told() -> None:
    sandbox = Sandbox(shower="tests.model.odd_decoders:show")
    data = jpeg(photograph("astronaut.png"))
    with pytest.raises(DecoderFailed, match="SIGSEGV"):
        copies(sandbox, data)
    assert sandbox.decode(data)[0].size == (512, 512)
    sandbox.close()


def test_there_is_no_answer_beyond_the_deadline() -> None:
    sandbox = Sandbox(shower="tests.model.odd_decoders:sleep")
    with pytest.raises(OutOfTime):
        Copier(sandbox.show, CopyForm()).copies(b"x", Deadline.after(0.5))
    sandbox.close()


@pytest.mark.slow
def test_large_pictures_take_no_more_memory_than_judging_them(sandbox: Sandbox) -> None:
    for image in (Image.new("RGBA", (5000, 4990), "#ff000080"), Image.new("P", (24_000, 1000))):
        display, *_ = copies(sandbox, good(image, "PNG"))
        assert max(opened(display).size) == 1600
