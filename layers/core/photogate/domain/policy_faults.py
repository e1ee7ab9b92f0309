"""Finds mistakes in a policy before it judges a photo."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from photogate.domain.measures import MEASURES, Measure
from photogate.domain.policy import Policy, Threshold

#: Members and list positions (from 0) that lead to a field of a policy's document.
Place: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One thing that is wrong, and the way out."""

    place: Place
    words: str


def faults(policy: Policy) -> Iterator[Fault]:
    """Find rules that contradict their measure, themselves or each other. Pure.

    All measures of the policy must be in the table.
    """
    for number, threshold in enumerate(policy.thresholds):
        for field, words in _faults_of(threshold):
            yield Fault(place=("rules", number, *field), words=words)
    yield from _faults_between(policy.thresholds)
    yield from _optional_reasons(policy)


def _faults_of(threshold: Threshold) -> Iterator[tuple[tuple[str, ...], str]]:
    measure, worse = MEASURES[threshold.measure], threshold.worse
    bounds = {"reject": threshold.reject, "review": threshold.review}
    given = {name: bound for name, bound in bounds.items() if bound is not None}
    if not given:
        yield (), f"has no bound and can never hold: give reject_{worse} or review_{worse}"
        return
    if not measure.rejects and threshold.reject is not None:
        yield (
            (f"reject_{worse}",),
            f"{measure.name} alone never rejects: write review_{worse}, and a person looks",
        )
        return
    for name, bound in given.items():
        if measure.worse not in (worse, None):
            yield (
                (f"{name}_{worse}",),
                f"doubtful values of {measure.name} lie {measure.worse} a bound:"
                f" write {name}_{measure.worse}",
            )
        elif words := _out_of_range(measure, threshold, bound):
            yield (f"{name}_{worse}",), words
    if threshold.reject is None or threshold.review is None:
        return
    if not threshold.exceeds(threshold.reject, threshold.review):
        milder = "below" if worse == "above" else "above"
        yield (
            (f"review_{worse}",),
            f"must lie {milder} reject_{worse} ({threshold.reject:g}): what is rejected does not"
            " go to a person, so that this bound can never hold",
        )


def _out_of_range(measure: Measure, threshold: Threshold, bound: float) -> str | None:
    if not measure.plausible(bound) or bound > measure.largest:
        return f"{bound:g} is no value of {measure.name}, which lies {measure.range}"
    end = measure.largest if threshold.worse == "above" else measure.smallest
    if bound == end:
        return (
            f"can never hold: no value of {measure.name} lies {threshold.worse} {bound:g};"
            f" it lies {measure.range}"
        )
    return None


def _faults_between(thresholds: tuple[Threshold, ...]) -> Iterator[Fault]:
    seen: dict[tuple[str, str], int] = {}
    for number, threshold in enumerate(thresholds):
        place = ("rules", number)
        twin = seen.setdefault((threshold.measure, threshold.worse), number)
        if twin != number:
            yield Fault(
                place=(*place, "measure"),
                words=f"rule {twin + 1} bounds {threshold.measure} on the same side: join them,"
                " or remove one",
            )
        for before, other in enumerate(thresholds[:number]):
            if other.measure == threshold.measure and _leave_nothing(other, threshold):
                yield Fault(
                    place=place,
                    words=f"no value of {other.measure} passes both this rule and rule"
                    f" {before + 1}: leave room between their bounds",
                )


def _leave_nothing(one: Threshold, other: Threshold) -> bool:
    """Tell whether every value is doubtful by one of two rules on opposite sides."""
    if one.worse == other.worse:
        return False
    below, above = (one, other) if one.worse == "below" else (other, one)
    lowest = [bound for bound in (below.reject, below.review) if bound is not None]
    highest = [bound for bound in (above.reject, above.review) if bound is not None]
    return bool(lowest and highest) and max(lowest) > min(highest)


def _optional_reasons(policy: Policy) -> Iterator[Fault]:
    """Find reasons whose measures may all be missing: a failure would approve the photo."""
    for reason in {threshold.reason: None for threshold in policy.thresholds}:
        rules = [(n, t.measure) for n, t in enumerate(policy.thresholds) if t.reason is reason]
        measures = [measure for _, measure in rules]
        if not policy.required & set(measures):
            yield Fault(
                place=("rules", rules[0][0], "measure"),
                words=f"a photo without {' and '.join(dict.fromkeys(measures))} could not be"
                f" refused as {reason.value}: add {measures[0]} to `required`",
            )
