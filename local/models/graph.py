"""Reads the inputs and outputs of an ONNX file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from photogate.errors import ConfigError
from photogate_vision.classifier.bundle import Layout, Number
from photogate_vision.sessions import open_session

_NUMBERS = {"tensor(float)": Number.FLOAT32, "tensor(float16)": Number.FLOAT16}
#: As exporters call the output of a classifier.
_LOGITS = "logits"


@dataclass(frozen=True, kw_only=True)
class Graph:
    """A classifier of RGB pictures."""

    input: str
    layout: Layout
    dtype: Number
    #: Height and width in pixels; None when the graph takes any.
    side: int | None
    output: str
    #: How many numbers it gives by picture; None when the graph does not say.
    labels: int | None


def read_graph(path: Path, *, way_out: str) -> Graph:
    """Load an ONNX file and look at its one input and its output.

    Args:
        path: the file, with nothing beside it that it needs.
        way_out: what errors end with.

    Raises:
        ConfigError: it cannot be loaded, or is no classifier of RGB pictures.
    """
    session = open_session(path, threads=1, way_out=way_out)

    def wrong(what: str) -> ConfigError:
        return ConfigError(f"{path} {what}: {way_out}")

    inputs = session.get_inputs()
    if len(inputs) != 1:
        raise wrong(f"reads {', '.join(item.name for item in inputs)}, not one picture")
    shape = inputs[0].shape
    if inputs[0].type not in _NUMBERS:
        raise wrong(f"reads {inputs[0].type}, not float32 or float16")
    if len(shape) != 4 or not _any_or(shape[0], 1):
        raise wrong(f"reads the shape {_shown(shape)}, not N × 3 × height × width, N of 1 or any")
    layout = _layout(shape)
    sides = shape[2:] if layout is Layout.NCHW else shape[1:3]
    fixed = {side for side in sides if isinstance(side, int)}
    channels = shape[1] if layout is Layout.NCHW else shape[3]
    if not _any_or(channels, 3) or len(fixed) > 1:
        raise wrong(f"reads the shape {_shown(shape)}, not three colours of a square")
    output = _output(session.get_outputs())
    if output is None:
        names = ", ".join(item.name for item in session.get_outputs())
        raise wrong(f"gives {names}: not one output, and none that is called {_LOGITS}")
    if output.type not in _NUMBERS or len(output.shape) != 2:
        raise wrong(f"gives {output.type} of the shape {_shown(output.shape)}, not N × labels")
    return Graph(
        input=inputs[0].name,
        layout=layout,
        dtype=_NUMBERS[inputs[0].type],
        side=fixed.pop() if fixed else None,
        output=output.name,
        labels=output.shape[1] if isinstance(output.shape[1], int) else None,
    )


def _layout(shape: list[Any]) -> Layout:
    """Channels come first unless the graph says otherwise: so PyTorch's exporters write."""
    return Layout.NHWC if shape[3] == 3 and shape[1] != 3 else Layout.NCHW


def _any_or(length: Any, wanted: int) -> bool:
    """Tell whether an axis may have this length; those of any have a name or none."""
    return not isinstance(length, int) or length == wanted


def _output(outputs: list[Any]) -> Any:
    if len(outputs) == 1:
        return outputs[0]
    return next((item for item in outputs if item.name == _LOGITS), None)


def _shown(shape: list[Any]) -> str:
    return " × ".join(str(length) for length in shape)
