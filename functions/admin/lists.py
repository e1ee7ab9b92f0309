"""Routes for lists of photos, and for acts on several of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request

from photogate.bootstrap import AdminParts
from photogate.domain import Principal, Reason, Role
from photogate.http import require
from photogate.problems import problems
from photogate.service.selecting import MAX_SELECTED, Result, Selecting

from .list_schemas import (
    Bulk,
    BulkAct,
    BulkReject,
    BulkResults,
    Photos,
    PhotosOfUser,
    chosen,
)
from .sessions import signed_in

Moderator = Annotated[Principal, Depends(require(Role.MODERATOR, signed_in))]
Limit = Annotated[int, Query(ge=1, le=MAX_SELECTED)]
CURSOR = Query(max_length=200, description="`next_cursor` of the page before.")
USER_ID = Query(min_length=1, max_length=128, pattern=r"^[^\x00]+$", examples=["u-1"])


def _parts(request: Request) -> AdminParts:
    parts: AdminParts = request.app.state.parts()
    return parts


Parts = Annotated[AdminParts, Depends(_parts)]
router = APIRouter(prefix="/api/v1/admin", tags=["lists"])


@router.get("/rejected", responses=problems(401, 403, 422, 503))
def rejected(
    _: Moderator,
    parts: Parts,
    verified: Annotated[
        bool | None, Query(description="Only those that a person confirmed, or did not.")
    ] = None,
    reason: Annotated[
        Reason | Literal["other"] | None,
        Query(description="`other` is for words of a person's own."),
    ] = None,
    limit: Limit = 30,
    cursor: Annotated[str | None, CURSOR] = None,
) -> Photos:
    """Page through what was rejected, newest uploads first."""
    return Photos.of(
        parts.lists.rejected(verified=verified, reason=reason, limit=limit, cursor=cursor)
    )


@router.get("/user", responses=problems(401, 403, 422, 503))
def photos_of_user(
    _: Moderator,
    parts: Parts,
    user_id: Annotated[str, USER_ID],
    limit: Limit = 30,
    cursor: Annotated[str | None, CURSOR] = None,
) -> PhotosOfUser:
    """Page through a user's photos, newest first; an unknown user has none."""
    found = parts.lists.of_user(user_id, limit=limit, cursor=cursor)
    return PhotosOfUser.of_user(user_id, found)


@router.post("/bulk", responses=problems(400, 401, 403, 413, 422, 503))
def bulk(moderator: Moderator, parts: Parts, body: Bulk) -> BulkResults:
    """Do the same to several photos, and learn of each whether it was done.

    As for single photos: who approves has revealed them, what somebody else holds or has decided
    is left alone, only what is rejected is deleted. It may be repeated.
    """
    return BulkResults.of(_act(parts.selecting, body, moderator))


def _act(service: Selecting, body: BulkReject | BulkAct, by: Principal) -> Sequence[Result]:
    selected, holder = chosen(body), body.of(by)
    ids = [one.photo_id for one in selected]
    if isinstance(body, BulkReject):
        return service.reject(selected, reason=body.reason, holder=holder)
    match body.action:
        case "reveal":
            return service.reveal(ids, by=by)
        case "approve":
            return service.approve(selected, holder=holder)
        case "verify":
            return service.verify(ids, by=by)
        case "undo":
            return service.undo(ids, holder=holder)
        case "delete":
            return service.delete(ids, by=by)
