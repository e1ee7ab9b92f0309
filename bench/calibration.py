"""``python -m bench.calibration``: where the bounds of the preset ``community`` come from.

Sharpness: photographs at five sizes, blurred by a Gaussian whose sigma is a share of the
longer side, so that the same share looks equally blurred at every size. Contrast: frames
with little to see. ``python -m bench.panel`` is about the bounds on nudity.
"""

from __future__ import annotations

from PIL import Image, ImageFilter
from rich.console import Console
from rich.table import Table

from bench.dull_frames import dull_frames
from local.models.build import ensure_bundle
from local.samples import jpeg, photograph
from photogate.domain.policy import decide
from photogate.policies import preset
from photogate_vision.analyzer import VisionAnalyzer
from photogate_vision.decoding.decode import decode
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
#: Where the photograph itself is smaller it is enlarged: what is measured has 384 pixels.
MEGAPIXELS = (0.5, 1.0, 2.0, 6.0, 12.0)
#: Sigma in percent of the longer side; none first.
BLURS = (0.0, 0.1, 0.2, 0.4, 0.8, 1.6)


def main() -> None:
    """Print the tables."""
    console = Console(width=110, highlight=False)
    console.print(_sharpness())
    analyzer = VisionAnalyzer(ensure_bundle("mobilenet_v2"))
    console.print(_dull(analyzer))


def _sharpness() -> Table:
    table = Table(title="variance of the Laplacian; spread: largest by smallest")
    for title in ("photograph", "σ", *(f"{m:g} MP" for m in MEGAPIXELS), "spread"):
        table.add_column(title, justify="right")
    for name in PHOTOGRAPHS:
        photo = photograph(name)
        for percent in BLURS:
            blur = ImageFilter.GaussianBlur(max(photo.size) * percent / 100)
            values = [_measured(_at(photo.filter(blur), m)) for m in MEGAPIXELS]
            spread = f"{max(values) / min(values):.2f} ×"
            table.add_row(name, f"{percent:g} %", *(f"{v:.1f}" for v in values), spread)
    return table


def _dull(analyzer: VisionAnalyzer) -> Table:
    table = Table(title="frames with little to see")
    for title in ("frame", "contrast", "sharpness", "verdict"):
        table.add_column(title, justify="left" if title == "frame" else "right")
    for name, frame in dull_frames():
        (signals,) = analyzer.analyze(jpeg(frame))
        verdict = decide(signals, preset("community"))
        rule = f" by {verdict.rule.name}" if verdict.rule else ""
        table.add_row(
            name,
            f"{signals.rms_contrast:.1f}",
            f"{signals.blur_variance:.0f}",
            f"{verdict.status}{rule}",
        )
    return table


def _at(photo: Image.Image, megapixels: float) -> Image.Image:
    scale = (megapixels * 1e6 / (photo.width * photo.height)) ** 0.5
    size = (round(photo.width * scale), round(photo.height * scale))
    return photo.resize(size, Image.Resampling.LANCZOS)


def _measured(photo: Image.Image) -> float:
    (picture,) = decode(jpeg(photo))
    return blur_variance(canonical_grey(picture.image))


if __name__ == "__main__":
    main()
