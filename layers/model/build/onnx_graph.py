"""Collects ONNX nodes and constants, and writes a model that is the same each time."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

#: Length of each axis, or a name for one that is left open.
Shape = Sequence[int | str]

#: Operators of January 2022: every onnxruntime since 1.12 reads them.
OPSET = 17
#: The file format that goes with that opset.
IR_VERSION = 8


class OnnxGraph:
    """A graph under construction; names are given by the caller and unique."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}

    def constant(self, name: str, value: NDArray[np.generic]) -> str:
        """Store an array once under its name, and return the name."""
        if name not in self._constants:
            self._constants[name] = numpy_helper.from_array(value, name)
        return name

    def node(
        self,
        operator: str,
        inputs: Sequence[str],
        output: str,
        **attributes: Any,
    ) -> str:
        """Append one operator with its ONNX attributes and return the name of its output."""
        self._nodes.append(
            helper.make_node(operator, list(inputs), [output], name=output, **attributes)
        )
        return output

    def serialized(
        self, *, name: str, inputs: Mapping[str, Shape], outputs: Mapping[str, Shape]
    ) -> bytes:
        """The bytes of the model file.

        Args:
            name: of the graph.
            inputs: shape of each float32 input.
            outputs: shape of each float32 output.
        """
        graph = helper.make_graph(
            self._nodes,
            name,
            [_described(*item) for item in inputs.items()],
            [_described(*item) for item in outputs.items()],
            list(self._constants.values()),
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="photogate",
        )
        onnx.checker.check_model(model, full_check=True)
        return bytes(model.SerializeToString(deterministic=True))


def _described(name: str, shape: Shape) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape))
