"""What several models say of one photo together.

Each is asked for the probability that the photo is explicit. A model of the panel that gave no
sensible answer makes all of these NaN, which is no value: a policy that asks for one of them
then sends the photo to a person. Where nobody was asked they are None.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from photogate.domain.signals import Signals

#: Category of blood and injuries, which the third model alone is asked for.
GORE = "gore"
#: What a model that does not tell ``explicit`` tells of it.
_PARTS = {"porn", "hentai"}
#: How much more a further model's probability weighs than the first one's in ``shared``.
#: OpenNSFW is calm where the first model doubts: on harmless crops with more than .5 of the
#: first it stays below .05 as a rule (November 2026, docs/quality.md).
WEIGHT = 10.0
#: How far float32 arithmetic may lead beyond 1.
_TOLERANCE = 1e-3


def explicit(scores: Mapping[str, float]) -> float | None:
    """Give the probability of explicit content that a model's categories tell."""
    if "explicit" not in scores and scores.keys() >= _PARTS:
        return scores["porn"] + scores["hentai"]
    return scores.get("explicit")


def unsafe(signals: Signals) -> float | None:
    """Give the first model's probability of explicit or suggestive content, 1 at most."""
    scores = signals.nsfw_scores or {}
    if (found := explicit(scores)) is None:
        return None
    total = found + scores.get("sexy", 0.0)
    # Independent categories may add up to more. Not min(), which hides NaN.
    return 1.0 if total > 1.0 else total


def opinion_of(signals: Signals, name: str) -> float | None:
    """Give what one of the further models says."""
    opinions = signals.opinions or {}
    return _sound(opinions[name]) if name in opinions else None


def second(signals: Signals) -> float | None:
    """Give the highest of what the further models say; None where there is none."""
    return max(_worst_first(_others(signals)), default=None)


def least(signals: Signals) -> float | None:
    """Give what the model says that is least sure that it is explicit."""
    found = _panel(signals)
    return None if found is None else min(_worst_first(found))


def most(signals: Signals) -> float | None:
    """Give what the model says that is most sure that it is explicit."""
    found = _panel(signals)
    return None if found is None else max(_worst_first(found))


def shared(signals: Signals) -> float | None:
    """Give the suspicion that all models share.

    That is the lesser of ``unsafe`` and ``WEIGHT`` times what each further model says: it is
    above .5 where the first model gives more than .5 and the second more than .05.
    """
    first, others = unsafe(signals), _others(signals)
    if first is None or signals.opinions is None:
        return None
    return min(_worst_first([first, *(WEIGHT * other for other in others)]))


def third_explicit(signals: Signals) -> float | None:
    """Give the third model's probability of explicit content; None while its seat is empty."""
    return max(_worst_first([_sound(scores) for scores in _third(signals)]), default=None)


def third_gore(signals: Signals) -> float | None:
    """Give its probability of blood and injuries; None where it does not tell it."""
    found = [
        scores[GORE] if math.isfinite(value := _sound(scores)) else value
        for scores in _third(signals)
        if GORE in scores or not scores
    ]
    return max(found, default=None)


def _third(signals: Signals) -> list[Mapping[str, float]]:
    return list((signals.third or {}).values())


def _panel(signals: Signals) -> list[float] | None:
    first = explicit(signals.nsfw_scores or {})
    if first is None or signals.opinions is None:
        return None
    return [first, *_others(signals)]


def _others(signals: Signals) -> list[float]:
    return [_sound(scores) for scores in (signals.opinions or {}).values()]


def _sound(scores: Mapping[str, float]) -> float:
    """Give a model's probability of explicit content, or NaN when its answer makes no sense."""
    found = explicit(scores)
    values = [*scores.values(), math.nan if found is None else found]
    if not all(0 <= value <= 1 + _TOLERANCE for value in values):
        return math.nan
    return values[-1]


def _worst_first(values: list[float]) -> list[float]:
    """NaN alone where there is one: min() and max() would pass over it."""
    return [math.nan] if any(math.isnan(value) for value in values) else values
