"""Shares of samples that were drawn at different rates, such as before and after a change."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from photogate.domain.estimates import CONFIDENCE, Share, solved

#: The search for a quantile's end, in doublings, and what a term or a factor may lack.
_DOUBLINGS = 200
_NEGLIGIBLE = 1e-15
_TERMS = 10_000


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """Samples that were drawn at one rate."""

    #: Share, above 0 and up to 1, of what could be drawn.
    rate: float
    #: All of them, decided or not: they say how many could be drawn.
    drawn: int
    #: Of those that were decided.
    hits: int
    decided: int


@dataclass(frozen=True)
class WeightedShare(Share):
    """``Share`` where a draw stands for as many as its rate says.

    ``hits`` and ``of`` are what was counted; ``value`` is not their quotient.
    """

    #: ``(weight, hits)``: what one hit adds to the share, above 0, and how many there were.
    strata: tuple[tuple[float, int], ...]

    @property
    def value(self) -> float:
        """The share, 0..1."""
        return sum(weight * hits for weight, hits in self.strata)

    @cached_property
    def interval(self) -> tuple[float, float]:
        """Both ends, 0..1, of the interval at ``CONFIDENCE``.

        By Fay and Feuer (Statistics in Medicine 16, 1997), for weighted sums of rare counts: exact
        where all weights are equal, and no less wide than it has to be in their simulations and
        ours.
        """
        tail = (1 - CONFIDENCE) / 2
        low = 0.0
        if self.value > 0:
            squares = sum(weight**2 * hits for weight, hits in self.strata)
            low = squares / self.value * _quantile(self.value**2 / squares, tail)
        return low, self._below(1 - tail)

    @cached_property
    def at_most(self) -> float:
        """What the true share exceeds in at most 5 % of samples."""
        return self._below(CONFIDENCE)

    def _below(self, probability: float) -> float:
        # As if one more hit had been counted, where it weighs most.
        most = max(weight for weight, _ in self.strata)
        mean = self.value + most
        squares = sum(weight**2 * hits for weight, hits in self.strata) + most**2
        return min(1.0, squares / mean * _quantile(mean**2 / squares, probability))


def share_of(strata: Sequence[Drawn]) -> Share:
    """Put samples of several rates together.

    What was drawn at a rate stands for ``drawn / rate`` in the whole, whoever decided how many of
    it. Rates of which nothing was decided are left out: nothing is known of that time.

    Returns:
        A plain ``Share`` where all that was decided was drawn at one rate.
    """
    known = [one for one in strata if one.decided]
    hits, of = sum(one.hits for one in known), sum(one.decided for one in known)
    if len({one.rate for one in known}) < 2:
        return Share(hits, of)
    whole = sum(one.drawn / one.rate for one in known)
    weights = [one.drawn / one.rate / whole / one.decided for one in known]
    pairs = zip(weights, known, strict=True)
    return WeightedShare(hits, of, tuple((weight, one.hits) for weight, one in pairs))


def _quantile(shape: float, probability: float) -> float:
    """Give what a gamma variable of this shape and scale 1 exceeds in ``1 - probability``."""
    most = shape + 1.0
    for _ in range(_DOUBLINGS):
        if _gamma_below(shape, most) >= probability:
            break
        most *= 2
    return most * solved(lambda part: _gamma_below(shape, part * most), probability)


def _gamma_below(shape: float, x: float) -> float:
    """Give how probable at most ``x`` is: the regularised incomplete gamma function, by its series.

    Abramowitz and Stegun, 6.5.29.
    """
    if x <= 0:
        return 0.0
    term = total = 1.0 / shape
    for n in range(1, _TERMS + int(2 * x)):
        term *= x / (shape + n)
        total += term
        if term <= total * _NEGLIGIBLE:
            break
    return min(1.0, total * math.exp(shape * math.log(x) - x - math.lgamma(shape)))
