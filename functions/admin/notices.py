"""Routes for what people and backends are told: what was, what was given up, and once more."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field

from photogate.bootstrap import AdminParts
from photogate.domain import Principal, Role, Status
from photogate.domain.notices import Delivery, NoticeState
from photogate.http import require
from photogate.ports.notices import NoticeDesk
from photogate.problems import problems

from .sessions import signed_in

_CHANNEL = r"^[a-z]{1,32}$"


def _desk(request: Request) -> NoticeDesk:
    parts: AdminParts = request.app.state.parts()
    return parts.notices


Desk = Annotated[NoticeDesk, Depends(_desk)]
Admin = Annotated[Principal, Depends(require(Role.ADMIN, signed_in))]
router = APIRouter(prefix="/api/v1/admin/notices", tags=["notices"])


class NoticeItem(BaseModel):
    """One notice over one channel."""

    id: str = Field(description="As receivers know it.", examples=["7b0e4d1c….1"])
    photo_id: str
    user_id: str
    status: Status
    reason: str | None = Field(description="A code.", examples=["blurry"])
    channel: str | None = Field(description="Null while it is not due.", examples=["webhook"])
    state: NoticeState
    decided_at: datetime
    due_at: datetime | None = Field(description="Null while the photo's copy is awaited.")
    ended_at: datetime | None = Field(description="When it was told, or given up.")
    error: str | None = Field(description="Why the last attempt failed.")

    @classmethod
    def of(cls, delivery: Delivery) -> NoticeItem:
        """Translate one."""
        notice = delivery.notice
        return cls(
            id=notice.id,
            photo_id=notice.photo_id,
            user_id=notice.user_id,
            status=notice.status,
            reason=notice.reason_code,
            channel=delivery.channel,
            state=delivery.state,
            decided_at=notice.decided_at,
            due_at=delivery.due_at,
            ended_at=delivery.ended_at,
            error=delivery.error,
        )


class NoticeItems(BaseModel):
    """Notices, newest first."""

    notices: list[NoticeItem]


class Resend(BaseModel):
    """Which notices are told again."""

    ids: list[str] = Field(min_length=1, max_length=1000, description="Of dead or told ones.")
    channel: str | None = Field(None, pattern=_CHANNEL, description="Else over all.")


class Resent(BaseModel):
    """How many are told again."""

    resent: int


class Test(BaseModel):
    """Which channel is tried."""

    channel: str = Field(pattern=_CHANNEL, examples=["webhook"])
    user_id: str | None = Field(
        None, min_length=1, max_length=128, description="Whom to tell; else you."
    )


class Tried(BaseModel):
    """A notice of no photo is under way."""

    id: str = Field(description="Look for it in the list.")


@router.get("", responses=problems(401, 403, 422, 503))
def notices(
    _: Admin,
    desk: Desk,
    state: Annotated[NoticeState | None, Query(description="Only these.")] = None,
    user_id: Annotated[str | None, Query(min_length=1, max_length=128)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> NoticeItems:
    """List what people and backends are told, newest first."""
    found = desk.deliveries(state=state, user_id=user_id, limit=limit)
    return NoticeItems(notices=[NoticeItem.of(one) for one in found])


@router.post("/resend", responses=problems(400, 401, 403, 413, 422, 503))
def resend(_: Admin, desk: Desk, body: Resend) -> Resent:
    """Tell notices again, dead or told, under the same ids."""
    return Resent(resent=desk.resend(body.ids, channel=body.channel))


@router.post("/test", responses=problems(400, 401, 403, 413, 422, 503))
def test(admin: Admin, desk: Desk, body: Test) -> Tried:
    """Tell something of no photo over one channel, to see that it works."""
    return Tried(id=desk.test(body.channel, body.user_id or admin.user_id))
