"""The verdict is a pure function of signals and policy."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from photogate.domain import NSFW_CATEGORIES, Face, Signals, Status
from photogate.policy import COMMUNITY, PROFILE, decide

FINE = Signals(
    nsfw_scores={"porn": 0.01, "sexy": 0.02, "hentai": 0.01, "neutral": 0.95, "drawing": 0.01},
    blur_variance=400.0,
    rms_contrast=50.0,
    width=1600,
    height=1200,
    frames=1,
)


def with_scores(**scores: float) -> Signals:
    assert FINE.nsfw_scores is not None
    return replace(FINE, nsfw_scores={**FINE.nsfw_scores, **scores})


def test_a_fine_photo_is_approved_without_a_rule() -> None:
    verdict = decide(FINE, COMMUNITY)
    assert (verdict.status, verdict.reason, verdict.rule) == (Status.APPROVED, None, None)
    assert verdict.policy == "community@2"


@pytest.mark.parametrize(
    ("signals", "status", "reason", "measure"),
    [
        (with_scores(porn=0.95), Status.REJECTED, "nsfw", "nsfw.explicit"),
        (with_scores(porn=0.5, hentai=0.45), Status.REJECTED, "nsfw", "nsfw.explicit"),
        (with_scores(porn=0.5), Status.REVIEW, None, "nsfw.explicit"),
        (with_scores(sexy=0.99), Status.REVIEW, None, "nsfw.sexy"),
        (replace(FINE, blur_variance=5.0), Status.REJECTED, "blurry", "blur_variance"),
        (replace(FINE, blur_variance=20.0), Status.REVIEW, None, "blur_variance"),
        (replace(FINE, rms_contrast=0.5), Status.REJECTED, "blank", "rms_contrast"),
        (replace(FINE, rms_contrast=3.0), Status.REVIEW, None, "rms_contrast"),
        (replace(FINE, width=100), Status.REJECTED, "too_small", "short_side_px"),
        (replace(FINE, height=100, blur_variance=0.0), Status.REJECTED, "too_small", None),
        (replace(with_scores(porn=0.95), blur_variance=0.0), Status.REJECTED, "nsfw", None),
    ],
)
def test_the_first_bound_that_is_crossed_decides(
    signals: Signals, status: Status, reason: str | None, measure: str | None
) -> None:
    verdict = decide(signals, COMMUNITY)
    assert (verdict.status, verdict.reason) == (status, reason)
    assert verdict.rule is not None
    if measure:
        assert verdict.rule.name == measure
        assert verdict.rule.value is not None
        assert verdict.rule.bound is not None


@pytest.mark.parametrize(
    "field", ["nsfw_scores", "blur_variance", "rms_contrast", "width", "height"]
)
def test_a_missing_signal_goes_to_a_person(field: str) -> None:
    verdict = decide(replace(FINE, **{field: None}), COMMUNITY)
    assert verdict.status is Status.REVIEW


def test_a_missing_signal_comes_before_every_rejection() -> None:
    verdict = decide(replace(with_scores(porn=0.99), blur_variance=None), COMMUNITY)
    assert verdict.status is Status.REVIEW


@given(value=st.sampled_from([math.nan, math.inf, -math.inf, -0.1, 1.5, 1e9]))
def test_no_implausible_score_is_approved(value: float) -> None:
    assert decide(with_scores(porn=value), COMMUNITY).status is Status.REVIEW


@given(value=st.sampled_from([math.nan, math.inf, -math.inf, -1.0]))
def test_no_implausible_sharpness_is_approved(value: float) -> None:
    assert decide(replace(FINE, blur_variance=value), COMMUNITY).status is Status.REVIEW


SIGNALS = st.builds(
    Signals,
    nsfw_scores=st.none()
    | st.fixed_dictionaries({c: st.floats(0, 1) | st.just(math.nan) for c in NSFW_CATEGORIES}),
    blur_variance=st.none() | st.floats(0, 5000) | st.just(math.inf),
    width=st.none() | st.integers(1, 20_000),
    height=st.none() | st.integers(1, 20_000),
    rms_contrast=st.none() | st.floats(0, 128) | st.just(math.nan),
)


@given(SIGNALS)
def test_only_complete_and_finite_signals_are_ever_approved(signals: Signals) -> None:
    if decide(signals, COMMUNITY).status is Status.APPROVED:
        measures = dict(signals.measures())
        assert measures.keys() >= COMMUNITY.required
        assert all(math.isfinite(value) for value in measures.values())


FACE = Face(box=(0.4, 0.2, 0.6, 0.5), score=0.9)


@pytest.mark.parametrize(
    ("faces", "status", "reason"),
    [
        (None, Status.REVIEW, None),
        ((), Status.REJECTED, "no_face"),
        ((FACE,), Status.APPROVED, None),
        ((FACE, FACE), Status.REJECTED, "group_photo"),
    ],
)
def test_a_profile_shows_exactly_one_face(
    faces: tuple[Face, ...] | None, status: Status, reason: str | None
) -> None:
    signals = replace(FINE, faces=faces)
    verdict = decide(signals, PROFILE)
    assert (verdict.status, verdict.reason) == (status, reason)
    assert decide(signals, COMMUNITY).status is Status.APPROVED


RANK = {Status.APPROVED: 0, Status.REVIEW: 1, Status.REJECTED: 2}


@given(st.floats(0, 0.5), st.floats(0, 0.5), st.sampled_from(["porn", "hentai", "sexy"]))
def test_a_higher_risk_is_never_judged_milder(low: float, more: float, category: str) -> None:
    before = decide(with_scores(**{category: low}), COMMUNITY)
    after = decide(with_scores(**{category: low + more}), COMMUNITY)
    assert RANK[after.status] >= RANK[before.status]
