"""A bundle that is not exactly right is refused, and an odd output is never a score."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from photogate.domain import NSFW_CATEGORIES
from photogate.errors import ConfigError, RetryableError
from photogate_vision.classifier.bundle import load_bundle
from photogate_vision.classifier.nsfw import ModelFailed, NsfwModel
from photogate_vision.sessions import needs_exact_products

Edit = Callable[[dict[str, Any]], object]


@pytest.fixture
def copy(bundle: Path, tmp_path: Path) -> Path:
    """A bundle that a test may spoil."""
    return Path(shutil.copytree(bundle, tmp_path / "bundle"))


def edit_manifest(folder: Path, edit: Edit) -> None:
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    edit(manifest)
    path.write_text(json.dumps(manifest))


def test_a_good_bundle_tells_all_about_itself(bundle: Path) -> None:
    loaded = load_bundle(bundle)
    assert loaded.digest == hashlib.sha256((bundle / "model.onnx").read_bytes()).hexdigest()
    assert (loaded.name, loaded.license, loaded.precision) == ("mobilenet_v2", "MIT", "int8")
    assert loaded.input.size == 224
    assert set(loaded.categories) == set(NSFW_CATEGORIES)


@pytest.mark.parametrize("name", ["model.onnx", "manifest.json"])
def test_a_missing_file_is_named(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(ConfigError, match=rf"{name} cannot be read .*make model"):
        load_bundle(copy)


def test_an_altered_model_is_refused(copy: Path) -> None:
    model = bytearray((copy / "model.onnx").read_bytes())
    model[len(model) // 2] ^= 1
    (copy / "model.onnx").write_bytes(model)
    with pytest.raises(ConfigError, match=r"altered or cut short.*make model"):
        load_bundle(copy)


@pytest.mark.parametrize("text", ["{", "[" * 100_000], ids=["half", "deep"])
def test_a_manifest_that_is_no_json_is_refused(copy: Path, text: str) -> None:
    (copy / "manifest.json").write_text(text)
    with pytest.raises(ConfigError, match=r"is not JSON .*make model"):
        load_bundle(copy)


@pytest.mark.parametrize(
    ("edit", "complaint"),
    [
        (lambda m: m.pop("labels"), "labels is missing"),
        (lambda m: m.update(labels=m["labels"][:1]), "labels is not a list of two labels"),
        (lambda m: m["labels"].pop(1), "labels cannot be used: porn and hentai only count"),
        (lambda m: m["labels"][0].update(category="nudity"), "labels .* no category 'nudity'"),
        (lambda m: m["labels"][0].update(category="explicit"), "explicit is porn and hentai"),
        (lambda m: m["labels"].__setitem__(0, "Drawing"), "labels cannot be used"),
        (lambda m: m["input"].update(layout="HWC"), "input.layout is 'HWC', .* NCHW, NHWC only"),
        (lambda m: m.update(output={"gives": "scores"}), "output.gives is 'scores', .*knows"),
        (lambda m: m.update(resizing={"resample": []}), "resizing.resample is not a text"),
        (lambda m: m.update(resizing={"resample": "cubic"}), "resizing.resample is 'cubic'"),
        (lambda m: m["input"].update(color="BGR"), "input.color is 'BGR'"),
        (lambda m: m["input"].update(dtype="uint8"), "input.dtype is 'uint8'"),
        (lambda m: m["input"].update(size=0), "input.size is not a whole number"),
        (lambda m: m["input"].update(size=True), "input.size is not a whole number"),
        (lambda m: m["input"].update(name=""), "input.name is not a text"),
        (lambda m: m.update(input="pixels"), "input.color is missing"),
        (lambda m: m.update(preprocessing="0"), "preprocessing is '0'"),
        (lambda m: m.update(sha256="0"), "sha256 is not a sha256"),
        (lambda m: m["normalisation"].update(scale=0), "normalisation.scale is not above 0"),
        (lambda m: m["normalisation"].update(scale="1"), "normalisation.scale is not a number"),
        (lambda m: m["normalisation"].update(mean=[0]), "normalisation.mean is not a list of"),
        (lambda m: m["normalisation"].update(std=[1, 1, 0]), "normalisation.std is not above 0"),
        (
            lambda m: m["normalisation"].update(mean=[0, 0, float("nan")]),
            "normalisation.mean is not finite",
        ),
        (
            lambda m: m["normalisation"].update(scale=10**400),
            "normalisation.scale is not finite",
        ),
    ],
)
def test_a_manifest_that_asks_for_something_else_is_refused(
    copy: Path, edit: Edit, complaint: str
) -> None:
    edit_manifest(copy, edit)
    with pytest.raises(ConfigError, match=rf"{complaint}.*: run `make model`") as caught:
        load_bundle(copy)
    assert "\n" not in str(caught.value)


def replace_model(folder: Path, answer: list[float], *, input_name: str = "pixels") -> None:
    """Put a model in place that answers the same to every picture."""
    constants = [
        numpy_helper.from_array(np.zeros((3, len(answer)), np.float32), "weight"),
        numpy_helper.from_array(np.array(answer, np.float32), "answer"),
    ]
    nodes = [
        helper.make_node("GlobalAveragePool", [input_name], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("Gemm", ["flat", "weight", "answer"], ["scores"]),
    ]
    picture = helper.make_tensor_value_info(input_name, TensorProto.FLOAT, ["N", 3, 224, 224])
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", len(answer)])
    graph = helper.make_graph(nodes, "same", [picture], [scores], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    data = model.SerializeToString()
    (folder / "model.onnx").write_bytes(data)
    edit_manifest(folder, lambda m: m.update(sha256=hashlib.sha256(data).hexdigest()))


PICTURES = np.zeros((2, 224, 224, 3), np.uint8)


def test_probabilities_come_back_by_category(copy: Path) -> None:
    replace_model(copy, [0.1, 0.2, 0.4, 0.0, 0.3])
    scores = NsfwModel(load_bundle(copy)).scores(PICTURES)
    expected = {"drawing": 0.1, "hentai": 0.2, "neutral": 0.4, "porn": 0.0, "sexy": 0.3}
    assert scores == [pytest.approx(expected)] * 2


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        ([float("nan")] * 5, "not finite"),
        ([float("inf"), 0, 0, 0, 0], "not finite"),
        ([0.2, 0.2, 0.2, 0.2, 0.1], "not probabilities"),
        ([1.2, -0.2, 0, 0, 0], "not probabilities"),
        ([0.5, 0.5], "shape"),
    ],
)
def test_an_output_that_is_no_probability_is_an_error(
    copy: Path, answer: list[float], complaint: str
) -> None:
    replace_model(copy, answer)
    model = NsfwModel(load_bundle(copy))
    with pytest.raises(ModelFailed, match=complaint):
        model.scores(PICTURES)
    assert issubclass(ModelFailed, RetryableError)


def test_a_model_with_another_input_is_refused(copy: Path) -> None:
    replace_model(copy, [0.2] * 5, input_name="image")
    with pytest.raises(ConfigError, match=r"reads \['image'\].*make model"):
        NsfwModel(load_bundle(copy))


def test_a_file_that_is_no_model_is_refused(copy: Path) -> None:
    (copy / "model.onnx").write_bytes(b"no model")
    digest = hashlib.sha256(b"no model").hexdigest()
    edit_manifest(copy, lambda m: m.update(sha256=digest))
    with pytest.raises(ConfigError, match=r"cannot be loaded .*make model"):
        NsfwModel(load_bundle(copy))


@pytest.mark.parametrize(
    "pixels",
    [np.zeros((1, 3, 224, 224), np.uint8), PICTURES.astype(np.float32), PICTURES[0]],
)
def test_pixels_of_another_kind_are_a_mistake(bundle: Path, pixels: Any) -> None:
    with pytest.raises(ValueError, match=r"expected uint8 of shape \(N, 224, 224, 3\)"):
        NsfwModel(load_bundle(bundle)).scores(pixels)


def test_no_pictures_give_no_scores(bundle: Path) -> None:
    assert NsfwModel(load_bundle(bundle)).scores(PICTURES[:0]) == []


@pytest.mark.parametrize(
    ("flags", "machine", "exact"),
    [
        ("flags\t\t: avx2 fma", "x86_64", True),
        ("flags\t\t: avx2 avx_vnni", "x86_64", False),
        ("flags\t\t: avx2 avx512f avx512_vnni", "AMD64", False),
        (None, "x86_64", True),
        (None, "aarch64", False),
    ],
)
def test_exact_products_are_asked_for_where_the_processor_needs_it(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    flags: str | None,
    machine: str,
    exact: bool,
) -> None:
    monkeypatch.setattr("platform.machine", lambda: machine)
    cpuinfo = tmp_path / "cpuinfo"
    if flags is not None:
        cpuinfo.write_text(f"processor\t: 0\n{flags}\n")
    assert needs_exact_products(cpuinfo) is exact
