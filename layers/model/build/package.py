"""Reads a model out of the nsfwjs package: its topology and its quantised weights.

The package ships TensorFlow.js models as JavaScript modules. Nothing of it is run:
the one object literal of ``model.min.js`` and the base64 string of each shard are
read as text.
"""

import base64
import json
import re
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from network import Float64

_LITERAL = re.compile(r"\.exports=(?=\{(?:modelTopology|format):)")
_SHARD = re.compile(r'\.exports="([A-Za-z0-9+/]+={0,2})"')
_TOKEN = re.compile(
    r"""(?P<string>"(?:[^"\\]|\\.)*")
      | (?P<key>[A-Za-z_$][\w$]*)(?=:)
      | (?P<flag>![01])
      | (?P<null>null)
      | (?P<number>-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
      | (?P<mark>[{}\[\],:])""",
    re.VERBOSE,
)


@dataclass(frozen=True, kw_only=True)
class Quantized:
    """A tensor as shipped: bytes, and the line that maps them to numbers."""

    #: 0..255, as float64.
    stored: Float64
    #: Distance between two neighbouring values.
    scale: float
    #: The value of byte 0.
    minimum: float

    def values(self) -> Float64:
        """The numbers, in float64 rather than the float32 of TensorFlow.js."""
        return self.stored * self.scale + self.minimum

    def integers(self) -> Float64:
        """The bytes with the zero point taken off, so that 0 stands for 0.0."""
        zero = round(-self.minimum / self.scale)
        if abs(zero * self.scale + self.minimum) > 1e-6 * self.scale or not 0 <= zero <= 255:
            raise SystemExit("A kernel has no whole zero point; the package is not the known one.")
        return self.stored - zero


@dataclass(frozen=True, kw_only=True)
class PackagedModel:
    """One model of the package."""

    #: ``modelTopology`` as shipped, parsed from JavaScript.
    topology: dict[str, Any]
    #: Tensors by name.
    weights: dict[str, Quantized]


def read_model(package: Path, name: str) -> PackagedModel:
    """Read one model.

    Args:
        package: the package file, already verified.
        name: folder below ``dist/models``.
    """
    folder = f"package/dist/models/{name}/"
    with tarfile.open(package) as archive:
        model = parse_literal(_text(archive, folder + "model.min.js"))
        weights: dict[str, Quantized] = {}
        for group in model["weightsManifest"]:
            shards = [_shard(_text(archive, f"{folder}{path}.min.js")) for path in group["paths"]]
            weights |= _tensors(b"".join(shards), group["weights"])
    return PackagedModel(topology=model["modelTopology"], weights=weights)


def parse_literal(source: str) -> Any:
    """Read the one object literal of a minified module into Python values.

    Knows what a minifier leaves of JSON: bare keys, ``!0`` and ``!1``, numbers
    without a leading zero.
    """
    start = _LITERAL.search(source)
    if start is None:
        raise SystemExit("No model found in model.min.js; the package is not the known one.")
    position, depth, json_text = start.end(), 0, []
    while True:
        token = _TOKEN.match(source, position)
        if token is None:
            raise SystemExit(f"Unknown JavaScript at character {position} of model.min.js.")
        json_text.append(_as_json(token))
        position = token.end()
        depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(token[0], 0)
        if depth == 0:
            return json.loads("".join(json_text))


def _as_json(token: re.Match[str]) -> str:
    text = token[0]
    match token.lastgroup:
        case "key":
            return f'"{text}"'
        case "flag":
            return "true" if text == "!0" else "false"
        case "number":
            return re.sub(r"^(-?)\.", r"\g<1>0.", text)
        case _:
            return text


def _text(archive: tarfile.TarFile, path: str) -> str:
    member = archive.extractfile(path)
    if member is None:
        raise SystemExit(f"{path} is missing from the package.")
    return member.read().decode()


def _shard(source: str) -> bytes:
    found = _SHARD.search(source)
    if found is None:
        raise SystemExit("No weights found in a shard; the package is not the known one.")
    return base64.b64decode(found[1])


def _tensors(data: bytes, entries: list[dict[str, Any]]) -> dict[str, Quantized]:
    tensors, position = {}, 0
    for entry in entries:
        line, shape = entry["quantization"], tuple(entry["shape"])
        if line["dtype"] != "uint8":
            raise SystemExit(f"{entry['name']} holds {line['dtype']}, not uint8.")
        count = int(np.prod(shape))
        stored = np.frombuffer(data, np.uint8, count, position).astype(np.float64)
        tensors[entry["name"]] = Quantized(
            stored=stored.reshape(shape), scale=float(line["scale"]), minimum=float(line["min"])
        )
        position += count
    if position != len(data):
        raise SystemExit("The shards do not hold as many weights as the manifest names.")
    return tensors
