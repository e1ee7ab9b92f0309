"""What the upload function reads and answers, with the predecessor's names."""

from __future__ import annotations

import re
from collections import Counter
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from photogate.domain import Batch, PhotoRow, Status, UploadTicket, UserSummary
from photogate.service.upload import MAX_PHOTOS_PER_BATCH

from .words import photo_words

_KEY = "incoming/u-1/photo/5f0c6a1e8d9b4a7c9e2f3b4a5c6d7e8f-1f2e3d4c5b6a79880f1e2d3c4b5a6978.jpg"

_LONGEST = 35
_LANGUAGE = r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$"


def _is_tag(wish: Any) -> Any:
    """Say what a language looks like where this is none."""
    if isinstance(wish, str) and not (len(wish) <= _LONGEST and re.fullmatch(_LANGUAGE, wish)):
        raise PydanticCustomError("language", "must be a tag of a language, such as am or en-GB")
    return wish


#: An IETF tag of a language, as far as its form goes.
Language = Annotated[
    str,
    BeforeValidator(_is_tag),
    WithJsonSchema({"type": "string", "maxLength": _LONGEST, "pattern": _LANGUAGE}),
]


class UploadUrl(BaseModel):
    """Where to put one photo, and how."""

    upload_url: str = Field(examples=["http://127.0.0.1:8000/files/incoming/u-1/photo/…"])
    file_key: str = Field(description="Hand this in with upload-complete.", examples=[_KEY])
    method: Literal["PUT"] = "PUT"
    headers: dict[str, str] = Field(
        description="Send exactly these.", examples=[{"Content-Type": "image/jpeg"}]
    )
    bucket: str = Field(examples=["photos"])
    expires_in: int = Field(description="Seconds.", examples=[900])
    file_name: str = Field(examples=[_KEY.rsplit("/", 1)[1]])

    @classmethod
    def of(cls, key: str, ticket: UploadTicket) -> UploadUrl:
        """Translate a ticket."""
        return cls(
            upload_url=ticket.url,
            file_key=key,
            headers=ticket.headers,
            bucket=ticket.bucket,
            expires_in=ticket.expires_in_s,
            file_name=key.rsplit("/", 1)[1],
        )


class PhotoRef(BaseModel):
    """One uploaded photo."""

    file_key: str = Field(max_length=512, examples=[_KEY])
    media_type: Literal["photo"] = Field("photo", description="Photos only.")


def _counted(photos: Any) -> Any:
    """Say how many were given where there are too many or none."""
    if isinstance(photos, list) and not 1 <= len(photos) <= MAX_PHOTOS_PER_BATCH:
        raise PydanticCustomError(
            "photos",
            "1 to {most} photos, not {given}",
            {"most": MAX_PHOTOS_PER_BATCH, "given": len(photos)},
        )
    return photos


class UploadComplete(BaseModel):
    """Photos that have been put into the store and are handed in together."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"photos": [{"file_key": _KEY, "media_type": "photo"}]}]}
    )

    photos: Annotated[list[PhotoRef], BeforeValidator(_counted)] = Field(
        min_length=1,
        max_length=MAX_PHOTOS_PER_BATCH,
        description="No `file_key` may occur more than once.",
        json_schema_extra={"uniqueItems": True},
    )
    language: Language | None = Field(
        None,
        description="In which the user is told of these photos; else the token's `locale` says it.",
        examples=["am"],
    )


class Accepted(BaseModel):
    """The photos are in; verdicts follow, or came already where they were handed in before."""

    batch_id: str = Field(examples=["0f8fad5b-d9cb-469f-a165-70867728950e"])
    photos_count: int = Field(examples=[1])
    status: Literal["pending", "completed"] = Field(
        "pending", description="`completed` once no photo of it waits for the machine."
    )
    message: str = Field(examples=["1 photo was accepted for checking."])

    @classmethod
    def of(cls, batch: Batch) -> Accepted:
        """Translate a batch, as it is now."""
        count = len(batch.file_keys)
        message = f"{count} photo{'s were' if count > 1 else ' was'} accepted for checking."
        waits = batch.created or Status.PENDING in batch.states
        if not batch.created:
            told = Counter(state.value for state in batch.states)
            now = ", ".join(f"{n} {state}" for state, n in sorted(told.items()))
            message = f"{message[:-1]} before; now: {now}."
        return cls(
            batch_id=batch.id,
            photos_count=count,
            status="pending" if waits else "completed",
            message=message,
        )


class Summary(BaseModel):
    """A user's photos, counted: total = approved + pending + rejected + failed."""

    total_photos: int = Field(examples=[3])
    approved: int = Field(examples=[1])
    pending: int = Field(description="Waiting for the machine or for a person.", examples=[1])
    rejected: int = Field(examples=[1])
    failed: int = Field(
        description="Automatic checking could not finish; a person will look.", examples=[0]
    )
    needs_more_photos: bool = Field(
        description="Too few photos are approved or still wait.",
        examples=[False],
    )
    pending_batches: int = Field(examples=[1])
    last_moderated_at: datetime | None = Field(examples=["2026-11-23T12:00:00Z"])

    @classmethod
    def of(cls, summary: UserSummary, *, min_approved: int) -> Summary:
        """Translate the counts."""
        return cls(
            total_photos=summary.total_photos,
            approved=summary.approved,
            pending=summary.pending,
            rejected=summary.rejected,
            failed=summary.failed,
            needs_more_photos=summary.approved + summary.pending + summary.failed < min_approved,
            pending_batches=summary.pending_batches,
            last_moderated_at=summary.last_moderated_at,
        )


