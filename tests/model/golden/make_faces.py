"""Fills ``faces.json`` with what TensorFlow Lite itself makes of the golden cuts.

In an environment of its own, with ai-edge-litert 2.3.0 beside what is in
``requirements/run.txt`` and ``samples.txt``::

    PYTHONPATH=.:layers/core:layers/model:layers/model/build \\
        python -m tests.model.golden.make_faces mediapipe-0.10.21-….whl

``cuts.py`` cuts the pixels and ``faces.views.values`` scales them, so that both sides
see the same tensors. Of each output the surest anchors are kept, and some spread evenly.
"""

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter  # type: ignore[import-not-found]
from PIL import Image

from faces.wheel import NETWORKS, network_file, verified
from photogate_vision.faces.views import View, values
from tests.model.golden.cuts import Cut, cut_pixels

#: The side that each network was trained with.
_SIZES = {"short_range": 128, "full_range": 192}
#: With a face from close, from far, blurred and tinted; and without one.
_CUTS = {
    "short_range": (
        Cut(photo="astronaut.png", top=60, left=160),
        Cut(photo="astronaut.png", top=20, left=90, step=2),
        Cut(photo="astronaut.png", top=0, left=0, step=4),
        Cut(photo="astronaut.png", top=40, left=140, blur=5, tint=(300, 240, 180)),
        Cut(photo="chelsea.png", top=40, left=100, step=2),
        Cut(photo="coffee.png", top=0, left=40, step=3),
    ),
    "full_range": (
        Cut(photo="astronaut.png", top=10, left=120),
        Cut(photo="astronaut.png", top=0, left=60, step=2),
        Cut(photo="astronaut.png", top=60, left=160, repeat=2),
        Cut(photo="astronaut.png", top=0, left=60, step=2, blur=4, tint=(180, 240, 300)),
        Cut(photo="chelsea.png", top=40, left=100),
        Cut(photo="coffee.png", top=0, left=100, step=2),
    ),
}
_SUREST = 3
_SPREAD = 5


def main(wheel: Path) -> None:
    """Write the golden file beside this one."""
    networks = {}
    for name in NETWORKS:
        interpreter = Interpreter(model_content=network_file(verified(wheel), name))
        interpreter.allocate_tensors()
        entries = [_entry(interpreter, cut, _SIZES[name]) for cut in _CUTS[name]]
        networks[name] = {"size": _SIZES[name], "cuts": entries}
    text = json.dumps(networks)
    for start, line in ((' {"cut"', '\n{"cut"'), (' {"anchor"', '\n {"anchor"'), ("[{", "[\n{")):
        text = text.replace(start, line)
    Path(__file__).with_name("faces.json").write_text(text + "\n")


def _entry(interpreter: Any, cut: Cut, size: int) -> dict[str, Any]:
    pixels = cut_pixels(cut, size)
    tensor = values(View(image=Image.fromarray(pixels), region=(0, 0, size, size)))
    interpreter.set_tensor(
        interpreter.get_input_details()[0]["index"],
        np.ascontiguousarray(tensor.transpose(0, 2, 3, 1)),
    )
    interpreter.invoke()
    outputs = [interpreter.get_tensor(item["index"]) for item in interpreter.get_output_details()]
    logits, boxes = sorted((output[0] for output in outputs), key=lambda rows: rows.shape[-1])
    surest = np.argsort(-logits[:, 0])[:_SUREST]
    spread = np.linspace(0, len(logits) - 1, _SPREAD).astype(int)
    return {
        "cut": {key: value for key, value in vars(cut).items() if value != getattr(Cut, key, None)},
        "sha256": hashlib.sha256(pixels.tobytes()).hexdigest(),
        "anchors": [
            {
                "anchor": anchor,
                "logit": round(float(logits[anchor, 0]), 5),
                "box": [round(float(number), 5) for number in boxes[anchor]],
            }
            for anchor in [*surest.tolist(), *spread.tolist()]
        ],
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]))
