"""What the routes for suspected abuse of a child read and answer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pydantic import BaseModel, Field

from photogate.domain.holds import Hold
from photogate.service.holding import MAX_WORDS

from .documented import WORDS


class Words(BaseModel):
    """What an admin has done, or why."""

    words: str = Field(
        min_length=1,
        max_length=MAX_WORDS,
        examples=["NCMEC CyberTipline, report 123456"],
        json_schema_extra=WORDS,
    )


class Withheld(BaseModel):
    """What no page shows any more."""

    photo_ids: list[str] = Field(description="Held within the last day.")
    unreported: int | None = Field(
        description="What admins have to report, counted up to 1,000; null for others."
    )


class HeldPhoto(BaseModel):
    """A photo that is withheld from everybody."""

    photo_id: str
    user_id: str
    user_name: str | None
    uploaded_at: datetime
    held_at: datetime
    held_by: str
    original_key: str | None = Field(
        description="Where its bytes are in the storage; null once they were removed."
    )
    sha256: str | None = Field(description="Of these bytes.")
    reported_at: datetime | None
    reported_by: str | None
    report: str | None = Field(examples=["NCMEC CyberTipline, report 123456"])

    @classmethod
    def of(cls, hold: Hold) -> HeldPhoto:
        """Translate one."""
        return cls(
            photo_id=hold.photo_id,
            user_id=hold.user_id,
            user_name=hold.user_name,
            uploaded_at=hold.uploaded_at,
            held_at=hold.held_at,
            held_by=hold.held_by,
            original_key=hold.original_key,
            sha256=hold.sha256,
            reported_at=hold.reported_at,
            reported_by=hold.reported_by,
            report=hold.report,
        )


class HeldPhotos(BaseModel):
    """All of them, up to 500."""

    holds: list[HeldPhoto]

    @classmethod
    def of(cls, holds: Sequence[Hold]) -> HeldPhotos:
        """Translate a list."""
        return cls(holds=[HeldPhoto.of(hold) for hold in holds])
