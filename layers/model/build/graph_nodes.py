"""A frozen TensorFlow graph, as TensorFlow.js stores it, into a ``Network``.

Covers what mobilenet_v2_mid uses and refuses anything else. Its batch norms were
folded before it was published, so its integers already include them.
"""

import base64
from typing import Any

import numpy as np

from network import (
    INPUT,
    Activation,
    Add,
    Affine,
    Conv,
    Dense,
    GlobalAverage,
    Kernel,
    Network,
    Node,
    Softmax,
    pooled_size,
    same_pads,
)
from package import PackagedModel, Quantized


def read_graph(model: PackagedModel) -> Network:
    """Translate a frozen graph whose input is square RGB."""
    reader = _Reader(model.weights)
    for entry in model.topology["node"]:
        reader.read(entry)
    return Network(size=reader.size[INPUT][0], nodes=reader.nodes)


class _Reader:
    def __init__(self, weights: dict[str, Quantized]) -> None:
        self.weights = weights
        self.nodes: list[Node] = []
        self.source: dict[str, str] = {}  # graph node -> node that holds its output
        self.size: dict[str, tuple[int, int]] = {}

    def read(self, entry: dict[str, Any]) -> None:
        operation, full_name, attributes = entry["op"], entry["name"], entry.get("attr", {})
        name = full_name.rpartition("MobilenetV2/")[2].rpartition("sequential/")[2]
        inputs = tuple(self.source[item] for item in entry.get("input", ()) if item in self.source)
        constants = [self.weights[item] for item in entry.get("input", ()) if item in self.weights]
        match operation:
            case "Const":
                return
            case "Placeholder":
                dimensions = [int(item["size"]) for item in attributes["shape"]["shape"]["dim"]]
                self.source[full_name] = INPUT
                self.size[INPUT] = (dimensions[1], dimensions[2])
                return
            case "Squeeze" | "Identity":
                self.source[full_name] = inputs[0]
                return
            case "_FusedConv2D" | "FusedDepthwiseConv2dNative":
                depthwise = operation != "_FusedConv2D"
                node: Node = self._convolution(name, inputs, constants, attributes, depthwise)
            case "Mul":
                node = Affine(name=name, inputs=inputs, factor=_scalar(constants), shift=0.0)
            case "Sub":
                node = Affine(name=name, inputs=inputs, factor=1.0, shift=-_scalar(constants))
            case "AddV2":
                node = Add(name=name, inputs=inputs)
            case "AvgPool":
                window = tuple(int(item) for item in attributes["ksize"]["list"]["i"][1:3])
                if window != self.size[inputs[0]]:
                    raise SystemExit(f"{name} is not a pool over the whole picture.")
                node = GlobalAverage(name=name, inputs=inputs)
            case "_FusedMatMul":
                _fused(name, attributes)
                integers = constants[0].integers()
                scale = np.full(integers.shape[1], constants[0].scale)
                node = Dense(
                    name=name,
                    inputs=inputs,
                    kernel=Kernel(integers=integers, scale=scale, axis=1),
                    bias=constants[1].values(),
                    activation="none",
                )
            case "Softmax":
                node = Softmax(name=name, inputs=inputs)
            case _:
                raise SystemExit(f"{name} is a {operation}, which this converter does not know.")
        self.nodes.append(node)
        self.source[full_name] = name
        self.size.setdefault(name, self.size[inputs[0]])

    def _convolution(
        self,
        name: str,
        inputs: tuple[str, ...],
        constants: list[Quantized],
        attributes: dict[str, Any],
        depthwise: bool,
    ) -> Conv:
        if base64.b64decode(attributes["padding"]["s"]) != b"SAME":
            raise SystemExit(f"{name} has a padding that this converter does not know.")
        # HWIO, or HWC1 for a depthwise one, whose channels are both input and output.
        integers = constants[0].integers().transpose((2, 3, 0, 1) if depthwise else (3, 2, 0, 1))
        channels, stride = integers.shape[0], int(attributes["strides"]["list"]["i"][1])
        window = (int(integers.shape[2]), int(integers.shape[3]))
        pads = same_pads(self.size[inputs[0]], window, stride)
        self.size[name] = pooled_size(self.size[inputs[0]], window, stride, pads)
        scale = np.full(channels, constants[0].scale)
        return Conv(
            name=name,
            inputs=inputs,
            kernel=Kernel(integers=integers, scale=scale, axis=0),
            bias=constants[1].values(),
            stride=stride,
            pads=pads,
            groups=channels if depthwise else 1,
            activation=_fused(name, attributes),
        )


def _fused(name: str, attributes: dict[str, Any]) -> Activation:
    steps = [base64.b64decode(step).decode() for step in attributes["fused_ops"]["list"]["s"]]
    match steps:
        case ["BiasAdd"]:
            return "none"
        case ["BiasAdd", "Relu6"]:
            return "relu6"
        case _:
            raise SystemExit(f"{name} fuses {steps}, which this converter does not know.")


def _scalar(constants: list[Quantized]) -> float:
    return float(constants[0].values())
