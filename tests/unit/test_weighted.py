"""Shares of samples that were drawn at different rates."""

from __future__ import annotations

import math
from collections import Counter
from datetime import UTC, datetime
from statistics import NormalDist

import numpy as np
import pytest

from photogate.domain import Status
from photogate.domain.accuracy import JudgedRow, SampledRow, counted
from photogate.domain.estimates import CONFIDENCE, Share
from photogate.domain.samples import SampleOutcome
from photogate.domain.weighted import Drawn, WeightedShare, share_of

RUNS = 500
NOW = datetime(2026, 11, 30, tzinfo=UTC)


def both(first: tuple[int, int], second: tuple[int, int]) -> Share:
    """Give ``(hits, of)`` of one sample in 500 and of one in 50, all of them decided."""
    rates = zip((0.002, 0.02), (first, second), strict=True)
    return share_of(
        [Drawn(rate=rate, drawn=of, hits=hits, decided=of) for rate, (hits, of) in rates]
    )


def test_one_rate_is_counted_as_ever() -> None:
    one = Drawn(rate=0.002, drawn=340, hits=1, decided=300)
    assert share_of([one]) == Share(1, 300)
    # Of the other rate nobody knows anything yet.
    assert share_of([one, Drawn(rate=0.5, drawn=9, hits=0, decided=0)]) == Share(1, 300)
    assert share_of([]) == Share(0, 0)


@pytest.mark.parametrize(
    ("hits", "low", "high"),
    [
        # Tables of the exact interval of a Poisson count.
        (0, 0.0, 3.6889),
        (1, 0.025318, 5.5716),
        (5, 1.6235, 11.6683),
        (100, 81.364, 121.627),
    ],
)
def test_equal_weights_give_the_exact_interval_of_a_rare_count(
    hits: int, low: float, high: float
) -> None:
    share = WeightedShare(hits, 10_000, ((1e-4, hits), (1e-4, 0)))
    assert share.interval == pytest.approx((low * 1e-4, high * 1e-4), rel=1e-4)


def test_what_was_drawn_less_often_stands_for_more() -> None:
    # Of 150,000 approvals 300 were drawn and 3 missed, of as many then 3,000, and none missed.
    share = both((3, 300), (0, 3000))
    assert share.value == pytest.approx(0.005)
    assert Share(3, 3300).at_most < 0.005 < share.at_most < 0.02
    assert share.to_json()["share"] == share.value


def test_what_nobody_decided_is_taken_for_like_the_rest_of_its_time() -> None:
    half = Drawn(rate=0.002, drawn=300, hits=1, decided=150)
    whole = Drawn(rate=0.02, drawn=3000, hits=0, decided=3000)
    assert share_of([half, whole]).value == pytest.approx(1 / 300)


@pytest.mark.parametrize("runs", [RUNS, pytest.param(10_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("approvals", [(150_000, 150_000), (300_000, 50_000)])
@pytest.mark.parametrize("wrong", [(0.01, 0.001), (0.001, 0.01), (0.01, 0.0), (0.001, 0.001)])
def test_a_changed_rate_is_weighed_as_often_right_as_is_said(
    approvals: tuple[int, int], wrong: tuple[float, float], runs: int
) -> None:
    made = np.random.default_rng(1)
    truth = float(np.dot(approvals, wrong) / sum(approvals))
    within = below = 0
    for _ in range(runs):
        drawn = [int(made.binomial(n, r)) for n, r in zip(approvals, (0.002, 0.02), strict=True)]
        hits = [int(made.binomial(n, p)) for n, p in zip(drawn, wrong, strict=True)]
        share = both((hits[0], drawn[0]), (hits[1], drawn[1]))
        below += truth <= share.at_most
        within += share.interval[0] <= truth <= share.interval[1]
    error = NormalDist().inv_cdf(0.975) * (CONFIDENCE * (1 - CONFIDENCE) / runs) ** 0.5
    assert below / runs >= CONFIDENCE - error
    assert within / runs >= CONFIDENCE - error


def test_put_together_they_would_say_something_else() -> None:
    """Why they are weighed: what was drawn often hides the time before."""
    made = np.random.default_rng(1)
    hits = made.binomial(300, 0.01, RUNS) + made.binomial(3000, 0.001, RUNS)
    right = Counter(Share(int(n), 3300).at_most >= 0.0055 for n in hits)
    assert right[True] / RUNS < 0.3


def card(*samples: tuple[float | None, SampleOutcome | None, int]) -> tuple[Share, str]:
    judged = JudgedRow(
        policy="p@1", model=None, status=Status.APPROVED, reason=None, failed=False, n=300_000
    )
    rows = [
        SampledRow(policy="p@1", model=None, outcome=outcome, reason=None, n=n, rate=rate)
        for rate, outcome, n in samples
    ]
    found = counted(NOW, NOW, judged=[judged], decided=[], sampled=rows)
    return found.all.wrong_approvals, found.statement


def test_the_card_weighs_where_the_rate_changed_and_only_there() -> None:
    agreed, missed = SampleOutcome.AGREED, SampleOutcome.MISSED
    share, words = card((0.002, missed, 3), (0.002, agreed, 297), (0.02, agreed, 3000))
    assert share.value == pytest.approx(0.005)
    assert "3 of 3300 drawn at random were, weighed by the rate of their time" in words
    share, words = card((0.002, missed, 3), (0.002, agreed, 297), (None, agreed, 100))
    assert share == Share(3, 400)
    assert "weighed" not in words
    assert card((None, missed, 1), (None, agreed, 9))[0] == Share(1, 10)


def test_samples_of_earlier_versions_count_as_drawn_at_the_average() -> None:
    agreed, missed = SampleOutcome.AGREED, SampleOutcome.MISSED
    share, _ = card((0.01, agreed, 100), (0.02, agreed, 200), (None, missed, 150))
    # They stand for 10,000 and 10,000; 300 of 20,000 were drawn, so that 150 stand for 10,000.
    assert share.value == pytest.approx(1 / 3)
    assert math.isclose(share.of, 450)
