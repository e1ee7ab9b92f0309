"""Routes for reviewing one photo after the other; the page uses these alone."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from photogate.bootstrap import AdminParts
from photogate.domain import Principal, Role
from photogate.http import require
from photogate.problems import problems
from photogate.service.reviewing import Reviewing

from .evidence_schemas import PolicyText
from .review_schemas import (
    Decided,
    Escalating,
    Held,
    Lately,
    OwnerOf,
    PhotoId,
    Redeciding,
    Rejecting,
    Seen,
    Tab,
    Take,
)
from .sessions import signed_in


def _reviewing(request: Request) -> Reviewing:
    parts: AdminParts = request.app.state.parts()
    return parts.reviewing


Service = Annotated[Reviewing, Depends(_reviewing)]
Moderator = Annotated[Principal, Depends(require(Role.MODERATOR, signed_in))]
router = APIRouter(prefix="/api/v1/admin/review", tags=["review"])


@router.post("/take", responses=problems(400, 401, 403, 413, 422, 503))
def take(moderator: Moderator, service: Service, body: Take) -> Held:
    """Get the next photos, most urgent first. Nobody else gets them for two minutes.

    Call it again to keep them longer, and to fill up after decisions.
    """
    hand = service.take(body.of(moderator), body.wanted, count=body.count, passed=body.passed)
    return Held.of(hand, service.policy, service.exposure(moderator))


@router.post("/release", status_code=204, responses=problems(400, 401, 403, 413, 422, 503))
def release(moderator: Moderator, service: Service, body: Tab) -> None:
    """Give back what the tab holds: others get it at once."""
    service.release(body.of(moderator))


@router.get("/policy", responses=problems(401, 403, 503))
def policy(_: Moderator, service: Service) -> PolicyText:
    """Read the policy in force, in words."""
    return PolicyText.of(service.policy)


@router.get("/lately", responses=problems(401, 403, 503))
def lately(_: Moderator, service: Service) -> Lately:
    """See what the machine did within the last hour."""
    return Lately.of(service.last_hour())


@router.get("/{photo_id}/owner", responses=problems(401, 403, 404, 422, 503))
def owner(_: Moderator, service: Service, photo_id: PhotoId) -> OwnerOf:
    """See what else the owner has uploaded."""
    return OwnerOf.of(service.owner(photo_id))


@router.post("/{photo_id}/reveal", responses=problems(401, 403, 404, 409, 422, 503))
def reveal(moderator: Moderator, service: Service, photo_id: PhotoId) -> Seen:
    """Note that you look at the photo itself; without it you cannot approve.

    409 also when you have looked at as many today as this installation allows.
    """
    service.reveal(photo_id, by=moderator)
    return Seen.of(service.exposure(moderator))


@router.post("/{photo_id}/approve", responses=problems(400, 401, 403, 404, 409, 413, 422, 503))
def approve_reviewed(
    moderator: Moderator, service: Service, photo_id: PhotoId, body: Tab
) -> Decided:
    """Approve a photo that you have revealed; 409 when somebody else decided or holds it."""
    return Decided.of(service.approve(photo_id, holder=body.of(moderator)))


@router.post("/{photo_id}/reject", responses=problems(400, 401, 403, 404, 409, 413, 422, 503))
def reject_reviewed(
    moderator: Moderator, service: Service, photo_id: PhotoId, body: Rejecting
) -> Decided:
    """Reject a photo; 409 when somebody else decided or holds it."""
    return Decided.of(service.reject(photo_id, reason=body.reason, holder=body.of(moderator)))


@router.post("/{photo_id}/redecide", responses=problems(400, 401, 403, 404, 409, 413, 422, 503))
def redecide(
    moderator: Moderator, service: Service, photo_id: PhotoId, body: Redeciding
) -> Decided:
    """Decide anew, however long ago, what you decided last; 409 when somebody else did since."""
    return Decided.of(service.redecide(photo_id, body.verdict, by=moderator))


@router.post("/{photo_id}/undo", responses=problems(400, 401, 403, 404, 409, 413, 422, 503))
def undo(moderator: Moderator, service: Service, photo_id: PhotoId, body: Tab) -> Decided:
    """Take back your decision, within 10 seconds."""
    return Decided.of(service.undo(photo_id, holder=body.of(moderator)))


@router.post(
    "/{photo_id}/escalate",
    status_code=204,
    responses=problems(400, 401, 403, 404, 409, 413, 422, 503),
)
def escalate(moderator: Moderator, service: Service, photo_id: PhotoId, body: Escalating) -> None:
    """Pass the photo on to the admins, with a note or without."""
    service.escalate(photo_id, note=body.note, holder=body.of(moderator))
