"""What decoding in a child process adds to a photo.

    python -m bench.sandbox

Both ways take turns, photo by photo, in one process with one thread, as the preset `profile`
looks at them: decoding, classifier, measures, faces. Processor time is that of both
processes together, as the kernel counts it; wall time also holds what waking each other
takes, and whatever else the machine does.
Exits with 1 when a bound is missed.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from bench.figures import percentile
from bench.photos import ONE_MEGAPIXEL, TWELVE_MEGAPIXELS, TWO_MEGAPIXELS, VGA, photos
from local.models.build import ensure_bundle, ensure_faces
from photogate_vision.analyzer import VisionAnalyzer
from photogate_vision.decoding.sandbox import Sandbox
from photogate_vision.faces.detector import EmbeddedFaces

#: By how much the processor time may grow; smaller photos are told only.
_BOUNDS = {VGA: None, ONE_MEGAPIXEL: None, TWO_MEGAPIXELS: 1.05, TWELVE_MEGAPIXELS: 1.05}
_DIFFERENT = 5
_ROUNDS = 60


def main() -> int:
    """Measure and print; gives 0, or 1 when a bound is missed."""
    bundle, faces = ensure_bundle("mobilenet_v2", print), EmbeddedFaces(ensure_faces(print))
    started = time.perf_counter()
    sandbox = Sandbox()
    inside = VisionAnalyzer(bundle, faces=faces)
    outside = VisionAnalyzer(bundle, decode=sandbox.decode, faces=faces)
    outside.analyze(photos(VGA, 1)[0].data)
    ready_ms = (time.perf_counter() - started) * 1000
    table = Table(title="one photo, median ms")
    for title in ("MP", "processor: here", "in a child", "ratio", "bound", ""):
        table.add_column(title, justify="right")
    for title in ("wall: here", "in a child", "ratio"):
        table.add_column(title, justify="right")
    met = [_measure(table, inside.analyze, outside.analyze, size) for size in _BOUNDS]
    console = Console(width=110, highlight=False)
    console.print(table)
    (child,) = psutil.Process().children()
    console.print(
        f"models and child were ready after {ready_ms:.0f} ms;"
        f" the child holds {child.memory_full_info().pss / 2**20:.0f} MiB"
    )
    sandbox.close()
    return 0 if all(met) else 1


def _measure(
    table: Table,
    inside: Callable[[bytes], object],
    outside: Callable[[bytes], object],
    size: tuple[int, int],
) -> bool:
    """Add a row; tells whether its bound is met."""
    uploads, bound = photos(size, _DIFFERENT), _BOUNDS[size]
    (child,) = psutil.Process().children()
    processor_ms: list[list[float]] = [[], []]
    wall_ms: list[list[float]] = [[], []]
    for number in range(_ROUNDS + _DIFFERENT):
        data = uploads[number % _DIFFERENT].data
        for way, task in enumerate((inside, outside)):
            began, used = time.perf_counter_ns(), processor_ns(child.pid)
            task(data)
            if number >= _DIFFERENT:
                wall_ms[way].append((time.perf_counter_ns() - began) / 1e6)
                processor_ms[way].append((processor_ns(child.pid) - used) / 1e6)
    processor, wall = ([percentile(ms, 50) for ms in both] for both in (processor_ms, wall_ms))
    ratio = processor[1] / processor[0]
    met = bound is None or ratio <= bound
    table.add_row(
        f"{size[0] * size[1] / 1e6:.1f}",
        *(f"{duration_ms:.1f}" for duration_ms in processor),
        f"{ratio:.3f} ×",
        "" if bound is None else f"{bound:g} ×",
        "" if bound is None else "ok" if met else "MISSED",
        *(f"{duration_ms:.1f}" for duration_ms in wall),
        f"{wall[1] / wall[0]:.3f} ×",
    )
    return met


def processor_ns(child: int) -> int:
    """Time on a processor so far, of this process and of the child, which sleeps just now."""
    of_child = int(Path(f"/proc/{child}/schedstat").read_text().split()[0])
    return time.process_time_ns() + of_child


if __name__ == "__main__":
    sys.exit(main())