class Photo(BaseModel):
    """One of the user's photos."""

    id: str = Field(examples=["7b0e4d1c-6f7a-4c2b-9a3d-2f1e0d9c8b7a"])
    file_key: str = Field(examples=[_KEY])
    batch_id: str | None = Field(examples=["0f8fad5b-d9cb-469f-a165-70867728950e"])
    url: str = Field(
        description="A copy of it: once it is approved a URL that is good for a few minutes, until"
        " then a path of this API, which wants the token.",
        examples=["http://127.0.0.1:8000/…"],
    )
    moderation_status: Status = Field(
        description="`approved` once the photo can be seen.", examples=["rejected"]
    )
    moderation_reason: str | None = Field(
        description="A code, or a moderator's own words.", examples=["blurry"]
    )
    message: str | None = Field(
        description="For the user, in the language of the request: why it was rejected, or that a"
        " person is looking.",
        examples=["This photo is too blurry. Please upload a sharper one."],
    )
    created_at: datetime = Field(examples=["2026-11-23T12:00:00Z"])
    moderated_at: datetime | None = Field(examples=["2026-11-23T12:00:01Z"])
    moderation_scores: dict[str, Any] | None = Field(
        None, description="Only where the installation tells them.", examples=[None]
    )
    media_type: Literal["photo"] = "photo"
    display_order: int = Field(description="Its place among those handed in with it, from 0.")
    status: Status = Field(
        description="As `moderation_status`; for clients of the earlier API, as the next three.",
        examples=["rejected"],
    )
    reason: str | None = Field(description="As `moderation_reason`.", examples=["blurry"])
    uploaded_at: datetime = Field(description="As `created_at`.", examples=["2026-11-23T12:00:00Z"])
    scores: dict[str, Any] | None = Field(
        None, description="As `moderation_scores`, and where that is.", examples=[None]
    )
    test: bool | None = Field(
        None,
        description="True where a marker in the photo gave it a verdict; else absent.",
        examples=[True],
    )

    @classmethod
    def of(cls, photo: PhotoRow, url: str, *, scores: bool, language: str | None) -> Photo:
        """Translate a row; ``language`` is the owner's, as far as it is known."""
        told: dict[str, Any] = {"test": True} if photo.test else {}
        if scores:
            told |= {"moderation_scores": photo.scores, "scores": photo.scores}
        return cls(
            **told,
            id=photo.id,
            file_key=photo.file_key,
            batch_id=photo.batch_id,
            url=url,
            moderation_status=photo.told_status,
            moderation_reason=photo.reason,
            message=photo_words(photo.told_status, photo.reason, language),
            created_at=photo.created_at,
            moderated_at=photo.moderated_at,
            media_type="photo",
            display_order=photo.display_order,
            status=photo.told_status,
            reason=photo.reason,
            uploaded_at=photo.created_at,
        )


class ModerationStatus(BaseModel):
    """A user's photos."""

    summary: Summary = Field(description="Of all of them.")
    objection: str | None = Field(
        None,
        description="What to do for who thinks that a rejection is wrong: `OBJECTION_TEXT`; absent"
        " where that is not set.",
        examples=["Write to help@example.org."],
    )
    photos: list[Photo] = Field(description="A page of them, newest first.")
    more: bool = Field(description="There are further photos.", examples=[False])
    next_cursor: str | None = Field(
        description="Give it as `cursor` for the next page; null on the last one.", examples=[None]
    )
