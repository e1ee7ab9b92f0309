"""Keras layers, as TensorFlow.js stores them, into a ``Network``.

Covers what mobilenet_v2 and inception_v3 use and refuses anything else.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from network import (
    INPUT,
    NO_PADS,
    Activation,
    Add,
    Concat,
    Conv,
    Dense,
    GlobalAverage,
    Kernel,
    Network,
    Node,
    Pads,
    Pool,
    Softmax,
    pooled_size,
    same_pads,
)
from package import PackagedModel, Quantized

#: Layers that do nothing at inference, or whose effect the next node includes.
_TRANSPARENT = {"Dropout", "Flatten"}


def read_layers(model: PackagedModel) -> Network:
    """Translate a Keras model whose input is square RGB."""
    reader = _Reader(model.weights)
    layers = model.topology["model_config"]["config"]["layers"]
    for layer in layers:
        reader.read(layer)
    size = layers[0]["config"]["batch_input_shape"][1]
    return Network(size=size, nodes=list(reader.nodes.values()))


class _Reader:
    def __init__(self, weights: dict[str, Quantized]) -> None:
        self.weights = weights
        self.nodes: dict[str, Node] = {}
        self.source: dict[str, str] = {}  # layer -> node that holds its output
        self.size: dict[str, tuple[int, int]] = {}  # node -> height and width
        self.pads: dict[str, Pads] = {}  # node -> zeros that a padding layer put around it

    def read(self, layer: dict[str, Any]) -> None:
        kind, name, config = layer["class_name"], layer["name"], layer["config"]
        inbound = layer["inbound_nodes"][0] if layer["inbound_nodes"] else []
        inputs = tuple(self.source[entry[0]] for entry in inbound)
        match kind:
            case "InputLayer":
                self.source[name] = INPUT
                self.size[INPUT] = tuple(config["batch_input_shape"][1:3])
            case "ZeroPadding2D":
                (top, bottom), (left, right) = config["padding"]
                self.pads[inputs[0]] = (top, left, bottom, right)
                self.source[name] = inputs[0]
            case "Conv2D" | "DepthwiseConv2D":
                self._convolution(name, inputs, config, depthwise=kind == "DepthwiseConv2D")
            case "BatchNormalization":
                self._fold_batch_norm(name, inputs[0], config)
            case "ReLU" | "Activation":
                self._activate(name, inputs[0], config)
            case "MaxPooling2D" | "AveragePooling2D":
                self._pool(name, inputs, config, kind)
            case "Add":
                self._put(Add(name=name, inputs=inputs), self.size[inputs[0]])
            case "Concatenate":
                self._put(Concat(name=name, inputs=inputs), self.size[inputs[0]])
            case "Dense":
                self._dense(name, inputs, config)
            case _ if kind in _TRANSPARENT:
                self.source[name] = inputs[0]
            case _:
                raise SystemExit(f"Layer {name} is a {kind}, which this converter does not know.")

    def _put(self, node: Node, size: tuple[int, int]) -> None:
        self.nodes[node.name] = node
        self.source[node.name] = node.name
        self.size[node.name] = size

    def _padding(
        self, node: str, config: dict[str, Any], window: tuple[int, int], stride: int
    ) -> Pads:
        if config["padding"] == "same":
            return same_pads(self.size[node], window, stride)
        return self.pads.get(node, NO_PADS)

    def _convolution(
        self, name: str, inputs: tuple[str, ...], config: dict[str, Any], *, depthwise: bool
    ) -> None:
        expected = {"use_bias": False, "activation": "linear", "dilation_rate": [1, 1]}
        if any(config[key] != value for key, value in expected.items()):
            raise SystemExit(f"Convolution {name} has parts that this converter does not know.")
        shipped = self.weights[f"{name}/{'depthwise_kernel' if depthwise else 'kernel'}"]
        # HWIO, or HWC1 for a depthwise one, whose channels are both input and output.
        integers = shipped.integers().transpose((2, 3, 0, 1) if depthwise else (3, 2, 0, 1))
        channels, stride = integers.shape[0], int(config["strides"][0])
        window = (int(integers.shape[2]), int(integers.shape[3]))
        pads = self._padding(inputs[0], config, window, stride)
        kernel = Kernel(integers=integers, scale=np.full(channels, shipped.scale), axis=0)
        node = Conv(
            name=name,
            inputs=inputs,
            kernel=kernel,
            bias=np.zeros(channels),
            stride=stride,
            pads=pads,
            groups=channels if depthwise else 1,
            activation="none",
        )
        self._put(node, pooled_size(self.size[inputs[0]], window, stride, pads))

    def _fold_batch_norm(self, name: str, source: str, config: dict[str, Any]) -> None:
        node = self.nodes[source]
        if not isinstance(node, Conv):
            raise SystemExit(f"Batch norm {name} does not follow a convolution.")
        beta, mean, variance = (
            self.weights[f"{name}/{part}"].values()
            for part in ("beta", "moving_mean", "moving_variance")
        )
        factor = 1 / np.sqrt(variance + config["epsilon"])
        if config["scale"]:
            factor = factor * self.weights[f"{name}/gamma"].values()
        self.nodes[source] = replace(
            node, kernel=node.kernel.rescaled(factor), bias=beta - mean * factor
        )
        self.source[name] = source

    def _activate(self, name: str, source: str, config: dict[str, Any]) -> None:
        node = self.nodes[source]
        kinds: dict[Any, Activation] = {6: "relu6", "relu": "relu"}
        activation = kinds.get(config.get("activation", config.get("max_value")))
        if not isinstance(node, Conv) or activation is None:
            raise SystemExit(f"Activation {name} is not one that this converter knows.")
        self.nodes[source] = replace(node, activation=activation)
        self.source[name] = source

    def _pool(self, name: str, inputs: tuple[str, ...], config: dict[str, Any], kind: str) -> None:
        size, stride = self.size[inputs[0]], int(config["strides"][0])
        window = (int(config["pool_size"][0]), int(config["pool_size"][1]))
        if window == size:
            self._put(GlobalAverage(name=name, inputs=inputs), (1, 1))
            return
        pads = self._padding(inputs[0], config, window, stride)
        node = Pool(
            name=name,
            inputs=inputs,
            kind="max" if kind == "MaxPooling2D" else "average",
            window=window,
            stride=stride,
            pads=pads,
        )
        self._put(node, pooled_size(size, window, stride, pads))

    def _dense(self, name: str, inputs: tuple[str, ...], config: dict[str, Any]) -> None:
        shipped = self.weights[f"{name}/kernel"]
        integers = shipped.integers()
        kernel = Kernel(integers=integers, scale=np.full(integers.shape[1], shipped.scale), axis=1)
        softmax = config["activation"] == "softmax"
        node = Dense(
            name=name,
            inputs=inputs,
            kernel=kernel,
            bias=self.weights[f"{name}/bias"].values(),
            activation="none" if softmax else "relu",
        )
        self._put(node, (1, 1))
        if softmax:
            self._put(Softmax(name=f"{name}_softmax", inputs=(name,)), (1, 1))
