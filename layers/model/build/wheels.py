"""Fetches wheels with pip, and holds them to the digest that was noted once."""

import hashlib
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

_TIMEOUT_S = 600


def fetch_wheel(package: str, sha256: str, folder: Path, *, which: Sequence[str] = ()) -> Path:
    """Download one wheel into ``folder`` and verify it. Nothing in it is run or installed.

    Args:
        package: name and version, as pip takes it.
        sha256: of the wheel.
        folder: an empty one.
        which: pip's options that choose among the wheels of a version.

    Raises:
        SystemExit: one line with the way out, when pip fails or the file is another
            than expected.
    """
    command = [sys.executable, "-m", "pip", "download", package, "--dest", str(folder)]
    only = ["--no-deps", "--only-binary=:all:", *which]
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
            f"`pip download {package}` took longer than {_TIMEOUT_S} s: check the network, "
            "try again."
        ) from None
    wheels = list(folder.glob("*.whl"))
    if done.returncode != 0 or len(wheels) != 1:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or ["no message"]
        raise SystemExit(
            f"`pip download {package}` failed ({lines[-1].strip()}): "
            "check the network and pip's settings, then try again."
        )
    return verified_wheel(wheels[0], sha256)


def verified_wheel(wheel: Path, sha256: str) -> Path:
    """The same path, once its digest has been compared.

    Raises:
        SystemExit: the file is missing or is not the wheel that was checked.
    """
    if not wheel.is_file():
        raise SystemExit(f"{wheel} is not there.")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if digest != sha256:
        raise SystemExit(
            f"{wheel.name} has sha256 {digest[:16]}…, expected {sha256[:16]}…: it was "
            "changed on the way; clear pip's cache (`pip cache purge`) and try again."
        )
    return wheel
