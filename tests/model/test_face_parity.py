"""The converted face networks against TensorFlow Lite, which made the golden outputs."""

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray
from PIL import Image

from local.models.build import ensure_faces
from photogate_vision.faces.views import View, values
from tests.model.golden.cuts import Cut, cut_pixels

#: Largest difference of a number of a box, in pixels of the input, and of a logit: both
#: runtimes add up in another order. Measured 6.4e-5 and 1.2e-4 over these cuts, and 2.4e-4 and
#: 4.1e-4 over 42 other tensors, noise and sides of 320 pixels among them (November 2026).
BOX_LARGEST = 2e-4
LOGIT_LARGEST = 3e-4

NETWORKS = ("short_range", "full_range")


@cache
def golden(name: str) -> dict[str, Any]:
    file = json.loads((Path(__file__).parent / "golden" / "faces.json").read_text())
    network: dict[str, Any] = file[name]
    return network


def pixels_of(name: str) -> list[NDArray[np.uint8]]:
    network = golden(name)
    return [cut_pixels(Cut(**entry["cut"]), network["size"]) for entry in network["cuts"]]


@pytest.mark.parametrize("name", NETWORKS)
def test_the_tensors_are_those_that_tensorflow_lite_saw(name: str) -> None:
    digests = [hashlib.sha256(pixels.tobytes()).hexdigest() for pixels in pixels_of(name)]
    assert digests == [entry["sha256"] for entry in golden(name)["cuts"]]


@pytest.mark.parametrize("name", NETWORKS)
def test_boxes_and_logits_are_those_of_tensorflow_lite(name: str) -> None:
    size = golden(name)["size"]
    session = onnxruntime.InferenceSession(
        ensure_faces() / f"{name}.onnx", providers=["CPUExecutionProvider"]
    )
    for pixels, entry in zip(pixels_of(name), golden(name)["cuts"], strict=True):
        # given a golden cut
        view = View(image=Image.fromarray(pixels), region=(0, 0, size, size))
        anchors = [item["anchor"] for item in entry["anchors"]]
        their_boxes = np.array([item["box"] for item in entry["anchors"]])
        their_logits = np.array([item["logit"] for item in entry["anchors"]])
        # when our network sees it
        boxes, logits = session.run(["boxes", "logits"], {"pixels": values(view)})
        # then its answers are theirs
        assert np.abs(boxes[0, anchors] - their_boxes).max() <= BOX_LARGEST
        assert np.abs(logits[0, anchors, 0] - their_logits).max() <= LOGIT_LARGEST
