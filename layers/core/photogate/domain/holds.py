"""Photos that are withheld for suspected abuse of a child."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class Hold:
    """What admins are told of one: enough to report it and to hand it over, and no picture."""

    photo_id: str
    #: Whose photo.
    user_id: str
    user_name: str | None
    uploaded_at: datetime
    held_at: datetime
    #: The moderator who pressed the key.
    held_by: str
    #: Where its bytes are; None once they were removed, before it was held.
    original_key: str | None
    #: Of these bytes; None where no worker has read them.
    sha256: str | None
    reported_at: datetime | None
    reported_by: str | None
    #: Where it was reported, and under which number.
    report: str | None
