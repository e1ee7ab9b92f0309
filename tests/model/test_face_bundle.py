"""A face bundle that is not exactly right is refused, and an odd output is never "no face"."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from local.models.build import ensure_faces
from photogate.errors import ConfigError, RetryableError
from photogate_vision.faces.bundle import load_face_bundle
from photogate_vision.faces.detector import EmbeddedFaces

Edit = Callable[[dict[str, Any]], object]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A bundle that a test may spoil."""
    return Path(shutil.copytree(ensure_faces(print), tmp_path / "faces"))


def edit_manifest(folder: Path, edit: Edit) -> None:
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    edit(manifest)
    path.write_text(json.dumps(manifest))


def replace_network(folder: Path, name: str, data: bytes) -> None:
    """Put another network in, and let the manifest know."""
    (folder / f"{name}.onnx").write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    edit_manifest(folder, lambda manifest: manifest["networks"][name].update(sha256=digest))


def test_a_good_bundle_tells_all_about_itself(copy: Path) -> None:
    bundle = load_face_bundle(copy)
    assert (bundle.license, bundle.source) == ("Apache-2.0", "pypi:mediapipe==0.10.21")
    assert bundle.digest == hashlib.sha256((copy / "manifest.json").read_bytes()).hexdigest()
    for network in (bundle.short_range, bundle.full_range):
        assert network.digest == hashlib.sha256(network.path.read_bytes()).hexdigest()
    assert EmbeddedFaces(copy).digest == bundle.digest


@pytest.mark.parametrize("name", ["short_range.onnx", "full_range.onnx", "manifest.json"])
def test_a_missing_file_is_named(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(ConfigError, match=rf"{name} cannot be read .*make model"):
        EmbeddedFaces(copy)


@pytest.mark.parametrize("name", ["short_range.onnx", "full_range.onnx"])
def test_an_altered_network_is_refused(copy: Path, name: str) -> None:
    data = bytearray((copy / name).read_bytes())
    data[len(data) // 2] ^= 1
    (copy / name).write_bytes(data)
    with pytest.raises(ConfigError, match=rf"{name} has sha256 .*altered or cut short"):
        EmbeddedFaces(copy)


def test_a_manifest_that_is_no_json_is_refused(copy: Path) -> None:
    (copy / "manifest.json").write_text("{")
    with pytest.raises(ConfigError, match=r"is not JSON .*make model"):
        EmbeddedFaces(copy)


@pytest.mark.parametrize(
    ("edit", "complaint"),
    [
        (
            lambda m: m.update(preprocessing="0"),
            "preprocessing is '0', this version knows '1' only",
        ),
        (lambda m: m["input"].update(color="BGR"), "input is .*BGR.*, this version knows"),
        (lambda m: m["normalisation"].update(scale=1), "normalisation is .*, this version knows"),
        (lambda m: m.pop("license"), "license is missing"),
        (lambda m: m.update(source=""), "source is not a text"),
        (lambda m: m["networks"].pop("full_range"), "networks.full_range.sha256 is missing"),
        (lambda m: m["networks"]["full_range"].update(side=0), "side is not a whole number"),
        (lambda m: m["networks"]["full_range"].update(side=320.0), "side is not a whole"),
        (lambda m: m["networks"]["short_range"].update(anchors=[]), "anchors are missing"),
        (lambda m: m["networks"]["short_range"].update(anchors=[[8]]), "anchors are not pairs"),
        (lambda m: m["thresholds"].pop("look_confirms"), "look_confirms is missing"),
        (lambda m: m["thresholds"].update(look_confirms=0), "is not between 0 and 1"),
        (
            lambda m: m["thresholds"].update(look_confirms=float("nan")),
            "look_confirms is not finite",
        ),
        (lambda m: m["thresholds"].update(look_confirms=True), "look_confirms is not a number"),
    ],
)
def test_a_manifest_of_another_kind_is_refused(copy: Path, edit: Edit, complaint: str) -> None:
    edit_manifest(copy, edit)
    with pytest.raises(ConfigError, match=complaint):
        EmbeddedFaces(copy)


def test_a_network_that_cannot_be_loaded_is_refused(copy: Path) -> None:
    replace_network(copy, "full_range", b"something else")
    with pytest.raises(ConfigError, match=r"full_range.onnx cannot be loaded .*make model"):
        EmbeddedFaces(copy)


def test_a_network_of_another_kind_is_refused(copy: Path) -> None:
    model = onnx.load(copy / "short_range.onnx")
    del model.graph.output[1]
    replace_network(copy, "short_range", model.SerializeToString())
    with pytest.raises(ConfigError, match=r"short_range.onnx is not a face network"):
        EmbeddedFaces(copy)


@pytest.mark.parametrize("name", ["short_range", "full_range"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_an_error(copy: Path, name: str, value: float) -> None:
    # given a network whose first bias is spoilt
    model = onnx.load(copy / f"{name}.onnx")
    bias = next(item for item in model.graph.initializer if len(item.dims) == 1)
    spoilt = numpy_helper.to_array(bias).copy()
    spoilt[0] = value
    bias.CopyFrom(numpy_helper.from_array(spoilt, bias.name))
    replace_network(copy, name, model.SerializeToString())
    # then there is an answer neither of "a face" nor of "no face"
    with pytest.raises(RetryableError, match="not finite"):
        EmbeddedFaces(copy)


def test_other_anchors_than_the_network_has_are_an_error(copy: Path) -> None:
    edit_manifest(copy, lambda m: m["networks"]["full_range"].update(anchors=[[8, 1]]))
    with pytest.raises(RetryableError, match="answered with shape"):
        EmbeddedFaces(copy)
