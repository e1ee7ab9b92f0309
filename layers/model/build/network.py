"""A convolutional network as plain values, between the package and ONNX.

Both topologies that the package uses (Keras layers, a frozen TensorFlow graph)
become this, and both precisions (float32, int8) are written from it. Weights stay
what the package ships: whole numbers and a scale. Batch norm changes the scale of
a channel, never its whole numbers, so int8 keeps them too.

Layouts are ONNX's: activations NCHW, convolution kernels OIHW, dense kernels IO.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
Activation = Literal["none", "relu", "relu6"]
#: Padding of the two spatial axes: top, left, bottom, right.
Pads = tuple[int, int, int, int]

NO_PADS: Pads = (0, 0, 0, 0)


@dataclass(frozen=True, kw_only=True)
class Kernel:
    """Weights as the package ships them: ``integers * scale`` is their value.

    Where a package ships floats the numbers are not whole, and int8 rounds them.
    """

    #: Whole numbers, -255..255 (the shipped byte minus its zero point), as float64.
    integers: Float64
    #: One signed factor for each output channel.
    scale: Float64
    #: Axis of ``integers`` that counts the output channels.
    axis: int

    def values(self) -> Float64:
        """The real weights, float64, in the shape of ``integers``."""
        shape = [1] * self.integers.ndim
        shape[self.axis] = -1
        return self.integers * self.scale.reshape(shape)

    def rescaled(self, factor: Float64) -> "Kernel":
        """The same integers with each channel's scale multiplied by ``factor``."""
        return replace(self, scale=self.scale * factor)


@dataclass(frozen=True, kw_only=True)
class Node:
    """One step; its output carries its name."""

    #: Unique in the network, and the name of the output.
    name: str
    #: Names of the nodes that it reads; ``INPUT`` is the picture.
    inputs: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Conv(Node):
    """A convolution, with its batch norm folded in and its activation."""

    #: OIHW; depthwise kernels are O1HW with ``groups`` = O.
    kernel: Kernel
    #: One for each output channel.
    bias: Float64
    #: Step in both directions.
    stride: int
    #: Zeros added around the input.
    pads: Pads
    #: 1, or the number of channels for a depthwise convolution.
    groups: int
    #: What is applied to the sum.
    activation: Activation


@dataclass(frozen=True, kw_only=True)
class Dense(Node):
    """A fully connected layer."""

    #: (inputs, outputs)
    kernel: Kernel
    #: One for each output.
    bias: Float64
    #: ``none`` or ``relu``.
    activation: Activation


@dataclass(frozen=True, kw_only=True)
class Pool(Node):
    """A maximum or average over windows; an average leaves the padding out."""

    #: ``max`` or ``average``.
    kind: Literal["max", "average"]
    #: Window height and width.
    window: tuple[int, int]
    #: Step in both directions.
    stride: int
    #: Padding around the input.
    pads: Pads


@dataclass(frozen=True, kw_only=True)
class GlobalAverage(Node):
    """The mean over the whole picture of each channel, as N x channels."""


@dataclass(frozen=True, kw_only=True)
class Add(Node):
    """The sum of two nodes."""

    #: What is applied to the sum: ``none`` or ``relu``.
    activation: Activation = "none"


@dataclass(frozen=True, kw_only=True)
class Concat(Node):
    """The channels of several nodes, one after the other."""


@dataclass(frozen=True, kw_only=True)
class Affine(Node):
    """``factor * input + shift``."""

    #: Multiplied with first.
    factor: float
    #: Added afterwards.
    shift: float


@dataclass(frozen=True, kw_only=True)
class Softmax(Node):
    """Probabilities from the last dense layer."""


#: Name of the picture: float32, N x 3 x size x size, RGB, 0..1.
INPUT = "pixels"


@dataclass(frozen=True, kw_only=True)
class Network:
    """The nodes in an order in which each comes after what it reads."""

    #: Height and width of the input.
    size: int
    #: All nodes; the last is the output.
    nodes: Sequence[Node]


def same_pads(size: tuple[int, int], window: tuple[int, int], stride: int) -> Pads:
    """TensorFlow's SAME padding, which puts the odd row and column last.

    Args:
        size: height and width of the input.
        window: height and width of the kernel or pool.
        stride: step in both directions.
    """
    total = [
        max((-(-length // stride) - 1) * stride + extent - length, 0)
        for length, extent in zip(size, window, strict=True)
    ]
    top, left = total[0] // 2, total[1] // 2
    return top, left, total[0] - top, total[1] - left


def pooled_size(
    size: tuple[int, int], window: tuple[int, int], stride: int, pads: Pads
) -> tuple[int, int]:
    """Height and width after a convolution or pool."""
    return (
        (size[0] + pads[0] + pads[2] - window[0]) // stride + 1,
        (size[1] + pads[1] + pads[3] - window[1]) // stride + 1,
    )
