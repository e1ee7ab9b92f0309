"""Asks several models about one picture, and the last of the panel about its parts as well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from photogate.domain import Tile
from photogate.domain.panel import GORE, explicit
from photogate.errors import ConfigError
from photogate_vision.classifier import tiles
from photogate_vision.classifier.bundle import Bundle, load_bundle
from photogate_vision.classifier.nsfw import ModelFailed, NsfwModel

#: Decimal places of a score: less than what two processors differ by.
_PLACES = 6


@dataclass(frozen=True, kw_only=True)
class Look:
    """What the panel says of one picture; see the members of ``Signals``."""

    nsfw_scores: dict[str, float]
    opinions: dict[str, dict[str, float]] | None
    third: dict[str, dict[str, float]] | None
    tile: Tile | None


class Panel:
    """The models of one process.

    Args:
        first: folder of the first model's bundle.
        others: folders of those that give further opinions; None when nobody asks for any.
        third: folder of the one that may only bring a person; None leaves its seat empty.
        side: tiles along each side of a large photo; 0 for none.
        threads: threads of each run.

    Raises:
        ConfigError: a bundle is missing or damaged, or one model has two seats.
    """

    def __init__(
        self,
        first: Path,
        others: Sequence[Path] | None,
        *,
        third: Path | None = None,
        side: int = 0,
        threads: int = 1,
    ) -> None:
        self.bundles = [load_bundle(folder) for folder in (first, *(others or ()))]
        seats = [*self.bundles, *([load_bundle(third)] if third is not None else [])]
        _check_seats(seats)
        self._asked = others is not None
        self._side = side
        models = [NsfwModel(bundle, threads=threads) for bundle in seats]
        # The first run allocates; no photo has to wait for that.
        for model in models:
            size = model.bundle.input.size
            model.scores(np.zeros((1, size, size, 3), np.uint8))
        self._third = models.pop() if third is not None else None
        self._first, *self._others = models

    @property
    def digest(self) -> str:
        """See ``Signals.model``."""
        return "+".join(bundle.digest for bundle in self._seats)

    @property
    def _seats(self) -> list[Bundle]:
        return [*self.bundles, *([self._third.bundle] if self._third else [])]

    @property
    def measures(self) -> frozenset[str]:
        """Names of all that it tells, of those in ``photogate.domain.measures``."""
        first, *others = self.bundles
        found = {"explicit", "unsafe", *first.categories}
        if self._asked:
            found |= {"least", "most", "shared"}
        if others:
            found |= {"second"} | ({"tile"} if self._side else set())
        names = {f"{bundle.name}.explicit" for bundle in others if bundle.name == "opennsfw"}
        if self._third:
            names |= {"third.explicit"}
            names |= {"third.gore"} if GORE in self._third.bundle.categories else set()
        return frozenset({f"nsfw.{name}" for name in found} | names)

    @property
    def words(self) -> str:
        """Who looks, for people."""
        names = [bundle.name for bundle in self.bundles]
        said = [f"{' and '.join(names)} look"] if names[1:] else [f"{names[0]} looks alone"]
        if names[1:] and self._side:
            said[0] += f", {names[-1]} at {self._side}×{self._side} parts of large photos as well"
        if self._third:
            said.append(f"{self._third.bundle.name} looks as well, and only ever brings a person")
        if related := _related(self._seats):
            said.append(related)
        if "sexy" not in self.bundles[0].categories:
            said.append(f"{names[0]} does not tell sexy")
        return "; ".join(said)

    @property
    def parts(self) -> int:
        """How many parts of a large photo are looked at."""
        return self._side**2 if self._others else 0

    def look(self, image: Image.Image, width: int, height: int, *, closer: bool = True) -> Look:
        """Ask every model.

        Args:
            image: mode RGB, as ``decode`` gives it.
            width: of the photo itself, in pixels.
            height: likewise.
            closer: whether parts may be looked at.

        Raises:
            ModelFailed: one of them gave no usable answer; then none counts.
        """
        views = []
        if closer and self._others and self._side and tiles.are_worth_it(width, height):
            views = tiles.boxes(width, height, self._side)
        (scores,) = _scores(self._first, [image])
        opinions, tile = {}, None
        for model in self._others:
            boxes = views if model is self._others[-1] else []
            looks = _scores(model, [image, *(tiles.cut(image, box) for box in boxes)])
            opinions[model.bundle.name] = looks[0]
            if boxes:
                tile = _worst(boxes, looks[1:])
        third = None
        if self._third is not None:
            third = {self._third.bundle.name: _scores(self._third, [image])[0]}
        return Look(
            nsfw_scores=scores,
            opinions=opinions if self._asked else None,
            third=third,
            tile=tile,
        )


def _scores(model: NsfwModel, images: Sequence[Image.Image]) -> list[dict[str, float]]:
    """Score pictures in one run."""
    pixels = np.stack([model.bundle.input.resizing.pixels(image) for image in images])
    return [
        {category: round(score, _PLACES) for category, score in scores.items()}
        for scores in model.scores(pixels)
    ]


def _worst(boxes: Sequence[tiles.Box], looks: Sequence[dict[str, float]]) -> Tile:
    risks = [explicit(scores) for scores in looks]
    found = [(risk, box) for risk, box in zip(risks, boxes, strict=True) if risk is not None]
    if len(found) != len(boxes):
        raise ModelFailed("a model did not say whether a part of the photo is explicit")
    risk, box = max(found)
    return Tile(box=box, explicit=risk)


def _check_seats(bundles: Sequence[Bundle]) -> None:
    for place, bundle in enumerate(bundles):
        for other in bundles[:place]:
            if bundle.digest == other.digest or bundle.name == other.name:
                raise ConfigError(
                    f"{bundle.name} has two seats of the panel: let SECOND_MODEL and THIRD_MODEL be"
                    " other models than the first, or none"
                )


def _related(bundles: Sequence[Bundle]) -> str | None:
    """Say which of them come from one package, and so from the same pictures."""
    for place, bundle in enumerate(bundles):
        for other in bundles[:place]:
            if bundle.source_sha256 == other.source_sha256:
                return (
                    f"{other.name} and {bundle.name} are not independent: both come from"
                    f" {bundle.source}"
                )
    return None
