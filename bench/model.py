"""What int8 changes and gains, against the float32 model: the figures of MODEL_CARD.md.

Needs the photographs of three wheels and nothing of the stack::

    python -m venv ENV && ENV/bin/pip install --require-hashes -r requirements/model-calibrate.txt
    PYTHONPATH=.:layers/core:layers/model:layers/model/build ENV/bin/python -m bench.model

"eval" are crops of ordinary photographs, "hard" are close, blurred and tinted ones of
which the float32 model is unsure: .1 to .9 for porn, hentai and sexy together. Both are
cut with other seeds than the calibration's crops, from the same photographs.
"""

import sys
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import crops
from local.models.build import SHIPPED, Precision, ensure_bundle
from photogate_vision.classifier.bundle import load_bundle
from photogate_vision.classifier.nsfw import NsfwModel

_BATCH = 8
#: Scores between these, for the three explicit categories together, count as unsure.
_UNSURE = (0.1, 0.9)
_EXPLICIT = ("hentai", "porn", "sexy", "explicit")


@dataclass(frozen=True, kw_only=True)
class Amount:
    """How many crops a model is measured on."""

    #: Crops of ordinary photographs.
    ordinary: int
    #: Warm crops, among which the hard ones are looked for.
    warm: int
    #: Runs per figure of speed; the two precisions take turns.
    runs: int


#: inception_v3 takes fifteen times as long as mobilenet_v2.
_AMOUNTS = {
    "mobilenet_v2": Amount(ordinary=400, warm=1200, runs=40),
    "mobilenet_v2_mid": Amount(ordinary=400, warm=1200, runs=40),
    "inception_v3": Amount(ordinary=100, warm=250, runs=12),
    "opennsfw": Amount(ordinary=300, warm=600, runs=20),
}


def main() -> None:
    """Measure the models that are named on the command line, or all."""
    for name in sys.argv[1:] or SHIPPED:
        print(f"{name}: size {_megabytes(name, 'float32')} -> {_megabytes(name, 'int8')} MB")
        drift(name)
        speed(name)


def drift(name: str) -> None:
    """Print how far the int8 scores are from the float32 ones, and how often they alarm."""
    float32, int8 = _model(name, "float32", 2), _model(name, "int8", 2)
    size, amount = float32.bundle.input.size, _AMOUNTS[name]
    ordinary = crops.ordinary(amount.ordinary, size=size, seed=11)
    expected, got = _scores(float32, ordinary), _scores(int8, ordinary)
    _print_drift("eval", expected, got, int8)
    _print_alarms("eval", got, int8)
    warm = crops.warm(amount.warm, size=size, seed=12)
    expected, got = _scores(float32, warm), _scores(int8, warm)
    explicit = _explicit(expected, float32)
    hard = (explicit > _UNSURE[0]) & (explicit < _UNSURE[1])
    _print_drift("hard", expected[hard], got[hard], int8)
    _print_alarms("warm", got, int8)


def speed(name: str) -> None:
    """Print the time of one picture, and the pictures per second of a batch."""
    for threads in (1, 2):
        models = [_model(name, precision, threads) for precision in ("float32", "int8")]
        size = models[0].bundle.input.size
        pictures = crops.ordinary(_BATCH, size=size, seed=13)
        runs = _AMOUNTS[name].runs
        one = _milliseconds(models, pictures[:1], runs)
        batch = [_BATCH * 1000 / taken_ms for taken_ms in _milliseconds(models, pictures, runs)]
        print(
            f"  {threads} thread(s): float32 {one[0]:.2f} ms, int8 {one[1]:.2f} ms "
            f"({one[0] / one[1]:.1f} times); batch of {_BATCH}: "
            f"{batch[0]:.0f} and {batch[1]:.0f} pictures/s"
        )


def _model(name: str, precision: Precision, threads: int) -> NsfwModel:
    return NsfwModel(load_bundle(ensure_bundle(name, print, precision)), threads)


def _megabytes(name: str, precision: Precision) -> str:
    path = load_bundle(ensure_bundle(name, print, precision)).model_path
    return f"{path.stat().st_size / 1e6:.1f}"


def _scores(model: NsfwModel, pictures: crops.Picture) -> NDArray[np.float64]:
    scores = [
        row
        for start in range(0, len(pictures), _BATCH)
        for row in model.scores(pictures[start : start + _BATCH])
    ]
    return np.array([[row[category] for category in model.bundle.categories] for row in scores])


def _explicit(scores: NDArray[np.float64], model: NsfwModel) -> NDArray[np.float64]:
    columns = [n for n, category in enumerate(model.bundle.categories) if category in _EXPLICIT]
    total: NDArray[np.float64] = scores[:, columns].sum(axis=1)
    return total


def _print_drift(
    what: str, expected: NDArray[np.float64], got: NDArray[np.float64], model: NsfwModel
) -> None:
    difference = np.abs(got - expected)
    same = (got.argmax(axis=1) == expected.argmax(axis=1)).mean()
    bias = (_explicit(got, model) - _explicit(expected, model)).mean()
    print(
        f"  {what} ({len(got)} crops): top-1 {same:.3f}, mean {difference.mean():.4f}, "
        f"largest {difference.max():.3f}, explicit categories {bias:+.4f}"
    )


def _print_alarms(what: str, got: NDArray[np.float64], model: NsfwModel) -> None:
    explicit = _explicit(got, model)
    line = (
        f"  {what} ({len(got)} crops, all harmless): explicit categories above .5 in "
        f"{(explicit > 0.5).mean():.1%}, above .9 in {(explicit > 0.9).mean():.1%}"
    )
    if "drawing" in model.bundle.categories:
        drawing = got.argmax(axis=1) == model.bundle.categories.index("drawing")
        line += f"; called drawing {drawing.mean():.1%}"
    print(line)


def _milliseconds(models: list[NsfwModel], pictures: crops.Picture, runs: int) -> list[float]:
    """Median duration of one call for each model, which take turns."""
    durations: list[list[float]] = [[] for _ in models]
    for run in range(runs + 3):
        for model, taken in zip(models, durations, strict=True):
            started = time.perf_counter()
            model.scores(pictures)
            if run >= 3:  # the first ones warm up
                taken.append((time.perf_counter() - started) * 1000)
    return [float(np.median(taken)) for taken in durations]


if __name__ == "__main__":
    main()
