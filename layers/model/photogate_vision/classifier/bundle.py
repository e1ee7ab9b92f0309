"""Reads a model bundle: ``model.onnx`` and the ``manifest.json`` that describes it.

A bundle that is incomplete, altered, or of a kind that the runner does not know is
refused here, at start, so that it can never judge a photo.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from PIL import Image

from photogate_vision.classifier.categories import check_categories
from photogate_vision.classifier.resizing import Fit, Resizing
from photogate_vision.manifest import Manifest

#: Version of how a decoded picture becomes a model's input, by which bundles are made. That of
#: all steps before and after (``decode.PREPROCESSING``) may be higher.
PREPARED = "2"


class Layout(StrEnum):
    """The order of the axes of the model's input."""

    NCHW = "NCHW"
    NHWC = "NHWC"


class Number(StrEnum):
    """The type of the values of the model's input; its output may be of either."""

    FLOAT32 = "float32"
    FLOAT16 = "float16"


class Gives(StrEnum):
    """What the graph answers for each label."""

    #: They add up to 1.
    PROBABILITIES = "probabilities"
    #: A softmax makes the above of them.
    LOGITS = "logits"
    #: Each by itself, as labels are that do not exclude each other.
    INDEPENDENT_PROBABILITIES = "independent_probabilities"
    #: A sigmoid makes the above of them.
    INDEPENDENT_LOGITS = "independent_logits"

    @property
    def exclusive(self) -> bool:
        """Whether the labels exclude each other."""
        return self in (Gives.PROBABILITIES, Gives.LOGITS)


@dataclass(frozen=True, kw_only=True)
class ModelInput:
    """What the model reads: N pictures of size x size, RGB, normalised."""

    #: Name in the ONNX graph.
    name: str
    #: Height and width in pixels.
    size: int
    layout: Layout
    dtype: Number
    #: How a picture of any shape comes to that size.
    resizing: Resizing


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
    #: Version of the source package; of an added model the first digits of its digest.
    version: str
    #: The weights' licence: an SPDX identifier, or what an added model's card states.
    license: str
    #: Where the weights come from, for example ``npm:nsfwjs@4.3.0``.
    source: str
    #: sha256 of what was fetched from there.
    source_sha256: str
    #: ``int8`` or ``float32``; ``as exported`` for an added model, which does not say.
    precision: str
    #: Version of the preprocessing that the scores belong to.
    preprocessing: str
    #: How pixels go in.
    input: ModelInput
    #: What is done to them before.
    normalisation: Normalisation
    #: Name of the output in the ONNX graph; None stands for the first.
    output: str | None
    #: What comes out there: N x labels.
    gives: Gives
    #: Category of each label, in the model's order. Where several labels have the same,
    #: their probabilities are added up, or the highest counts when they are independent.
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
    manifest.only("input.color", "RGB")
    manifest.only("preprocessing", PREPARED)
    size = manifest.whole("input.size", 32, 1024)
    gives = _one_of(manifest, "output.gives", Gives, default=Gives.PROBABILITIES)
    bundle = Bundle(
        model_path=path / "model.onnx",
        digest=manifest.sha256("sha256"),
        name=manifest.text("name"),
        version=manifest.text("version"),
        license=manifest.text("license"),
        source=manifest.text("source"),
        source_sha256=manifest.sha256("source_sha256"),
        precision=manifest.text("precision"),
        preprocessing=PREPARED,
        input=ModelInput(
            name=manifest.text("input.name"),
            size=size,
            layout=_one_of(manifest, "input.layout", Layout),
            dtype=_one_of(manifest, "input.dtype", Number),
            resizing=_resizing(manifest, size),
        ),
        normalisation=Normalisation(
            scale=_above_0(manifest, "normalisation.scale"),
            mean=_channels(manifest, "normalisation.mean"),
            std=_deviations(manifest, "normalisation.std"),
        ),
        output=manifest.text("output.name") if manifest.has("output.name") else None,
        gives=gives,
        categories=_categories(manifest, "labels", exclusive=gives.exclusive),
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


_Choice = TypeVar("_Choice", bound=StrEnum)


def _one_of(
    manifest: Manifest, field: str, choices: type[_Choice], default: _Choice | None = None
) -> _Choice:
    if default is not None and not manifest.has(field):
        return default
    try:
        return choices(value := manifest.text(field))
    except ValueError as error:
        known = ", ".join(choices)
        raise manifest.wrong(field, f"is {value!r}, this version knows {known} only") from error


def _resizing(manifest: Manifest, size: int) -> Resizing:
    """Read what bundles of the shipped models leave out: the whole picture, bilinear."""
    if not manifest.has("resizing"):
        return Resizing(fit=Fit.SQUEEZE, to=size, side=size, resample=Image.Resampling.BILINEAR)
    filters = {item.name.lower(): item for item in Image.Resampling}
    if (name := manifest.text("resizing.resample")) not in filters:
        raise manifest.wrong("resizing.resample", f"is {name!r}, not one of {', '.join(filters)}")
    return Resizing(
        fit=_one_of(manifest, "resizing.fit", Fit),
        to=manifest.whole("resizing.to", size, 1024),
        side=size,
        resample=filters[name],
    )


def _categories(manifest: Manifest, field: str, *, exclusive: bool) -> tuple[str, ...]:
    value = manifest.value(field)
    entries = value if isinstance(value, list) else []
    found = tuple(
        str(item.get("category")) if isinstance(item, Mapping) else "" for item in entries
    )
    if len(found) < 2:
        raise manifest.wrong(field, "is not a list of two labels or more")
    try:
        check_categories(found, exclusive=exclusive)
    except ValueError as error:
        raise manifest.wrong(field, f"cannot be used: {error}") from error
    return found
