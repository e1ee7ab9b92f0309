"""HEIC: read with its extra, refused in clear words without it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from local.samples import photograph
from photogate_vision.decoding.containers import is_heic
from photogate_vision.decoding.decode import decode
from tests.model.files import animation, encoded, good
from tests.model.test_decode import distance, refusal, still

pytest.importorskip("pillow_heif", reason="the extra `heic` is not installed")

WITHOUT_THE_EXTRA = """
import sys
sys.modules["pillow_heif"] = None  # as if it were not installed

from pathlib import Path
from photogate.errors import PhotoRefused
from photogate_vision.decoding.decode import decode

try:
    decode(Path(sys.argv[1]).read_bytes())
except PhotoRefused as error:
    print(error.reason, error)
"""


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    return photograph("coffee.png").resize((600, 400))


def test_it_is_read(photo: Image.Image) -> None:
    picture = still(good(photo, "HEIF"))
    assert (picture.format, picture.width, picture.height) == ("HEIC", 600, 400)
    assert distance(picture.image, photo) < 2


def test_other_major_brands_are_read_as_well(photo: Image.Image) -> None:
    data = good(photo, "HEIF")
    renamed = data.replace(b"ftypheic", b"ftypmif1", 1)
    assert distance(still(renamed).image, photo) < 2
    assert not is_heic(good(photo, "AVIF"))


def test_the_primary_picture_counts(photo: Image.Image) -> None:
    black = Image.new("RGB", photo.size)
    (picture,) = decode(animation([black, photo, black], "HEIF", primary_index=1))
    assert (picture.frames, picture.frame) == (1, None)
    assert distance(picture.image, photo) < 4


def test_its_thumbnail_does_not_count(photo: Image.Image) -> None:
    large = photo.resize((2400, 1600))
    assert still(good(large, "HEIF", thumbnails=[640])).image.width == 800


def test_a_large_one_is_refused_by_its_header(photo: Image.Image) -> None:
    data = encoded(photo, "HEIF")
    at = data.index(b"ispe") + 8
    stretched = data[:at] + (6000).to_bytes(4, "big") * 2 + data[at + 8 :]
    assert refusal(stretched)[0] == "too_large"


@pytest.mark.parametrize("keep", [0.05, 0.5, 0.9])
def test_a_truncated_one_is_unreadable(photo: Image.Image, keep: float) -> None:
    data = encoded(photo, "HEIF")
    assert refusal(data[: int(len(data) * keep)])[0] == "unreadable"


def test_without_the_extra_it_is_unreadable(photo: Image.Image, tmp_path: Path) -> None:
    path = tmp_path / "photo.heic"
    path.write_bytes(good(photo, "HEIF"))
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_THE_EXTRA, path], capture_output=True, text=True, check=True
    )
    assert done.stdout == (
        "unreadable a HEIC, which is read only where the extra"
        " photogate-vision[heic] is installed\n"
    )
