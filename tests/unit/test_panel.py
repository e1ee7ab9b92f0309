"""The rules of the presets over all that two models can say."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from photogate.domain import AgeRange, Face, Signals, Status, Tile
from photogate.domain.measures import read
from photogate.domain.policy import Policy, decide
from photogate.errors import ConfigError
from photogate.policies import PRESETS, preset
from photogate.policies import read as read_policy

PRESET = pytest.mark.parametrize("policy", [preset(name) for name in PRESETS], ids=PRESETS)
FACE = Face(box=(0.4, 0.2, 0.6, 0.5), score=0.9, age=AgeRange(low=30, high=40))
FINE = Signals(
    nsfw_scores={"porn": 0.0, "sexy": 0.0, "hentai": 0.0, "neutral": 1.0, "drawing": 0.0},
    opinions={"opennsfw": {"explicit": 0.0, "neutral": 1.0}},
    faces=(FACE,),
    blur_variance=400.0,
    rms_contrast=50.0,
    width=1600,
    height=1200,
)
#: Every twentieth, and both sides of every bound.
GRID = sorted(
    {n / 20 for n in range(21)} | {b + e for b in (0.05, 0.3, 0.5, 0.9) for e in (-1e-4, 0, 1e-4)}
)


def said(porn: float, sexy: float, second: float, *, hentai: float = 0.0) -> Signals:
    rest = max(0.0, 1 - porn - sexy - hentai)
    return replace(
        FINE,
        nsfw_scores={"porn": porn, "sexy": sexy, "hentai": hentai, "neutral": rest, "drawing": 0.0},
        opinions={"opennsfw": {"explicit": second, "neutral": 1 - second}},
    )


@PRESET
def test_the_rules_hold_over_all_that_both_models_can_say(policy: Policy) -> None:
    seen = set()
    for porn in GRID:
        for sexy in (s for s in GRID if porn + s <= 1):
            suspicion = porn + sexy
            for second in GRID:
                status = decide(said(porn, sexy, second), policy).status
                where = f"porn {porn}, sexy {sexy}, second {second}: {status}"
                seen.add(status)
                # rejected only where both are sure, and always there
                both = porn > 0.9 and second > 0.9
                assert (status is Status.REJECTED) == both, where
                # approved only where neither is
                allowed = (
                    suspicion <= 0.9 and second <= 0.3 and (suspicion <= 0.5 or second <= 0.05)
                )
                assert (status is Status.APPROVED) == allowed, where
    assert seen == {Status.APPROVED, Status.REVIEW, Status.REJECTED}


@PRESET
@pytest.mark.parametrize("porn", [0.0, 0.3, 0.45, 0.95])
def test_hentai_counts_like_porn(policy: Policy, porn: float) -> None:
    for second in GRID:
        one = decide(said(porn, 0.02, second), policy)
        other = decide(said(0.0, 0.02, second, hentai=porn), policy)
        assert (one.status, one.reason) == (other.status, other.reason)


@PRESET
def test_a_part_of_the_photo_brings_a_person_and_never_rejects(policy: Policy) -> None:
    for explicit in GRID:
        tile = Tile(box=(0, 0, 0.5, 0.5), explicit=explicit)
        status = decide(replace(FINE, tile=tile), policy).status
        assert status is (Status.REVIEW if explicit > 0.3 else Status.APPROVED)


@PRESET
def test_the_part_that_decided_is_named_and_no_other(policy: Policy) -> None:
    tile = Tile(box=(0.4286, 0, 1, 0.5714), explicit=0.6)
    rule = decide(replace(FINE, tile=tile), policy).rule
    assert rule is not None
    assert (rule.name, rule.part) == ("nsfw.tile", tile.box)
    rule = decide(replace(said(0.95, 0, 0.2), tile=tile), policy).rule
    assert rule is not None
    assert (rule.name, rule.part) == ("nsfw.shared", None)


def test_no_policy_rejects_by_a_part_alone() -> None:
    text = """
name: mine
version: 1
required: [nsfw.least]
rules:
  - {measure: nsfw.least, reason: nsfw, reject_above: 0.9}
  - {measure: nsfw.tile, reason: nsfw, reject_above: 0.9}
