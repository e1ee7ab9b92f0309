"""Photos to try things out with, made from the photographs that scikit-image ships."""

from __future__ import annotations

import mimetypes
from dataclasses import replace
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageFilter

from local.client import Upload
from photogate.domain.markers import MARKER, Marker, marker_in
from photogate.errors import ConfigError


def sample_photos() -> list[Upload]:
    """Give a portrait, two of them, a cat, the portrait blurred and tiny, and a broken file."""
    portrait = photograph("astronaut.png")
    cat = photograph("chelsea.png")
    good = jpeg(portrait)
    return [
        Upload(name="portrait.jpg", data=good),
        Upload(name="couple.jpg", data=jpeg(_beside(portrait, portrait))),
        Upload(name="cat.jpg", data=jpeg(cat)),
        Upload(name="blurred.jpg", data=jpeg(portrait.filter(ImageFilter.GaussianBlur(8)))),
        Upload(name="tiny.jpg", data=jpeg(portrait.resize((64, 64)))),
        Upload(name="broken.jpg", data=good[: len(good) // 2]),
    ]


def marked(upload: Upload, says: str) -> Upload:
    """Make a test photo of a photo: one whose bytes name its verdict.

    Raises:
        ConfigError: there is no such verdict.
    """
    data = f"{MARKER}{says}".encode()
    marker = marker_in(data)
    if marker is None or marker.verdict is None or marker.says != says:
        raise ConfigError(Marker(says=says, verdict=None).names_none)
    return replace(upload, data=upload.data + data)


def _beside(left: Image.Image, right: Image.Image) -> Image.Image:
    both = Image.new("RGB", (left.width + right.width, left.height))
    both.paste(left)
    both.paste(right, (left.width, 0))
    return both


def photograph(name: str) -> Image.Image:
    """Open one of scikit-image's photographs without importing scikit-image."""
    spec = find_spec("skimage")
    for package in (spec.submodule_search_locations or ()) if spec else ():
        with Image.open(Path(package) / "data" / name) as image:
            return image.convert("RGB")
    raise ConfigError("the sample photographs are missing: run `make setup`")


def jpeg(image: Image.Image, *, quality: int = 90) -> bytes:
    """Encode as JPEG."""
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def folder_photos(folder: Path) -> list[Upload]:
    """Read the pictures of a folder, by their suffix, in order of their names.

    Raises:
        ConfigError: there is no such folder, or no picture in it.
    """
    if not folder.is_dir():
        raise ConfigError(f"there is no folder {folder}")
    found = []
    for path in sorted(folder.iterdir()):
        kind = mimetypes.guess_type(path.name)[0] or ""
        if path.is_file() and kind.startswith("image/"):
            found.append(Upload(name=path.name, data=path.read_bytes(), content_type=kind))
    if not found:
        raise ConfigError(f"there are no pictures in {folder}")
    return found
