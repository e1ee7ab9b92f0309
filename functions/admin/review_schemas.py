"""What the routes for reviewing one photo after the other read and answer."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from fastapi import Path
from pydantic import BaseModel, Field

from photogate.domain import (
    Exactness,
    LastHour,
    PhotoRow,
    Principal,
    Signals,
    Status,
    Total,
    UserSummary,
    Verdict,
)
from photogate.domain.markers import reason_of
from photogate.domain.policy import Policy, RuleResult, evaluate
from photogate.domain.reviews import Filter, Hand, Holder, Kind, ReviewItem
from photogate.service.reviewing import MAX_WORDS, Exposure, Owner, rejection
from photogate.texts import doubt_text, rule_text

from .documented import TEXT, WORDS
from .evidence_schemas import Bar, Box, ModelScores

PhotoId = Annotated[str, Path(max_length=64)]


#: As the database counts them.
ItemId = Annotated[int, Field(ge=1, le=2**63 - 1)]


class ItemKind(StrEnum):
    """Why a photo waits. Nobody is told before the decision that it is a sample: it is a doubt."""

    DOUBT = "doubt"
    APPEAL = "appeal"
    ESCALATION = "escalation"


class Tab(BaseModel):
    """Names the tab of the browser, or whatever else holds photos for this person."""

    tab: str = Field(
        pattern="^[A-Za-z0-9-]{8,64}$",
        description="Made by the client, at random; keep it as long as the tab lives.",
        examples=["8c4f8c1e-7a6a-4a58-9d0f-0a2f6f0b8e11"],
    )

    def of(self, person: Principal) -> Holder:
        """Give the holder that this is."""
        return Holder(person=person, tab=self.tab)


class Take(Tab):
    """Which photos are wanted next."""

    count: int = Field(4, ge=1, le=60, description="Hold so many at once.")
    kind: ItemKind | None = None
    rule: str | None = Field(
        None,
        max_length=64,
        description="The measure that stopped it.",
        examples=["nsfw.explicit"],
        json_schema_extra=TEXT,
    )
    user_id: str | None = Field(
        None, max_length=128, description="Whose photos.", json_schema_extra=TEXT
    )
    passed: list[ItemId] = Field(
        default_factory=list,
        max_length=500,
        description="Ids of items that were skipped: others get them.",
    )

    @property
    def wanted(self) -> Filter:
        """The filter."""
        kind = None if self.kind is None else Kind(self.kind)
        return Filter(kind=kind, rule=self.rule, user_id=self.user_id)


class Rejecting(Tab):
    """A person's rejection."""

    reason: str = Field(
        min_length=1, max_length=MAX_WORDS, examples=["nsfw"], json_schema_extra=WORDS
    )


class Approval(BaseModel):
    """An approval in place of an earlier decision."""

    status: Literal["approved"]

    @property
    def verdict(self) -> Verdict:
        """What it says."""
        return Verdict(status=Status.APPROVED)


class Rejection(BaseModel):
    """A rejection in place of an earlier decision."""

    status: Literal["rejected"]
    reason: str = Field(
        min_length=1, max_length=MAX_WORDS, examples=["nsfw"], json_schema_extra=WORDS
    )

    @property
    def verdict(self) -> Verdict:
        """What it says."""
        return rejection(self.reason)


#: Another decision on what this person decided before.
Redeciding = Annotated[Approval | Rejection, Field(discriminator="status")]


class Escalating(Tab):
    """A question to the admins."""

    note: str | None = Field(
        None, max_length=MAX_WORDS, examples=["The same face as u-7?"], json_schema_extra=TEXT
    )


class Item(BaseModel):
    """A photo that waits for a person."""

    id: int
    kind: ItemKind
    folded: bool = Field(
        description="What the machine says is not shown before the decision, of a share of the"
        " photos drawn at random: evidence is empty.",
    )
    photo_id: str
    user_id: str
    user_name: str | None
    status: Status
    title: str = Field(
        description="Why it is here, in words.",
        examples=["May show nudity or sexual content"],
    )
    rule: str | None = Field(
        description="The comparison that stopped it.",
        examples=["probability of explicit content is 0.62, above 0.5"],
    )
    suggested_reason: str | None = Field(examples=["nsfw"])
    bars: list[Bar]
    models: list[ModelScores]
    boxes: list[Box]
    judged_by: str | None = Field(description="The policy that decided.", examples=["profile@2"])
    bounds_of: str = Field(description="The policy whose bounds these are.", examples=["profile@2"])
    size: str | None = Field(examples=["1600×1200 JPEG"])
    has_picture: bool = Field(description="False for what no decoder opened.")
    test: bool = Field(
        False, description="A marker in the photo gave it a verdict.", examples=[False]
    )
    note: str | None = Field(description="Of an escalation.")
    raised_by: str | None
    uploaded_at: datetime
    waits_since: datetime
    lease_until: datetime

    @classmethod
    def of(cls, item: ReviewItem, policy: Policy) -> Item:
        """Translate an item."""
        photo = item.photo
        rule = None if item.folded else photo.rule
        signals = Signals.from_json(photo.scores or {})
        said = Signals() if item.folded else signals
        results = () if item.folded else evaluate(signals, policy)
        stopping = next((r for r in results if rule and r.threshold.measure == rule.name), None)
        return cls(
            id=item.id,
            kind=ItemKind.DOUBT if item.kind is Kind.SAMPLE else ItemKind(item.kind),
            folded=item.folded,
            photo_id=photo.id,
            user_id=photo.user_id,
            user_name=photo.user_name,
            status=Status.REVIEW if item.folded else photo.status,
            title=_title(item, stopping),
            rule=rule_text(rule) if rule else None if item.folded else photo.error,
            suggested_reason=None if item.folded else _suggestion(photo, stopping),
            bars=[Bar.of(result, decided=result is stopping) for result in results],
            models=ModelScores.all_of(said, policy),
            boxes=Box.all_of(said, rule),
            judged_by=None if item.folded else (photo.scores or {}).get("policy"),
            bounds_of=policy.id,
            size=_size(signals),
            has_picture=photo.display_key is not None,
            test=photo.test,
            note=item.note,
            raised_by=item.raised_by,
            uploaded_at=photo.created_at,
            waits_since=item.created_at,
            lease_until=item.lease_until,
        )


