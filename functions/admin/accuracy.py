"""How often the machine was right: figures for those who run it, and for a transparency report."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field

from photogate.bootstrap import AdminParts
from photogate.domain import Principal, Role
from photogate.domain.accuracy import MOST_DAYS, Accuracy, Counts, Machine
from photogate.domain.estimates import Share
from photogate.domain.samples import SampleOutcome
from photogate.http import require
from photogate.problems import problems

from .sessions import signed_in

Viewer = Annotated[Principal, Depends(require(Role.VIEWER, signed_in))]
router = APIRouter(prefix="/api/v1/admin", tags=["operation"])


class Estimate(BaseModel):
    """A share that was counted, and where the true one lies."""

    hits: int = Field(examples=[1])
    of: int = Field(examples=[1200])
    share: float | None = Field(
        description="Null of none. Samples whose rate changed are weighed by it.",
        examples=[0.00083],
    )
    low: float = Field(description="The interval at 95 % begins here.", examples=[0.00002])
    high: float = Field(description="It ends here.", examples=[0.0046])
    at_most: float = Field(description="The share is at most this, at 95 %.", examples=[0.0039])

    @classmethod
    def of_share(cls, share: Share) -> Estimate:
        """Translate one."""
        low, high = share.interval
        return cls(
            hits=share.hits,
            of=share.of,
            share=share.value,
            low=low,
            high=high,
            at_most=share.at_most,
        )


class Samples(BaseModel):
    """Approved photos that were drawn at random."""

    drawn: int = Field(examples=[1250])
    decided: int = Field(description="A person looked, and said.", examples=[1200])
    missed: dict[str, int] = Field(description="Rejected, by reason.", examples=[{"nsfw": 1}])
    waiting: int = Field(examples=[40])
    withdrawn: int = Field(description="Gone before anybody looked: they say nothing.")

    @classmethod
    def of(cls, counts: Counts) -> Samples:
        """Translate counts."""
        samples = counts.samples
        return cls(
            drawn=samples.total(),
            decided=counts.wrong_approvals.of,
            missed=dict(counts.missed),
            waiting=samples[None],
            withdrawn=samples[SampleOutcome.WITHDRAWN],
        )


class ErrorRate(BaseModel):
    """How much of what the machine decided alone was wrong, as far as people looked."""

    approvals: Estimate = Field(description="Of samples: of all approvals, as they come.")
    rejections: Estimate = Field(
        description="Of the rejections that people looked at, which are not drawn at random."
    )


class MachineAccuracy(BaseModel):
    """What one policy decided with one set of models, and what people said of it."""

    policy: str | None = Field(examples=["community@4"])
    models: list[str] = Field(description="sha256 of each.")
    judged: int = Field(examples=[601_000])
    approved: int = Field(examples=[600_000])
    rejected: dict[str, int] = Field(description="By reason.", examples=[{"blurry": 480}])
    to_people: int
    failed: int = Field(description="Of those: it could not finish.")
    share_automated: Estimate
    error_rate: ErrorRate
    rejections_by_reason: dict[str, Estimate] = Field(
        description="Of those that people looked at: changed to an approval."
    )
    approvals_rejected: int = Field(description="By people, drawn or found otherwise.")
    samples: Samples

    @classmethod
    def of(cls, machine: Machine, counts: Counts) -> MachineAccuracy:
        """Translate one machine's counts."""
        return cls(
            policy=machine.policy,
            models=machine.model.split("+") if machine.model else [],
            judged=counts.judged,
            approved=counts.approved,
            rejected=dict(counts.rejected),
            to_people=counts.to_people,
            failed=counts.failed,
            share_automated=Estimate.of_share(counts.automated),
            error_rate=_error_rate(counts),
            rejections_by_reason={
                reason: Estimate.of_share(counts.wrong_rejections_for(reason))
                for reason in sorted(counts.confirmed | counts.overturned)
            },
            approvals_rejected=counts.approvals_rejected,
            samples=Samples.of(counts),
        )


class AccuracyCard(BaseModel):
    """How often the machine was right, with the numbers behind it."""

    since: datetime
    until: datetime
    statement: str = Field(
        description="In a sentence.",
        examples=[
            "As far as moderators see it, at most 0.39 % of approvals by community@4 are wrong,"
            " at 95 %: 1 of 1200 drawn at random were"
        ],
    )
    share_automated: Estimate = Field(description="Of all machines: decided without a person.")
    policy: str | None = Field(
        description="The policy, with its models, that approved most: what follows is of it alone.",
        examples=["community@4"],
    )
    error_rate: ErrorRate
    samples: Samples
    by_machine: list[MachineAccuracy] = Field(
        description="Another policy or another model is another machine; the busiest first."
    )

    @classmethod
    def of(cls, accuracy: Accuracy) -> AccuracyCard:
        """Translate what was counted."""
        main, counts = accuracy.main
        return cls(
            since=accuracy.since,
            until=accuracy.until,
            statement=accuracy.statement,
            share_automated=Estimate.of_share(accuracy.all.automated),
            policy=main.policy,
            error_rate=_error_rate(counts),
            samples=Samples.of(counts),
            by_machine=[
                MachineAccuracy.of(machine, counts) for machine, counts in accuracy.busiest
            ],
        )


def _error_rate(counts: Counts) -> ErrorRate:
    return ErrorRate(
        approvals=Estimate.of_share(counts.wrong_approvals),
        rejections=Estimate.of_share(counts.wrong_rejections),
    )


@router.get("/accuracy", responses=problems(401, 403, 422, 503))
def accuracy(
    _: Viewer,
    request: Request,
    days: Annotated[int, Query(ge=1, le=MOST_DAYS, description="Look back so long.")] = 28,
) -> AccuracyCard:
    """Read how often the machine was right, as far as people looked."""
    parts: AdminParts = request.app.state.parts()
    return AccuracyCard.of(parts.accuracy.of_days(days))
