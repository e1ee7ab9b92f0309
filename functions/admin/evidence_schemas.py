"""What stands beside a photo: boxes on it, what each model says, the policy in words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, Field

from photogate.domain import Signals
from photogate.domain.measures import MEASURES, Side
from photogate.domain.panel import explicit
from photogate.domain.policy import Policy, RuleResult, Threshold
from photogate.domain.verdicts import Rule
from photogate.texts import measure_text, part_text, reason_text

#: Bounds on what several models say together hold for what each of them says of explicit content.
_OF_FIRST = ("nsfw.explicit", "nsfw.least", "nsfw.most")
_OF_OTHERS = ("nsfw.second", "nsfw.least", "nsfw.most")


class Bar(BaseModel):
    """One measure beside the bounds of the policy."""

    name: str = Field(examples=["nsfw.explicit"])
    words: str = Field(examples=["probability of explicit content"])
    unit: str = Field(examples=["probability"])
    value: float | None = Field(description="Null when it was not measured.", examples=[0.62])
    smallest: float = Field(examples=[0])
    largest: float | None = Field(description="Null when there is no end.", examples=[1])
    worse: Side = Field(examples=["above"])
    to_a_person: float | None = Field(examples=[0.5])
    rejected: float | None = Field(examples=[0.9])
    reason: str = Field(examples=["nsfw"])
    decided: bool = Field(description="This one stopped the photo.", examples=[True])

    @classmethod
    def of(cls, result: RuleResult, *, decided: bool) -> Bar:
        """Translate one threshold and what it says."""
        threshold, measure = result.threshold, MEASURES[result.threshold.measure]
        return cls(
            name=measure.name,
            words=measure_text(measure.name),
            unit=measure.unit,
            value=result.value,
            smallest=measure.smallest,
            largest=None if math.isinf(measure.largest) else measure.largest,
            worse=threshold.worse,
            to_a_person=threshold.review,
            rejected=threshold.reject,
            reason=threshold.reason.value,
            decided=decided,
        )


class Box(BaseModel):
    """A part of the photo, as shares (0..1) of its width and height."""

    kind: Literal["face", "part"]
    words: str = Field(examples=["face, 34 to 41 years"])
    x0: float
    y0: float
    x1: float
    y1: float

    @classmethod
    def all_of(cls, signals: Signals, rule: Rule | None) -> list[Box]:
        """Give the part that stopped the photo, the worst one, and the faces."""
        parts: dict[tuple[float, float, float, float], str] = {}
        if signals.tile is not None:
            where = part_text(signals.tile.box)
            parts[signals.tile.box] = f"{where}: explicit {signals.tile.explicit:.2f}"
        if rule is not None and rule.part is not None:
            parts.setdefault(rule.part, part_text(rule.part))
        found = [cls._of("part", words, box) for box, words in parts.items()]
        for face in signals.faces or ():
            age = f", {face.age.low} to {face.age.high} years" if face.age else ""
            found.append(cls._of("face", f"face{age}", face.box))
        return found

    @classmethod
    def _of(
        cls, kind: Literal["face", "part"], words: str, box: tuple[float, float, float, float]
    ) -> Box:
        x0, y0, x1, y1 = box
        return cls(kind=kind, words=words, x0=x0, y0=y0, x1=x1, y1=y1)


class Score(BaseModel):
    """What a model says of one category."""

    category: str = Field(examples=["explicit"])
    value: float = Field(examples=[0.62])
    to_a_person: float | None = Field(description="The policy's bound; null without one.")
    rejected: float | None
    worse: Side = Field(examples=["above"])


class ModelScores(BaseModel):
    """What one model says of the whole photo."""

    model: str = Field(description="`first`, or its name.", examples=["opennsfw"])
    scores: list[Score]

    @classmethod
    def all_of(cls, signals: Signals, policy: Policy) -> list[ModelScores]:
        """Give every model's scores, explicit content first."""
        found = []
        if signals.nsfw_scores:
            found.append(cls._of("first", signals.nsfw_scores, policy, _OF_FIRST, prefix="nsfw"))
        for name, scores in (signals.opinions or {}).items():
            known = scores if isinstance(scores, Mapping) else {}
            found.append(cls._of(name, known, policy, (f"{name}.explicit", *_OF_OTHERS)))
        for name, scores in (signals.third or {}).items():
            found.append(cls._of(name, scores, policy, ("third.explicit",), prefix="third"))
        return found

    @classmethod
    def _of(
        cls,
        model: str,
        scores: Mapping[str, float],
        policy: Policy,
        bounding: tuple[str, ...],
        *,
        prefix: str | None = None,
    ) -> ModelScores:
        total = explicit(scores)
        values = ({} if total is None else {"explicit": total}) | dict(scores)
        prefix = prefix or model
        return cls(
            model=model,
            scores=[
                _score(
                    category,
                    value,
                    policy,
                    bounding if category == "explicit" else (f"{prefix}.{category}",),
                )
                for category, value in values.items()
                if math.isfinite(value)
            ],
        )


def _score(category: str, value: float, policy: Policy, bounding: tuple[str, ...]) -> Score:
    thresholds = [t for t in policy.thresholds if t.measure in bounding]
    return Score(
        category=category,
        value=value,
        to_a_person=_strictest([t.review for t in thresholds]),
        rejected=_strictest([t.reject for t in thresholds]),
        worse=thresholds[0].worse if thresholds else "above",
    )


def _strictest(bounds: list[float | None]) -> float | None:
    return min((bound for bound in bounds if bound is not None), default=None)


class PolicyRule(BaseModel):
    """One rule of the policy."""

    measure: str = Field(examples=["probability of explicit content"])
    reason: str = Field(examples=["nsfw"])
    owner_is_told: str | None = Field(description="What the owner reads after a rejection.")
    worse: Side
    to_a_person: float | None
    rejected: float | None

    @classmethod
    def of(cls, threshold: Threshold) -> PolicyRule:
        """Translate one."""
        return cls(
            measure=measure_text(threshold.measure),
            reason=threshold.reason.value,
            owner_is_told=reason_text(threshold.reason.value),
            worse=threshold.worse,
            to_a_person=threshold.review,
            rejected=threshold.reject,
        )


class PolicyText(BaseModel):
    """The policy in force."""

    policy: str = Field(examples=["profile@4"])
    needed: list[str] = Field(
        description="Where one of these was not measured, a person looks.",
        examples=[["sharpness", "number of faces"]],
    )
    rules: list[PolicyRule] = Field(description="In their order: the first that rejects counts.")

    @classmethod
    def of(cls, policy: Policy) -> PolicyText:
        """Translate it."""
        return cls(
            policy=policy.id,
            needed=[measure_text(name) for name in MEASURES if name in policy.required],
            rules=[PolicyRule.of(threshold) for threshold in policy.thresholds],
        )
