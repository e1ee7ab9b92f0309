"""What finding faces adds to the time of a photo: the table of MODEL_CARD.md.

    python -m bench.faces

In one process and with one thread, as a worker does it: the detector sees the picture
that was decoded for the classifier. Exits with 1 when a bound is missed.
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
from bench.photos import TWELVE_MEGAPIXELS, TWO_MEGAPIXELS, VGA
from local.model_build import ensure_bundle, ensure_faces
from local.samples import jpeg, photograph
from photogate_vision.analyzer import VisionAnalyzer
from photogate_vision.decode import decode
from photogate_vision.faces import EmbeddedFaces

#: For each size, how many times the time without faces the time with them may be.
_BOUNDS = {VGA: None, TWO_MEGAPIXELS: 3.0, TWELVE_MEGAPIXELS: 2.0}
#: Faces in a photo, side by side.
_COUNTS = (0, 1, 4)
_RUNS = 25
#: As in ``bench.photos``: grain that upscaling lacks, in grey levels.
_GRAIN = 6.0
#: Head and shoulders of the astronaut, in pixels of the photograph.
_HEAD = (125, 25, 325, 225)


def main() -> int:
    """Measure and print; gives 0, or 1 when a bound is missed."""
    analyzer = VisionAnalyzer(ensure_bundle("mobilenet_v2", print))
    started = time.perf_counter()
    detector = EmbeddedFaces(ensure_faces(print))
    load_ms = (time.perf_counter() - started) * 1000
    table = Table(title="one photo, one thread, median ms")
    for title in ("MP", "faces", "found", "decode + NSFW", "faces", "both", "ratio", "bound", ""):
        table.add_column(title, justify="right")
    cases = [(size, count) for size in _BOUNDS for count in _COUNTS]
    met = [_measure(table, analyzer, detector, size, count) for size, count in cases]
    console = Console(width=100, highlight=False)
    console.print(table)
    console.print(f"loading the detector took {load_ms:.0f} ms")
    return 0 if all(met) else 1


def _measure(
    table: Table,
    analyzer: VisionAnalyzer,
    detector: EmbeddedFaces,
    size: tuple[int, int],
    count: int,
) -> bool:
    """Add a row; tells whether its bound is met."""
    data, bound = photo(size, count), _BOUNDS[size]
    (shown,) = decode(data)
    alone_ms, faces_ms = _medians_ms(
        partial(analyzer.analyze, data), partial(detector.detect, shown)
    )
    both_ms, found = alone_ms + faces_ms, len(detector.detect(shown))
    met = bound is None or both_ms <= bound * alone_ms
    table.add_row(
        f"{size[0] * size[1] / 1e6:.1f}",
        *(f"{number}" for number in (count, found)),
        *(f"{duration_ms:.1f}" for duration_ms in (alone_ms, faces_ms, both_ms)),
        f"{both_ms / alone_ms:.2f} ×",
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
    """Median duration of each task; they take turns, after each has run once."""
    durations: list[list[float]] = [[] for _ in tasks]
    for run in range(_RUNS + 1):
        for task, taken in zip(tasks, durations, strict=True):
            started = time.perf_counter()
            task()
            if run:
                taken.append((time.perf_counter() - started) * 1000)
    return [percentile(taken, 50) for taken in durations]


if __name__ == "__main__":
    sys.exit(main())
