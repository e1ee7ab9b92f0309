"""``python -m bench.originals``: honest files of unusual kinds, and how many go to a person.

Crops of harmless photographs as phones, scanners and drawing programs store them, beside the
same crops as plain sRGB. Judged as where originals are served (``SERVES_ORIGINALS=true``).
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from io import BytesIO

from PIL import Image, ImageCms, ImageDraw, ImageFilter
from rich.console import Console
from rich.table import Table

from bench.calibration import PHOTOGRAPHS
from local.models.build import ensure_bundles
from local.samples import photograph
from photogate.domain import Status
from photogate.domain.policy import decide_all, for_originals
from photogate.policies import preset
from photogate_vision.analyzer import VisionAnalyzer
from photogate_vision.decoding.profiles import PRIMARIES, SRGB_CURVE, Primaries, matrix_profile

_CROPS = 10
#: Adobe RGB (1998), 4.3.1.
_ADOBE: Primaries = (0.3127, 0.3290, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06)
_WIDE = {
    "Display P3": matrix_profile(PRIMARIES[12], SRGB_CURVE),
    "Adobe RGB": matrix_profile(_ADOBE, (563 / 256,)),
}


def main() -> None:
    """Print the table."""
    first, second = ensure_bundles(["mobilenet_v2", "opennsfw"], print)
    analyzer = VisionAnalyzer(first, others=[second], tiles=2)
    policy = for_originals(preset("community"))
    table = Table(title=f"{_CROPS * len(PHOTOGRAPHS)} crops of harmless photographs, each as")
    for title in ("kind", "approved", "to a person", "rejected", "by"):
        table.add_column(title, justify="left" if title in ("kind", "by") else "right")
    for name, make in _KINDS.items():
        statuses: Counter[Status] = Counter()
        rules: Counter[str] = Counter()
        for crop in _crops():
            verdict, _ = decide_all(analyzer.analyze(make(crop)), policy)
            statuses[verdict.status] += 1
            if verdict.rule is not None:
                rules[verdict.rule.name] += 1
        counts = (statuses[s] for s in (Status.APPROVED, Status.REVIEW, Status.REJECTED))
        said = ", ".join(f"{rule} {count}" for rule, count in rules.most_common())
        table.add_row(name, *map(str, counts), said)
    Console(width=120, highlight=False).print(table)


def _crops() -> Iterator[Image.Image]:
    rng = random.Random(1)  # noqa: S311 - not for secrets
    for name in PHOTOGRAPHS:
        photo = photograph(name).convert("RGB")
        for _ in range(_CROPS):
            side = int(min(photo.size) * rng.uniform(0.5, 1.0))
            left = rng.randint(0, photo.width - side)
            top = rng.randint(0, photo.height - side)
            yield photo.crop((left, top, left + side, top + side)).resize((640, 640))


def _stored(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _in(space: str, kind: str, image: Image.Image) -> bytes:
    """Store the same colours as numbers of a wider space."""
    target = ImageCms.ImageCmsProfile(BytesIO(_WIDE[space]))
    wide = ImageCms.profileToProfile(image, ImageCms.createProfile("sRGB"), target)
    assert wide is not None
    return _stored(wide, kind, icc_profile=_WIDE[space])


def _cut_out(image: Image.Image, edge: int = 2) -> Image.Image:
    """Make everything around an ellipse transparent, as stickers have it."""
    alpha = Image.new("L", image.size)
    width, height = image.size
    ImageDraw.Draw(alpha).ellipse(
        (width // 12, height // 12, width - width // 12, height - height // 12), fill=255
    )
    sticker = image.convert("RGBA")
    sticker.putalpha(alpha.filter(ImageFilter.GaussianBlur(edge)))
    return sticker


def _palette(image: Image.Image) -> bytes:
    """Give a palette PNG whose rim is transparent."""
    few = image.quantize(255)
    outside = _cut_out(image).getchannel("A").point(lambda level: 255 * (level < 128))
    few.paste(255, mask=outside)
    return _stored(few, "PNG", transparency=255)


def _short(image: Image.Image) -> bytes:
    """Give an animation of ten frames that zooms in."""
    frames = [
        image.crop((3 * n, 3 * n, 640 - 3 * n, 640 - 3 * n)).resize((320, 320)) for n in range(10)
    ]
    return _stored(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=100)


_KINDS: dict[str, Callable[[Image.Image], bytes]] = {
    "plain JPEG": lambda image: _stored(image, "JPEG", quality=90),
    "phone, Display P3, JPEG": partial(_in, "Display P3", "JPEG"),
    "phone, Display P3, AVIF": partial(_in, "Display P3", "AVIF"),
    "scan, Adobe RGB, JPEG": partial(_in, "Adobe RGB", "JPEG"),
    "scan, Adobe RGB, PNG": partial(_in, "Adobe RGB", "PNG"),
    "palette PNG with a transparent rim": _palette,
    "sticker, PNG": lambda image: _stored(_cut_out(image), "PNG"),
    "sticker, WebP": lambda image: _stored(_cut_out(image), "WEBP"),
    "GIF of ten frames": _short,
}


if __name__ == "__main__":
    main()
