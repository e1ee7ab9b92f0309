"""Tries a new model on harmless photographs before it is accepted.

The photographs cannot show that a model finds what it should. They do show that it runs,
that it looks at the picture, and that its labels are not mapped the wrong way round.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from local.models.build import DEFAULT, bundle_path
from local.models.huggingface import HuggingFaceModel, tell_gives
from local.samples import photograph
from photogate.domain import Signals
from photogate.domain.measures import read
from photogate.errors import ConfigError
from photogate.policies import preset
from photogate_vision.classifier.bundle import Bundle, Gives, load_bundle
from photogate_vision.classifier.nsfw import ModelFailed, NsfwModel

_RUNS = 3
#: From here on the presets ask a person.
REVIEW = next(t.review or 1.0 for t in preset("community").thresholds if t.measure == "nsfw.shared")


@dataclass(frozen=True, kw_only=True)
class Look:
    """What the model says about one photograph."""

    photo: str
    scores: dict[str, float]
    #: As policies see them.
    explicit: float
    #: Resizing and scoring, the median of some runs on one thread.
    ms: float
    #: The same of the shipped model; None where that is not built.
    shipped_explicit: float | None
    shipped_ms: float | None


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A bundle that was written, loaded and tried."""

    bundle: Bundle
    looks: tuple[Look, ...]

    @property
    def alarms(self) -> int:
        """How many of the harmless photographs a preset would not let through."""
        return sum(look.explicit > REVIEW for look in self.looks)


def try_model(
    model: HuggingFaceModel,
    categories: tuple[str, ...],
    *,
    folder: Path,
    name: str,
    stated: str | None = None,
) -> Trial:
    """Write the bundle into ``folder``, load it as a worker would, and score the photographs.

    Args:
        categories: one for each label.
        folder: an empty one; what is in it afterwards is what was tried.
        stated: what the graph gives, where a person says so; see ``tell_gives``.

    Raises:
        ConfigError: it cannot be loaded, its answers are not usable, or ignore the picture.
    """
    photos = trial_photos()
    guess = Gives.LOGITS if model.exclusive else Gives.INDEPENDENT_LOGITS
    try:
        runner = _loaded(model, categories, folder, name, guess)
        pixels = np.concatenate([_pixels(runner, image) for image in photos.values()])
        outputs = runner.outputs(pixels)
        _check_looks(outputs)
        gives = tell_gives(outputs, exclusive=model.exclusive, stated=stated)
        if gives is not guess:
            runner = _loaded(model, categories, folder, name, gives)
        shipped = _shipped()
        looks = tuple(_look(photo, image, runner, shipped) for photo, image in photos.items())
    except ModelFailed as error:
        raise ConfigError(f"the model failed its trial and was not added: {error}") from error
    trial = Trial(bundle=runner.bundle, looks=looks)
    if trial.alarms == len(looks):
        raise ConfigError(
            f"the model calls all of {len(looks)} harmless photographs explicit, a portrait and"
            " a cat among them: is --map the wrong way round?"
        )
    return trial


def trial_photos() -> dict[str, Image.Image]:
    """Give harmless photographs by name."""
    portrait = photograph("astronaut.png")
    return {
        "portrait": portrait,
        "portrait, blurred": portrait.filter(ImageFilter.GaussianBlur(8)),
        "cat": photograph("chelsea.png"),
        "coffee": photograph("coffee.png"),
        "rocket": photograph("rocket.jpg"),
    }


def _loaded(
    model: HuggingFaceModel, categories: tuple[str, ...], folder: Path, name: str, gives: Gives
) -> NsfwModel:
    model.write_bundle(folder, name=name, categories=categories, gives=gives)
    return NsfwModel(load_bundle(folder))


def _pixels(runner: NsfwModel, image: Image.Image) -> NDArray[np.uint8]:
    return runner.bundle.input.resizing.pixels(image)[np.newaxis]


def _check_looks(outputs: NDArray[np.float32]) -> None:
    if not np.ptp(outputs, axis=0).any():
        raise ConfigError(
            f"the model gives {np.round(outputs[0], 3).tolist()} for each of {len(outputs)}"
            " photographs: it does not look at them"
        )


def _shipped() -> NsfwModel | None:
    """Load the shipped model to compare with, if it is built; it is not worth a build."""
    try:
        return NsfwModel(load_bundle(bundle_path(DEFAULT)))
    except ConfigError:
        return None


def _look(photo: str, image: Image.Image, runner: NsfwModel, shipped: NsfwModel | None) -> Look:
    scores, ms = _timed(lambda: runner.scores(_pixels(runner, image))[0])
    theirs = None if shipped is None else _timed(lambda: shipped.scores(_pixels(shipped, image))[0])
    return Look(
        photo=photo,
        scores=scores,
        explicit=_explicit(scores),
        ms=ms,
        shipped_explicit=None if theirs is None else _explicit(theirs[0]),
        shipped_ms=None if theirs is None else theirs[1],
    )


def _timed(score: Callable[[], dict[str, float]]) -> tuple[dict[str, float], float]:
    scores, times = score(), []
    for _ in range(_RUNS):
        started = time.perf_counter()
        score()
        times.append((time.perf_counter() - started) * 1000)
    return scores, median(times)


def _explicit(scores: dict[str, float]) -> float:
    return read(Signals(nsfw_scores=scores))["nsfw.explicit"]
