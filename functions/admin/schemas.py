"""What the admin function reads and answers, with the predecessor's names."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from photogate import domain
from photogate.domain import Exactness, PhotoRow, Status, WorkerInfo
from photogate.service.review import Listing, QueueReport
from photogate.texts import reason_text, rule_text

from .documented import WORDS

#: ``all`` and ``failed`` as the earlier API had them.
StatusFilter = Literal["pending", "approved", "rejected", "review", "failed", "all"]


class Queue(BaseModel):
    """Jobs, one per batch, and photos."""

    length: int = Field(description="Visible jobs.", examples=[0])
    in_flight: int = Field(description="Jobs in workers' hands.", examples=[2])
    delayed: int = Field(description="Jobs that wait for a retry.", examples=[0])
    dead: int = Field(description="Jobs that were delivered too often.", examples=[0])
    oldest_age_s: float | None = Field(
        description="Age of the oldest unfinished batch.", examples=[0.4]
    )
    pending_media: int = Field(
        description="Photos without a verdict, counted up to 10,000.", examples=[11]
    )
    pending_media_is: Exactness = Field(
        description="How to read `pending_media`.", examples=["exact"]
    )


class LastDay(BaseModel):
    """Photos by their present state, of those that were moderated last within 24 hours.

    Whole hours are counted, those of `since` and of now included.
    """

    since: datetime = Field(description="24 to 25 hours ago.")
    total: int = Field(examples=[1200])
    approved: int = Field(examples=[1100])
    rejected: int = Field(examples=[60])
    failed: int = Field(
        description="Sent to a person because checking could not finish.", examples=[0]
    )
    rejection_reasons: dict[str, int] = Field(
        description="By code; `other` is for what people wrote in words of their own.",
        examples=[{"nsfw": 20, "blurry": 40}],
    )


class Gate(BaseModel):
    """Something that photos are rejected for."""

    name: str = Field(description="A reason of rejections.", examples=["underage"])
    on: bool = Field(description="Whether it is looked for.", examples=[False])
    why: str | None = Field(
        description="Why it is off or on only in part, and which models look.",
        examples=["profile@2 does not ask for it"],
    )


class InForce(BaseModel):
    """The policy and the checks of the newest worker."""

    policy: str = Field(examples=["profile@2"])
    model: str = Field(description="sha256 of its models, joined by +.", examples=["3f9a…"])
    since: datetime
    gates: list[Gate]

    @classmethod
    def of(cls, worker: WorkerInfo) -> InForce:
        """Translate a row."""
        return cls(
            policy=worker.policy,
            model=worker.model,
            since=worker.started_at,
            gates=[Gate(name=g.name, on=g.on, why=g.why) for g in worker.gates],
        )


class Rule(BaseModel):
    """The one comparison that decided."""

    name: str = Field(description="The measure.", examples=["nsfw.explicit"])
    value: float | None = Field(description="Null when it was not measured.", examples=[0.97])
    bound: float | None = Field(examples=[0.9])
    words: str = Field(examples=["probability of explicit content is 0.97, above 0.9"])

    @classmethod
    def of(cls, rule: domain.Rule) -> Rule:
        """Translate what decided."""
        return cls(name=rule.name, value=rule.value, bound=rule.bound, words=rule_text(rule))


class Worker(BaseModel):
    """A worker that lives."""

    id: str = Field(examples=["host:4711"])
    host: str = Field(examples=["host"])
    pid: int = Field(examples=[4711])
    model: str = Field(description="sha256 of its models, joined by +.", examples=["3f9a…"])
    policy: str = Field(examples=["profile@2"])
    since: datetime
    last_photo_at: datetime | None

    @classmethod
    def of(cls, worker: WorkerInfo) -> Worker:
        """Translate a row."""
        return cls(
            id=worker.id,
            host=worker.host,
            pid=worker.pid,
            model=worker.model,
            policy=worker.policy,
            since=worker.started_at,
            last_photo_at=worker.last_photo_at,
        )


class Copies(BaseModel):
    """Photos that wait for the copies which others see; each number is counted up to 10,000."""

    waiting: int = Field(
        description="Judged or approved, and a job for copies is under way or due.", examples=[2]
    )
    earlier: int = Field(
        description="Of a version without copies, whose turn has not come.", examples=[0]
    )


class QueueStats(BaseModel):
    """The state of moderation as a whole."""

    queue: Queue
    copies: Copies
    last_24h: LastDay
    workers: list[Worker]
    timestamp: datetime

    @classmethod
    def of(cls, report: QueueReport, *, now: datetime) -> QueueStats:
        """Translate a report."""
        day, queue = report.last_day, report.queue
        return cls(
            queue=Queue(
                length=queue.visible,
                in_flight=queue.in_flight,
                delayed=queue.delayed,
                dead=queue.dead,
                oldest_age_s=day.oldest_age_s,
                pending_media=day.pending_media.n,
                pending_media_is=day.pending_media.exactness,
            ),
            copies=Copies(waiting=report.copies.waiting, earlier=report.copies.earlier),
            last_24h=LastDay(
                since=day.since,
                total=day.total,
                approved=day.approved,
                rejected=day.rejected,
                failed=day.failed,
                rejection_reasons=day.rejection_reasons,
            ),
            workers=[Worker.of(w) for w in report.workers],
            timestamp=now,
        )


class ReviewedPhoto(BaseModel):
    """A photo as moderators see it."""

    id: str = Field(examples=["7b0e4d1c-6f7a-4c2b-9a3d-2f1e0d9c8b7a"])
    user_id: str = Field(examples=["u-1"])
    user_name: str | None = Field(examples=["Ada"])
    url: str | None = Field(
        None, description="Good for a few minutes.", examples=["http://127.0.0.1:8000/…"]
    )
    thumbnail_url: str | None = Field(
        None, description="The photo itself for now.", examples=["http://127.0.0.1:8000/…"]
    )
    is_approved: bool = Field(examples=[False])
    moderation_status: Status = Field(examples=["review"])
    moderation_reason: str | None = Field(examples=["nsfw"])
    reason_text: str | None = Field(examples=["This photo shows nudity or sexual content …"])
    moderation_scores: dict[str, Any] | None = Field(
        examples=[{"nsfw_scores": {"porn": 0.55}, "rule": {"name": "nsfw.explicit", "value": 0.6}}]
    )
    rule: Rule | None = Field(description="Which rule decided; null when none did.")
    moderation_error: str | None = Field(
        description="Why automatic checking could not finish.", examples=[None]
    )
    batch_id: str | None
    decided_by: str | None = Field(description="The moderator, or null for the machine.")
    verified_by: str | None = Field(description="Who confirmed the rejection.")
    created_at: datetime
    moderated_at: datetime | None
    test: bool = Field(
        False, description="A marker in the photo gave it a verdict.", examples=[False]
    )

    @classmethod
    def of(cls, photo: PhotoRow, url: str | None = None) -> ReviewedPhoto:
        """Translate a row."""
        rule = photo.rule
        return cls(
            id=photo.id,
            user_id=photo.user_id,
            user_name=photo.user_name,
            url=url,
            thumbnail_url=url,
            is_approved=photo.status is Status.APPROVED,
            moderation_status=photo.status,
            moderation_reason=photo.reason,
            reason_text=reason_text(photo.reason),
            moderation_scores=photo.scores,
            rule=rule and Rule.of(rule),
            moderation_error=photo.error,
            batch_id=photo.batch_id,
            decided_by=photo.decided_by,
            verified_by=photo.verified_by,
            created_at=photo.created_at,
            moderated_at=photo.moderated_at,
            test=photo.test,
        )


class Pagination(BaseModel):
    """Where in the list this page lies."""

    page: int | None = Field(description="Null for a page by `cursor`.", examples=[1])
    limit: int = Field(examples=[20])
    total: int = Field(description="Counted up to 10,000.", examples=[1])
    total_is: Exactness = Field(description="How to read `total`.", examples=["exact"])
    total_pages: int = Field(
        description="Of `total`; those beyond the hundredth are reached by `cursor`.", examples=[1]
    )
    next_cursor: str | None = Field(
        description="Give it as `cursor` for the next page; null on the last one.", examples=[None]
    )

    @classmethod
    def of(cls, listing: Listing, *, page: int | None, limit: int) -> Pagination:
        """Translate a page."""
        return cls(
            page=page,
            limit=limit,
            total=listing.total.n,
            total_is=listing.total.exactness,
            total_pages=math.ceil(listing.total.n / limit),
            next_cursor=listing.next_cursor,
        )


class Filters(BaseModel):
    """The filter that was applied."""

    status: StatusFilter | None


class Dashboard(BaseModel):
    """One page of photos, newest first."""

    media: list[ReviewedPhoto]
    pagination: Pagination
    filters: Filters
    in_force: InForce | None = Field(description="Null when no worker was seen for a day.")


class Pending(BaseModel):
    """What waits for a person, oldest first."""

    photos: list[ReviewedPhoto]


class Rejection(BaseModel):
    """A person's rejection."""

    reason: str = Field(
        min_length=1,
        max_length=500,
        description="A known code such as `nsfw`, or words for the user.",
        examples=["Please show your own face."],
        json_schema_extra=WORDS,
    )
