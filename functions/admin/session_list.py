"""Who is signed in at the page, for admins, and how they take that back."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel, Field

from photogate.bootstrap import AdminParts
from photogate.domain import Principal, Role
from photogate.domain.reviews import OpenSession
from photogate.errors import NotFound
from photogate.http import require
from photogate.problems import problems
from photogate.service.sessions import MOST_LISTED

from .sessions import SESSION_PATH, signed_in


class ListedSession(BaseModel):
    """A browser in which somebody is signed in."""

    id: str = Field(description="Names the session, and opens nothing.", examples=["9f86d081…"])
    user_id: str = Field(examples=["ada"])
    name: str | None = Field(examples=["Ada"])
    role: Role = Field(examples=["moderator"])
    began_at: datetime
    seen_at: datetime = Field(description="Of the last request, to a minute.")

    @classmethod
    def of(cls, session: OpenSession) -> ListedSession:
        """Translate one."""
        return cls(
            id=session.id,
            user_id=session.principal.user_id,
            name=session.principal.name,
            role=session.principal.role,
            began_at=session.began_at,
            seen_at=session.seen_at,
        )


class Sessions(BaseModel):
    """Who is signed in, the latest seen first."""

    sessions: list[ListedSession] = Field(description=f"At most {MOST_LISTED}.")


class Ended(BaseModel):
    """What was taken back."""

    ended: int = Field(description="Sessions.", examples=[2])


Admin = Annotated[Principal, Depends(require(Role.ADMIN, signed_in))]
router = APIRouter(prefix=f"{SESSION_PATH}s", tags=["session"])


@router.get("", responses=problems(401, 403, 503))
def list_sessions(_: Admin, request: Request) -> Sessions:
    """List who is signed in."""
    parts: AdminParts = request.app.state.parts()
    return Sessions(sessions=[ListedSession.of(found) for found in parts.sign_ins.listed()])


@router.delete("", responses=problems(401, 403, 422, 503))
def end_sessions_of(
    admin: Admin,
    request: Request,
    user_id: Annotated[str, Query(min_length=1, max_length=128, description="Whose.")],
) -> Ended:
    """Sign a person out of all browsers, from the next request on. Links stay good."""
    parts: AdminParts = request.app.state.parts()
    return Ended(ended=parts.sign_ins.end_all_of(user_id, by=admin))


@router.delete("/{session_id}", status_code=204, responses=problems(401, 403, 404, 422, 503))
def end_one_session(
    admin: Admin,
    request: Request,
    session_id: Annotated[str, Path(min_length=1, max_length=64)],
) -> None:
    """End one session, from its next request on."""
    parts: AdminParts = request.app.state.parts()
    if not parts.sign_ins.end_one(session_id, by=admin):
        raise NotFound("there is no such session any more")
