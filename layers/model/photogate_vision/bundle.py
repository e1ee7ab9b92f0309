"""Reads a model bundle: ``model.onnx`` and the ``manifest.json`` that describes it.

A bundle that is incomplete, altered, or of a kind that the runner does not know is
refused here, at start, so that it can never judge a photo.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from photogate.errors import ConfigError
from photogate_vision.decode import PREPROCESSING

#: The categories that policies know, each fed by exactly one label.
CATEGORIES = frozenset({"drawing", "hentai", "neutral", "porn", "sexy"})

_WAY_OUT = "run `make model`"


@dataclass(frozen=True, kw_only=True)
class ModelInput:
    """What the model reads: float32, N x 3 x size x size, RGB, normalised."""

    #: Name in the ONNX graph.
    name: str
    #: Height and width in pixels.
    size: int


@dataclass(frozen=True, kw_only=True)
class Normalisation:
    """``value = (pixel * scale - mean) / std``, for pixels of 0..255."""

    #: One factor for all channels.
    scale: float
    #: By channel: R, G, B.
    mean: tuple[float, float, float]
    #: By channel: R, G, B; above 0.
    std: tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """A verified model and how to feed it."""

    #: Path of the verified ``model.onnx``.
    model_path: Path
    #: sha256 of ``model.onnx``, 64 hexadecimal digits; stored with every verdict.
    digest: str
    #: For example ``mobilenet_v2``.
    name: str
    #: Version of the source package.
    version: str
    #: SPDX identifier of the weights' licence.
    license: str
    #: Where the weights come from, for example ``npm:nsfwjs@4.3.0``.
    source: str
    #: sha256 of what was fetched from there.
    source_sha256: str
    #: ``int8`` or ``float32``.
    precision: str
    #: Version of the preprocessing that the scores belong to.
    preprocessing: str
    #: How pixels go in.
    input: ModelInput
    #: What is done to them before.
    normalisation: Normalisation
    #: Category of each output, in the model's order.
    categories: tuple[str, ...]


def load_bundle(path: Path) -> Bundle:
    """Read and verify the bundle in a folder.

    Args:
        path: the folder; it may be read again at any time.

    Raises:
        ConfigError: a file is missing, the model is not the one that the manifest
            names, or the manifest asks for something that this version cannot do.
    """
    text = _read(path / "manifest.json")
    try:
        manifest = json.loads(text)
    except ValueError as error:
        raise ConfigError(f"{path / 'manifest.json'} is not JSON ({error}): {_WAY_OUT}") from error
    bundle = _Manifest(path, manifest).bundle()
    digest = hashlib.sha256(_read(bundle.model_path)).hexdigest()
    if digest != bundle.digest:
        raise ConfigError(
            f"{bundle.model_path} has sha256 {digest[:16]}…, its manifest says "
            f"{bundle.digest[:16]}…: it was altered or cut short; remove {path} and {_WAY_OUT}"
        )
    return bundle


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read ({error.strerror or error}): {_WAY_OUT}"
        ) from error


class _Manifest:
    """One manifest, read field by field with errors that name the field."""

    def __init__(self, path: Path, manifest: object) -> None:
        self._path = path
        self._manifest = manifest

    def bundle(self) -> Bundle:
        self._only("input.layout", "NCHW")
        self._only("input.dtype", "float32")
        self._only("input.color", "RGB")
        self._only("preprocessing", PREPROCESSING)
        return Bundle(
            model_path=self._path / "model.onnx",
            digest=self._digest("sha256"),
            name=self._text("name"),
            version=self._text("version"),
            license=self._text("license"),
            source=self._text("source"),
            source_sha256=self._digest("source_sha256"),
            precision=self._text("precision"),
            preprocessing=PREPROCESSING,
            input=ModelInput(name=self._text("input.name"), size=self._size("input.size")),
            normalisation=Normalisation(
                scale=self._positive(self._field("normalisation.scale"), "normalisation.scale"),
                mean=self._channels("normalisation.mean"),
                std=self._deviations("normalisation.std"),
            ),
            categories=self._categories("labels"),
        )

    def _wrong(self, field: str, need: str) -> ConfigError:
        return ConfigError(f"{self._path / 'manifest.json'}: {field} {need}: {_WAY_OUT}")

    def _field(self, field: str) -> object:
        value = self._manifest
        for key in field.split("."):
            if not isinstance(value, Mapping) or key not in value:
                raise self._wrong(field, "is missing")
            value = value[key]
        return value

    def _only(self, field: str, known: str) -> None:
        if (value := self._field(field)) != known:
            raise self._wrong(field, f"is {value!r}, this version knows {known!r} only")

    def _text(self, field: str) -> str:
        value = self._field(field)
        if not isinstance(value, str) or not value:
            raise self._wrong(field, "is not a text")
        return value

    def _digest(self, field: str) -> str:
        value = self._text(field)
        if len(value) != 64 or not set(value) <= set("0123456789abcdef"):
            raise self._wrong(field, "is not a sha256")
        return value

    def _size(self, field: str) -> int:
        value = self._field(field)
        if not isinstance(value, int) or isinstance(value, bool) or not 32 <= value <= 1024:
            raise self._wrong(field, "is not a whole number from 32 to 1024")
        return value

    def _number(self, value: object, field: str) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._wrong(field, "is not a number")
        if not math.isfinite(value):
            raise self._wrong(field, "is not finite")
        return float(value)

    def _positive(self, value: object, field: str) -> float:
        if (number := self._number(value, field)) <= 0:
            raise self._wrong(field, "is not above 0")
        return number

    def _channels(self, field: str) -> tuple[float, float, float]:
        value = self._field(field)
        if not isinstance(value, list) or len(value) != 3:
            raise self._wrong(field, "is not a list of three numbers")
        red, green, blue = (self._number(item, field) for item in value)
        return red, green, blue

    def _deviations(self, field: str) -> tuple[float, float, float]:
        channels = self._channels(field)
        for channel in channels:
            self._positive(channel, field)
        return channels

    def _categories(self, field: str) -> tuple[str, ...]:
        value = self._field(field)
        entries = value if isinstance(value, list) else []
        found = tuple(item.get("category") for item in entries if isinstance(item, Mapping))
        if len(found) != len(CATEGORIES) or set(map(str, found)) != CATEGORIES:
            raise self._wrong(field, f"do not feed each of {', '.join(sorted(CATEGORIES))} once")
        return tuple(map(str, found))
