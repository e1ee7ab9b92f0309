"""Writes a network as int8 ONNX, with the whole numbers that the package ships.

The usual tools quantise anew from float weights and so round twice. The weights
here were whole numbers all along: each channel keeps them, and batch norm goes
into the channel's scale (its sign into the numbers). Measured against the float
model, that is most of the accuracy; see MODEL_CARD.md.

Activations are uint8 over the range that ``calibrate.py`` noted, zero included.
ReLU and ReLU6 need no operator: the range begins at 0 and ends at 6 or below, so
the rounding to uint8 cuts off what they would cut off. Operators stand between
DequantizeLinear and QuantizeLinear, which onnxruntime fuses into its int8 kernels.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from network import Add, Concat, Conv, Float64, Kernel, Network, Node, Pool
from onnx_graph import OnnxGraph
from tfjs_to_onnx import conv_attributes, output_name, serialized, write_node

#: Least and greatest value of a node's output over the calibration photos.
Range = tuple[float, float]
#: Factor and zero point of a uint8 activation.
Line = tuple[np.float32, int]

_INT32 = np.iinfo(np.int32)


def int8_model(network: Network, ranges: Mapping[str, Range], name: str) -> bytes:
    """The ONNX file of a network in int8.

    Args:
        network: what to write; its last node is the softmax.
        ranges: by node name, for every node that ``quantized_nodes`` names and for
            whatever those read.
        name: of the graph.
    """
    writer = _Writer(network, ranges)
    for node in network.nodes:
        writer.write(node)
    return serialized(writer.graph, network, name)


def quantized_nodes(network: Network) -> set[str]:
    """Names of the nodes that run in int8.

    The stem stays in float, because flat areas of a photo meet the same rounding
    everywhere there: two convolutions where the second is depthwise (in mobilenet_v2
    they cost more accuracy than all others together), three in inception_v3 (mean
    drift on hard crops .054 with one, .019 with two, .007 with three, November 2026).
    So do the dense layers, the last average and the softmax, which take next to no time.

    Not in between: onnxruntime rounds a float convolution that stands between int8
    ones by itself, with one scale for all channels (seen in 1.32).
    """
    convolutions = [node for node in network.nodes if isinstance(node, Conv)]
    depthwise = any(node.groups > 1 for node in convolutions)
    in_float = {node.name for node in convolutions[: 2 if depthwise else 3]}
    kinds = (Conv, Add, Concat, Pool)
    return {
        node.name for node in network.nodes if isinstance(node, kinds) and node.name not in in_float
    }


def calibrated_nodes(network: Network) -> list[str]:
    """Names of the nodes whose output becomes uint8, in network order."""
    int8 = quantized_nodes(network)
    read = {item for node in network.nodes if node.name in int8 for item in node.inputs}
    return [node.name for node in network.nodes if node.name in int8 | read]


def whole_numbers(kernel: Kernel) -> tuple[NDArray[np.int8], Float64]:
    """A kernel's int8 weights and the positive scale of each output channel.

    A channel whose numbers go past 127 is the only one that is rounded again.
    """
    shape = [-1] + [1] * (kernel.integers.ndim - 1)
    largest = np.abs(kernel.integers).reshape(kernel.integers.shape[0], -1).max(axis=1)
    shrink = np.maximum(largest / 127, 1.0)
    numbers = kernel.integers * np.sign(kernel.scale).reshape(shape)
    rounded = np.rint(numbers / shrink.reshape(shape))
    return rounded.astype(np.int8), np.abs(kernel.scale) * shrink


def uint8_line(span: Range) -> Line:
    """Factor and zero point that lay a range, widened to hold 0, over 0..255."""
    low, high = min(span[0], 0.0), max(span[1], 0.0)
    factor = (high - low) / 255
    return np.float32(factor), round(-low / factor)


class _Writer:
    def __init__(self, network: Network, ranges: Mapping[str, Range]) -> None:
        self.network = network
        self.graph = OnnxGraph()
        self.int8 = quantized_nodes(network)
        names = calibrated_nodes(network)
        missing = [item for item in names if item not in ranges]
        if missing:
            raise SystemExit(f"No calibrated range for {missing[0]}: run calibrate.py again.")
        self.lines = {item: uint8_line(ranges[item]) for item in names}
        self._share_lines()
        self.value: dict[str, str] = {}  # node -> the value that its readers take

    def _share_lines(self) -> None:
        """Give a maximum pool the line of what it reads, and a concatenation's parts its own.

        Then neither of them has to rescale anything.
        """
        readers: dict[str, list[Node]] = {}
        for node in self.network.nodes:
            for item in node.inputs:
                readers.setdefault(item, []).append(node)
        for node in self.network.nodes:
            if isinstance(node, Pool) and node.kind == "max":
                self.lines[node.name] = self.lines[node.inputs[0]]
        for node in reversed(self.network.nodes):
            if isinstance(node, Concat):
                for item in self._only_read_by(node, readers):
                    self.lines[item] = self.lines[node.name]

    def _only_read_by(self, node: Concat, readers: Mapping[str, list[Node]]) -> Iterable[str]:
        nodes = {other.name: other for other in self.network.nodes}
        for item in node.inputs:
            if readers[item] == [node] and not isinstance(nodes[item], Pool):
                yield item

    def write(self, node: Node) -> None:
        inputs = tuple(self.value.get(item, item) for item in node.inputs)
        output = output_name(self.network, node)
        if isinstance(node, Conv) and node.name in self.int8:
            self._convolution(node, inputs, output)
        elif isinstance(node, Add) and node.name in self.int8:
            write_node(replace(node, activation="none"), inputs, output, self.graph)
        else:
            write_node(node, inputs, output, self.graph)
        self.value[node.name] = self._rounded(node.name) if node.name in self.lines else output

    def _convolution(self, node: Conv, inputs: tuple[str, ...], output: str) -> None:
        weights, scale = whole_numbers(node.kernel)
        scale32 = scale.astype(np.float32)
        bias_scale = self.lines[node.inputs[0]][0] * scale32
        bias = np.rint(node.bias / bias_scale.astype(np.float64))
        if bias.min() < _INT32.min or bias.max() > _INT32.max:
            raise SystemExit(f"The bias of {node.name} does not fit 32 bits.")
        weight_name = self._dequantized(f"{node.name}:weight", weights, scale32, np.int8)
        bias_name = self._dequantized(
            f"{node.name}:bias", bias.astype(np.int32), bias_scale, np.int32
        )
        self.graph.node("Conv", (*inputs, weight_name, bias_name), output, **conv_attributes(node))

    def _dequantized(
        self,
        name: str,
        numbers: NDArray[np.generic],
        scale: NDArray[np.float32],
        dtype: type[np.int8] | type[np.int32],
    ) -> str:
        parts = (
            self.graph.constant(f"{name}:int", numbers),
            self.graph.constant(f"{name}:scale", scale),
            self.graph.constant(f"{name}:zero", np.zeros(scale.shape, dtype)),
        )
        return self.graph.node("DequantizeLinear", parts, name, axis=0)

    def _rounded(self, name: str) -> str:
        factor, zero = self.lines[name]
        line = (
            self.graph.constant(f"{name}:scale", np.array(factor, np.float32)),
            self.graph.constant(f"{name}:zero", np.array(zero, np.uint8)),
        )
        rounded = self.graph.node("QuantizeLinear", (name, *line), f"{name}:uint8")
        return self.graph.node("DequantizeLinear", (rounded, *line), f"{name}:rounded")
