"""``python -m bench.calibration``: where the bounds of the preset ``community`` come from.

Sharpness: photographs at several sizes, and blurred by a Gaussian whose sigma is a share
of the longer side, so that the same share looks equally blurred at every size. NSFW: how
many crops of harmless photographs each bound would take. What the bounds let through is
not known: no explicit image was ever used here.
"""

from __future__ import annotations

import random

from PIL import Image, ImageFilter
from rich.console import Console
from rich.table import Table

from local.model_build import ensure_bundle
from local.samples import jpeg, photograph
from photogate.policy import COMMUNITY
from photogate_vision.analyzer import VisionAnalyzer
from photogate_vision.decode import decode
from photogate_vision.quality import blur_variance, canonical_grey

#: Photographs of everyday things; all of scikit-image's that are in its package.
PHOTOGRAPHS = (
    "astronaut.png",
    "chelsea.png",
    "coffee.png",
    "rocket.jpg",
    "motorcycle_left.png",
    "retina.jpg",
    "hubble_deep_field.jpg",
)
MEGAPIXELS = (0.3, 1.0, 2.0)
#: Sigma in percent of the longer side.
BLURS = (0.1, 0.2, 0.4, 0.8, 1.6)
_CROPS = 40


def main() -> None:
    """Print both tables."""
    console = Console(width=110)
    console.print(_sharpness())
    console.print(_harmless(VisionAnalyzer(ensure_bundle("mobilenet_v2"))))


def _sharpness() -> Table:
    table = Table(title="variance of the Laplacian on the canonical size")
    for title in ("photograph", *(f"{m} MP" for m in MEGAPIXELS), *(f"σ {b} %" for b in BLURS)):
        table.add_column(title, justify="right")
    for name in PHOTOGRAPHS:
        photo = photograph(name)
        values = [_measured(_at(photo, m)) if _fits(photo, m) else None for m in MEGAPIXELS]
        one = _at(photo, 1.0)
        values += [
            _measured(one.filter(ImageFilter.GaussianBlur(max(one.size) * b / 100))) for b in BLURS
        ]
        table.add_row(name, *("" if v is None else f"{v:.0f}" for v in values))
    return table


def _harmless(analyzer: VisionAnalyzer) -> Table:
    rng = random.Random(1)  # noqa: S311 - not for secrets
    crops = [_crop(photograph(name), rng) for name in PHOTOGRAPHS for _ in range(_CROPS)]
    measured = [dict(analyzer.analyze(jpeg(crop))[0].measures()) for crop in crops]
    table = Table(title=f"{len(crops)} crops of harmless photographs, share beyond each bound")
    for title in ("measure", "bound", "value", "share"):
        table.add_column(title, justify="right")
    for threshold in COMMUNITY.thresholds:
        if not threshold.measure.startswith("nsfw."):
            continue
        for name, bound in (("review", threshold.review), ("reject", threshold.reject)):
            beyond = sum(threshold.exceeds(m[threshold.measure], bound) for m in measured)
            if bound is not None:
                share = f"{beyond / len(crops):.1%}"
                table.add_row(threshold.measure, name, f"{bound:.2f}", share)
    return table


def _fits(photo: Image.Image, megapixels: float) -> bool:
    return megapixels * 1e6 <= photo.width * photo.height * 6


def _at(photo: Image.Image, megapixels: float) -> Image.Image:
    scale = (megapixels * 1e6 / (photo.width * photo.height)) ** 0.5
    size = (round(photo.width * scale), round(photo.height * scale))
    return photo.resize(size, Image.Resampling.LANCZOS)


def _measured(photo: Image.Image) -> float:
    return blur_variance(canonical_grey(decode(jpeg(photo)).image)) or 0.0


def _crop(photo: Image.Image, rng: random.Random) -> Image.Image:
    side = int(min(photo.size) * rng.uniform(0.4, 1.0))
    left, top = rng.randint(0, photo.width - side), rng.randint(0, photo.height - side)
    return photo.crop((left, top, left + side, top + side)).resize((448, 448))


if __name__ == "__main__":
    main()
