"""Two models on real pixels: what each says, where, and what comes of one that fails."""

from __future__ import annotations

import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from onnxruntime import InferenceSession
from PIL import Image

from local.models.build import ensure_bundle
from local.models.huggingface import read_model
from local.samples import jpeg, photograph
from photogate.domain import Status
from photogate.domain.policy import decide_all
from photogate.errors import ConfigError, RetryableError
from photogate.policies import preset
from photogate_vision.analyzer import VisionAnalyzer
from photogate_vision.classifier import tiles
from photogate_vision.classifier.bundle import Gives, load_bundle
from photogate_vision.classifier.nsfw import ModelFailed, NsfwModel
from photogate_vision.decoding.decode import decode
from photogate_vision.decoding.frames import MAX_LOOKS
from tests.model.classifiers import PATCH, Classifier
from tests.model.files import animation

COMMUNITY = preset("community")


def written(classifier: Classifier, folder: Path, name: str = "mine") -> Path:
    """A bundle of a classifier, as it is, without the trial of `photogate model add`."""
    model = read_model(classifier.write(folder / "source"))
    bundle = folder / "bundle"
    bundle.mkdir()
    model.write_bundle(bundle, name=name, categories=("neutral", "explicit"), gives=Gives.LOGITS)
    return bundle


def constant(logit: float) -> Classifier:
    """It says the same of every picture."""
    classifier = Classifier(labels=["normal", "nsfw"])
    classifier.matrix[:] = 0
    classifier.bias[:] = 0, logit
    return classifier


def of_redness() -> Classifier:
    """It is sure where more than a half of the picture is red, and calm elsewhere."""
    classifier = Classifier(labels=["normal", "nsfw"])
    classifier.patch[:] = 0
    # red minus green of -1..1, averaged over a patch; what is below zero is cut off
    classifier.patch[0, 0], classifier.patch[0, 1] = 1 / PATCH**2, -1 / PATCH**2
    classifier.matrix[:] = 0
    classifier.matrix[0, 1] = 20
    classifier.bias[:] = 0, -20
    return classifier


def test_each_says_its_own_under_its_name(bundle: Path, second_bundle: Path) -> None:
    # given a panel, when a photo is looked at
    analyzer = VisionAnalyzer(bundle, others=(second_bundle,), tiles=2)
    (signals,) = analyzer.analyze(jpeg(photograph("astronaut.png")))
    # then each has said what it says alone
    (picture,) = decode(jpeg(photograph("astronaut.png")))
    for folder, told in ((bundle, signals.nsfw_scores), (second_bundle, signals.opinions)):
        alone = NsfwModel(load_bundle(folder))
        pixels = alone.bundle.input.resizing.pixels(picture.image)[np.newaxis]
        expected = alone.scores(pixels)[0]
        assert told is not None
        assert (told if folder == bundle else told["opennsfw"]) == pytest.approx(expected, abs=1e-5)
    assert signals.model == analyzer.model_digest
    assert analyzer.model_digest == "+".join(
        load_bundle(folder).digest for folder in (bundle, second_bundle)
    )
    assert decide_all([signals], COMMUNITY)[0].status is Status.APPROVED
    # and all that it measures is what it promised
    assert {"nsfw.least", "nsfw.second", "nsfw.tile", "opennsfw.explicit"} <= analyzer.measures


def test_who_looks_is_said(bundle: Path, second_bundle: Path, tmp_path: Path) -> None:
    assert VisionAnalyzer(bundle).panel == "mobilenet_v2 looks alone"
    panel = VisionAnalyzer(bundle, others=(second_bundle,)).panel
    assert panel == "mobilenet_v2 and opennsfw look"
    own = written(constant(-5), tmp_path)
    assert VisionAnalyzer(own, others=(second_bundle,), tiles=3).panel == (
        "mine and opennsfw look, opennsfw at 3×3 parts of large photos as well;"
        " mine does not tell sexy"
    )


@pytest.mark.slow
def test_two_of_one_family_are_called_so(bundle: Path) -> None:
    panel = VisionAnalyzer(bundle, others=(ensure_bundle("inception_v3", print),)).panel
    assert panel.endswith(
        "mobilenet_v2 and inception_v3 are not independent: both come from npm:nsfwjs@4.3.0"
    )