def _title(item: ReviewItem, stopping: RuleResult | None) -> str:
    if item.kind is Kind.ESCALATION:
        return "A moderator asks the admins"
    if item.kind is Kind.APPEAL:
        return "The owner asks for another look"
    if item.folded:
        return "Judge for yourself"
    if item.photo.error is not None:
        return "Automatic checking could not finish"
    if stopping is not None and stopping.value is not None:
        return doubt_text(stopping.threshold.reason)
    return (
        "Something was not measured" if item.photo.marker is None else "A marker asks for a person"
    )


def _suggestion(photo: PhotoRow, stopping: RuleResult | None) -> str | None:
    if photo.marker is not None:
        return reason_of(photo.marker)
    return stopping.threshold.reason.value if stopping else None


def _size(signals: Signals) -> str | None:
    if not signals.width or not signals.height:
        return None
    return " ".join(filter(None, (f"{signals.width}×{signals.height}", signals.format)))


class Waiting(BaseModel):
    """How much waits in all."""

    n: int = Field(description="Counted up to 10,000.", examples=[128])
    n_is: Exactness = Field(examples=["exact"])
    oldest_at: datetime | None

    @classmethod
    def of(cls, total: Total, oldest_at: datetime | None) -> Waiting:
        """Translate a count."""
        return cls(n=total.n, n_is=total.exactness, oldest_at=oldest_at)


class Seen(BaseModel):
    """How much this person has looked at today: within the last 14 hours."""

    revealed: int = Field(examples=[42])
    limit: int | None = Field(description="`REVEALS_PER_DAY`; null without one.", examples=[400])

    @classmethod
    def of(cls, exposure: Exposure) -> Seen:
        """Translate a count."""
        return cls(revealed=exposure.revealed, limit=exposure.limit)


class Held(BaseModel):
    """What the tab holds now, most urgent first."""

    items: list[Item]
    waiting: Waiting
    seen: Seen

    @classmethod
    def of(cls, hand: Hand, policy: Policy, exposure: Exposure) -> Held:
        """Translate what is held."""
        return cls(
            items=[Item.of(item, policy) for item in hand.items],
            waiting=Waiting.of(hand.waiting, hand.oldest_at),
            seen=Seen.of(exposure),
        )


class Lately(BaseModel):
    """What the machine did within the last hour; test photos are left out."""

    newest_photo_at: datetime | None = Field(description="When the newest photo was handed in.")
    judged: int = Field(description="Verdicts, counted up to 10,000.", examples=[128])
    judged_is: Exactness = Field(description="How to read `judged`.", examples=["exact"])
    approved: int = Field(description="Of those that were counted.", examples=[120])
    rejected: int = Field(examples=[6])
    to_people: int = Field(description="Left to a person.", examples=[2])

    @classmethod
    def of(cls, hour: LastHour) -> Lately:
        """Translate figures."""
        return cls(
            newest_photo_at=hour.newest_photo_at,
            judged=hour.judged.n,
            judged_is=hour.judged.exactness,
            approved=hour.approved,
            rejected=hour.rejected,
            to_people=hour.to_people,
        )


class OwnersPhoto(BaseModel):
    """Another photo of the same user."""

    photo_id: str
    status: Status
    reason: str | None
    by: Literal["person", "machine"]
    decided_by: str | None = Field(description="The person.")
    decided_at: datetime | None
    has_picture: bool
    uploaded_at: datetime

    @classmethod
    def of(cls, photo: PhotoRow) -> OwnersPhoto:
        """Translate a row."""
        return cls(
            photo_id=photo.id,
            status=photo.status,
            reason=photo.reason,
            by="machine" if photo.decided_by is None else "person",
            decided_by=photo.decided_by,
            decided_at=photo.moderated_at,
            has_picture=photo.display_key is not None,
            uploaded_at=photo.created_at,
        )


class OwnerOf(BaseModel):
    """What is known of who uploaded a photo, besides that photo."""

    photos: int = Field(examples=[12])
    approved: int = Field(examples=[10])
    rejected: int = Field(examples=[1])
    held: int = Field(description="Withheld for suspected abuse of a child.", examples=[0])
    others: list[OwnersPhoto]

    @classmethod
    def of(cls, owner: Owner) -> OwnerOf:
        """Translate what was found."""
        summary: UserSummary = owner.summary
        return cls(
            photos=summary.total_photos,
            approved=summary.approved,
            rejected=summary.rejected,
            held=owner.held,
            others=[OwnersPhoto.of(photo) for photo in owner.others],
        )


class Decided(BaseModel):
    """What the photo is now."""

    photo_id: str
    status: Status
    reason: str | None

    @classmethod
    def of(cls, photo: PhotoRow) -> Decided:
        """Translate a row."""
        return cls(photo_id=photo.id, status=photo.status, reason=photo.reason)
