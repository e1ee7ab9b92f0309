"""Models that people bring: read from their files, scored as those say, tried, and judged by."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from local.models.huggingface import read_model
from local.models.mapping import map_labels
from local.models.trial import trial_photos, try_model
from local.samples import jpeg, photograph
from photogate.domain import Status
from photogate.domain.policy import decide_all, gates
from photogate.errors import ConfigError
from photogate.policies import preset
from photogate_vision.analyzer import VisionAnalyzer
from photogate_vision.classifier.bundle import Gives, load_bundle
from photogate_vision.classifier.nsfw import NsfwModel
from tests.model.classifiers import PATCH, VIT, Classifier, prepared, sigmoid, softmax

TWO = ["normal", "nsfw"]
FOUR = ["neutral", "low", "medium", "high"]
FIVE = ["drawings", "hentai", "neutral", "porn", "sexy"]
MAP_TWO = ["nsfw=explicit", "normal=neutral"]
MAP_FOUR = ["neutral=neutral", "low=sexy", "medium=explicit", "high=explicit"]
MAP_FIVE = ["drawings=drawing", "hentai=hentai", "neutral=neutral", "porn=porn", "sexy=sexy"]
#: Rounding of float32 sums over some hundred patches; measured 1.1e-7, November 2026.
ROUNDING = 1e-6

SQUARE_384 = {"size": {"height": 384, "width": 384}}
BICUBIC = Image.Resampling.BICUBIC


def added(classifier: Classifier, pairs: list[str], tmp_path: Path) -> NsfwModel:
    """Write a classifier, and take it in as `photogate model add` does."""
    model = read_model(classifier.write(tmp_path / "source"))
    folder = tmp_path / "bundle"
    folder.mkdir()
    try_model(model, model.map(pairs), folder=folder, name="mine")
    return NsfwModel(load_bundle(folder))


def score(model: NsfwModel, image: Image.Image) -> dict[str, float]:
    return model.scores(model.bundle.input.resizing.pixels(image)[np.newaxis])[0]


@pytest.mark.parametrize(
    ("settings", "side", "how"),
    [
        # A vision transformer's usual ones, as new and as old files spell them.
        ({}, 224, {"size": (224, 224)}),
        (
            {"image_processor_type": None, "feature_extractor_type": "ViTFeatureExtractor"}
            | {"size": 224, "do_rescale": None, "rescale_factor": None},
            224,
            {"size": (224, 224)},
        ),
        (SQUARE_384 | {"resample": 3}, 384, {"size": (384, 384), "resample": BICUBIC}),
        (
            SQUARE_384 | {"image_processor_type": "SiglipImageProcessor", "resample": None},
            384,
            {"size": (384, 384), "resample": BICUBIC},
        ),
        # The middle of 451 x 300 whose shorter side became 256.
        (
            {"image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": 256}}
            | {"crop_size": 224, "resample": 3},
            224,
            {"size": (384, 256), "resample": BICUBIC},
        ),
        (
            {"image_processor_type": "BitImageProcessorFast", "size": 256, "crop_size": [224, 224]},
            224,
            {"size": (384, 256)},
        ),
        (
            {"image_processor_type": "DeiTImageProcessor", "size": 256, "resample": 3}
            | {"do_center_crop": True, "crop_size": {"height": 224, "width": 224}},
            224,
            {"size": (256, 256), "resample": BICUBIC},
        ),
        # int(224 / .875) = 256; from 384 on nothing is cut off.
        (
            {"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 224}}
            | {"crop_pct": 0.875},
            224,
            {"size": (384, 256)},
        ),
        (
            {"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 384}},
            384,
            {"size": (384, 384)},
        ),
        # It divides by the deviation twice.
        (
            {"image_processor_type": "EfficientNetImageProcessor", "resample": 0},
            224,
            {"size": (224, 224), "resample": Image.Resampling.NEAREST, "std": 0.25},
        ),
        (
            {"do_rescale": False, "image_mean": 127.5, "image_std": 127.5},
            224,
            {"size": (224, 224), "scale": 1.0, "mean": 127.5, "std": 127.5},
        ),
        ({"do_normalize": False}, 224, {"size": (224, 224), "mean": 0.0, "std": 1.0}),
    ],
)
def test_pictures_are_prepared_as_the_preprocessor_says(
    settings: dict[str, Any], side: int, how: dict[str, Any], tmp_path: Path
) -> None:
    """The whole way from a picture to scores, against the same steps in numpy."""
    preprocessor = {k: v for k, v in (VIT | settings).items() if v is not None}
    classifier = Classifier(labels=TWO, side=side, preprocessor=preprocessor)
    cat = photograph("chelsea.png")
    assert cat.size == (451, 300)
    # 256 * 451 / 300 = 384.85, rounded down
    normal, nsfw = softmax(classifier.logits(prepared(cat, side=side, **how)))
    found = score(added(classifier, MAP_TWO, tmp_path), cat)
    assert found == pytest.approx({"neutral": normal, "explicit": nsfw}, abs=ROUNDING)


@pytest.mark.parametrize("side", [224, 384])
@pytest.mark.parametrize(
    ("options", "tolerance"),
    [
        ({}, ROUNDING),
        ({"layout": "NHWC"}, ROUNDING),
        ({"batch": 1}, ROUNDING),
        ({"height": "height"}, ROUNDING),
        ({"activation": "Softmax"}, ROUNDING),
        # float16 has 11 bits: a logit of 4 is rounded by .002.
        ({"half": True}, 5e-3),
    ],
)
@pytest.mark.parametrize("labels", [TWO, FOUR, FIVE])
def test_graphs_of_the_usual_shapes_score_alike(
    labels: list[str], options: dict[str, Any], tolerance: float, side: int, tmp_path: Path
) -> None:
    pairs = {2: MAP_TWO, 4: MAP_FOUR, 5: MAP_FIVE}[len(labels)]
    preprocessor = VIT | {"size": {"height": side, "width": side}}
    classifier = Classifier(labels=labels, side=side, preprocessor=preprocessor, **options)
    model = added(classifier, pairs, tmp_path)
    # given two pictures in one call, which a graph with a fixed batch takes one by one
    images = [photograph("chelsea.png"), photograph("coffee.png")]
    pixels = np.stack([model.bundle.input.resizing.pixels(image) for image in images])
    for image, found in zip(images, model.scores(pixels), strict=True):
        values = prepared(image, size=(side, side), side=side)
        by_label = dict(zip(labels, softmax(classifier.logits(values)), strict=True))
        expected = dict.fromkeys((pair.split("=")[1] for pair in pairs), 0.0)
        for pair in pairs:
            label, category = pair.split("=")
            expected[category] += by_label[label]
        assert found == pytest.approx(expected, abs=tolerance)
        assert sum(found.values()) == pytest.approx(1, abs=1e-6)


def test_of_independent_labels_the_highest_counts(tmp_path: Path) -> None:
    classifier = Classifier(
        labels=["safe", "nudity", "sex"], config={"problem_type": "multi_label_classification"}
    )
    classifier.bias[1:] -= 2
    pairs = ["safe=neutral", "nudity=explicit", "sex=explicit"]
    model = added(classifier, pairs, tmp_path)
    assert model.bundle.gives is Gives.INDEPENDENT_LOGITS
    cat = photograph("chelsea.png")
    safe, *risks = sigmoid(classifier.logits(prepared(cat, size=(224, 224), side=224)))
    found = score(model, cat)
    assert found == pytest.approx({"neutral": safe, "explicit": max(risks)}, abs=ROUNDING)
    assert sum(found.values()) != pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("kind", ["single_label_classification", "multi_label_classification"])
def test_logits_of_any_size_give_probabilities(kind: str, tmp_path: Path) -> None:
    classifier = Classifier(labels=TWO, config={"problem_type": kind})
    classifier.bias[:] = 1000, -1000
    found = score(added(classifier, MAP_TWO, tmp_path), photograph("chelsea.png"))
    assert found == {"neutral": 1.0, "explicit": pytest.approx(0, abs=1e-30)}


def test_independent_probabilities_have_to_be_told_from_logits(tmp_path: Path) -> None:
    # given a graph that ends with a sigmoid, whose answers could as well be small logits
    classifier = Classifier(
        labels=["safe", "nudity"],
        activation="Sigmoid",
        config={"problem_type": "multi_label_classification"},
    )
    model = read_model(classifier.write(tmp_path / "source"))
    categories = model.map(["safe=neutral", "nudity=explicit"])
    # when nobody says which, then nothing is guessed
    with pytest.raises(ConfigError, match="say --output probabilities when"):
        try_model(model, categories, folder=_new(tmp_path / "a"), name="mine")
    # when somebody does, then that holds
    folder = _new(tmp_path / "b")
    try_model(model, categories, folder=folder, name="mine", stated="probabilities")
    cat = photograph("chelsea.png")
    values = sigmoid(classifier.logits(prepared(cat, size=(224, 224), side=224)))
    found = score(NsfwModel(load_bundle(folder)), cat)
    assert list(found.values()) == pytest.approx(values.tolist(), abs=ROUNDING)


def test_probabilities_that_are_none_are_not_taken_for_some(tmp_path: Path) -> None:
    model = read_model(Classifier(labels=TWO).write(tmp_path / "source"))
    with pytest.raises(ConfigError, match="not probabilities: leave --output out"):
        try_model(
            model,
            model.map(MAP_TWO),
            folder=_new(tmp_path / "bundle"),
            name="mine",
            stated="probabilities",
        )


@pytest.mark.parametrize(
    ("activation", "steps", "stated", "words"),
    [
        ("Softmax", None, "logits", "they add up to 1: leave --output out"),
        # A softmax whose output was rounded adds up to 1 by and large only.
        ("Softmax", 200, None, "do not add up to 1"),
        ("Softmax", 200, "logits", "do not add up to 1"),
        ("Sigmoid", None, None, "do not add up to 1"),
        ("Sigmoid", None, "logits", "do not add up to 1"),
    ],
)
def test_what_a_softmax_would_only_make_even_is_not_taken_for_logits(
    activation: str, steps: int | None, stated: str | None, words: str, tmp_path: Path
) -> None:
    # given a graph with an end of its own, over which .40 would be the most that five can reach
    classifier = Classifier(labels=FIVE, activation=activation, steps=steps)
    model = read_model(classifier.write(tmp_path / "source"))
    with pytest.raises(ConfigError, match=words):
        try_model(
            model,
            model.map(MAP_FIVE),
            folder=_new(tmp_path / "bundle"),
            name="mine",
            stated=stated,
        )


def _new(folder: Path) -> Path:
    folder.mkdir()
    return folder


def test_the_digest_is_that_of_the_file_and_pins_it(tmp_path: Path) -> None:
    model = added(Classifier(labels=TWO), MAP_TWO, tmp_path)
    data = (tmp_path / "source" / "onnx" / "model.onnx").read_bytes()
    assert model.bundle.digest == hashlib.sha256(data).hexdigest()
    assert model.bundle.license == "apache-2.0"
    (tmp_path / "bundle" / "model.onnx").write_bytes(data + b"\0")
    with pytest.raises(ConfigError, match="altered or cut short"):
        load_bundle(tmp_path / "bundle")


@pytest.mark.parametrize(
    ("card", "licence"),
    [
        (None, "unknown"),
        ("# no front matter\nlicense: mit\n", "unknown"),
        ("---\nlicense: 'AGPL-3.0'\n---\n", "agpl-3.0"),
    ],
)
def test_a_licence_is_what_the_card_states(card: str | None, licence: str, tmp_path: Path) -> None:
    assert read_model(Classifier(labels=TWO, card=card).write(tmp_path)).license == licence


@pytest.mark.parametrize(
    ("labels", "pairs", "complaint"),
    [
        (TWO, [], "label 'normal', 'nsfw' is not mapped: add --map 'label=category'"),
        (TWO, ["nsfw=explicit"], "label 'normal' is not mapped"),
        (TWO, [*MAP_TWO, "NSFW=porn"], "no label 'NSFW', it has 'normal', 'nsfw'"),
        (TWO, ["nsfw"], "not of the form label=category"),
        (TWO, ["=explicit"], "not of the form label=category"),
        (TWO, ["nsfw=porn", "nsfw=hentai"], "mapped to porn already; a score is never split up"),
        (TWO, ["nsfw=porn", "normal=neutral"], "two labels give one risk score, .*never split"),
        (TWO, ["nsfw=porn", "normal=hentai"], "two labels give one risk score"),
        (TWO, ["nsfw=nudity", "normal=neutral"], "no category 'nudity': choose one of porn, "),
        (TWO, ["nsfw=sexy", "normal=neutral"], "nothing is mapped to explicit"),
        (TWO, ["nsfw=explicit", "normal=explicit"], "every label is mapped to a risk"),
        (FOUR, [*MAP_FOUR[:3], "high=porn"], "explicit is porn and hentai together"),
        (FOUR, [*MAP_FOUR[:2], "medium=sexy", "high=porn"], "porn and hentai only count together"),
    ],
)
def test_a_mapping_that_would_mislead_is_refused(
    labels: list[str], pairs: list[str], complaint: str
) -> None:
    with pytest.raises(ConfigError, match=complaint) as caught:
        map_labels(labels, pairs, exclusive=True)
    assert "\n" not in str(caught.value)


def test_independent_risks_are_never_added_up() -> None:
    with pytest.raises(ConfigError, match=r"independent .* map both to explicit"):
        map_labels(FIVE, MAP_FIVE, exclusive=False)


def test_a_label_may_hold_an_equals_sign() -> None:
    labels = ["score=low", "score=high"]
    pairs = ["score=low=neutral", "score=high = explicit"]
    assert map_labels(labels, pairs, exclusive=True) == ("neutral", "explicit")


def _config(**fields: object) -> Callable[[Path], None]:
    return lambda folder: _edit(folder / "config.json", fields)


def _preprocessor(**fields: object) -> Callable[[Path], None]:
    return lambda folder: _edit(folder / "preprocessor_config.json", fields)


def _edit(path: Path, fields: dict[str, object]) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def _weights_of_another_kind(folder: Path) -> None:
    (folder / "onnx" / "model.onnx").unlink()
    (folder / "model.safetensors").write_bytes(b"\0")


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda d: (d / "config.json").unlink(), "config.json cannot be read"),
        (lambda d: (d / "preprocessor_config.json").unlink(), "preprocessor_config.json cannot"),
        (lambda d: (d / "config.json").write_text("["), "config.json is not JSON"),
        (lambda d: (d / "onnx/model.onnx").unlink(), "has no ONNX file"),
        (_weights_of_another_kind, r"model.safetensors and no ONNX file: export .*optimum-cli"),
        (
            lambda d: (d / "onnx/model.onnx").rename(d / "onnx/model_fp16.onnx"),
            "no onnx/model.onnx: choose with --file among onnx/model_fp16.onnx",
        ),
        (lambda d: (d / "onnx/model.onnx").write_bytes(b"no model"), "cannot be loaded"),
        (
            lambda d: (d / "onnx/model.onnx_data").write_bytes(b"\0"),
            "keeps weights in model.onnx_data: one file has to hold the model",
        ),
        (_config(id2label=None), "id2label does not give a label"),
        (_config(id2label={"0": "a", "2": "b"}), "id2label does not give a label to each"),
        (_config(id2label={"0": "a"}), "id2label has 1 labels"),
        (_config(id2label={"0": "a", "1": "a"}), "id2label has .* the same one twice"),
        (
            _config(id2label={"0": "a", "1": "b", "2": "c"}),
            "id2label has 3 labels, and model.onnx gives 2 numbers",
        ),
        (_config(problem_type="regression"), "problem_type is 'regression'"),
        (
            _preprocessor(image_processor_type="Siglip2ImageProcessor"),
            "image_processor_type is 'Siglip2ImageProcessor'; known are ViTImageProcessor",
        ),
        (_preprocessor(image_processor_type=None), "image_processor_type is not a text"),
        (_preprocessor(size={"height": 224, "width": 336}), "size is .* not a square"),
        (_preprocessor(size={"longest_edge": 224}), "size is .* not a square"),
        (_preprocessor(size={"shortest_edge": 224}), "size has a shortest_edge without"),
        (_preprocessor(size=True), "size is True, not a square"),
        (_preprocessor(size=512), "size is not from 32 to 448 pixels"),
        (_preprocessor(size=384), "reads 224 × 224 pixels, and .* makes 384 × 384"),
        (_preprocessor(do_center_crop=True, crop_size=256), "crop_size is larger than size"),
        (_preprocessor(do_resize=False), "do_resize is false"),
        (_preprocessor(do_pad=True), "do_pad is true, which is not supported"),
        (_preprocessor(do_normalize="yes"), "do_normalize is 'yes', not true or false"),
        (_preprocessor(rescale_offset=True), "rescale_offset is true"),
        (_preprocessor(rescale_factor=0), "rescale_factor is not above 0"),
        (_preprocessor(resample=9), "resample is not a whole number"),
        (_preprocessor(image_mean=[0.5]), "image_mean is not three numbers"),
        (_preprocessor(image_std=[0.5, 0.5, 0]), "image_std is not above 0"),
        (_preprocessor(image_std=None), "image_std is not a number"),
    ],
)
def test_files_that_cannot_be_followed_are_refused(
    spoil: Callable[[Path], object], complaint: str, tmp_path: Path
) -> None:
    folder = Classifier(labels=TWO).write(tmp_path)
    spoil(folder)
    with pytest.raises(ConfigError, match=complaint) as caught:
        read_model(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"batch": 4}, "reads the shape 4 × 3 × 224 × 224"),
        ({"layout": "NHWC", "height": 256}, "reads 256 × 256 pixels"),
    ],
)
def test_graphs_of_other_shapes_are_refused(
    options: dict[str, Any], complaint: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=complaint):
        read_model(Classifier(labels=TWO, **options).write(tmp_path))


def test_a_graph_with_a_second_input_is_refused(tmp_path: Path) -> None:
    from onnx import TensorProto, helper

    folder = Classifier(labels=TWO).write(tmp_path)
    model = Classifier(labels=TWO).model()
    mask = helper.make_tensor_value_info("pixel_attention_mask", TensorProto.FLOAT, [1])
    model.graph.input.append(mask)
    (folder / "onnx" / "model.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ConfigError, match="reads pixel_values, pixel_attention_mask, not one"):
        read_model(folder)


def test_another_file_is_chosen_by_name_and_only_inside_the_folder(tmp_path: Path) -> None:
    folder = Classifier(labels=TWO).write(tmp_path / "source", "onnx/model_fp16.onnx")
    assert read_model(folder, "onnx/model_fp16.onnx").file.name == "model_fp16.onnx"
    with pytest.raises(ConfigError, match=r"no ONNX file 'nope.onnx'; it has onnx/model_fp16.onnx"):
        read_model(folder, "nope.onnx")
    Classifier(labels=TWO).write(tmp_path / "other")
    with pytest.raises(ConfigError, match=r"no ONNX file '../other"):
        read_model(folder, "../other/onnx/model.onnx")


def test_a_file_may_be_a_link_into_a_cache(tmp_path: Path) -> None:
    """As Hugging Face's own cache has it: names without a suffix behind links."""
    folder = Classifier(labels=TWO).write(tmp_path / "snapshot")
    (tmp_path / "blobs").mkdir()
    blob = (folder / "onnx" / "model.onnx").rename(tmp_path / "blobs" / "0f8fad5b")
    (folder / "onnx" / "model.onnx").symlink_to(blob)
    model = read_model(folder)
    try_model(model, model.map(MAP_TWO), folder=_new(tmp_path / "bundle"), name="mine")
    assert not (tmp_path / "bundle" / "model.onnx").is_symlink()


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda c: c.bias.fill(np.nan), "failed its trial .* not finite"),
        (lambda c: c.bias.fill(np.inf), "failed its trial .* not finite"),
        (lambda c: c.matrix.fill(0), "for each of 5 photographs: it does not look at them"),
        (lambda c: c.bias.__setitem__(1, 40), "all of 5 harmless .* the wrong way round"),
    ],
)
def test_a_model_that_fails_its_trial_is_refused(
    spoil: Callable[[Classifier], object], complaint: str, tmp_path: Path
) -> None:
    classifier = Classifier(labels=TWO)
    spoil(classifier)
    with pytest.raises(ConfigError, match=complaint):
        added(classifier, MAP_TWO, tmp_path)


