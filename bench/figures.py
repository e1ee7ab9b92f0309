"""One measured figure: its bound, and what the predecessor promised."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum


class Better(Enum):
    """Which way a figure improves."""

    LOWER = "<"
    HIGHER = ">"


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A line of the report. Bound and predecessor are in the same unit as the value."""

    name: str
    value: float
    unit: str
    #: The run fails when the value is not strictly on the better side; None: only shown.
    bound: float | None = None
    #: What the replaced system promised.
    predecessor: float | None = None
    better: Better = Better.LOWER
    digits: int = 1

    @property
    def met(self) -> bool:
        """Whether the bound holds; a value that is not a number never meets one."""
        if self.bound is None:
            return True
        if self.better is Better.LOWER:
            return self.value < self.bound
        return self.value > self.bound

    @property
    def ratio(self) -> float | None:
        """How many times better than the predecessor; None when that cannot be said."""
        if not self.predecessor or not self.value > 0:
            return None
        if self.better is Better.LOWER:
            return self.predecessor / self.value
        return self.value / self.predecessor


def percentile(values: Sequence[float], percent: float) -> float:
    """Give the nearest-rank percentile, a value that was measured; NaN of nothing.

    Args:
        values: in any order and unit.
        percent: 0 to 100; 50 is the (lower) median, 100 the largest.
    """
    if not values:
        return math.nan
    rank = max(1, math.ceil(percent / 100 * len(values)))
    return sorted(values)[rank - 1]
