"""What the copies of a photo cost, beside decoding it for the verdict.

    python -m bench.copies

Both ways take turns, photo by photo, in one process with one decoder process. Processor time is
that of both together, as the kernel counts it; copies are ``display``, ``thumb`` and ``preview``,
made and compared with what was judged.
"""

from __future__ import annotations

from collections.abc import Callable

import psutil
from rich.console import Console
from rich.table import Table

from bench.figures import percentile
from bench.photos import TWELVE_MEGAPIXELS, TWO_MEGAPIXELS, photos
from bench.sandbox import processor_ns
from photogate_vision.copies.encoding import CopyForm
from photogate_vision.copies.maker import Copier
from photogate_vision.decoding.sandbox import Sandbox

_DIFFERENT, _ROUNDS = 5, 30
_SIZES = ((1600, 1200), TWO_MEGAPIXELS, TWELVE_MEGAPIXELS)


def main() -> None:
    """Measure and print."""
    sandbox = Sandbox()

    def made(form: CopyForm) -> Callable[[bytes], int]:
        copier = Copier(sandbox.show, form)
        return lambda data: sum(len(copy.data) for copy in copier.copies(data))

    ways: dict[str, Callable[[bytes], object]] = {
        "decoded for the verdict": sandbox.decode,
        "copies as JPEG": made(CopyForm()),
        "copies as WebP": made(CopyForm(format="WEBP")),
    }
    table = Table(title="one photo, median processor ms (all copies in kB)")
    table.add_column("pixels")
    for name in ways:
        table.add_column(name, justify="right")
    for size in _SIZES:
        table.add_row(f"{size[0]}×{size[1]}", *_measure(ways, size))
    Console(width=110, highlight=False).print(table)
    sandbox.close()


def _measure(ways: dict[str, Callable[[bytes], object]], size: tuple[int, int]) -> list[str]:
    uploads = photos(size, _DIFFERENT)
    for way in ways.values():
        way(uploads[0].data)
    (child,) = psutil.Process().children()
    took_ms: dict[str, list[float]] = {name: [] for name in ways}
    sizes: dict[str, object] = {}
    for number in range(_ROUNDS):
        data = uploads[number % _DIFFERENT].data
        for name, way in ways.items():
            began = processor_ns(child.pid)
            sizes[name] = way(data)
            took_ms[name].append((processor_ns(child.pid) - began) / 1e6)
    return [
        f"{percentile(found, 50):.1f}"
        + (f" ({size_bytes / 1000:.0f})" if isinstance(size_bytes := sizes[name], int) else "")
        for name, found in took_ms.items()
    ]


if __name__ == "__main__":
    main()