def test_a_mapping_the_wrong_way_round_does_not_pass(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="the wrong way round"):
        added(Classifier(labels=TWO), ["nsfw=neutral", "normal=explicit"], tmp_path)


#: Prints pixels from the middle of what a strip becomes, and the most memory in kilobytes:
#: the process's own, which ``ru_maxrss`` is not, since it knows its parent's too.
STRIP = """
import re, sys
from pathlib import Path
from PIL import Image
from photogate_vision.classifier.resizing import Fit, Resizing
strip = Image.new("RGB", (30_000, 10), "red")
strip.paste("blue", (14_995, 0, 15_005, 10))
if sys.argv[1] == "upright":
    strip = strip.transpose(Image.Transpose.ROTATE_90)
resizing = Resizing(
    fit=Fit.SHORTEST_EDGE, to=224, side=224, resample=Image.Resampling.BILINEAR
)
pixels = resizing.pixels(strip)
most = re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]
print(*pixels.shape, *pixels[112, 112], most)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc")
@pytest.mark.parametrize("how", ["lying", "upright"])
def test_a_long_strip_is_prepared_without_resizing_all_of_it(how: str) -> None:
    """Scaled up whole, it would have 224 x 672,000 pixels, which take 600 MB."""
    done = subprocess.run(
        [sys.executable, "-c", STRIP, how], capture_output=True, text=True, check=True
    )
    *found, most_kb = map(int, done.stdout.split())
    # its middle 10 x 10 is blue
    assert found == [224, 224, 3, 0, 0, 255]
    assert most_kb < 300_000


class TestVerdicts:
    """A two-class model that sees nothing but red, judged by the preset community."""

    @pytest.fixture
    def analyzer(self, tmp_path: Path) -> VisionAnalyzer:
        classifier = Classifier(labels=TWO)
        # The first feature is the mean of red, 0..2; so that it decides the one logit.
        classifier.patch[:] = 0
        classifier.patch[0, 0] = 1 / PATCH**2
        classifier.patch[1, 0] = -1 / PATCH**2
        classifier.matrix[:] = 0
        # red - 0 below zero and above zero, together the mean of red of -1..1
        classifier.matrix[0, 1], classifier.matrix[1, 1] = 10, -10
        classifier.bias[:] = 0, 0.85 - 10 * _redness(0.25)
        return VisionAnalyzer(added(classifier, MAP_TWO, tmp_path).bundle.model_path.parent)

    @pytest.mark.parametrize(
        ("tint", "status", "low", "high"),
        [
            (0.0, Status.APPROVED, 0.0, 0.5),
            (0.25, Status.REVIEW, 0.65, 0.75),
            (0.5, Status.REJECTED, 0.9, 1.0),
        ],
    )
    def test_one_risk_score_decides(
        self, analyzer: VisionAnalyzer, tint: float, status: Status, low: float, high: float
    ) -> None:
        frames = analyzer.analyze(jpeg(_tinted(tint)))
        verdict, signals = decide_all(frames, preset("community"))
        assert signals.nsfw_scores is not None
        assert set(signals.nsfw_scores) == {"explicit", "neutral"}
        assert low <= signals.nsfw_scores["explicit"] <= high
        assert sum(signals.nsfw_scores.values()) == pytest.approx(1, abs=1e-5)
        assert (verdict.status, signals.model) == (status, analyzer.model_digest)
        if verdict.rule is not None:
            rejected = verdict.status is Status.REJECTED
            assert verdict.rule.name == ("nsfw.least" if rejected else "nsfw.shared")
            assert verdict.rule.value == signals.nsfw_scores["explicit"]

    def test_what_it_cannot_tell_is_said(self, analyzer: VisionAnalyzer) -> None:
        nsfw = next(
            gate for gate in gates(preset("community"), analyzer.measures) if gate.name == "nsfw"
        )
        assert (nsfw.on, nsfw.why) == (True, "in part: nothing measures nsfw.second, nsfw.tile")
        assert analyzer.panel.endswith("looks alone; mine does not tell sexy")


def _tinted(share: float) -> Image.Image:
    portrait = trial_photos()["portrait"]
    return Image.blend(portrait, Image.new("RGB", portrait.size, "red"), share)


def _redness(share: float) -> float:
    """The mean of red, -1..1."""
    return float(np.asarray(_tinted(share))[..., 0].mean()) / 127.5 - 1
