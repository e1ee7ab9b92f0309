"""Reads a TensorFlow Lite file into plain operators and dense float16 constants."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Operator:
    """One step of the network."""

    #: As TensorFlow Lite calls it, e.g. ``CONV_2D``.
    kind: str
    #: Indices of the values that it reads, constants included.
    inputs: tuple[int, ...]
    #: Index of its only result.
    output: int
    #: By the schema's own names, e.g. ``strideW``.
    options: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class TfliteNetwork:
    """A network whose weights are unpacked."""

    #: In an order in which they can run.
    operators: tuple[Operator, ...]
    #: By index: float16 weights, int32 sizes and paddings.
    constants: Mapping[int, NDArray[np.generic]]
    #: By index of each value, constants included.
    shapes: Mapping[int, tuple[int, ...]]
    #: Index of the pixels: N x height x width x 3.
    input: int
    #: Indices of the boxes (16 numbers an anchor) and of the logits (one an anchor).
    outputs: tuple[int, int]


def read_tflite(data: bytes, schema: Any) -> TfliteNetwork:
    """Read a file with one graph, as float16 converters write them.

    Operators that only unpack constants (DENSIFY, DEQUANTIZE) are carried out here; what
    reads their results reads the unpacked constant.

    Args:
        data: of the file.
        schema: from ``wheel.schema``.

    Raises:
        SystemExit: the file is of another kind.
    """
    model = schema.ModelT.InitFromPackedBuf(data, 0)
    if len(model.subgraphs) != 1:
        raise SystemExit(f"The file holds {len(model.subgraphs)} graphs, not one.")
    graph = model.subgraphs[0]
    kinds = {value: name for name, value in _public(schema.BuiltinOperator).items()}
    constants = _constants(model, schema)
    operators = []
    for item in graph.operators:
        code = model.operatorCodes[item.opcodeIndex]
        # Files from before 2020 keep the code in the older field, of one byte.
        kind = kinds[max(code.builtinCode, code.deprecatedBuiltinCode)]
        if len(item.outputs) != 1:
            raise SystemExit(f"{kind} has {len(item.outputs)} results, not one.")
        inputs, output = tuple(map(int, item.inputs)), int(item.outputs[0])
        if kind in ("DENSIFY", "DEQUANTIZE"):
            constants[output] = constants[inputs[0]]
            continue
        options = vars(item.builtinOptions) if item.builtinOptions else {}
        operators.append(Operator(kind=kind, inputs=inputs, output=output, options=options))
    if len(graph.inputs) != 1 or len(graph.outputs) != 2:
        raise SystemExit("The network does not turn pixels into boxes and logits.")
    return TfliteNetwork(
        operators=tuple(operators),
        constants=constants,
        shapes={index: tuple(map(int, item.shape)) for index, item in enumerate(graph.tensors)},
        input=int(graph.inputs[0]),
        outputs=(int(graph.outputs[0]), int(graph.outputs[1])),
    )


def densified(
    stored: NDArray[np.generic],
    starts: NDArray[np.integer],
    columns: NDArray[np.integer],
    width: int,
) -> NDArray[np.generic]:
    """Spread the stored values of a matrix over their rows; zeros are not stored.

    Args:
        stored: values of all rows, one row after the other.
        starts: for each row the place of its first value; and the end of the last row.
        columns: for each value its column.
        width: number of columns.
    """
    dense = np.zeros((len(starts) - 1, width), stored.dtype)
    dense[np.repeat(np.arange(len(starts) - 1), np.diff(starts)), columns] = stored
    return dense


def _constants(model: Any, schema: Any) -> dict[int, NDArray[np.generic]]:
    types = {schema.TensorType.FLOAT16: np.float16, schema.TensorType.INT32: np.int32}
    constants = {}
    for index, tensor in enumerate(model.subgraphs[0].tensors):
        stored = model.buffers[tensor.buffer].data
        if stored is None or not len(stored):
            continue
        if tensor.type not in types:
            raise SystemExit(f"Constant {index} is neither float16 nor int32.")
        values = np.asarray(stored, np.uint8).view(np.dtype(types[tensor.type]).newbyteorder("<"))
        if tensor.sparsity is not None:
            values = _sparse(values, tensor, schema)
        constants[index] = values.reshape(tuple(map(int, tensor.shape)))
    return constants


def _sparse(values: NDArray[np.generic], tensor: Any, schema: Any) -> NDArray[np.generic]:
    """Unpack the only sparsity that occurs: dense axes, and the last one compressed."""
    sparsity, shape = tensor.sparsity, tuple(map(int, tensor.shape))
    *dense, last = sparsity.dimMetadata
    kinds = schema.DimensionType
    if (
        list(sparsity.traversalOrder) != list(range(len(shape)))
        or sparsity.blockMap is not None
        or any(axis.format != kinds.DENSE for axis in dense)
        or last.format != kinds.SPARSE_CSR
    ):
        raise SystemExit(f"{tensor.name} is sparse in another way than is read here.")
    starts = np.asarray(last.arraySegments.values, np.int64)
    columns = np.asarray(last.arrayIndices.values, np.int64)
    return densified(values, starts, columns, shape[-1])


def _public(names: Any) -> dict[str, int]:
    return {name: value for name, value in vars(names).items() if isinstance(value, int)}
