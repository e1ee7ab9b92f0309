"""What the routes for lists of photos, and for acts on several of them, read and answer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, Field

from photogate.domain import Page, PhotoRow, Status
from photogate.service.listing import UserPhotos
from photogate.service.reviewing import MAX_WORDS
from photogate.service.selecting import MAX_SELECTED, Result, Selected
from photogate.texts import rule_text

from .documented import WORDS
from .review_schemas import Tab


class ListedPhoto(BaseModel):
    """A photo in a list."""

    photo_id: str = Field(examples=["7b0e4d1c-6f7a-4c2b-9a3d-2f1e0d9c8b7a"])
    user_id: str = Field(examples=["u-1"])
    user_name: str | None = Field(examples=["Ada"])
    status: Status = Field(examples=["rejected"])
    reason: str | None = Field(
        description="A known code, or a person's own words.", examples=["nsfw"]
    )
    rule: str | None = Field(
        description="The comparison that decided, or why checking could not finish.",
        examples=["probability of explicit content is 0.97, above 0.9"],
    )
    decided_by: str | None = Field(description="The moderator, or null for the machine.")
    verified_by: str | None = Field(description="Who confirmed the rejection.")
    has_picture: bool = Field(description="False for what no decoder opened.")
    uploaded_at: datetime
    moderated_at: datetime | None
    test: bool = Field(
        False, description="A marker in the photo gave it a verdict.", examples=[False]
    )

    @classmethod
    def of(cls, photo: PhotoRow) -> ListedPhoto:
        """Translate a row."""
        return cls(
            photo_id=photo.id,
            user_id=photo.user_id,
            user_name=photo.user_name,
            status=photo.status,
            reason=photo.reason,
            rule=rule_text(photo.rule) if photo.rule else photo.error,
            decided_by=photo.decided_by,
            verified_by=photo.verified_by,
            has_picture=photo.display_key is not None,
            uploaded_at=photo.created_at,
            moderated_at=photo.moderated_at,
            test=photo.test,
        )


class Photos(BaseModel):
    """A part of a list of photos, newest uploads first."""

    photos: list[ListedPhoto]
    next_cursor: str | None = Field(
        description="Give it as `cursor` for the next page; null on the last one.", examples=[None]
    )

    @classmethod
    def of(cls, page: Page) -> Photos:
        """Translate a page."""
        return cls(
            photos=[ListedPhoto.of(photo) for photo in page.photos], next_cursor=page.next_cursor
        )


class PhotosOfUser(Photos):
    """A user's photos, newest first, and how many there are in each state."""

    user_id: str = Field(examples=["u-1"])
    total: int = Field(examples=[12])
    approved: int = Field(description="That others can see.", examples=[10])
    rejected: int = Field(examples=[1])
    waiting: int = Field(description="For the machine, for copies or for a person.", examples=[1])

    @classmethod
    def of_user(cls, user_id: str, found: UserPhotos) -> PhotosOfUser:
        """Translate what was found."""
        summary = found.summary
        return cls(
            user_id=user_id,
            total=summary.total_photos,
            approved=summary.approved,
            rejected=summary.rejected,
            waiting=summary.pending + summary.failed,
            **dict(Photos.of(found.page)),
        )


class Chosen(BaseModel):
    """One of the selected photos."""

    photo_id: str = Field(pattern="^[0-9a-f-]{1,36}$")
    seen: Status | None = Field(
        None,
        description="As which you saw it: in another state nothing is decided. Null allows any.",
        examples=["review"],
    )


class BulkReject(Tab):
    """One rejection for all."""

    action: Literal["reject"]
    photos: list[Chosen] = Field(min_length=1, max_length=MAX_SELECTED)
    reason: str = Field(
        min_length=1,
        max_length=MAX_WORDS,
        examples=["nsfw"],
        json_schema_extra=WORDS,
    )


class BulkAct(Tab):
    """One act for all."""

    action: Literal["reveal", "approve", "verify", "delete", "undo"]
    photos: list[Chosen] = Field(min_length=1, max_length=MAX_SELECTED)


Bulk: TypeAlias = Annotated[BulkReject | BulkAct, Field(discriminator="action")]


def chosen(bulk: BulkReject | BulkAct) -> list[Selected]:
    """Give each photo once, in the order of the request."""
    by_id = {
        one.photo_id: Selected(photo_id=one.photo_id, seen=one.seen)
        for one in reversed(bulk.photos)
    }
    return list(reversed(by_id.values()))


class BulkResult(BaseModel):
    """What became of one photo."""

    photo_id: str
    done: bool = Field(examples=[True])
    problem: str | None = Field(
        description="Why nothing was done.", examples=["bob has decided already: rejected"]
    )
    status: Status | None = Field(description="As it is now; null when it is gone.")
    reason: str | None

    @classmethod
    def of(cls, result: Result) -> BulkResult:
        """Translate a result."""
        return cls(
            photo_id=result.photo_id,
            done=result.problem is None,
            problem=result.problem,
            status=result.photo and result.photo.status,
            reason=result.photo and result.photo.reason,
        )


class BulkResults(BaseModel):
    """What became of each photo, in the order of the request."""

    results: list[BulkResult]
    done: int = Field(description="For so many it was done.", examples=[12])

    @classmethod
    def of(cls, results: Sequence[Result]) -> BulkResults:
        """Translate results."""
        return cls(
            results=[BulkResult.of(result) for result in results],
            done=sum(result.problem is None for result in results),
        )
