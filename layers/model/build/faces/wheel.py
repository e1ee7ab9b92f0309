"""Fetches the mediapipe wheel, whose two face networks everything here is made from."""

import hashlib
import zipfile
import zipimport
from importlib.util import module_from_spec
from pathlib import Path
from typing import Any

import wheels

#: Name and version, as pip takes it; Apache-2.0. The last one that holds model files.
PACKAGE = "mediapipe==0.10.21"
#: sha256 of the wheel, noted when the conversion was checked against the reference.
PACKAGE_SHA256 = "05dc4a9e593655a79558d05d6227d31018c2537a4bd3362b51e230cf22aecfe3"
#: Which of its wheels: always this one, whatever runs here. Nothing in it is executed
#: but the reader of ``schema``.
_WHEEL = (
    *("--platform", "manylinux_2_28_x86_64"),
    *("--python-version", "3.11", "--implementation", "cp", "--abi", "cp311"),
)
#: By our name of the network: where the wheel keeps it, and the sha256 of the file.
NETWORKS = {
    "short_range": (
        "mediapipe/modules/face_detection/face_detection_short_range.tflite",
        "bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8",
    ),
    "full_range": (
        "mediapipe/modules/face_detection/face_detection_full_range_sparse.tflite",
        "2c3728e6da56f21e21a320433396fb06d40d9088f2247c05e5635a688d45dfe1",
    ),
}

_SCHEMA = "mediapipe/tasks/metadata"


def fetch_wheel(folder: Path) -> Path:
    """Download the wheel into ``folder`` with pip and verify it; see ``wheels.fetch_wheel``."""
    return wheels.fetch_wheel(PACKAGE, PACKAGE_SHA256, folder, which=_WHEEL)


def verified(wheel: Path) -> Path:
    """The same path, once its digest has been compared; see ``wheels.verified_wheel``."""
    return wheels.verified_wheel(wheel, PACKAGE_SHA256)


def network_file(wheel: Path, name: str) -> bytes:
    """One of ``NETWORKS``: a TensorFlow Lite file.

    Raises:
        SystemExit: it is not the file that was checked.
    """
    path, expected = NETWORKS[name]
    with zipfile.ZipFile(wheel) as archive:
        data = archive.read(path)
    if (digest := hashlib.sha256(data).hexdigest()) != expected:
        raise SystemExit(f"{path} has sha256 {digest[:16]}…, expected {expected[:16]}….")
    return data


def schema(wheel: Path) -> Any:
    """The wheel's reader of TensorFlow Lite files, a generated module.

    It needs ``flatbuffers`` and nothing else of the wheel, which is never installed.
    """
    spec = zipimport.zipimporter(f"{wheel}/{_SCHEMA}").find_spec("schema_py_generated")
    if spec is None or spec.loader is None:
        raise SystemExit(f"{_SCHEMA} is missing from the wheel.")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
