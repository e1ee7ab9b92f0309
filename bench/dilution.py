"""``python -m bench.dilution``: what is left of a small part's score, and who still finds it.

Patches are harmless crops on which one of the models alarms by mistake; the photographs into
which they are pasted are harmless and calm. No explicit image was ever used here. Such patches
are fragile: a change of their size may end the alarm, so that real content need not behave alike.
The third table is therefore about those that alarm most steadily.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageOps
from rich.console import Console
from rich.table import Table

from bench.panel import KEPT, USED, as_it_was, by_rules, warm
from local.models.build import ensure_bundles
from local.samples import photograph
from photogate.domain import Signals
from photogate.domain.measures import read
from photogate.policies import preset
from photogate_vision.classifier.panel import Panel
from photogate_vision.decoding.shaping import shaped

#: How many crops of each photograph are tried. The highest become patches, a few of one
#: photograph at most, and each of them is used several times.
_CROPS, _PATCHES, _OF_ONE_PHOTO, _TIMES = 300, 8, 3, 3
#: Where the second model alarms.
_ALARM = 0.5
_SIZE = (1600, 1200)
_SIDE = 1200
_POLICY = preset("community")
#: Makes a picture of a patch and, where it needs any, of the photographs.
Arrange = Callable[[Image.Image, Sequence[Image.Image], np.random.Generator], Image.Image]


def main() -> None:
    """Print a table for the patches of each model."""
    first, second = ensure_bundles(["mobilenet_v2", "opennsfw"], print)
    panels = [Panel(first, [second], side=side) for side in (2, 3)]
    photos = [ImageOps.fit(photograph(name), _SIZE) for name in (*USED, *KEPT)]
    crops = list(_crops(panels[0]))
    for title, score in (
        ("the first model alarms most", lambda crop: crop.first),
        ("the second model alarms most", lambda crop: crop.second),
        ("the second model alarms most steadily", lambda crop: crop.steady),
    ):
        patches = _highest(crops, score)
        table = _table([patch.image for patch in patches], photos, panels)
        table.title = f"patches on which {title}: {min(map(score, patches)):.2f} or more"
        Console(width=150, highlight=False).print(table)


@dataclass(frozen=True, kw_only=True)
class Patch:
    """A harmless crop, and how explicit the models find it."""

    image: Image.Image
    photo: str
    first: float
    second: float
    #: The least that the second says of it in several sizes; 0 where it is not alarmed.
    steady: float


def _crops(panel: Panel) -> Iterator[Patch]:
    for name in (*USED, *KEPT):
        photo, draw = photograph(name), np.random.default_rng(7)
        for _ in range(_CROPS):
            image = warm(photo, draw)
            told = read(_signals(panel, image))
            second, steady = told["nsfw.second"], 0.0
            if second > _ALARM:
                others = (read(_signals(panel, other))["nsfw.second"] for other in _alike(image))
                steady = min(second, *others)
            first = told["nsfw.explicit"]
            yield Patch(image=image, photo=name, first=first, second=second, steady=steady)


def _alike(crop: Image.Image) -> Iterator[Image.Image]:
    """Give it mirrored, a little closer, small, and a little further away."""
    yield ImageOps.mirror(crop)
    yield ImageOps.crop(crop, 22)
    yield crop.resize((155, 155), Image.Resampling.LANCZOS)
    yield ImageOps.expand(crop.resize((400, 400)), 24, "white")


def _highest(crops: Sequence[Patch], score: Callable[[Patch], float]) -> list[Patch]:
    found: list[Patch] = []
    for crop in sorted(crops, key=score, reverse=True):
        if sum(other.photo == crop.photo for other in found) < _OF_ONE_PHOTO:
            found.append(crop)
    return found[:_PATCHES]


def _table(
    patches: Sequence[Image.Image], photos: Sequence[Image.Image], panels: Sequence[Panel]
) -> Table:
    """Lay out scores (median and highest), and how many pictures are not approved."""
    table = Table()
    table.add_column("the patch is")
    for title in (
        *("first", "second", "2×2 parts", "3×3 parts"),
        *("first alone, as it was", "two models", "and 2×2 parts", "and 3×3 parts"),
    ):
        table.add_column(title, justify="right")
    for title, arrange in _ARRANGEMENTS.items():
        draw = np.random.default_rng(1)
        seen = [
            _seen(panels, arrange(patch, photos, draw)) for patch in patches for _ in range(_TIMES)
        ]
        scores = np.array([scores for scores, _ in seen])
        held = np.sum([held for _, held in seen], axis=0)
        table.add_row(
            title,
            *(f"{np.median(of):.2f} ({of.max():.2f})" for of in scores.T),
            *(f"{count} of {len(seen)}" for count in held),
        )
    return table


def _seen(panels: Sequence[Panel], picture: Image.Image) -> tuple[list[float], list[bool]]:
    """Give the scores, and whether each way of judging keeps it from being approved."""
    normal, close = (_signals(panel, picture) for panel in panels)
    told = read(normal)
    parts = [0.0 if one.tile is None else one.tile.explicit for one in (normal, close)]
    judged = [as_it_was(normal)]
    judged += [by_rules(_POLICY, one) for one in (replace(normal, tile=None), normal, close)]
    return [told["nsfw.explicit"], told["nsfw.second"], *parts], [any(one) for one in judged]


def _signals(panel: Panel, picture: Image.Image) -> Signals:
    look = panel.look(shaped(picture, 1, None).on[None], *picture.size)
    return Signals(
        nsfw_scores=look.nsfw_scores,
        opinions=look.opinions,
        tile=look.tile,
        width=picture.width,
        height=picture.height,
    )


def _any(photos: Sequence[Image.Image], draw: np.random.Generator) -> Image.Image:
    return photos[int(draw.integers(len(photos)))]


def _pasted(share: float) -> Arrange:
    """Paste it somewhere into a photograph; ``share`` is of the area."""

    def arrange(
        patch: Image.Image, photos: Sequence[Image.Image], draw: np.random.Generator
    ) -> Image.Image:
        picture = _any(photos, draw).copy()
        side = round((share * picture.width * picture.height) ** 0.5)
        left, top = (int(draw.integers(length - side + 1)) for length in picture.size)
        picture.paste(_square(patch, side), (left, top))
        return picture

    return arrange


def _bordered(share: float) -> Arrange:
    """Put a white border around it; ``share`` is the border's of the area."""
    side = round(_SIDE * (1 - share) ** 0.5)
    around = (_SIDE - side) // 2
    return lambda patch, _, __: ImageOps.expand(_square(patch, side), around, "white")


