"""Writes the bundle: two ``.onnx`` beside the ``manifest.json`` that describes them."""

import hashlib
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from faces.tflite import read_tflite
from faces.tflite_to_onnx import PIXELS, onnx_model
from faces.wheel import NETWORKS, PACKAGE, PACKAGE_SHA256, network_file, schema

_HERE = Path(__file__).parent

#: What the cascade does with scores and boxes; ``photogate_vision.faces.bundle`` says what
#: each of them means.
_THRESHOLDS = {
    "full_range_proposes": 0.25,
    "short_range_proposes": 0.50,
    "look_confirms": 0.70,
    "look_overlaps": 0.35,
    "full_range_suffices": 0.65,
    "merges_from": 0.30,
    "inside_from": 0.60,
}
_THRESHOLDS_SOURCE = (
    "tuned in November 2026 on 18 photographs with 46 faces that people had marked, whole, "
    "degraded, shrunk and cropped close; merges_from: the package's own graphs"
)
#: By network: pixels of the input's longer side, what both sides are multiples of, and the
#: grids of anchors: pixels from one place to the next, and anchors at each place. From the
#: package's own graphs, but for the 320: there it is 192, which misses small faces.
_GEOMETRY: Mapping[str, dict[str, Any]] = {
    "short_range": {"side": 128, "multiple": 128, "anchors": [[8, 2], [16, 6]]},
    "full_range": {"side": 320, "multiple": 32, "anchors": [[4, 1]]},
}


def build_networks(wheel: Path) -> dict[str, bytes]:
    """Make both ONNX files from the verified wheel, the same bytes on every machine."""
    reader = schema(wheel)
    return {
        name: onnx_model(read_tflite(network_file(wheel, name), reader), name) for name in NETWORKS
    }


def digests(networks: Mapping[str, bytes]) -> dict[str, str]:
    """The sha256 of each file."""
    return {name: hashlib.sha256(data).hexdigest() for name, data in networks.items()}


def write_bundle(networks: Mapping[str, bytes], out: Path) -> None:
    """Write all files, or nothing: they are made aside and moved in one step.

    Raises:
        SystemExit: a network is not the pinned one, or ``out`` is there already.
    """
    pins = json.loads((_HERE / "pins.json").read_text())
    if (made := digests(networks)) != pins:
        name = next(name for name in NETWORKS if made.get(name) != pins.get(name))
        raise SystemExit(
            f"{name} came out as sha256 {made.get(name, 'nothing')[:16]}…, pinned is "
            f"{pins.get(name, 'nothing')[:16]}…: install exactly requirements/faces-build.txt; "
            "after a change to the builder see --print-pins."
        )
    if out.exists():
        raise SystemExit(f"{out} is there already: remove it first, or name another folder.")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(".part", f".{out.name}.", out.parent) as aside:
        bundle = Path(aside) / "bundle"
        bundle.mkdir()
        for name, data in networks.items():
            (bundle / f"{name}.onnx").write_bytes(data)
        (bundle / "manifest.json").write_text(json.dumps(_manifest(made), indent=2) + "\n")
        bundle.rename(out)


def _manifest(made: Mapping[str, str]) -> dict[str, Any]:
    return {
        "name": "faces",
        "version": PACKAGE.rpartition("=")[2],
        "license": "Apache-2.0",
        "source": f"pypi:{PACKAGE}",
        "source_sha256": PACKAGE_SHA256,
        "networks": {
            name: {"sha256": made[name], "source_sha256": source_sha256, **_GEOMETRY[name]}
            for name, (_, source_sha256) in NETWORKS.items()
        },
        "input": {"name": PIXELS, "layout": "NCHW", "dtype": "float32", "color": "RGB"},
        # value = (pixel * scale - mean) / std, channel by channel; what pads is 0
        "normalisation": {"scale": 1 / 127.5, "mean": [1.0, 1.0, 1.0], "std": [1.0, 1.0, 1.0]},
        "thresholds": _THRESHOLDS,
        "thresholds_source": _THRESHOLDS_SOURCE,
        "preprocessing": "1",
    }
