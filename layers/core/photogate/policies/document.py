"""The fields of a policy file, their JSON Schema, and their translation into a ``Policy``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from typing_extensions import TypeAliasType

from photogate.domain import Reason
from photogate.domain.measures import MEASURES, Side
from photogate.domain.policy import REASONS, Look, Policy, Threshold
from photogate.texts import measure_text

_REASONS = tuple(reason.value for reason in REASONS)
#: Digits of a policy's hash: enough to tell apart what one installation ever used.
_HASH_DIGITS = 8


def _one_of(known: Sequence[str], what: str) -> Callable[[str], str]:
    def check(name: str) -> str:
        if name not in known:
            close = get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"choose one of {', '.join(known)}"
            raise ValueError(f"there is no {what} {name!r}; {hint}")
        return name

    return check


def _once_each(names: list[str]) -> list[str]:
    for number, name in enumerate(names):
        if name in names[:number]:
            raise ValueError(f"{name} is given twice: remove one")
    return names


def _describe_measures(schema: dict[str, Any]) -> None:
    """Say in the schema what each measure tells, for editors and for people."""
    schema["oneOf"] = [
        {
            "const": measure.name,
            "description": f"{measure_text(measure.name)}; {measure.range};"
            f" doubtful values lie {measure.worse or 'above or below'}",
        }
        for measure in MEASURES.values()
    ]


#: A type of its own, so that the schema holds it once.
MeasureName = TypeAliasType(
    "MeasureName",
    Annotated[
        str,
        AfterValidator(_one_of(tuple(MEASURES), "measure")),
        Field(json_schema_extra=_describe_measures),
    ],
)
ReasonName = Annotated[
    str,
    AfterValidator(_one_of(_REASONS, "reason for policies")),
    Field(json_schema_extra={"enum": list(_REASONS)}),
]


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class RuleDocument(_Document):
    """Bounds on one measure, on one side: above them or below them values are doubtful."""

    measure: MeasureName = Field(description="What is compared.")
    reason: ReasonName = Field(description="Why a photo is rejected by this rule.")
    reject_above: float | None = Field(None, description="A larger value is rejected.")
    review_above: float | None = Field(
        None, description="A larger value goes to a person; below `reject_above`."
    )
    reject_below: float | None = Field(None, description="A smaller value is rejected.")
    review_below: float | None = Field(
        None, description="A smaller value goes to a person; above `reject_below`."
    )

    @model_validator(mode="after")
    def _has_one_side(self) -> RuleDocument:
        if self._bounds("above") != (None, None) and self._bounds("below") != (None, None):
            raise ValueError("bounds a measure on both sides: make two rules of it")
        return self

    def threshold(self) -> Threshold:
        """Give the rule as policies hold it."""
        side: Side = "above" if self._bounds("below") == (None, None) else "below"
        reject, review = self._bounds(side)
        return Threshold(
            measure=self.measure,
            reason=Reason(self.reason),
            reject=reject,
            review=review,
            worse=side,
        )

    def _bounds(self, side: Side) -> tuple[float | None, float | None]:
        if side == "above":
            return self.reject_above, self.review_above
        return self.reject_below, self.review_below


class PolicyDocument(_Document):
    """How photos are judged. The first rule that rejects gives the reason."""

    name: str = Field(
        pattern=r"^[a-z][a-z0-9_-]*$",
        max_length=40,
        description="Stands beside every verdict, with the version.",
    )
    version: int = Field(ge=1, description="To be raised with every change.")
    required: Annotated[list[MeasureName], AfterValidator(_once_each)] = Field(
        min_length=1,
        description="Measures without which a photo goes to a person, whatever else is known.",
    )
    look: Look | None = Field(
        None,
        description="How closely the second model looks at large photos: at the whole only"
        " (`fast`), at 2×2 parts as well (`normal`, the default), or at 3×3 (`close`). The"
        " setting `LOOK` wins.",
    )
    rules: list[RuleDocument] = Field(min_length=1)

    def policy(self) -> Policy:
        """Give the policy, with a hash of its content in its id."""
        says = json.dumps(self.model_dump(exclude_none=True), sort_keys=True)
        return Policy(
            name=self.name,
            version=self.version,
            required=frozenset(self.required),
            thresholds=tuple(rule.threshold() for rule in self.rules),
            look=self.look or "normal",
            content=hashlib.sha256(says.encode()).hexdigest()[:_HASH_DIGITS],
        )


def schema() -> dict[str, Any]:
    """Give the JSON Schema of a policy."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **PolicyDocument.model_json_schema(),
        "title": "A policy of Photogate",
    }
