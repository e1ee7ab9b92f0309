"""The inputs that can be measured here, with one thread, or read from a file."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import psutil

from bench.aws.cost import Inputs
from bench.figures import percentile
from bench.photos import TWO_MEGAPIXELS, photos
from bench.sandbox import processor_ns
from local.models.build import ensure_bundles
from photogate_vision.analyzer import VisionAnalyzer
from photogate_vision.copies.encoding import CopyForm
from photogate_vision.copies.maker import Copier
from photogate_vision.decoding.sandbox import Sandbox

_DIFFERENT, _ROUNDS = 5, 20
#: LOOK, and how many parts along each side the second model then looks at; presets say normal.
LOOKS = {"fast": 0, "normal": 2, "close": 3}


def read(path: Path) -> Inputs:
    """Read inputs that were measured elsewhere, such as on Lambda: JSON with the fields' names.

    Raises:
        SystemExit: a field is unknown, missing, or no positive number.
    """
    values: dict[str, Any] = json.loads(path.read_text("utf-8"))
    known = {field.name for field in fields(Inputs)}
    if unknown := sorted(set(values) - known):
        raise SystemExit(f"{path}: {', '.join(unknown)}: known are {', '.join(sorted(known))}")
    for name, value in values.items():
        if not isinstance(value, int | float) or value <= 0:
            raise SystemExit(f"{path}: {name} must be a number above 0")
    try:
        return Inputs(**values)
    except TypeError as error:
        raise SystemExit(f"{path}: {error}") from None


def measured(look: str) -> Inputs:
    """Measure verdicts and copies of photos of two megapixels: processor time, medians.

    Args:
        look: one of ``LOOKS``.
    """
    sandbox = Sandbox()
    first, second = ensure_bundles(["mobilenet_v2", "opennsfw"], print)
    analyzer = VisionAnalyzer(first, others=[second], tiles=LOOKS[look], decode=sandbox.decode)
    copier = Copier(sandbox.show, CopyForm())
    uploads = [photo.data for photo in photos(TWO_MEGAPIXELS, _DIFFERENT)]
    analyzer.analyze(uploads[0])
    (child,) = psutil.Process().children()
    judged, copied, sizes = list[float](), list[float](), list[float]()
    for number in range(_ROUNDS):
        data = uploads[number % _DIFFERENT]
        began = processor_ns(child.pid)
        analyzer.analyze(data)
        between = processor_ns(child.pid)
        made = copier.copies(data)
        judged.append((between - began) / 1e6)
        copied.append((processor_ns(child.pid) - between) / 1e6)
        sizes.append(sum(len(copy.data) for copy in made))
    sandbox.close()
    return Inputs(
        judge_ms=percentile(judged, 50),
        copy_ms=percentile(copied, 50),
        copies_bytes=percentile(sizes, 50),
        original_bytes=percentile([float(len(data)) for data in uploads], 50),
    )
