"""Writes a bundle: ``model.onnx`` beside the ``manifest.json`` that describes it."""

import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

from fetch import PACKAGE, PACKAGE_SHA256
from package import read_model
from quantize import int8_model
from tfjs_to_onnx import float_model, read_network

_HERE = Path(__file__).parent
#: The models of the package; the first is the default.
MODELS = ("mobilenet_v2", "mobilenet_v2_mid", "inception_v3")
#: int8 is what runs; float32 is what int8 is measured against.
PRECISIONS = ("int8", "float32")
#: The package's classes, in the order of its outputs, and what policies call them.
LABELS = (
    ("Drawing", "drawing"),
    ("Hentai", "hentai"),
    ("Neutral", "neutral"),
    ("Porn", "porn"),
    ("Sexy", "sexy"),
)


def build_model(package: Path, name: str, precision: str) -> tuple[bytes, int]:
    """Make one model from the verified package.

    Returns:
        The ONNX file, the same bytes on every machine, and its input's side in pixels.
    """
    network = read_network(read_model(package, name))
    if precision == "float32":
        return float_model(network, name), network.size
    ranges = json.loads((_HERE / "calibration" / f"{name}.json").read_text())
    return int8_model(network, ranges, name), network.size


def expected_digest(name: str, precision: str) -> str | None:
    """The pinned sha256 of a model, or None when there is none yet."""
    pins = json.loads((_HERE / "pins.json").read_text())
    digest: str | None = pins.get(name, {}).get(precision)
    return digest


def write_bundle(model: bytes, size: int, name: str, precision: str, out: Path) -> None:
    """Write both files, or nothing: they are made aside and moved in one step.

    Raises:
        SystemExit: the model is not the pinned one, or ``out`` is there already.
    """
    digest, expected = hashlib.sha256(model).hexdigest(), expected_digest(name, precision)
    if digest != expected:
        pinned = f"{expected[:16]}…" if expected else "nothing"
        raise SystemExit(
            f"{name} ({precision}) came out as sha256 {digest[:16]}…, pinned is {pinned}: install "
            "exactly requirements/model-build.txt; after a change to the builder see --print-pins."
        )
    if out.exists():
        raise SystemExit(f"{out} is there already: remove it first, or name another folder.")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(".part", f".{out.name}.", out.parent) as aside:
        made = Path(aside) / "bundle"
        made.mkdir()
        (made / "model.onnx").write_bytes(model)
        text = json.dumps(_manifest(digest, size, name, precision), indent=2)
        (made / "manifest.json").write_text(text + "\n")
        made.rename(out)


def _manifest(digest: str, size: int, name: str, precision: str) -> dict[str, Any]:
    return {
        "name": name,
        "version": PACKAGE.rpartition("@")[2],
        "license": "MIT",
        "source": f"npm:{PACKAGE}",
        "source_sha256": PACKAGE_SHA256,
        "sha256": digest,
        "precision": precision,
        "input": {
            "name": "pixels",
            "size": size,
            "layout": "NCHW",
            "dtype": "float32",
            "color": "RGB",
        },
        # value = (pixel * scale - mean) / std, channel by channel
        "normalisation": {"scale": 1 / 255, "mean": [0.0, 0.0, 0.0], "std": [1.0, 1.0, 1.0]},
        "labels": [{"label": label, "category": category} for label, category in LABELS],
        "preprocessing": "2",
    }
