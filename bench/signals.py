"""What each signal of a photo costs, at four sizes: the tables of MODEL_CARD.md.

    python -m bench.signals

In one process and with one thread, as a worker does it, the parts in turn. Exits with 1
when a bound is missed.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial

import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table

from bench.figures import percentile
from bench.photos import ONE_MEGAPIXEL, TWELVE_MEGAPIXELS, TWO_MEGAPIXELS, VGA
from local.models.build import ensure_bundles, ensure_faces, ensure_third
from local.samples import jpeg, photograph
from photogate_vision.analyzer import VisionAnalyzer
from photogate_vision.classifier import tiles
from photogate_vision.classifier.bundle import load_bundle
from photogate_vision.classifier.nsfw import NsfwModel
from photogate_vision.decoding.decode import Picture, decode
from photogate_vision.faces.detector import EmbeddedFaces
from photogate_vision.quality import blur_variance, canonical_grey, rms_contrast

#: For each size, how many times decoding and NSFW alone a photo with faces may take.
_BOUNDS = {VGA: None, ONE_MEGAPIXEL: None, TWO_MEGAPIXELS: 3.0, TWELVE_MEGAPIXELS: 2.0}
#: For each size, how many times decoding and the first model alone the panel may take, and the
#: panel with 2×2 parts.
_PANEL_BOUNDS = {
    VGA: (None, None),
    ONE_MEGAPIXEL: (None, None),
    TWO_MEGAPIXELS: (2.0, 6.0),
    TWELVE_MEGAPIXELS: (None, 2.5),
}
#: Faces in a photo, side by side.
_COUNTS = (0, 1, 4)
_RUNS = 25
#: As in ``bench.photos``: grain that upscaling lacks, in grey levels.
_GRAIN = 6.0
#: Head and shoulders of the astronaut, in pixels of the photograph.
_HEAD = (125, 25, 325, 225)


class Parts:
    """Everything that looks at a photo, apart and together."""

    def __init__(self) -> None:
        path, second = ensure_bundles(["mobilenet_v2", "opennsfw"], print)
        self.second = NsfwModel(load_bundle(second))
        self.third = NsfwModel(load_bundle(ensure_third(print)))
        self._bundle = load_bundle(path)
        self._model = NsfwModel(self._bundle)
        self.faces = EmbeddedFaces(ensure_faces(print))
        self.community = VisionAnalyzer(path)
        self.profile = VisionAnalyzer(path, faces=self.faces)

    def nsfw(self, picture: Picture) -> None:
        """Score one decoded picture."""
        pixels = self._bundle.input.resizing.pixels(picture.image)
        self._model.scores(pixels[np.newaxis])

    def opinion(self, model: NsfwModel, picture: Picture) -> None:
        """Ask a further model about the whole of one decoded picture."""
        pixels = model.bundle.input.resizing.pixels(picture.image)
        model.scores(pixels[np.newaxis])

    def parts(self, picture: Picture, side: int) -> None:
        """Ask it about the parts, in one run."""
        boxes = tiles.boxes(picture.width, picture.height, side)
        resizing = self.second.bundle.input.resizing
        pixels = [resizing.pixels(tiles.cut(picture.image, box)) for box in boxes]
        self.second.scores(np.stack(pixels))

    def quality(self, picture: Picture) -> None:
        """Measure sharpness and contrast."""
        grey = canonical_grey(picture.image)
        blur_variance(grey)
        rms_contrast(grey)


def main() -> int:
    """Measure and print; gives 0, or 1 when a bound is missed."""
    parts = Parts()
    table = Table(title="one photo, one thread, median ms of processor time")
    for title in (
        *("MP", "faces", "decode", "NSFW", "quality", "faces", "for CompreFace"),
        *("community", "profile", "÷ decode + NSFW", "bound", ""),
    ):
        table.add_column(title, justify="right")
    met = [_measure(table, parts, size, count) for size in _BOUNDS for count in _COUNTS]
    console = Console(width=130, highlight=False)
    console.print(table)
    table = Table(title="the panel on one photo, one thread, median ms of processor time")
    for title in ("MP", "decode", "first", "second", "2×2 parts", "3×3 parts", "third"):
        table.add_column(title, justify="right")
    for title in ("both ÷ decode + first", "and 2×2 ÷", "and 3×3 ÷", ""):
        table.add_column(title, justify="right")
    met += [_measure_panel(table, parts, size) for size in _PANEL_BOUNDS]
    console.print(table)
    return 0 if all(met) else 1


def _measure_panel(table: Table, parts: Parts, size: tuple[int, int]) -> bool:
    """Add a row; tells whether its bounds are met."""
    data = photo(size, 1)
    (shown,) = decode(data)
    durations_ms = _medians_ms(
        partial(decode, data),
        partial(parts.nsfw, shown),
        partial(parts.opinion, parts.second, shown),
        partial(parts.parts, shown, 2),
        partial(parts.parts, shown, 3),
        partial(parts.opinion, parts.third, shown),
    )
    alone_ms = durations_ms[0] + durations_ms[1]
    both_ms = alone_ms + durations_ms[2]
    if not tiles.are_worth_it(shown.width, shown.height):
        durations_ms[3:5] = 0, 0
    ratios = [both_ms / alone_ms, *((both_ms + more) / alone_ms for more in durations_ms[3:5])]
    bounds = zip(ratios, _PANEL_BOUNDS[size], strict=False)
    missed = any(bound is not None and ratio > bound for ratio, bound in bounds)
    table.add_row(
        f"{size[0] * size[1] / 1e6:.1f}",
        *(f"{duration_ms:.1f}" for duration_ms in durations_ms),
        *(f"{ratio:.2f} ×" for ratio in ratios),
        "MISSED" if missed else "",
    )
    return not missed


def _measure(table: Table, parts: Parts, size: tuple[int, int], count: int) -> bool:
    """Add a row; tells whether its bound is met."""
    data, bound = photo(size, count), _BOUNDS[size]
    (shown,) = decode(data)
    decode_ms, nsfw_ms, *others_ms, community_ms, profile_ms = _medians_ms(
        partial(decode, data),
        partial(parts.nsfw, shown),
        partial(parts.quality, shown),
        partial(parts.faces.detect, shown),
        shown.jpeg,
        partial(parts.community.analyze, data),
        partial(parts.profile.analyze, data),
    )
    ratio = profile_ms / (decode_ms + nsfw_ms)
    met = bound is None or ratio <= bound
    table.add_row(
        f"{size[0] * size[1] / 1e6:.1f}",
        f"{count}",
        *(f"{duration_ms:.1f}" for duration_ms in (decode_ms, nsfw_ms, *others_ms)),
        *(f"{duration_ms:.1f}" for duration_ms in (community_ms, profile_ms)),
        f"{ratio:.2f} ×",
        "" if bound is None else f"{bound:g} ×",
        "" if bound is None else "ok" if met else "MISSED",
    )
    return met


def photo(size: tuple[int, int], faces: int) -> bytes:
    """Make a JPEG of quality 90 with a row of faces in front of a table.

    Args:
        size: width and height in pixels.
        faces: how many; each head takes at most a quarter of the width.
    """
    width, height = size
    picture = photograph("coffee.png").resize(size, Image.Resampling.BICUBIC)
    side = width // 5
    head = photograph("astronaut.png").crop(_HEAD).resize((side, side))
    for number in range(faces):
        picture.paste(head, (width // 20 + number * width // 4, height // 3))
    grain = np.random.default_rng(width).standard_normal((height, width, 1), dtype=np.float32)
    pixels = np.asarray(picture, np.float32) + grain * np.float32(_GRAIN)
    return jpeg(Image.fromarray(pixels.clip(0, 255).astype(np.uint8)))


def _medians_ms(*tasks: Callable[[], object]) -> list[float]:
    """Median processor time of each task; they take turns, after each has run once.

    Each runs in this thread alone, so that this is its duration on a machine with nothing else
    to do; what else runs disturbs it less.
    """
    durations: list[list[float]] = [[] for _ in tasks]
    for run in range(_RUNS + 1):
        for task, taken in zip(tasks, durations, strict=True):
            started = time.process_time()
            task()
            if run:
                taken.append((time.process_time() - started) * 1000)
    return [percentile(taken, 50) for taken in durations]


if __name__ == "__main__":
    sys.exit(main())
