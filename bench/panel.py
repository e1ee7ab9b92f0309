"""``python -m bench.panel [FOLDER]``: what the models' rules take of harmless photos.

Shares that go to a person and that are rejected, for the first model alone as presets judged
until the panel came, for two models, for two of which the second looks at parts as well, and for
those with a model in the third seat.
Intervals are over photographs, not over their crops, which resemble each other: 95 %, of
2,000 samples of the photographs. FOLDER holds further photographs, of people for example: all of
them have to be harmless. No explicit image was ever used here.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter, ImageOps
from rich.console import Console
from rich.table import Table

from local.models.build import ensure_bundles, ensure_third
from local.samples import photograph
from photogate.domain import Reason, Signals
from photogate.domain.measures import read
from photogate.domain.policy import Policy
from photogate.policies import preset
from photogate_vision.classifier.panel import Panel
from photogate_vision.decoding.shaping import shaped

#: Photographs that int8 was calibrated on and rules were chosen with.
USED = (
    *("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "motorcycle_left.png"),
    *("retina.jpg", "ihc.png"),
)
#: Neither.
KEPT = (
    *("hubble_deep_field.jpg", "color.png", "camera.png", "coins.png", "moon.png"),
    *("brick.png", "grass.png", "gravel.png", "clock_motion.png"),
)
_CROPS = 20
_SAMPLES = 2000
#: Each is what is judged: a photograph, and a stream of random numbers.
Kind = Callable[[Image.Image, np.random.Generator], Image.Image]


def main() -> None:
    """Print the table."""
    photos = {"used to choose": [photograph(n) for n in USED], "kept aside": list(_kept())}
    first, second = ensure_bundles(["mobilenet_v2", "opennsfw"], print)
    third = ensure_third(print)
    panels = [Panel(first, [second], third=third, side=side) for side in (2, 3)]
    table = Table(title="harmless pictures: to a person / rejected")
    for title in ("pictures", "photographs", "n", *_RULES):
        table.add_column(title, justify="right")
    for name, (kind, count) in _KINDS.items():
        for group, those in photos.items():
            draw = np.random.default_rng(1)
            found = [[_judged(panels, kind(photo, draw)) for _ in range(count)] for photo in those]
            cells = [_share(found, rule) for rule in range(len(_RULES))]
            table.add_row(name, group, f"{len(those) * count}", *cells)
    Console(width=160, highlight=False).print(table)


def _kept() -> Iterator[Image.Image]:
    yield from (photograph(name) for name in KEPT)
    for folder in sys.argv[1:]:
        for path in sorted(Path(folder).glob("*.jpg")):
            with Image.open(path) as image:
                yield ImageOps.exif_transpose(image).convert("RGB")


def _whole(width: int, height: int) -> Kind:
    return lambda photo, _: ImageOps.fit(photo, (width, height), Image.Resampling.LANCZOS)


def _large(photo: Image.Image, draw: np.random.Generator) -> Image.Image:
    return _window(photo, draw, 0.5, 1.0).resize((1600, 1200), Image.Resampling.LANCZOS)


def _ordinary(photo: Image.Image, draw: np.random.Generator) -> Image.Image:
    return _window(photo, draw, 0.4, 1.0).resize((448, 448))


def warm(photo: Image.Image, draw: np.random.Generator) -> Image.Image:
    """Close, often blurred, in the colours of skin."""
    picture = _window(photo, draw, 0.12, 0.5).resize((448, 448), Image.Resampling.BICUBIC)
    if draw.random() < 0.6:
        picture = picture.filter(ImageFilter.GaussianBlur(draw.uniform(1, 12)))
    tint = draw.uniform((1.0, 0.85, 0.55), (1.3, 1.05, 0.9)) * draw.uniform(0.7, 1.2)
    return Image.fromarray(np.clip(np.asarray(picture) * tint, 0, 255).astype(np.uint8))


def _window(
    photo: Image.Image, draw: np.random.Generator, least: float, most: float
) -> Image.Image:
    side = round(min(photo.size) * draw.uniform(least, most))
    left = int(draw.integers(0, photo.width - side + 1))
    top = int(draw.integers(0, photo.height - side + 1))
    return photo.crop((left, top, left + side, top + side))


_KINDS: Mapping[str, tuple[Kind, int]] = {
    "whole, 1600×1200": (_whole(1600, 1200), 1),
    "whole, 12 MP": (_whole(4000, 3000), 1),
    "large crops": (_large, _CROPS),
    "ordinary crops": (_ordinary, 2 * _CROPS),
    "warm close-ups": (warm, 2 * _CROPS),
}
#: What each column is about; ``_judged`` gives them in this order.
_RULES = ("first alone, as it was", "two models", "and 2×2 parts", "and 3×3 parts", "2×2, third")
#: Of one picture under each rule: goes to a person, is rejected.
Outcome = list[tuple[bool, bool]]


def _judged(panels: list[Panel], picture: Image.Image) -> Outcome:
    image = shaped(picture, 1, None).on[None]
    looks = [panel.look(image, *picture.size) for panel in panels]
    signals = [
        Signals(nsfw_scores=look.nsfw_scores, opinions=look.opinions, tile=look.tile)
        for look in looks
    ]
    with_third = replace(signals[0], third=looks[0].third)
    policy = preset("community")
    return [
        as_it_was(signals[0]),
        *(by_rules(policy, one) for one in (replace(signals[0], tile=None), *signals, with_third)),
    ]


def as_it_was(signals: Signals) -> tuple[bool, bool]:
    """The presets' rules until November 2026."""
    told = read(signals)
    rejected = told["nsfw.explicit"] > 0.9
    return not rejected and (told["nsfw.explicit"] > 0.5 or told["nsfw.sexy"] > 0.7), rejected


def by_rules(policy: Policy, signals: Signals) -> tuple[bool, bool]:
    """What a policy's rules about nudity say."""
    told = read(signals)
    rules = [t for t in policy.thresholds if t.reason is Reason.NSFW and t.measure in told]
    rejected = any(t.exceeds(told[t.measure], t.reject) for t in rules)
    return not rejected and any(t.exceeds(told[t.measure], t.review) for t in rules), rejected


def _share(found: list[list[Outcome]], rule: int) -> str:
    shown = []
    for which in (0, 1):
        shares = np.array([np.mean([one[rule][which] for one in photo]) for photo in found])
        draw = np.random.default_rng(1)
        means = draw.choice(shares, (_SAMPLES, len(shares))).mean(axis=1)
        low, high = np.percentile(means, (2.5, 97.5))
        shown.append(f"{shares.mean():.1%} ({low * 100:.0f}–{high * 100:.0f})")
    return " / ".join(shown)


if __name__ == "__main__":
    main()
