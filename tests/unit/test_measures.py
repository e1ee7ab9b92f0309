"""The table of measures, and signals that come back from JSON as they were."""

from __future__ import annotations

import json
import math
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from photogate.domain import NSFW_CATEGORIES, AgeRange, Face, Rule, Signals, Tile
from photogate.domain.measures import MEASURES, read
from photogate.domain.panel import GORE
from photogate.domain.policy import Policy, decide
from photogate.policies import PRESETS, preset
from photogate.texts import measure_text, part_text, rule_text
from photogate_vision.classifier.categories import CATEGORIES
from photogate_vision.classifier.tiles import boxes

TEXTS = Path(__file__).parents[2] / "layers" / "core" / "photogate" / "texts"
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
COUNTS = st.integers(0, 2**31)
FACES = st.builds(
    Face,
    box=st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS),
    score=NUMBERS,
    age=st.none()
    | st.builds(
        AgeRange,
        low=st.integers(-5, 200),
        high=st.integers(-5, 200),
        probability=st.none() | NUMBERS,
    ),
)
TILES = st.builds(Tile, box=st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS), explicit=NUMBERS)


def _members(numbers: st.SearchStrategy[float]) -> dict[str, st.SearchStrategy[Any]]:
    """Give a strategy for each member of ``Signals``; a new one fails here until it has one."""
    by_type = {
        "int | None": COUNTS,
        "float | None": numbers,
        "str | None": st.text(),
        "dict[str, float] | None": st.dictionaries(
            st.sampled_from([*NSFW_CATEGORIES, "explicit"]), numbers
        ),
        "dict[str, dict[str, float]] | None": st.dictionaries(
            st.sampled_from(["opennsfw", "mine"]),
            st.dictionaries(st.sampled_from([*NSFW_CATEGORIES, "explicit", "gore"]), numbers),
        ),
        "Tile | None": TILES,
        "tuple[Face, ...] | None": st.lists(FACES, max_size=3).map(tuple),
    }
    return {f.name: st.none() | by_type[str(f.type)] for f in fields(Signals)}


@given(st.builds(Signals, **_members(NUMBERS)))
def test_signals_come_back_from_json_as_they_were(signals: Signals) -> None:
    assert Signals.from_json(json.loads(json.dumps(signals.to_json()))) == signals


@given(st.sets(st.sampled_from([f.name for f in fields(Signals)])), st.data())
def test_what_was_not_computed_comes_back_as_not_computed(
    absent: set[str], data: st.DataObject
) -> None:
    known = {n: s for n, s in _members(NUMBERS).items() if n not in absent}
    signals = data.draw(st.builds(Signals, **known))
    back = Signals.from_json(signals.to_json())
    assert all(getattr(back, name) is None for name in absent)


@pytest.mark.parametrize("policy", [preset(name) for name in PRESETS], ids=PRESETS)
@given(signals=st.builds(Signals, **_members(NUMBERS | st.sampled_from([math.nan, math.inf]))))
def test_a_verdict_can_be_replayed_from_what_is_stored(policy: Policy, signals: Signals) -> None:
    again = decide(Signals.from_json(signals.to_json()), policy)
    before = decide(signals, policy)
    assert (again.status, again.reason) == (before.status, before.reason)


def test_what_stands_beside_the_signals_is_left_alone() -> None:
    document = {"width": 3, "policy": "profile@2", "rule": {"name": "x"}, "has_face": True}
    assert Signals.from_json(document) == Signals(width=3)


