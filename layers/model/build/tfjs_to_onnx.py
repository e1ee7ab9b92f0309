"""Turns a model of the package into float32 ONNX.

``write_node`` is also what the int8 writer uses for whatever stays in float.
"""

from collections.abc import Sequence

import numpy as np

from graph_nodes import read_graph
from keras_layers import read_layers
from network import (
    INPUT,
    Add,
    Affine,
    Concat,
    Conv,
    Dense,
    GlobalAverage,
    Network,
    Node,
    Pool,
    Softmax,
)
from onnx_graph import OnnxGraph
from package import PackagedModel

#: Name of the output: float32, N x classes, each row adds up to 1.
OUTPUT = "scores"


def read_network(model: PackagedModel) -> Network:
    """Translate whichever of the two topologies the model has."""
    return read_layers(model) if "model_config" in model.topology else read_graph(model)


def float_model(network: Network, name: str) -> bytes:
    """The ONNX file of a network in float32.

    Args:
        network: what to write; its last node is the softmax.
        name: of the graph.
    """
    graph = OnnxGraph()
    for node in network.nodes:
        write_node(node, node.inputs, output_name(network, node), graph)
    return serialized(graph, network, name)


def serialized(graph: OnnxGraph, network: Network, name: str) -> bytes:
    """The bytes of a model file whose operators are all in the graph."""
    return graph.serialized(
        name=name,
        inputs={INPUT: ("N", 3, network.size, network.size)},
        outputs={OUTPUT: ("N", classes(network))},
    )


def output_name(network: Network, node: Node) -> str:
    """Name of a node's output in ONNX: its own, except that the last is ``OUTPUT``."""
    return OUTPUT if node is network.nodes[-1] else node.name


def classes(network: Network) -> int:
    """Number of probabilities that come out."""
    dense = [node for node in network.nodes if isinstance(node, Dense)]
    return int(dense[-1].bias.size)


def write_node(node: Node, inputs: Sequence[str], output: str, graph: OnnxGraph) -> None:
    """Write one step in float32.

    Args:
        node: the step.
        inputs: names of the values that it reads, in place of ``node.inputs``.
        output: name for the result.
        graph: receives operators and constants.
    """
    match node:
        case Conv():
            _write_conv(node, inputs, output, graph)
        case Dense():
            weight, bias = _weights(node, graph)
            summed = output if node.activation == "none" else f"{output}:sum"
            graph.node("Gemm", (*inputs, weight, bias), summed)
            if node.activation == "relu":
                graph.node("Relu", (summed,), output)
        case Pool(kind="max"):
            graph.node("MaxPool", inputs, output, **_window(node))
        case Pool():
            graph.node("AveragePool", inputs, output, count_include_pad=0, **_window(node))
        case GlobalAverage():
            graph.node("GlobalAveragePool", inputs, f"{output}:pooled")
            graph.node("Flatten", (f"{output}:pooled",), output, axis=1)
        case Add():
            summed = output if node.activation == "none" else f"{output}:sum"
            graph.node("Add", inputs, summed)
            if node.activation == "relu":
                graph.node("Relu", (summed,), output)
        case Concat():
            graph.node("Concat", inputs, output, axis=1)
        case Affine():
            factor = graph.constant(f"{node.name}:factor", np.array(node.factor, np.float32))
            shift = graph.constant(f"{node.name}:shift", np.array(node.shift, np.float32))
            graph.node("Mul", (*inputs, factor), f"{output}:product")
            graph.node("Add", (f"{output}:product", shift), output)
        case Softmax():
            graph.node("Softmax", inputs, output, axis=1)
        case _:
            raise SystemExit(f"{type(node).__name__} has no ONNX form here.")


def conv_attributes(node: Conv) -> dict[str, int | list[int]]:
    """The attributes of ONNX's Conv, whatever the precision."""
    return {
        "kernel_shape": [int(length) for length in node.kernel.integers.shape[2:]],
        "strides": [node.stride, node.stride],
        "pads": list(node.pads),
        "group": node.groups,
    }


def _write_conv(node: Conv, inputs: Sequence[str], output: str, graph: OnnxGraph) -> None:
    weight, bias = _weights(node, graph)
    summed = output if node.activation == "none" else f"{output}:sum"
    graph.node("Conv", (*inputs, weight, bias), summed, **conv_attributes(node))
    if node.activation == "relu":
        graph.node("Relu", (summed,), output)
    elif node.activation == "relu6":
        zero = graph.constant("zero", np.array(0, np.float32))
        six = graph.constant("six", np.array(6, np.float32))
        graph.node("Clip", (summed, zero, six), output)


def _weights(node: Conv | Dense, graph: OnnxGraph) -> tuple[str, str]:
    return (
        graph.constant(f"{node.name}:weight", node.kernel.values().astype(np.float32)),
        graph.constant(f"{node.name}:bias", node.bias.astype(np.float32)),
    )


def _window(node: Pool) -> dict[str, list[int]]:
    return {
        "kernel_shape": list(node.window),
        "strides": [node.stride, node.stride],
        "pads": list(node.pads),
    }
