"""Reads the face detector's bundle: two networks and the ``manifest.json`` beside them.

A bundle that is incomplete, altered, or of a kind that the runner does not know is
refused here, at start, so that it can never overlook a face.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from photogate_vision.manifest import Manifest

#: Version of all that happens between a picture and its faces; raise it whenever a change
#: finds other faces.
PREPROCESSING = "1"

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
    manifest = Manifest(path)
    for field, known in _KNOWN.items():
        manifest.only(field, known)
    return FaceBundle(
        digest=manifest.digest,
        version=manifest.text("version"),
        license=manifest.text("license"),
        source=manifest.text("source"),
        short_range=_network(manifest, "short_range"),
        full_range=_network(manifest, "full_range"),
        thresholds=Thresholds(
            **{
                item.name: _share(manifest, f"thresholds.{item.name}")
                for item in fields(Thresholds)
            }
        ),
    )


def _network(manifest: Manifest, name: str) -> Network:
    path = manifest.folder / f"{name}.onnx"
    return Network(
        path=path,
        digest=manifest.verify(path, manifest.sha256(f"networks.{name}.sha256")),
        side=manifest.whole(f"networks.{name}.side", 1, 1024),
        multiple=manifest.whole(f"networks.{name}.multiple", 1, 1024),
        anchors=_pairs(manifest, f"networks.{name}.anchors"),
    )


def _share(manifest: Manifest, field: str) -> float:
    if not 0 < (number := manifest.number(field)) < 1:
        raise manifest.wrong(field, "is not between 0 and 1")
    return number


def _pairs(manifest: Manifest, field: str) -> tuple[tuple[int, int], ...]:
    value = manifest.value(field)
    pairs = []
    for pair in value if isinstance(value, list) else []:
        match pair:
            case [int(step), int(count)] if step > 0 and count > 0:
                pairs.append((step, count))
            case _:
                raise manifest.wrong(field, "are not pairs of whole numbers above 0")
    if not pairs:
        raise manifest.wrong(field, "are missing")
    return tuple(pairs)