@pytest.mark.slow
def test_a_third_is_asked_about_the_whole(
    bundle: Path, second_bundle: Path, third_bundle: Path
) -> None:
    # given a third model, taken as its package has it
    analyzer = VisionAnalyzer(bundle, others=(second_bundle,), third=third_bundle, tiles=2)
    # when a photo is looked at
    photo = jpeg(photograph("astronaut.png"))
    (signals,) = analyzer.analyze(photo)
    # then it says what the package's graph says of the same pixels
    (picture,) = decode(photo)
    third = load_bundle(third_bundle)
    pixels = third.input.resizing.pixels(picture.image).transpose(2, 0, 1)[np.newaxis]
    graph = InferenceSession(third.model_path, providers=["CPUExecutionProvider"])
    (gore, explicit, neutral) = graph.run(None, {"image": pixels.astype(np.float32)})[0][0]
    assert signals.third is not None
    assert signals.third["swiftformer"] == pytest.approx(
        {"gore": gore, "explicit": explicit, "neutral": neutral}, abs=1e-5
    )
    # and it is told, and counts
    assert signals.model == analyzer.model_digest
    assert analyzer.model_digest.endswith(third.digest)
    assert {"third.explicit", "third.gore"} <= analyzer.measures
    assert analyzer.panel.endswith("; swiftformer looks as well, and only ever brings a person")
    assert decide_all([signals], COMMUNITY)[0].status is Status.APPROVED


def test_a_third_of_ones_own_brings_a_person(
    bundle: Path, second_bundle: Path, tmp_path: Path
) -> None:
    own = written(constant(9), tmp_path)
    analyzer = VisionAnalyzer(bundle, others=(second_bundle,), third=own)
    assert "third.gore" not in analyzer.measures
    verdict, _ = decide_all(analyzer.analyze(jpeg(photograph("astronaut.png"))), COMMUNITY)
    assert verdict.status is Status.REVIEW
    assert verdict.rule is not None
    assert verdict.rule.name == "third.explicit"


