"""Turns a face network of the wheel into ONNX.

Rows and columns come before channels in TensorFlow Lite and after them in ONNX: weights
are turned here, once, and activations only where boxes and logits leave the network.
Weights stay float16, as the wheel ships them, and are widened when the file is loaded:
the same numbers in half the size. Height and width are left open, so that the network
runs on any multiple of its greatest stride.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from faces.tflite import Operator, TfliteNetwork
from onnx_graph import OnnxGraph

#: Name of the input: float32, N x 3 x height x width, RGB, -1..1.
PIXELS = "pixels"
#: Names of the outputs: float32, N x anchors x 16 and N x anchors x 1.
BOXES, LOGITS = "boxes", "logits"

#: The schema's values of ``fusedActivationFunction`` and of ``padding``.
_ACTIVATIONS = {0: None, 1: "Relu"}
_SAME = 0

#: Rows and columns added before and after: top, left, bottom, right.
_Pads = tuple[int, int, int, int]


def onnx_model(network: TfliteNetwork, name: str) -> bytes:
    """The ONNX file of a network; the same bytes each time.

    Args:
        network: what to write.
        name: of the graph.

    Raises:
        SystemExit: it has an operator, or an option of one, that is not known here.
    """
    writer = _Writer(network)
    for operator in network.operators:
        writer.write(operator)
    return writer.graph.serialized(
        name=name,
        inputs={PIXELS: ("N", 3, "height", "width")},
        outputs={BOXES: ("N", "anchors", 16), LOGITS: ("N", "anchors", 1)},
    )


class _Writer:
    def __init__(self, network: TfliteNetwork) -> None:
        self.network = network
        self.graph = OnnxGraph()
        self._names = {
            network.input: PIXELS,
            network.outputs[0]: BOXES,
            network.outputs[1]: LOGITS,
        }
        self._padded: dict[int, tuple[int, _Pads]] = {}  # result of a PAD -> what it pads
        self._write: Mapping[str, Callable[[Operator], None]] = {
            "ADD": self._add,
            "CONCATENATION": self._concatenation,
            "CONV_2D": self._convolution,
            "DEPTHWISE_CONV_2D": self._convolution,
            "DEPTH_TO_SPACE": self._depth_to_space,
            "MAX_POOL_2D": self._maximum,
            "PAD": self._pad,
            "RELU": self._relu,
            "RESHAPE": self._rows,
            "RESIZE_BILINEAR": self._resize,
        }

    def write(self, operator: Operator) -> None:
        if operator.kind not in self._write:
            raise SystemExit(f"{operator.kind} has no ONNX form here.")
        self._write[operator.kind](operator)

    def _name(self, index: int) -> str:
        if index in self._padded:
            raise SystemExit("Padding is read by something else than a convolution.")
        return self._names.get(index, f"value{index}")

    def _weight(self, index: int, value: NDArray[np.generic]) -> str:
        stored = self.graph.constant(f"weight{index}:float16", value)
        return self.graph.node("Cast", (stored,), f"weight{index}", to=1)  # float32

    def _activated(self, operator: Operator, write: Callable[[str], object]) -> None:
        """Write an operator under its name, and behind it the ReLU that is part of it."""
        activation = _ACTIVATIONS.get(operator.options["fusedActivationFunction"], "")
        if activation == "":
            raise SystemExit(f"{operator.kind} has an activation that is not known here.")
        name = self._name(operator.output)
        write(f"{name}:sum" if activation else name)
        if activation:
            self.graph.node(activation, (f"{name}:sum",), name)

    def _add(self, operator: Operator) -> None:
        inputs = [self._name(index) for index in operator.inputs]
        self._activated(operator, lambda name: self.graph.node("Add", inputs, name))

    def _concatenation(self, operator: Operator) -> None:
        # Of rows, after RESHAPE: their axes are TensorFlow's.
        inputs = [self._name(index) for index in operator.inputs]
        axis = int(operator.options["axis"])
        self._activated(operator, lambda name: self.graph.node("Concat", inputs, name, axis=axis))

    def _convolution(self, operator: Operator) -> None:
        source, kernel_index, bias_index = operator.inputs
        kernel, options = self.network.constants[kernel_index], operator.options
        depthwise = operator.kind == "DEPTHWISE_CONV_2D"
        if (options["dilationHFactor"], options["dilationWFactor"]) != (1, 1):
            raise SystemExit("A dilated convolution has no ONNX form here.")
        if depthwise and options["depthMultiplier"] != 1:
            raise SystemExit("A depthwise convolution that widens has no ONNX form here.")
        # 1 x H x W x channels and out x H x W x in: both to out x in x H x W.
        turned = kernel.transpose(3, 0, 1, 2) if depthwise else kernel.transpose(0, 3, 1, 2)
        pads: dict[str, str | list[int]] = {"auto_pad": "SAME_UPPER"}
        if options["padding"] != _SAME:
            source, before = self._padded.get(source, (source, (0, 0, 0, 0)))
            pads = {"pads": list(before)}
        inputs = (
            self._name(source),
            self._weight(kernel_index, np.ascontiguousarray(turned)),
            self._weight(bias_index, self.network.constants[bias_index]),
        )
        self._activated(
            operator,
            lambda name: self.graph.node(
                "Conv",
                inputs,
                name,
                kernel_shape=list(turned.shape[2:]),
                strides=[options["strideH"], options["strideW"]],
                group=turned.shape[0] if depthwise else 1,
                **pads,
            ),
        )

    def _depth_to_space(self, operator: Operator) -> None:
        size = int(operator.options["blockSize"])
        name, source = self._name(operator.output), self._name(operator.inputs[0])
        self.graph.node("DepthToSpace", (source,), name, blocksize=size, mode="DCR")

    def _maximum(self, operator: Operator) -> None:
        options, source = operator.options, self._name(operator.inputs[0])
        if options["padding"] != _SAME:
            raise SystemExit("A maximum without padding has no ONNX form here.")
        self._activated(
            operator,
            lambda name: self.graph.node(
                "MaxPool",
                (source,),
                name,
                kernel_shape=[options["filterHeight"], options["filterWidth"]],
                strides=[options["strideH"], options["strideW"]],
                auto_pad="SAME_UPPER",
            ),
        )

    def _pad(self, operator: Operator) -> None:
        """Leave padded rows and columns to the next convolution; add channels here."""
        source, amounts = operator.inputs
        batch, rows, columns, channels = self.network.constants[amounts].tolist()
        if batch == [0, 0] and channels == [0, 0]:
            pads = (rows[0], columns[0], rows[1], columns[1])
            self._padded[operator.output] = (source, pads)
            return
        if [batch, rows, columns] != [[0, 0]] * 3:
            raise SystemExit("Padding of channels and rows at once has no ONNX form here.")
        added = np.array([0, channels[0], 0, 0, 0, channels[1], 0, 0], np.int64)
        amount = self.graph.constant(f"value{operator.output}:pads", added)
        self.graph.node("Pad", (self._name(source), amount), self._name(operator.output))

    def _relu(self, operator: Operator) -> None:
        self.graph.node("Relu", (self._name(operator.inputs[0]),), self._name(operator.output))

    def _rows(self, operator: Operator) -> None:
        """One row for each anchor: channels go last before they are counted off."""
        shape, name = self.network.shapes[operator.output], self._name(operator.output)
        if len(shape) != 3:
            raise SystemExit("A reshape to other than rows has no ONNX form here.")
        turned = self.graph.node(
            "Transpose", (self._name(operator.inputs[0]),), f"{name}:turned", perm=[0, 2, 3, 1]
        )
        rows = self.graph.constant(f"rows{shape[-1]}", np.array([0, -1, shape[-1]], np.int64))
        self.graph.node("Reshape", (turned, rows), name)

    def _resize(self, operator: Operator) -> None:
        options = operator.options
        if options["alignCorners"] or not options["halfPixelCenters"]:
            raise SystemExit("A resize that aligns corners has no ONNX form here.")
        before = self.network.shapes[operator.inputs[0]]
        after = self.network.shapes[operator.output]
        factors = np.array([1, 1, after[1] / before[1], after[2] / before[2]], np.float32)
        scales = self.graph.constant(f"value{operator.output}:scales", factors)
        self.graph.node(
            "Resize",
            (self._name(operator.inputs[0]), "", scales),
            self._name(operator.output),
            mode="linear",
            coordinate_transformation_mode="half_pixel",
        )
