"""Reads a model bundle: ``model.onnx`` and the ``manifest.json`` that describes it.

A bundle that is incomplete, altered, or of a kind that the runner does not know is
refused here, at start, so that it can never judge a photo.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from photogate_vision.decode import PREPROCESSING
from photogate_vision.manifest import Manifest

#: The categories that policies know, each fed by exactly one label.
CATEGORIES = frozenset({"drawing", "hentai", "neutral", "porn", "sexy"})


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
    manifest = Manifest(path)
    manifest.only("input.layout", "NCHW")
    manifest.only("input.dtype", "float32")
    manifest.only("input.color", "RGB")
    manifest.only("preprocessing", PREPROCESSING)
    bundle = Bundle(
        model_path=path / "model.onnx",
        digest=manifest.sha256("sha256"),
        name=manifest.text("name"),
        version=manifest.text("version"),
        license=manifest.text("license"),
        source=manifest.text("source"),
        source_sha256=manifest.sha256("source_sha256"),
        precision=manifest.text("precision"),
        preprocessing=PREPROCESSING,
        input=ModelInput(
            name=manifest.text("input.name"), size=manifest.whole("input.size", 32, 1024)
        ),
        normalisation=Normalisation(
            scale=_above_0(manifest, "normalisation.scale"),
            mean=_channels(manifest, "normalisation.mean"),
            std=_deviations(manifest, "normalisation.std"),
        ),
        categories=_categories(manifest, "labels"),
    )
    manifest.verify(bundle.model_path, bundle.digest)
    return bundle


def _above_0(manifest: Manifest, field: str, value: object | None = None) -> float:
    if (number := manifest.number(field, value)) <= 0:
        raise manifest.wrong(field, "is not above 0")
    return number


def _channels(manifest: Manifest, field: str) -> tuple[float, float, float]:
    value = manifest.value(field)
    if not isinstance(value, list) or len(value) != 3:
        raise manifest.wrong(field, "is not a list of three numbers")
    red, green, blue = (manifest.number(field, item) for item in value)
    return red, green, blue


def _deviations(manifest: Manifest, field: str) -> tuple[float, float, float]:
    channels = _channels(manifest, field)
    for channel in channels:
        _above_0(manifest, field, channel)
    return channels


def _categories(manifest: Manifest, field: str) -> tuple[str, ...]:
    value = manifest.value(field)
    entries = value if isinstance(value, list) else []
    found = tuple(item.get("category") for item in entries if isinstance(item, Mapping))
    if len(found) != len(CATEGORIES) or set(map(str, found)) != CATEGORIES:
        raise manifest.wrong(field, f"do not feed each of {', '.join(sorted(CATEGORIES))} once")
    return tuple(map(str, found))
