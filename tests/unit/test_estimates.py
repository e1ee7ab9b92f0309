"""Shares and their intervals."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest

from photogate.domain.estimates import CONFIDENCE, Share

RUNS = 10_000


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    [
        # Of tables of the interval of Clopper and Pearson.
        (0, 10, 0.0, 0.3085),
        (1, 10, 0.0025, 0.4450),
        (5, 10, 0.1871, 0.8129),
        (10, 10, 0.6915, 1.0),
        (5, 100, 0.0164, 0.1128),
        (0, 3000, 0.0, 0.0012),
    ],
)
def test_exact_interval(hits: int, of: int, low: float, high: float) -> None:
    assert Share(hits, of).interval == pytest.approx((low, high), abs=5e-5)


def test_nothing_in_three_hundred_and_in_three_thousand() -> None:
    assert Share(0, 300).at_most == pytest.approx(0.00994, abs=1e-5)
    assert Share(0, 3000).at_most == pytest.approx(0.000998, abs=1e-6)
    assert Share(7, 7).at_most == 1.0


def test_of_nothing_everything_is_possible() -> None:
    share = Share(0, 0)
    assert (share.value, share.interval, share.at_most) == (None, (0.0, 1.0), 1.0)


@pytest.mark.parametrize(("hits", "of"), [(-1, 3), (4, 3)])
def test_what_cannot_be_counted_is_refused(hits: int, of: int) -> None:
    with pytest.raises(ValueError, match="is no share"):
        Share(hits, of)


@pytest.mark.parametrize("of", [300, 3000])
@pytest.mark.parametrize("rate", [0.01, 0.001, 0.0001])
def test_intervals_hold_the_truth_as_often_as_they_say(rate: float, of: int) -> None:
    counts = np.random.default_rng(1).binomial(of, rate, RUNS)
    shares = {int(n): Share(int(n), of) for n in set(counts)}
    held = {n: s.interval[0] <= rate <= s.interval[1] for n, s in shares.items()}
    above = {n: rate <= s.at_most for n, s in shares.items()}
    # 10,000 runs tell a share of .95 to within .0043 (z = 1.96).
    error = NormalDist().inv_cdf(0.975) * (CONFIDENCE * (1 - CONFIDENCE) / RUNS) ** 0.5
    assert np.mean([held[int(n)] for n in counts]) >= CONFIDENCE - error
    assert np.mean([above[int(n)] for n in counts]) >= CONFIDENCE - error


@pytest.mark.parametrize("of", [30, 300, 3000])
@pytest.mark.parametrize("rate", [0.3, 0.01, 0.001, 0.0001])
def test_the_same_counted_over_all_samples_there_are(rate: float, of: int) -> None:
    """A simulation cannot tell .9499 from .95; here each count has its own probability."""
    within = below = 0.0
    for hits in range(of + 1):
        log = math.log(math.comb(of, hits))
        probability = math.exp(log + hits * math.log(rate) + (of - hits) * math.log1p(-rate))
        if probability < 1e-15:
            continue
        share = Share(hits, of)
        within += probability * (share.interval[0] <= rate <= share.interval[1])
        below += probability * (rate <= share.at_most)
    assert within >= CONFIDENCE
    assert below >= CONFIDENCE


def test_wilsons_interval_would_be_too_narrow_for_what_is_rare() -> None:
    """Why the exact one is used."""
    of, rate, z = 1000, 0.0001, NormalDist().inv_cdf(0.975)

    def holds(hits: int) -> bool:
        centre = (hits + z * z / 2) / (of + z * z)
        half = z / (of + z * z) * (hits * (of - hits) / of + z * z / 4) ** 0.5
        return bool(centre - half <= rate <= centre + half)

    counts = np.random.default_rng(1).binomial(of, rate, RUNS)
    assert np.mean([holds(int(n)) for n in counts]) < 0.92
