"""Makes small classifiers in the layout of Hugging Face, and scores pictures as they do.

They have the shapes of a vision transformer's ends: 16 × 16 patches through a convolution,
their mean, and a matrix that gives a logit for each label.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

PATCH = 16
_FEATURES = 8

VIT = {
    "image_processor_type": "ViTImageProcessor",
    "do_resize": True,
    "size": {"height": 224, "width": 224},
    "resample": 2,
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
}


@dataclass(kw_only=True)
class Classifier:
    """A random classifier; the first label is the one that harmless photos get."""

    labels: list[str]
    side: int = 224
    layout: str = "NCHW"
    #: ``Softmax`` or ``Sigmoid`` at the end of the graph itself.
    activation: str | None = None
    #: Into how many steps between 0 and 1 that end is rounded, as quantised graphs do.
    steps: int | None = None
    #: Lengths of N, height and width; a name stands for any.
    batch: int | str = "batch_size"
    height: int | str | None = None
    half: bool = False
    preprocessor: dict[str, Any] = field(default_factory=lambda: dict(VIT))
    config: dict[str, Any] = field(default_factory=dict)
    card: str | None = "---\nlicense: apache-2.0\ntags: [x]\n---\n# A model\n"

    def __post_init__(self) -> None:
        random = np.random.default_rng(7)
        count = len(self.labels)
        self.patch = random.normal(0, 0.05, (_FEATURES, 3, PATCH, PATCH)).astype(np.float32)
        self.matrix = random.normal(0, 0.5, (_FEATURES, count)).astype(np.float32)
        self.bias = np.linspace(1, -1, count).astype(np.float32)

    def write(self, folder: Path, file: str = "onnx/model.onnx") -> Path:
        """Write the folder as Hugging Face's tools do."""
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(self.model().SerializeToString())
        labels = {str(n): label for n, label in enumerate(self.labels)}
        config = {"model_type": "vit", "num_channels": 3, "id2label": labels} | self.config
        (folder / "config.json").write_text(json.dumps(config))
        (folder / "preprocessor_config.json").write_text(json.dumps(self.preprocessor))
        if self.card is not None:
            (folder / "README.md").write_text(self.card)
        return folder

    def model(self) -> onnx.ModelProto:
        """Give the graph."""
        number = np.float16 if self.half else np.float32
        kind = TensorProto.FLOAT16 if self.half else TensorProto.FLOAT
        height = self.side if self.height is None else self.height
        sides = [height, height if isinstance(height, int) else "width"]
        nchw = self.layout == "NCHW"
        shape = [self.batch, 3, *sides] if nchw else [self.batch, *sides, 3]
        picture = helper.make_tensor_value_info("pixel_values", kind, shape)
        logits = helper.make_tensor_value_info("logits", kind, [self.batch, len(self.labels)])
        nodes = (
            []
            if nchw
            else [helper.make_node("Transpose", ["pixel_values"], ["planes"], perm=[0, 3, 1, 2])]
        )
        last = "logits" if self.activation is None else "answers"
        nodes += [
            helper.make_node(
                "Conv",
                ["pixel_values" if nchw else "planes", "patch"],
                ["patches"],
                strides=[PATCH, PATCH],
            ),
            helper.make_node("Relu", ["patches"], ["features"]),
            helper.make_node("GlobalAveragePool", ["features"], ["pooled"]),
            helper.make_node("Flatten", ["pooled"], ["flat"]),
            helper.make_node("MatMul", ["flat", "matrix"], ["product"]),
            helper.make_node("Add", ["product", "bias"], [last]),
        ]
        if self.activation is not None:
            end = "logits" if self.steps is None else "exact"
            nodes.append(helper.make_node(self.activation, ["answers"], [end]))
        weights = []
        if self.steps is not None:
            weights.append(numpy_helper.from_array(np.array(1 / self.steps, np.float32), "step"))
            nodes += [
                helper.make_node("QuantizeLinear", ["exact", "step"], ["rounded"]),
                helper.make_node("DequantizeLinear", ["rounded", "step"], ["logits"]),
            ]
        weights += [
            numpy_helper.from_array(values.astype(number), name)
            for name, values in (
                ("patch", self.patch),
                ("matrix", self.matrix),
                ("bias", self.bias),
            )
        ]
        graph = helper.make_graph(nodes, "classifier", [picture], [logits], weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.checker.check_model(model)
        return model

    def logits(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give in numpy what the graph gives for one normalised picture, H x W x 3."""
        across = values.shape[0] // PATCH
        cut = values[: across * PATCH, : across * PATCH]
        patches = cut.reshape(across, PATCH, across, PATCH, 3)
        features = np.einsum("aibjc,fcij->abf", patches, self.patch.astype(np.float64))
        pooled = np.maximum(features, 0).mean(axis=(0, 1))
        result: NDArray[np.float64] = pooled @ self.matrix + self.bias
        return result


def prepared(
    image: Image.Image,
    *,
    size: tuple[int, int],
    side: int,
    resample: Image.Resampling = Image.Resampling.BILINEAR,
    scale: float = 1 / 255,
    mean: float = 0.5,
    std: float = 0.5,
) -> NDArray[np.float64]:
    """Prepare a picture step by step: to ``size`` (width, height), the middle, normalised."""
    resized = np.asarray(image.resize(size, resample), np.float64)
    top, left = (size[1] - side) // 2, (size[0] - side) // 2
    return (resized[top : top + side, left : left + side] * scale - mean) / std


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give probabilities that add up to 1."""
    powers = np.exp(logits - logits.max())
    result: NDArray[np.float64] = powers / powers.sum()
    return result


def sigmoid(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give a probability for each."""
    return 1 / (1 + np.exp(-logits))
