"""What another value of a bound would make of the same pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Literal

from local.evaluation.figures import Figures
from photogate.domain.estimates import Share
from photogate.domain.measures import read
from photogate.domain.policy import Policy

#: How many values of each bound are tried at most, its own among them.
VALUES = 15
#: Which of a threshold's two bounds.
Which = Literal["reject", "review"]


@dataclass(frozen=True, kw_only=True)
class Tried:
    """One value of a bound."""

    value: float
    #: Whether it is the policy's own.
    own: bool
    recall: Share
    false_alarms: Share
    to_people: Share


@dataclass(frozen=True, kw_only=True)
class Swept:
    """One bound of a policy at several values, all others as they are."""

    measure: str
    which: Which
    worse: str
    tried: tuple[Tried, ...]

    @property
    def name(self) -> str:
        """As a policy's file calls the bound."""
        return f"{self.measure} {self.which}_{self.worse}"

    def to_json(self) -> dict[str, Any]:
        """Give the numbers, ready for JSON."""
        return {
            "bound": self.name,
            "tried": [
                {
                    "value": one.value,
                    "own": one.own,
                    "recall": one.recall.to_json(),
                    "false_alarms": one.false_alarms.to_json(),
                    "to_people": one.to_people.to_json(),
                }
                for one in self.tried
            ],
        }


def sweep(given: Figures) -> Iterator[Swept]:
    """Try each bound of the policy at several of the values that the pictures have."""
    seen: dict[str, list[float]] = {}
    for judged in given.judged:
        for look in judged.measured.looks:
            for name, value in read(look).items():
                seen.setdefault(name, []).append(value)
    for index, threshold in enumerate(given.policy.thresholds):
        bounds: dict[Which, float | None] = {
            "reject": threshold.reject,
            "review": threshold.review,
        }
        for which, own in bounds.items():
            if own is None:
                continue
            tried = []
            for value in _values(seen.get(threshold.measure, ()), own):
                found = given.under(_with(given.policy, index, which, value))
                tried.append(
                    Tried(
                        value=value,
                        own=value == own,
                        recall=found.recall,
                        false_alarms=found.false_alarms,
                        to_people=found.to_people,
                    )
                )
            yield Swept(
                measure=threshold.measure, which=which, worse=threshold.worse, tried=tuple(tried)
            )


def _values(seen: Sequence[float], own: float) -> list[float]:
    """Give values between which verdicts differ, in order, the policy's own among them."""
    distinct = sorted(set(seen))
    between = [_short(low, high) for low, high in pairwise(distinct)]
    step = max(1.0, len(between) / (VALUES - 1))
    count = min(len(between), VALUES - 1)
    return sorted({own, *(between[int(n * step)] for n in range(count))})


def _short(low: float, high: float) -> float:
    """Give the number with the fewest digits between the two."""
    middle = (low + high) / 2
    for digits in range(1, 12):
        if low < (short := float(f"{middle:.{digits}g}")) < high:
            return short
    return middle


def _with(policy: Policy, index: int, which: Which, value: float) -> Policy:
    changed = list(policy.thresholds)
    old = changed[index]
    changed[index] = replace(old, reject=value) if which == "reject" else replace(old, review=value)
    return replace(policy, thresholds=tuple(changed), content="sweep")