def test_a_third_that_fails_takes_all_scores_along(
    bundle: Path, third_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    analyzer = VisionAnalyzer(bundle, third=third_bundle)
    wrong = np.full((1, 3), np.nan, np.float32)
    assert analyzer._panel._third is not None
    monkeypatch.setattr(analyzer._panel._third._session, "run", lambda *_: [wrong], raising=False)
    with pytest.raises(ModelFailed, match="not finite"):
        analyzer.analyze(jpeg(photograph("astronaut.png")))


def test_one_model_has_one_seat(bundle: Path) -> None:
    with pytest.raises(ConfigError, match="mobilenet_v2 has two seats of the panel: let SECOND_"):
        VisionAnalyzer(bundle, others=(bundle,))


@pytest.mark.parametrize(
    ("first", "second", "status"),
    [
        (-9, -9, Status.APPROVED),
        (9, -9, Status.REVIEW),
        (-9, 9, Status.REVIEW),
        (9, 9, Status.REJECTED),
    ],
)
def test_a_model_of_ones_own_takes_either_seat(
    first: float, second: float, status: Status, tmp_path: Path
) -> None:
    folders = []
    for name, logit in (("first", first), ("second", second)):
        classifier = constant(logit)
        # what makes their files differ, and no score
        classifier.bias[:] += len(name)
        folders.append(written(classifier, tmp_path / name, name))
    analyzer = VisionAnalyzer(folders[0], others=folders[1:])
    frames = analyzer.analyze(jpeg(photograph("astronaut.png")))
    assert set(frames[0].opinions or {}) == {"second"}
    assert decide_all(frames, COMMUNITY)[0].status is status


class TestASecondModelThatFails:
    def test_gone(self, bundle: Path, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match=r"manifest.json cannot be read"):
            VisionAnalyzer(bundle, others=(tmp_path / "gone",))

    def test_altered(self, bundle: Path, second_bundle: Path, tmp_path: Path) -> None:
        copy = Path(shutil.copytree(second_bundle, tmp_path / "copy"))
        model = bytearray((copy / "model.onnx").read_bytes())
        model[len(model) // 2] ^= 1
        (copy / "model.onnx").write_bytes(model)
        with pytest.raises(ConfigError, match="altered or cut short"):
            VisionAnalyzer(bundle, others=(copy,))

    @pytest.mark.parametrize("wrong", [np.nan, np.inf])
    def test_not_finite(self, bundle: Path, wrong: float, tmp_path: Path) -> None:
        broken = constant(-9)
        broken.bias[1] = wrong
        with pytest.raises(ModelFailed, match="not finite"):
            VisionAnalyzer(bundle, others=(written(broken, tmp_path),))

    def test_not_finite_on_some_photos_only(self, bundle: Path, tmp_path: Path) -> None:
        # given a model that is sound on the picture that every start tries, and overflows on red
        broken = of_redness()
        broken.matrix[0, 1] = 3e38
        analyzer = VisionAnalyzer(bundle, others=(written(broken, tmp_path),))
        # when a red photo is looked at, then there is no score of any model
        with pytest.raises(RetryableError, match="not finite"):
            analyzer.analyze(jpeg(Image.new("RGB", (300, 300), "red")))


class TestACloserLook:
    @pytest.fixture
    def second(self, tmp_path: Path) -> Path:
        return written(of_redness(), tmp_path)

    def test_a_part_that_the_whole_hides_is_found_and_named(
        self, bundle: Path, second: Path
    ) -> None:
        # given a large photo of which the lower right quarter is red
        photo = photograph("coffee.png").convert("L").convert("RGB").resize((1600, 1200))
        photo.paste("red", (800, 600, 1600, 1200))
        data = jpeg(photo)
        # when it is looked at as a whole, then it passes
        (whole,) = VisionAnalyzer(bundle, others=(second,)).analyze(data)
        assert whole.tile is None
        assert decide_all([whole], COMMUNITY)[0].status is Status.APPROVED
        # when parts are looked at, then a person sees it, and where to look
        (closely,) = VisionAnalyzer(bundle, others=(second,), tiles=2).analyze(data)
        assert closely.tile is not None
        assert closely.tile.box == (0.4286, 0.4286, 1.0, 1.0)
        assert closely.opinions == whole.opinions
        verdict = decide_all([closely], COMMUNITY)[0]
        assert verdict.status is Status.REVIEW
        assert verdict.rule is not None
        assert (verdict.rule.name, verdict.rule.value) == ("nsfw.tile", closely.tile.explicit)
        assert closely.to_json()["tile"]["box"] == [0.4286, 0.4286, 1.0, 1.0]

    @pytest.mark.parametrize(
        ("size", "looked"),
        [((640, 480), False), ((700, 715), True), ((600, 300), True), ((300, 1000), True)],
    )
    def test_large_and_long_photos_are_looked_at_closely(
        self, bundle: Path, second: Path, size: tuple[int, int], looked: bool
    ) -> None:
        analyzer = VisionAnalyzer(bundle, others=(second,), tiles=2)
        (signals,) = analyzer.analyze(jpeg(photograph("coffee.png").resize(size)))
        assert (signals.tile is not None) == looked

    @pytest.mark.parametrize(
        ("width", "height", "side", "columns", "rows"),
        [
            (1600, 1200, 2, 2, 2),
            (1600, 1200, 3, 3, 3),
            (3000, 300, 2, 4, 1),
            (300, 3000, 2, 1, 4),
            (3000, 300, 3, 9, 1),
        ],
    )
    def test_tiles_cover_the_photo_and_overlap(
        self, width: int, height: int, side: int, columns: int, rows: int
    ) -> None:
        boxes = tiles.boxes(width, height, side)
        assert len(boxes) == columns * rows
        for axis, count in ((0, columns), (1, rows)):
            spans = sorted({(box[axis], box[axis + 2]) for box in boxes})
            assert len(spans) == count
            assert spans[0][0] == 0
            assert spans[-1][1] == pytest.approx(1)
            for (_, end), (start, _) in pairwise(spans):
                assert start < end

    def test_the_longest_strip_has_tiles(self, bundle: Path, second: Path) -> None:
        analyzer = VisionAnalyzer(bundle, others=(second,), tiles=3)
        (signals,) = analyzer.analyze(jpeg(Image.new("RGB", (3, 30_000), "red")))
        assert signals.tile is not None
        assert signals.tile.explicit > 0.9

    @pytest.mark.parametrize(
        ("frames", "side", "closely"),
        [
            (1, 2, 1),
            (1, 3, 1),
            (2, 2, 2),
            (2, 3, 2),
            (25, 2, 3),
            (25, 3, 1),
            (36, 2, 1),
            (37, 2, 0),
        ],
    )
    def test_parts_are_looked_at_within_the_same_looks(
        self, bundle: Path, second: Path, frames: int, side: int, closely: int
    ) -> None:
        # given an animation of large frames that all differ, and are red in one corner
        shown = [Image.new("RGB", (840, 640), (0, n % 6 * 40, n // 6 * 40)) for n in range(frames)]
        for frame in shown:
            frame.paste("red", (420, 320, 840, 640))
        signals = VisionAnalyzer(bundle, others=(second,), tiles=side).analyze(
            jpeg(shown[0]) if frames == 1 else animation(shown, "PNG")
        )
        assert len(signals) == frames
        # then parts of the first ones are looked at, as many as the bound leaves room for
        with_parts = [one.tile is not None for one in signals]
        assert with_parts == [True] * closely + [False] * (frames - closely)
        assert frames + closely * side**2 <= MAX_LOOKS
        assert closely == frames or frames + (closely + 1) * side**2 > MAX_LOOKS

    @pytest.mark.slow
    def test_an_animation_of_many_frames_takes_no_more_looks(
        self, bundle: Path, second: Path
    ) -> None:
        shown = [Image.new("RGB", (840, 640), (n % 8 * 32, n // 8 * 32, 0)) for n in range(60)]
        for side in (2, 3):
            analyzer = VisionAnalyzer(bundle, others=(second,), tiles=side)
            signals = analyzer.analyze(animation(shown, "PNG"))
            parts = sum(side**2 for one in signals if one.tile is not None)
            assert len(signals) + parts <= MAX_LOOKS
            # what nobody looked at is counted
            assert {one.frames_unseen for one in signals} == {60 - len(signals)}