def test_every_measure_is_read_from_a_signal() -> None:
    numbers = {f.name: 1.0 for f in fields(Signals) if f.type == "float | None"}
    signals = replace(
        Signals.from_json(numbers),
        nsfw_scores={"porn": 0.25, "sexy": 0.1, "hentai": 0.5, "neutral": 0.1, "drawing": 0.05},
        opinions={"opennsfw": {"explicit": 0.0625, "neutral": 0.9375}},
        third={"swiftformer": {"gore": 0.25, "explicit": 0.5, "neutral": 0.25}},
        tile=Tile(box=(0, 0, 0.5, 0.5), explicit=0.5),
        faces=(
            Face(box=(0, 0, 1, 1), score=1, age=AgeRange(low=8, high=12)),
            Face(box=(0, 0, 1, 1), score=1, age=AgeRange(low=4, high=40)),
            Face(box=(0, 0, 1, 1), score=1),
        ),
        width=640,
        height=480,
        frames_unseen=7,
        colour_unsure=1,
        gain_map=0,
    )
    found = read(signals)
    assert found.keys() == MEASURES.keys()
    assert (found["nsfw.explicit"], found["nsfw.unsafe"]) == (0.75, 0.85)
    assert (found["nsfw.least"], found["nsfw.most"]) == (0.0625, 0.75)
    assert found["nsfw.second"] == found["opennsfw.explicit"] == 0.0625
    assert (found["nsfw.shared"], found["nsfw.tile"]) == (0.625, 0.5)
    assert (found["third.explicit"], found["third.gore"]) == (0.5, 0.25)
    assert (found["face_count"], found["faces_without_age"]) == (3, 1)
    assert (found["age.low"], found["age.high"]) == (4, 12)
    assert (found["short_side_px"], found["aspect"]) == (480, 1.333)
    assert (found["frames_unseen"], found["colour_unsure"], found["gain_map"]) == (7, 1, 0)
    assert all(MEASURES[name].plausible(value) for name, value in found.items())
    assert {m.signal for m in MEASURES.values()} <= {f.name for f in fields(Signals)}


def test_every_measure_has_words_in_every_language() -> None:
    for path in TEXTS.glob("*.json"):
        words = json.loads(path.read_text(encoding="utf-8"))["measures"]
        assert words.keys() == MEASURES.keys()
        assert all(measure_text(name, path.stem) == words[name] for name in MEASURES)


def test_nothing_is_read_from_nothing() -> None:
    assert read(Signals()) == {}


def test_a_model_tells_nothing_that_is_not_in_the_table() -> None:
    assert {f"nsfw.{category}" for category in CATEGORIES if category != GORE} <= MEASURES.keys()
    assert f"third.{GORE}" in MEASURES


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (Rule(name="face_count", value=2.0, bound=1.0), "number of faces is 2, above 1"),
        (Rule(name="blur_variance", value=3.0, bound=12.0), "sharpness is 3, below 12"),
        (Rule(name="rms_contrast", value=None, bound=None), "contrast was not measured"),
        (Rule(name="of_old", value=0.5, bound=0.25), "of_old is 0.5, above 0.25"),
        (
            Rule(name="nsfw.tile", value=0.62, bound=0.3, part=(0.4286, 0.0, 1.0, 0.5714)),
            "probability of explicit content in one part of the photo is 0.62, above 0.3"
            " (upper right part)",
        ),
    ],
)
def test_a_rule_has_words(rule: Rule, words: str) -> None:
    assert rule_text(rule) == words
    # also when it is read from the scores, which are JSON
    assert Rule.from_json(json.loads(json.dumps(rule.to_json()))) == rule


@pytest.mark.parametrize(
    ("width", "height", "side", "places"),
    [
        (1600, 1200, 2, ["upper left", "upper right", "lower left", "lower right"]),
        (
            *(1600, 1200, 3),
            [
                *("upper left", "upper", "upper right"),
                *("left", "middle", "right"),
                *("lower left", "lower", "lower right"),
            ],
        ),
        # in one row
        (3000, 1000, 2, ["left", "middle", "middle", "right"]),
        (1000, 3000, 2, ["upper", "middle", "middle", "lower"]),
    ],
)
def test_each_part_has_words(width: int, height: int, side: int, places: list[str]) -> None:
    assert [part_text(box) for box in boxes(width, height, side)] == [f"{p} part" for p in places]
