"""Reads a model's folder in the layout of Hugging Face and writes a bundle of our own.

What the files say is taken over; what they do not say is asked for, and never guessed.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from local.models.graph import Graph, read_graph
from local.models.image_processor import Preparation, read_preparation
from local.models.mapping import map_labels
from photogate.errors import ConfigError
from photogate_vision.classifier.bundle import PREPARED, Gives
from photogate_vision.classifier.nsfw import are_probabilities
from photogate_vision.manifest import Manifest, sha256_of

WAY_OUT = "docs/models.md tells what can be added"
_EXPORT = "export it to ONNX: optimum-cli export onnx --task image-classification --model"
#: What other frameworks keep weights in.
_OTHER_WEIGHTS = (".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".h5", ".msgpack", ".pkl")
#: More is no classifier of photos for moderation.
_MOST_LABELS = 100


@dataclass(frozen=True, kw_only=True)
class HuggingFaceModel:
    """A classifier as its folder describes it, checked as far as reading can."""

    folder: Path
    #: The ONNX file.
    file: Path
    #: Its sha256.
    digest: str
    graph: Graph
    preparation: Preparation
    #: In the model's order.
    labels: tuple[str, ...]
    #: Whether they exclude each other: a softmax belongs to it, otherwise a sigmoid.
    exclusive: bool
    #: As the model card states it, in lower case; ``unknown`` when it does not.
    license: str

    def map(self, pairs: list[str]) -> tuple[str, ...]:
        """Give the category of each label; see ``mapping.map_labels``."""
        return map_labels(self.labels, pairs, exclusive=self.exclusive)

    def write_bundle(
        self, folder: Path, *, name: str, categories: tuple[str, ...], gives: Gives
    ) -> None:
        """Write a bundle that ``load_bundle`` reads; the model's file is copied once.

        May be called again with another ``gives``.
        """
        if not (model := folder / "model.onnx").exists():
            shutil.copyfile(self.file, model)
        text = json.dumps(self._manifest(name, categories, gives), indent=2, ensure_ascii=False)
        (folder / "manifest.json").write_text(text + "\n", encoding="utf-8")

    def _manifest(self, name: str, categories: tuple[str, ...], gives: Gives) -> dict[str, object]:
        graph, resizing = self.graph, self.preparation.resizing
        normalisation = self.preparation.normalisation
        return {
            "name": name,
            "version": self.digest[:12],
            "license": self.license,
            "source": f"added:{self.folder.name}/{self.file.relative_to(self.folder).as_posix()}",
            "source_sha256": self.digest,
            "sha256": self.digest,
            "precision": "as exported",
            "input": {
                "name": graph.input,
                "size": resizing.side,
                "layout": graph.layout.value,
                "dtype": graph.dtype.value,
                "color": "RGB",
            },
            "resizing": {
                "fit": resizing.fit.value,
                "to": resizing.to,
                "resample": resizing.resample.name.lower(),
            },
            "normalisation": {
                "scale": normalisation.scale,
                "mean": list(normalisation.mean),
                "std": list(normalisation.std),
            },
            "output": {"name": graph.output, "gives": gives.value},
            "labels": [
                {"label": label, "category": category}
                for label, category in zip(self.labels, categories, strict=True)
            ],
            "preprocessing": PREPARED,
        }


def read_model(folder: Path, file: str | None = None) -> HuggingFaceModel:
    """Read a folder with ``config.json``, ``preprocessor_config.json`` and an ONNX file.

    Args:
        folder: as Hugging Face's tools write it.
        file: the ONNX file, relative to the folder; ``onnx/model.onnx`` or
            ``model.onnx`` otherwise.

    Raises:
        ConfigError: a file is missing, or asks for something that is not supported.
    """
    if not folder.is_dir():
        raise ConfigError(f"there is no folder {folder}")
    folder = folder.resolve()
    found = _onnx_file(folder, file)
    config = Manifest(folder, "config.json", way_out=WAY_OUT)
    labels, exclusive = _labels(config), _exclusive(config)
    preparation = read_preparation(folder, way_out=WAY_OUT)
    graph = read_graph(found, way_out=WAY_OUT)
    if graph.labels not in (None, len(labels)):
        raise config.wrong(
            "id2label", f"has {len(labels)} labels, and {found.name} gives {graph.labels} numbers"
        )
    side = preparation.resizing.side
    if graph.side not in (None, side):
        raise ConfigError(
            f"{found} reads {graph.side} × {graph.side} pixels, and preprocessor_config.json"
            f" makes {side} × {side}: {WAY_OUT}"
        )
    return HuggingFaceModel(
        folder=folder,
        file=found,
        digest=sha256_of(found, way_out=WAY_OUT),
        graph=graph,
        preparation=preparation,
        labels=labels,
        exclusive=exclusive,
        license=_license(folder),
    )


def tell_gives(
    outputs: NDArray[np.float32], *, exclusive: bool, stated: str | None = None
) -> Gives:
    """Tell from a graph's answers to several pictures whether they are probabilities yet.

    Args:
        outputs: N x labels, finite.
        exclusive: whether the labels exclude each other.
        stated: ``logits`` or ``probabilities``, where a person says which.

    Raises:
        ConfigError: the answers contradict ``stated``, or leave open what they are.
    """
    possible = are_probabilities(outputs, exclusive=exclusive)
    if exclusive:
        _check_scale(outputs, possible=possible, stated=stated)
    if stated == Gives.PROBABILITIES and not possible:
        raise ConfigError("the model's answers are not probabilities: leave --output out")
    if possible and not exclusive and stated is None:
        raise ConfigError(
            "all answers of the model lie between 0 and 1, so that they may be probabilities or"
            " not: say --output probabilities when the graph ends with a sigmoid, else"
            " --output logits"
        )
    probabilities = possible if stated is None else stated == Gives.PROBABILITIES
    if exclusive:
        return Gives.PROBABILITIES if probabilities else Gives.LOGITS
    return Gives.INDEPENDENT_PROBABILITIES if probabilities else Gives.INDEPENDENT_LOGITS


def _check_scale(outputs: NDArray[np.float32], *, possible: bool, stated: str | None) -> None:
    """Refuse what a softmax would make too even for any bound: answers between 0 and 1.

    The largest of five such can become .40, so that nothing would ever be rejected.
    """
    if possible and stated == Gives.LOGITS:
        raise ConfigError(
            "the model's answers are probabilities, they add up to 1: leave --output out"
        )
    if not possible and are_probabilities(outputs, exclusive=False):
        raise ConfigError(
            "all answers of the model lie between 0 and 1 and do not add up to 1: when its graph"
            ' ends with a sigmoid, say "problem_type": "multi_label_classification" in'
            " config.json; otherwise export it up to its logits, in float"
        )


def _onnx_file(folder: Path, file: str | None) -> Path:
    if file is not None:
        # Not resolved: in Hugging Face's own cache files are links to blobs without a suffix.
        chosen = folder / file
        outside = Path(file).is_absolute() or ".." in Path(file).parts
        if outside or chosen.suffix != ".onnx" or not chosen.is_file():
            raise ConfigError(f"{folder} has no ONNX file {file!r}; it has {_listed(folder)}")
    else:
        usual = (folder / "onnx" / "model.onnx", folder / "model.onnx")
        first = next((path for path in usual if path.is_file()), None)
        if first is None:
            raise ConfigError(_no_model(folder))
        chosen = first
    beside = sorted(chosen.parent.glob(f"{chosen.name}[._]data*"))
    if beside:
        raise ConfigError(
            f"{chosen} keeps weights in {beside[0].name}: one file has to hold the model, so that"
            " one digest names it; load it with the Python package onnx and save it again"
        )
    return chosen


def _no_model(folder: Path) -> str:
    if (listed := _listed(folder)) != "none":
        return f"{folder} has no onnx/model.onnx: choose with --file among {listed}"
    weights = sorted(path.name for path in folder.iterdir() if path.suffix in _OTHER_WEIGHTS)
    if weights:
        return f"{folder} has {weights[0]} and no ONNX file: {_EXPORT} {folder} OUTPUT"
    return f"{folder} has no ONNX file: {WAY_OUT}"


def _listed(folder: Path) -> str:
    found = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.onnx"))
    return ", ".join(found[:10]) or "none"


def _labels(config: Manifest) -> tuple[str, ...]:
    value = config.value("id2label")
    if not isinstance(value, Mapping) or set(value) != {str(n) for n in range(len(value))}:
        raise config.wrong("id2label", "does not give a label to each of 0, 1, 2 …")
    labels = tuple(str(value[str(n)]).strip() for n in range(len(value)))
    if not 2 <= len(labels) <= _MOST_LABELS:
        raise config.wrong("id2label", f"has {len(labels)} labels, not from 2 to {_MOST_LABELS}")
    if len(set(labels)) < len(labels) or not all(labels):
        raise config.wrong("id2label", "has an empty label, or the same one twice")
    return labels


def _exclusive(config: Manifest) -> bool:
    """Read what transformers reads; left out, it is a single label in its pipelines too."""
    if not config.has("problem_type"):
        return True
    kind = config.text("problem_type")
    if kind not in ("single_label_classification", "multi_label_classification"):
        raise config.wrong("problem_type", f"is {kind!r}, not a classification")
    return kind == "single_label_classification"


def _license(folder: Path) -> str:
    """Read the model card's front matter, without a reader for all of YAML."""
    try:
        card = (folder / "README.md").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return "unknown"
    matter = re.match(r"---\s*\n(.*?)\n---", card, re.DOTALL)
    lines = matter.group(1) if matter else ""
    stated = re.search(r"^license:[ \t]*[\"']?([\w.+-]+)[\"']?[ \t]*$", lines, re.MULTILINE)
    return stated.group(1).lower() if stated else "unknown"