"""
    with pytest.raises(ConfigError, match=r"line 7, .*nsfw.tile alone never rejects"):
        read_policy(text, "mine.yaml")


@PRESET
def test_one_model_alone_judges_as_before(policy: Policy) -> None:
    for alone in GRID:
        one = replace(said(alone, 0.0, 0.0), opinions={})
        high = Status.REJECTED if alone > 0.9 else Status.REVIEW
        assert decide(one, policy).status is (high if alone > 0.5 else Status.APPROVED), alone


@PRESET
@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"neutral": 1.0},
        {"explicit": math.nan, "neutral": 0.5},
        {"explicit": 0.0, "neutral": math.nan},
        {"explicit": 0.0, "neutral": math.inf},
        {"explicit": -0.1, "neutral": 1.0},
        {"explicit": 1.2, "neutral": 0.0},
        {"porn": 0.0, "neutral": 1.0},
    ],
)
def test_a_second_opinion_that_makes_no_sense_goes_to_a_person(
    policy: Policy, answer: dict[str, float]
) -> None:
    for porn in (0.0, 0.6, 0.95):
        wrong = replace(said(porn, 0.0, 0.0), opinions={"opennsfw": answer})
        assert decide(wrong, policy).status is Status.REVIEW
        # also when it is replayed from what was stored
        assert decide(Signals.from_json(wrong.to_json()), policy).status is Status.REVIEW
        # and beside one that does
        both = replace(wrong, opinions={"opennsfw": answer, "mine": {"explicit": 0.0}})
        assert decide(both, policy).status is Status.REVIEW


@PRESET
@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ({"gore": 0.5, "explicit": 0.5, "neutral": 0.0}, Status.APPROVED),
        ({"gore": 0.51, "explicit": 0.0, "neutral": 0.49}, Status.REVIEW),
        ({"gore": 0.0, "explicit": 0.51, "neutral": 0.49}, Status.REVIEW),
        ({"gore": 1.0, "explicit": 0.0, "neutral": 0.0}, Status.REVIEW),
        ({"explicit": 0.2, "neutral": 0.8}, Status.APPROVED),
        ({"gore": math.nan, "explicit": 0.0, "neutral": 0.0}, Status.REVIEW),
        ({"gore": 0.0, "explicit": 0.0, "neutral": math.inf}, Status.REVIEW),
        ({"gore": 0.0, "neutral": 1.0}, Status.REVIEW),
        ({}, Status.REVIEW),
    ],
)
def test_the_third_seat_only_ever_brings_a_person(
    policy: Policy, answer: dict[str, float], status: Status
) -> None:
    photo = replace(FINE, third={"mine": answer})
    assert decide(photo, policy).status is status
    assert decide(Signals.from_json(photo.to_json()), policy).status is status
    # what the panel rejects stays rejected, unless the third's answer makes no sense
    if "explicit" in answer and all(map(math.isfinite, answer.values())):
        sure = replace(said(0.95, 0.0, 0.95), third={"mine": answer})
        assert decide(sure, policy).status is Status.REJECTED


def test_no_policy_rejects_by_the_third_seat() -> None:
    text = """
name: mine
version: 1
required: [nsfw.least]
rules:
  - {measure: third.gore, reason: nsfw, reject_above: 0.9}
"""
    with pytest.raises(ConfigError, match=r"third.gore alone never rejects"):
        read_policy(text, "mine.yaml")


@PRESET
def test_a_lost_opinion_is_not_a_panel_of_one(policy: Policy) -> None:
    assert decide(replace(FINE, opinions={}), policy).status is Status.APPROVED
    verdict = decide(replace(FINE, opinions=None), policy)
    assert verdict.status is Status.REVIEW
    assert verdict.rule is not None
    assert verdict.rule.name == "nsfw.least"


def test_a_tile_without_a_finite_score_cannot_be() -> None:
    for wrong in (math.nan, math.inf):
        with pytest.raises(ValueError, match="not finite"):
            Tile(box=(0, 0, 1, 1), explicit=wrong)


def test_the_worst_of_further_opinions_counts() -> None:
    told = read(
        replace(
            said(0.5, 0.25, 0.0),
            opinions={
                "opennsfw": {"explicit": 0.125},
                "mine": {"porn": 0.25, "hentai": 0.5, "neutral": 0.25},
            },
        )
    )
    assert (told["nsfw.second"], told["opennsfw.explicit"]) == (0.75, 0.125)
    assert (told["nsfw.least"], told["nsfw.most"]) == (0.125, 0.75)
    assert told["nsfw.shared"] == 0.75
