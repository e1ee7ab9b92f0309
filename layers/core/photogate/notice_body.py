"""What a webhook carries: the published, versioned body of a notice.

Receivers ignore members that they do not know: such come without a new version. Whoever changes or
removes a member raises ``VERSION``. ``python -m photogate.notice_body`` writes the schema that
``docs/webhook.schema.json`` holds.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from photogate.domain.notices import Notice

VERSION: Literal[1] = 1


class PhotoDecision(BaseModel):
    """The decision about one photo."""

    model_config = ConfigDict(extra="allow")

    photo_id: str = Field(examples=["0d9a8a4e-6b1f-4f0a-9d3a-3f5f2f7f9a11"])
    sequence: int = Field(
        ge=1,
        description="Of two notices about one photo the one with the higher number is newer.",
        examples=[1],
    )
    user_id: str = Field(description="Whose photo it is: the token's `sub`.", examples=["anna"])
    batch_id: str | None = Field(description="As upload-complete answered it.")
    file_key: str = Field(description="As upload-url gave it.")
    status: Literal["approved", "rejected", "review"] = Field(
        description="`review`: a person is going to look at it."
    )
    previous_status: Literal["pending", "approved", "rejected", "review"]
    reason: str | None = Field(
        description="Why it was rejected, by code; `other` for a moderator's own words.",
        examples=["blurry"],
    )
    reason_text: str | None = Field(description="The same in words, in the user's language.")
    by: Literal["machine", "person"]
    corrects: bool = Field(description="Takes back the notice before it: that decision was undone.")
    sha256: str | None = Field(
        description="Of the bytes that were judged, in hex: compare it before you show an original."
    )
    language: str = Field(description="The user's language.", examples=["en"])
    decided_at: datetime
    #: Not required, so that what an earlier version sent is valid still.
    test: bool = Field(
        default=False,
        description="Of a test photo: a marker in its bytes named the verdict, in test mode.",
    )


class WebhookBody(BaseModel):
    """The body of a webhook, as Standard Webhooks has it: type, timestamp and data."""

    model_config = ConfigDict(extra="allow")

    type: Literal["photo.approved", "photo.rejected", "photo.review", "ping"] = Field(
        description="`ping` is a test: `photogate notices test webhook`."
    )
    version: Literal[1] = VERSION
    timestamp: datetime = Field(description="When it was decided.")
    data: PhotoDecision | None = Field(description="Null in a `ping`.")


def body_of(notice: Notice, reason_text: str | None) -> bytes:
    """Write a notice as the body of a webhook: the same notice gives the same bytes."""
    assert notice.status.value != "pending"  # noqa: S101 - nobody is told of these
    body = WebhookBody(
        type=f"photo.{notice.status.value}",
        timestamp=notice.decided_at,
        data=PhotoDecision(
            photo_id=notice.photo_id,
            sequence=notice.sequence,
            user_id=notice.user_id,
            batch_id=notice.batch_id,
            file_key=notice.file_key,
            status=notice.status.value,
            previous_status=notice.before.value,
            reason=notice.reason_code,
            reason_text=reason_text,
            by="person" if notice.by_person else "machine",
            corrects=notice.corrects,
            sha256=notice.sha256,
            language=notice.language,
            decided_at=notice.decided_at,
            test=notice.test,
        ),
    )
    return body.model_dump_json().encode()


def ping(notice: Notice) -> bytes:
    """Write what a receiver gets that is only tested."""
    body = WebhookBody(type="ping", timestamp=notice.decided_at, data=None)
    return body.model_dump_json().encode()


def schema() -> str:
    """Give the JSON Schema of the body, as it is published."""
    return json.dumps(WebhookBody.model_json_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    import sys

    sys.stdout.write(schema())
