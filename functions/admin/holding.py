"""Routes for suspected abuse of a child: withholding a photo, and what admins do about it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from photogate.bootstrap import AdminParts
from photogate.domain import Principal, Role
from photogate.http import require
from photogate.problems import problems
from photogate.service.holding import Holding

from .holding_schemas import HeldPhotos, Withheld, Words
from .review_schemas import PhotoId
from .sessions import signed_in


def _holding(request: Request) -> Holding:
    parts: AdminParts = request.app.state.parts()
    return parts.holding


Service = Annotated[Holding, Depends(_holding)]
Moderator = Annotated[Principal, Depends(require(Role.MODERATOR, signed_in))]
Admin = Annotated[Principal, Depends(require(Role.ADMIN, signed_in))]
router = APIRouter(prefix="/api/v1/admin", tags=["suspected abuse of a child"])


@router.post(
    "/review/{photo_id}/hold", status_code=204, responses=problems(401, 403, 404, 422, 503)
)
def hold(moderator: Moderator, service: Service, photo_id: PhotoId) -> None:
    """Withhold a photo that may show abuse of a child, whoever holds or decided it.

    Nobody is shown it again, its owner included, and nothing of it is deleted. Admins are told.
    Nobody but an admin can take this back.
    """
    service.hold(photo_id, by=moderator)


@router.get("/review/withheld", responses=problems(401, 403, 503))
def withheld(moderator: Moderator, service: Service) -> Withheld:
    """Get the photos that a page must take away; ask every few seconds."""
    admin = moderator.role.allows(Role.ADMIN)
    return Withheld(
        photo_ids=list(service.withheld()), unreported=service.unreported() if admin else None
    )


@router.get("/holds", responses=problems(401, 403, 503))
def holds(_: Admin, service: Service) -> HeldPhotos:
    """List what is held, without pictures: first what was not reported, the oldest first."""
    return HeldPhotos.of(service.listing())


@router.post(
    "/holds/{photo_id}/report",
    status_code=204,
    responses=problems(400, 401, 403, 404, 413, 422, 503),
)
def report(admin: Admin, service: Service, photo_id: PhotoId, body: Words) -> None:
    """Note where you reported it, and under which number. Photogate itself reports nothing."""
    service.report(photo_id, words=body.words, by=admin)


@router.post(
    "/holds/{photo_id}/lift",
    status_code=204,
    responses=problems(400, 401, 403, 404, 409, 413, 422, 503),
)
def lift(admin: Admin, service: Service, photo_id: PhotoId, body: Words) -> None:
    """Say why it was a mistake: the photo waits for a person again."""
    service.lift(photo_id, because=body.words, by=admin)
