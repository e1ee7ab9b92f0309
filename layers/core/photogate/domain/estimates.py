"""Shares that were counted in samples, with the interval in which the true share lies."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

#: How often, at least, an interval holds the true share.
CONFIDENCE = 0.95
#: Halvings of the search for an end; 2⁻⁵⁰ is beyond what anybody prints.
_HALVINGS = 50
#: A tail's terms that add less than this share to it are left out.
_NEGLIGIBLE = 1e-16


@dataclass(frozen=True)
class Share:
    """``hits`` of ``of`` independent draws, ``0 <= hits <= of``."""

    hits: int
    of: int

    def __post_init__(self) -> None:
        """Refuse what cannot have been counted."""
        if not 0 <= self.hits <= self.of:
            raise ValueError(f"{self.hits} of {self.of} is no share")

    @property
    def value(self) -> float | None:
        """The share itself, 0..1; None of no draws."""
        return self.hits / self.of if self.of else None

    @cached_property
    def interval(self) -> tuple[float, float]:
        """Both ends, 0..1, of the exact interval at ``CONFIDENCE``; 0 and 1 of no draws.

        By Clopper and Pearson (Biometrika 26, 1934): its ends are the shares at which what was
        counted, or more, or less, would be seen in 2.5 % of samples. It is never too narrow;
        Wilson's, which is shorter, holds a true share of 1 in 10,000 in only 90.5 % of samples
        of 1,000.
        """
        tail = (1 - CONFIDENCE) / 2
        low = 0.0 if self.hits == 0 else solved(lambda p: _at_least(self.hits, self.of, p), tail)
        high = 1.0
        if self.hits < self.of:  # what was no hit is a share, too
            missed = self.of - self.hits
            high = 1.0 - solved(lambda p: _at_least(missed, self.of, p), tail)
        return low, high

    @cached_property
    def at_most(self) -> float:
        """What the true share exceeds in at most 5 % of samples: the end of a one-sided interval.

        Of no hits in ``of`` draws about ``3 / of``.
        """
        if self.hits == self.of:
            return 1.0
        missed = self.of - self.hits
        return 1.0 - solved(lambda p: _at_least(missed, self.of, p), 1 - CONFIDENCE)

    def to_json(self) -> dict[str, float | int | None]:
        """Give the numbers, ready for JSON."""
        low, high = self.interval
        return {"hits": self.hits, "of": self.of, "share": self.value, "low": low, "high": high}


def solved(growing: Callable[[float], float], wanted: float) -> float:
    """Give the largest share at which a growing function is at most ``wanted``."""
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if growing(middle) <= wanted else (low, middle)
    return low


def _at_least(hits: int, of: int, share: float) -> float:
    """Give how probable ``hits`` or more of ``of`` draws are, where each hits with ``share``."""
    if share <= 0.0:
        return 0.0
    if share >= 1.0 or hits / of <= share:
        # Beyond the ends that are looked for; all that matters is that it is a large part.
        return 1.0
    term = math.exp(
        math.lgamma(of + 1)
        - math.lgamma(hits + 1)
        - math.lgamma(of - hits + 1)
        + hits * math.log(share)
        + (of - hits) * math.log1p(-share)
    )
    total, odds = term, share / (1 - share)
    for more in range(hits, of):
        term *= (of - more) / (more + 1) * odds
        total += term
        if term <= total * _NEGLIGIBLE:
            break
    return total