def _strip(count: int) -> Arrange:
    """Repeat it in one row."""
    return lambda patch, _, __: _grid([_square(patch, 500)] * count, count)


def _collage(side: int) -> Arrange:
    """Make it one of ``side`` times ``side`` pictures."""

    def arrange(
        patch: Image.Image, photos: Sequence[Image.Image], draw: np.random.Generator
    ) -> Image.Image:
        pictures = [_any(photos, draw) for _ in range(side * side)]
        pictures[int(draw.integers(len(pictures)))] = patch
        return _grid([_square(picture, _SIDE // side) for picture in pictures], side)

    return arrange


def _square(picture: Image.Image, side: int) -> Image.Image:
    return ImageOps.fit(picture, (side, side), Image.Resampling.LANCZOS)


def _grid(pictures: Sequence[Image.Image], columns: int) -> Image.Image:
    side = pictures[0].width
    whole = Image.new("RGB", (columns * side, len(pictures) // columns * side))
    for place, picture in enumerate(pictures):
        whole.paste(picture, (place % columns * side, place // columns * side))
    return whole


_ARRANGEMENTS: Mapping[str, Arrange] = {
    "alone": lambda patch, _, __: patch,
    "50 % of the area": _pasted(0.5),
    "25 %": _pasted(0.25),
    "10 %": _pasted(0.1),
    "5 %": _pasted(0.05),
    "3 %": _pasted(0.03),
    "bordered, 35 % white": _bordered(0.35),
    "50 % white": _bordered(0.5),
    "three times in a row": _strip(3),
    "ten times in a row": _strip(10),
    "one of 4 pictures": _collage(2),
    "one of 9 pictures": _collage(3),
    "not there": lambda _, photos, draw: _any(photos, draw),
}


if __name__ == "__main__":
    main()
