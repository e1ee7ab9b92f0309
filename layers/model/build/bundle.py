"""Writes a bundle: ``model.onnx`` beside the ``manifest.json`` that describes it."""

import hashlib
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quantize import int8_model
from sources import SOURCES
from tfjs_to_onnx import float_model

_HERE = Path(__file__).parent
#: What can be made; the first is the default.
MODELS = tuple(SOURCES)
#: int8 is what runs; float32 is what int8 is measured against.
PRECISIONS = ("int8", "float32")


@dataclass(frozen=True, kw_only=True)
class Built:
    """One model, made from the verified package."""

    name: str
    #: One of ``PRECISIONS``.
    precision: str
    #: The ONNX file, the same bytes on every machine.
    model: bytes
    #: Its input's side in pixels.
    size: int
    #: What has to go with it.
    licenses: str | None = None

    @property
    def digest(self) -> str:
        """The sha256 of the ONNX file."""
        return hashlib.sha256(self.model).hexdigest()


def build_model(package: Path, name: str, precision: str) -> Built:
    """Make one model from the verified package."""
    source = SOURCES[name]
    network = source.network(package, name)
    if precision == "float32":
        model = float_model(network, name)
    else:
        ranges = json.loads((_HERE / "calibration" / f"{name}.json").read_text())
        model = int8_model(network, ranges, name)
    return Built(
        name=name,
        precision=precision,
        model=model,
        size=network.size,
        licenses=source.licenses(package),
    )


def expected_digest(name: str, precision: str) -> str | None:
    """The pinned sha256 of a model, or None when there is none yet."""
    pins = json.loads((_HERE / "pins.json").read_text())
    digest: str | None = pins.get(name, {}).get(precision)
    return digest


def write_bundle(built: Built, out: Path) -> None:
    """Write all files, or nothing: they are made aside and moved in one step.

    Raises:
        SystemExit: the model is not the pinned one, or ``out`` is there already.
    """
    digest, expected = built.digest, expected_digest(built.name, built.precision)
    if digest != expected:
        pinned = f"{expected[:16]}…" if expected else "nothing"
        raise SystemExit(
            f"{built.name} ({built.precision}) came out as sha256 {digest[:16]}…, pinned is "
            f"{pinned}: install exactly requirements/model-build.txt; after a change to the "
            "builder see --print-pins."
        )
    if out.exists():
        raise SystemExit(f"{out} is there already: remove it first, or name another folder.")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(".part", f".{out.name}.", out.parent) as aside:
        made = Path(aside) / "bundle"
        made.mkdir()
        (made / "model.onnx").write_bytes(built.model)
        (made / "manifest.json").write_text(json.dumps(_manifest(built), indent=2) + "\n")
        if built.licenses is not None:
            (made / "LICENSE").write_text(built.licenses)
        made.rename(out)


def _manifest(built: Built) -> dict[str, Any]:
    source = SOURCES[built.name]
    return {
        "name": built.name,
        "version": source.version,
        "license": source.license,
        "source": source.name,
        "source_sha256": source.sha256,
        "sha256": built.digest,
        "precision": built.precision,
        "input": {
            "name": "pixels",
            "size": built.size,
            "layout": "NCHW",
            "dtype": "float32",
            "color": "RGB",
        },
        # value = (pixel * scale - mean) / std, channel by channel
        "normalisation": {
            "scale": source.scale,
            "mean": list(source.mean),
            "std": [1.0, 1.0, 1.0],
        },
        "labels": [{"label": label, "category": category} for label, category in source.labels],
        "preprocessing": "2",
    }
