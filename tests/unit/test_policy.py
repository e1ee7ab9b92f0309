"""The verdict is a pure function of signals and policy."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from photogate.domain import NSFW_CATEGORIES, AgeRange, Face, Reason, Signals, Status, Tile
from photogate.domain.measures import read
from photogate.domain.policy import (
    Policy,
    Threshold,
    decide,
    decide_all,
    evaluate,
    for_originals,
    gates,
    unprovided,
)
from photogate.policies import PRESETS, preset

COMMUNITY, PROFILE, DATING = preset("community"), preset("profile"), preset("dating")
FINE = Signals(
    nsfw_scores={"porn": 0.01, "sexy": 0.02, "hentai": 0.01, "neutral": 0.95, "drawing": 0.01},
    opinions={},
    blur_variance=400.0,
    rms_contrast=50.0,
    width=1600,
    height=1200,
    frames=1,
    frames_unseen=0,
    colour_unsure=0,
    gain_map=0,
)


#: Two models look, and at parts as well.
PANEL = replace(
    FINE,
    opinions={"opennsfw": {"explicit": 0.01, "neutral": 0.99}},
    tile=Tile(box=(0, 0, 0.5, 0.5), explicit=0.01),
)


def with_scores(**scores: float) -> Signals:
    assert FINE.nsfw_scores is not None
    return replace(FINE, nsfw_scores={**FINE.nsfw_scores, **scores})


def test_a_fine_photo_is_approved_without_a_rule() -> None:
    verdict = decide(FINE, COMMUNITY)
    assert (verdict.status, verdict.reason, verdict.rule) == (Status.APPROVED, None, None)
    assert verdict.policy == "community@4"


@pytest.mark.parametrize(
    ("signals", "status", "reason", "measure"),
    [
        (with_scores(porn=0.95), Status.REJECTED, "nsfw", "nsfw.least"),
        (with_scores(porn=0.5, hentai=0.45), Status.REJECTED, "nsfw", "nsfw.least"),
        (with_scores(porn=0.5), Status.REVIEW, None, "nsfw.shared"),
        (with_scores(sexy=0.99), Status.REVIEW, None, "nsfw.shared"),
        (with_scores(porn=0.3, sexy=0.3), Status.REVIEW, None, "nsfw.shared"),
        (replace(FINE, blur_variance=5.0), Status.REJECTED, "blurry", "blur_variance"),
        (replace(FINE, blur_variance=20.0), Status.REVIEW, None, "blur_variance"),
        (replace(FINE, rms_contrast=0.5), Status.REJECTED, "blank", "rms_contrast"),
        (replace(FINE, rms_contrast=3.0), Status.REVIEW, None, "rms_contrast"),
        (replace(FINE, colour_unsure=1), Status.REVIEW, None, "colour_unsure"),
        (replace(FINE, width=4801), Status.REVIEW, None, "aspect"),
        (replace(FINE, width=3000, height=300), Status.REVIEW, None, "aspect"),
        (replace(FINE, width=300, height=3000), Status.REVIEW, None, "aspect"),
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
    "field", ["nsfw_scores", "opinions", "blur_variance", "rms_contrast", "width", "height"]
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


@pytest.mark.parametrize(
    "scores",
    [
        {"porn": -0.5, "hentai": 0.6},
        {"neutral": math.nan},
        {"neutral": 7.0},
        {"drawing": -0.2},
    ],
)
def test_an_answer_that_is_wrong_in_one_part_is_wrong_as_a_whole(scores: dict[str, float]) -> None:
    assert decide(with_scores(**scores), COMMUNITY).status is Status.REVIEW


@given(value=st.sampled_from([math.nan, math.inf, -math.inf, -1.0]))
def test_no_implausible_sharpness_is_approved(value: float) -> None:
    assert decide(replace(FINE, blur_variance=value), COMMUNITY).status is Status.REVIEW


FACE = Face(box=(0.4, 0.2, 0.6, 0.5), score=0.9)


def aged(low: int, high: int) -> Face:
    return replace(FACE, age=AgeRange(low=low, high=high))


CHILD, TEENAGER, ADULT = aged(8, 12), aged(15, 20), aged(25, 32)
POLICIES = pytest.mark.parametrize("policy", [preset(name) for name in PRESETS], ids=PRESETS)
NUMBERS = st.floats(0, 5000) | st.sampled_from([math.nan, math.inf, -math.inf, -0.1])
AGES = st.builds(AgeRange, low=st.integers(-5, 200), high=st.integers(-5, 200))
ANSWERS = st.dictionaries(
    st.sampled_from([*NSFW_CATEGORIES, "explicit"]), NUMBERS | st.floats(0, 1)
)
SIGNALS = st.builds(
    Signals,
    nsfw_scores=st.none() | ANSWERS,
    opinions=st.none() | st.dictionaries(st.just("opennsfw"), ANSWERS, max_size=1),
    faces=st.none()
    | st.lists(
        st.builds(Face, box=st.just(FACE.box), score=st.just(0.9), age=st.none() | AGES),
        max_size=3,
    ).map(tuple),
    blur_variance=st.none() | NUMBERS,
    rms_contrast=st.none() | NUMBERS,
    width=st.none() | st.integers(1, 20_000),
    height=st.none() | st.integers(1, 20_000),
)
#: Mostly fine, so that approvals are not rare; each field may be spoilt.
MOSTLY_FINE = st.builds(
    lambda spoilt, fields: replace(
        replace(FINE, faces=(ADULT,)), **{name: getattr(spoilt, name) for name in fields}
    ),
    SIGNALS,
    st.sets(
        st.sampled_from(
            ["nsfw_scores", "opinions", "faces", "blur_variance", "rms_contrast", "width", "height"]
        ),
        max_size=2,
    ),
)


@POLICIES
@given(signals=SIGNALS | MOSTLY_FINE)
def test_only_complete_finite_and_plausible_signals_are_ever_approved(
    policy: Policy, signals: Signals
) -> None:
    if decide(signals, policy).status is not Status.APPROVED:
        return
    measures = read(signals)
    assert measures.keys() >= policy.required
    for name in policy.measures & measures.keys():
        assert math.isfinite(measures[name])
        assert measures[name] >= 0
        assert measures[name] <= {"nsfw": 1.001, "age.": 130}.get(name[:4], math.inf)
    if "age.low" in policy.measures:
        assert all(face.age is not None and face.age.low >= 18 for face in signals.faces or ())


@POLICIES
@pytest.mark.parametrize(
    "field", ["nsfw_scores", "opinions", "blur_variance", "rms_contrast", "faces"]
)
def test_a_signal_that_fails_alone_is_never_approved(policy: Policy, field: str) -> None:
    good = replace(FINE, faces=(ADULT,))
    assert decide(good, policy).status is Status.APPROVED
    asked = field != "faces" or "face_count" in policy.required
    expected = Status.REVIEW if asked else Status.APPROVED
    for value in (None, math.nan, math.inf, -math.inf, -1.0):
        assert decide(_failing(good, field, value), policy).status is expected, value


def _failing(good: Signals, field: str, value: float | None) -> Signals:
    if field == "faces":
        return replace(good, faces=None)
    if field == "nsfw_scores" and value is not None:
        return replace(with_scores(hentai=value), faces=(ADULT,))
    if field == "opinions" and value is not None:
        return replace(good, opinions={"opennsfw": {"explicit": value}})
    return replace(good, **{field: value})  # type: ignore[arg-type]


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


@pytest.mark.parametrize(
    ("faces", "status", "reason"),
    [
        ((CHILD,), Status.REJECTED, "underage"),
        ((TEENAGER,), Status.REVIEW, None),
        ((ADULT,), Status.APPROVED, None),
        ((aged(18, 18),), Status.APPROVED, None),
        ((aged(17, 17),), Status.REJECTED, "underage"),
        ((aged(17, 18),), Status.REVIEW, None),
        ((FACE,), Status.REVIEW, None),
        ((), Status.REJECTED, "no_face"),
        (None, Status.REVIEW, None),
        ((ADULT, CHILD), Status.REJECTED, "underage"),
        ((FACE, CHILD), Status.REJECTED, "underage"),
        ((ADULT, ADULT), Status.REJECTED, "group_photo"),
        ((aged(-3, 40),), Status.REVIEW, None),
        ((aged(25, 500),), Status.REVIEW, None),
    ],
)
def test_dating_asks_for_one_adult(
    faces: tuple[Face, ...] | None, status: Status, reason: str | None
) -> None:
    verdict = decide(replace(FINE, faces=faces), DATING)
    assert (verdict.status, verdict.reason) == (status, reason)


@given(st.lists(st.tuples(st.integers(0, 130), st.integers(0, 30)), min_size=1, max_size=4))
def test_another_face_never_makes_the_youngest_older(spans: list[tuple[int, int]]) -> None:
    faces = tuple(aged(low, min(130, low + span)) for low, span in spans)
    verdicts = [decide(replace(FINE, faces=(face,)), DATING).status for face in faces]
    together = decide(replace(FINE, faces=faces), replace(DATING, thresholds=AGE_RULES)).status
    assert RANK[together] >= max(RANK[status] for status in verdicts)


AGE_RULES = tuple(t for t in DATING.thresholds if t.reason is Reason.UNDERAGE)
RANK = {Status.APPROVED: 0, Status.REVIEW: 1, Status.REJECTED: 2}


@POLICIES
@given(
    low=st.floats(0, 0.5),
    more=st.floats(0, 0.5),
    category=st.sampled_from(["porn", "hentai", "sexy"]),
)
def test_a_higher_risk_is_never_judged_milder(
    policy: Policy, low: float, more: float, category: str
) -> None:
    before, after = (
        decide(replace(with_scores(**{category: score}), faces=(ADULT,)), policy)
        for score in (low, low + more)
    )
    assert RANK[after.status] >= RANK[before.status]


@pytest.mark.parametrize(
    ("risk", "status"),
    [(0.2, Status.APPROVED), (0.7, Status.REVIEW), (0.95, Status.REJECTED)],
)
def test_a_two_class_model_gives_one_risk_score(risk: float, status: Status) -> None:
    signals = replace(FINE, nsfw_scores={"explicit": risk, "neutral": 1 - risk})
    verdict = decide(signals, COMMUNITY)
    assert verdict.status is status
    if verdict.rule:
        name = "nsfw.least" if status is Status.REJECTED else "nsfw.shared"
        assert (verdict.rule.name, verdict.rule.value) == (name, risk)


class TestAnimations:
    BAD, DOUBTFUL = with_scores(porn=0.95), with_scores(porn=0.6)

    @pytest.mark.parametrize(
        ("frames", "status", "number"),
        [
            ([FINE, FINE], Status.APPROVED, 1),
            ([FINE, DOUBTFUL, FINE], Status.REVIEW, 2),
            ([FINE, DOUBTFUL, BAD, BAD], Status.REJECTED, 3),
            ([BAD, replace(FINE, nsfw_scores=None)], Status.REJECTED, 1),
            ([FINE, replace(FINE, nsfw_scores=None)], Status.REVIEW, 2),
        ],
    )
    def test_the_worst_frame_counts_and_is_named(
        self, frames: list[Signals], status: Status, number: int
    ) -> None:
        numbered = [
            replace(frame, frame=place, frames=len(frames))
            for place, frame in enumerate(frames, start=1)
        ]
        verdict, signals = decide_all(numbered, COMMUNITY)
        assert (verdict.status, signals.frame) == (status, number)
        assert signals.to_json()["frame"] == number


class TestOriginals:
    """What is asked besides where people are shown the uploaded files themselves."""

    @pytest.mark.parametrize(
        ("changed", "measure"),
        [
            ({"frames_unseen": 1}, "frames_unseen"),
            ({"gain_map": 1}, "gain_map"),
            ({"colour_unsure": 1}, "colour_unsure"),
            ({"width": 4801}, "aspect"),
        ],
    )
    def test_what_was_not_looked_at_goes_to_a_person(
        self, changed: dict[str, Any], measure: str
    ) -> None:
        mine = replace(COMMUNITY, thresholds=COMMUNITY.thresholds[:1], content="0123abcd")
        for policy in (COMMUNITY, mine):
            verdict = decide(replace(FINE, **changed), for_originals(policy))
            assert verdict.status is Status.REVIEW
            assert (verdict.rule and verdict.rule.name) == measure
        assert decide(replace(FINE, **changed), mine).status is Status.APPROVED

    @pytest.mark.parametrize("name", ["frames_unseen", "gain_map", "colour_unsure", "width"])
    def test_so_does_what_was_not_measured(self, name: str) -> None:
        verdict = decide(replace(FINE, **{name: None}), for_originals(COMMUNITY))
        assert verdict.status is Status.REVIEW

    def test_what_was_all_looked_at_is_approved(self) -> None:
        verdict = decide(FINE, for_originals(COMMUNITY))
        assert (verdict.status, verdict.policy) == (Status.APPROVED, "community@4+originals")

    def test_without_it_unseen_frames_are_told_only(self) -> None:
        signals = replace(FINE, frames_unseen=3, gain_map=1)
        assert decide(signals, COMMUNITY).status is Status.APPROVED
        assert signals.to_json()["frames_unseen"] == 3

    def test_a_bound_of_its_own_stays(self) -> None:
        own = Threshold(measure="aspect", reason=Reason.NSFW, reject=None, review=2)
        policy = for_originals(replace(COMMUNITY, thresholds=(own,), content="0123abcd"))
        assert [t.review for t in policy.thresholds if t.measure == "aspect"] == [2]
        assert policy.id == "community@4+0123abcd.originals"


class TestGates:
    ALL = frozenset(read(replace(PANEL, faces=(ADULT,))))

    def told(self, policy: Policy, provided: frozenset[str]) -> dict[str, str | None]:
        return {g.name: "on" if g.on and not g.why else g.why for g in gates(policy, provided)}

    def test_dating_uses_them_all(self) -> None:
        assert set(self.told(DATING, self.ALL).values()) == {"on"}
        assert unprovided(DATING, self.ALL) == ()

    def test_what_a_policy_does_not_ask_for_is_off(self) -> None:
        assert self.told(COMMUNITY, self.ALL)["no_face"] == "community@4 does not ask for it"

    def test_what_nothing_measures_is_off_or_on_in_part(self) -> None:
        told = self.told(DATING, self.ALL - {"nsfw.tile", "face_count"})
        assert told["nsfw"] == "in part: nothing measures nsfw.tile"
        assert told["group_photo"] == "nothing measures face_count"

    def test_a_policy_without_its_measures_cannot_run(self) -> None:
        no_ages = self.ALL - {"faces_without_age", "age.low", "age.high"}
        assert unprovided(PROFILE, no_ages) == ()
        assert unprovided(DATING, no_ages) == ("faces_without_age",)


class TestExplanations:
    def test_each_rule_says_its_own(self) -> None:
        signals = replace(with_scores(porn=0.95), blur_variance=None, faces=(TEENAGER,))
        said = {
            (w.threshold.measure, w.threshold.reject): w.outcome for w in evaluate(signals, DATING)
        }
        assert said["nsfw.least", 0.9] is Status.REJECTED
        assert said["age.low", None] is Status.REVIEW
        assert said["blur_variance", 10.0] is Status.REVIEW
        assert said["face_count", 1.0] is Status.APPROVED

    def test_what_is_not_needed_and_not_there_says_nothing(self) -> None:
        signals = replace(FINE, nsfw_scores={"explicit": 0.1})
        assert {w.threshold.measure for w in evaluate(signals, COMMUNITY) if w.outcome is None} == {
            "nsfw.second",
            "nsfw.tile",
            "third.explicit",
            "third.gore",
        }

    @POLICIES
    @given(signals=SIGNALS | MOSTLY_FINE)
    def test_the_rules_together_agree_with_the_verdict(
        self, policy: Policy, signals: Signals
    ) -> None:
        outcomes = {w.outcome for w in evaluate(signals, policy)} - {None}
        verdict = decide(signals, policy)
        if verdict.status is Status.APPROVED:
            assert outcomes == {Status.APPROVED}
        else:
            assert verdict.status in outcomes
