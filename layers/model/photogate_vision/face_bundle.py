"""Reads the face detector's bundle: two networks and the ``manifest.json`` beside them.

A bundle that is incomplete, altered, or of a kind that the runner does not know is
refused here, at start, so that it can never overlook a face.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from photogate.errors import ConfigError

#: Version of all that happens between a picture and its faces; raise it whenever a change
#: finds other faces.
PREPROCESSING = "1"

_WAY_OUT = "run `make model`"
#: What else the manifest has to say, because the runner can do nothing else.
_KNOWN: Mapping[str, object] = {
    "preprocessing": PREPROCESSING,
    "input": {"name": "pixels", "layout": "NCHW", "dtype": "float32", "color": "RGB"},
    "normalisation": {"scale": 1 / 127.5, "mean": [1.0, 1.0, 1.0], "std": [1.0, 1.0, 1.0]},
}


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """Bounds of the cascade, each 0..1.

    Tuned in November 2026 on 18 photographs with 46 faces that people had marked, whole,
    degraded, shrunk and cropped close (MODEL_CARD.md has the figures); ``merges_from`` is
    what the package's own graphs use.
    """

    #: Score from which the full-range network proposes a face.
    full_range_proposes: float
    #: Score from which the short-range network, on the whole picture, proposes one.
    short_range_proposes: float
    #: Score from which the short-range network confirms a proposal that it looks at closely.
    look_confirms: float
    #: Least overlap (intersection over union) of its box with the proposal.
    look_overlaps: float
    #: Score of the full-range network that needs no confirmation.
    full_range_suffices: float
    #: Boxes of one network that overlap more (intersection over union) are one face.
    merges_from: float
    #: A box of which a larger share lies inside a better one is the same face.
    inside_from: float


@dataclass(frozen=True, kw_only=True)
class Network:
    """One verified network and its geometry."""

    #: Path of the verified ``.onnx``.
    path: Path
    #: sha256 of that file, 64 hexadecimal digits.
    digest: str
    #: Pixels of the longer side of its input.
    side: int
    #: Both sides of its input are multiples of this.
    multiple: int
    #: For each grid of anchors, the finest first: pixels from one place to the next, and
    #: anchors at each place.
    anchors: tuple[tuple[int, int], ...]


@dataclass(frozen=True, kw_only=True)
class FaceBundle:
    """A verified detector."""

    #: sha256 of the manifest, which holds those of both networks.
    digest: str
    #: Version of the source package.
    version: str
    #: SPDX identifier of the weights' licence.
    license: str
    #: Where the weights come from, for example ``pypi:mediapipe==0.10.21``.
    source: str
    #: Sees large faces only, and those well.
    short_range: Network
    #: Sees faces down to 16 pixels in a picture of 640, but not those that fill it.
    full_range: Network
    #: What the cascade does with their scores.
    thresholds: Thresholds


def load_face_bundle(path: Path) -> FaceBundle:
    """Read and verify the bundle in a folder.

    Raises:
        ConfigError: a file is missing, a network is not the one that the manifest names,
            or the manifest asks for something that this version cannot do.
    """
    text = _read(path / "manifest.json")
    try:
        manifest = _Fields(path / "manifest.json", json.loads(text))
    except ValueError as error:
        raise ConfigError(f"{path / 'manifest.json'} is not JSON ({error}): {_WAY_OUT}") from error
    for field, known in _KNOWN.items():
        if manifest.value(field) != known:
            raise manifest.wrong(field, f"is not {known!r}, all that this version knows")
    return FaceBundle(
        digest=hashlib.sha256(text).hexdigest(),
        version=manifest.text("version"),
        license=manifest.text("license"),
        source=manifest.text("source"),
        short_range=_network(path, manifest, "short_range"),
        full_range=_network(path, manifest, "full_range"),
        thresholds=Thresholds(
            **{item.name: manifest.share(f"thresholds.{item.name}") for item in fields(Thresholds)}
        ),
    )


def _network(folder: Path, manifest: "_Fields", name: str) -> Network:
    path, expected = folder / f"{name}.onnx", manifest.text(f"networks.{name}.sha256")
    digest = hashlib.sha256(_read(path)).hexdigest()
    if digest != expected:
        raise ConfigError(
            f"{path} has sha256 {digest[:16]}…, its manifest says {expected[:16]}…: "
            f"it was altered or cut short; remove {folder} and {_WAY_OUT}"
        )
    return Network(
        path=path,
        digest=digest,
        side=manifest.whole(f"networks.{name}.side"),
        multiple=manifest.whole(f"networks.{name}.multiple"),
        anchors=manifest.pairs(f"networks.{name}.anchors"),
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read ({error.strerror or error}): {_WAY_OUT}"
        ) from error


class _Fields:
    """One manifest, read field by field with errors that name the field."""

    def __init__(self, path: Path, manifest: object) -> None:
        self._path = path
        self._manifest = manifest

    def wrong(self, field: str, need: str) -> ConfigError:
        return ConfigError(f"{self._path}: {field} {need}: {_WAY_OUT}")

    def value(self, field: str) -> object:
        value = self._manifest
        for key in field.split("."):
            if not isinstance(value, Mapping) or key not in value:
                raise self.wrong(field, "is missing")
            value = value[key]
        return value

    def text(self, field: str) -> str:
        value = self.value(field)
        if not isinstance(value, str) or not value:
            raise self.wrong(field, "is not a text")
        return value

    def share(self, field: str) -> float:
        value = self.value(field)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.wrong(field, "is not a number")
        if not math.isfinite(value) or not 0 < value < 1:
            raise self.wrong(field, "is not between 0 and 1")
        return float(value)

    def whole(self, field: str) -> int:
        value = self.value(field)
        if type(value) is not int or not 1 <= value <= 1024:
            raise self.wrong(field, "is not a whole number from 1 to 1024")
        return value

    def pairs(self, field: str) -> tuple[tuple[int, int], ...]:
        value = self.value(field)
        pairs = []
        for pair in value if isinstance(value, list) else []:
            match pair:
                case [int(step), int(count)] if step > 0 and count > 0:
                    pairs.append((step, count))
                case _:
                    raise self.wrong(field, "are not pairs of whole numbers above 0")
        if not pairs:
            raise self.wrong(field, "are missing")
        return tuple(pairs)
