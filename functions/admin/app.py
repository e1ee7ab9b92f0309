"""The moderators' and operators' HTTP function: figures, the review queue, decisions."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, Query, Request, Response

from photogate.bootstrap import AdminParts, admin
from photogate.domain import Principal, Role, Status
from photogate.health import Health
from photogate.http import make_app, on_lambda, require
from photogate.pictures import COPY_QUERY, PICTURE, CopyName, picture_answer
from photogate.problems import problems
from photogate.review_page import page_router
from photogate.service.review import MAX_PAGE

from . import (
    accuracy,
    history,
    holding,
    lists,
    notices,
    oidc,
    reviewing,
    session_list,
    sessions,
    telegram,
)
from .schemas import (
    Dashboard,
    Filters,
    InForce,
    Pagination,
    Pending,
    QueueStats,
    Rejection,
    ReviewedPhoto,
    StatusFilter,
)


def _parts(request: Request) -> AdminParts:
    parts: AdminParts = request.app.state.parts()
    return parts


Parts = Annotated[AdminParts, Depends(_parts)]
Moderator = Annotated[Principal, Depends(require(Role.MODERATOR, sessions.signed_in))]
router = APIRouter(prefix="/api/v1/admin")


@router.get(
    "/health",
    dependencies=[Depends(require(Role.ADMIN, sessions.signed_in))],
    response_model_exclude_none=True,
    responses=problems(401, 403) | {503: problems(503)[503] | {"model": Health}},
    tags=["operation"],
)
def health(parts: Parts, response: Response) -> Health:
    """Ask every part of the installation whether it works; 503 when one fails."""
    report = parts.health.report()
    response.status_code = 200 if report.status == "ok" else 503
    return report


@router.get(
    "/queue-stats",
    dependencies=[Depends(require(Role.ADMIN, sessions.signed_in))],
    responses=problems(401, 403, 503),
    tags=["operation"],
)
def queue_stats(parts: Parts) -> QueueStats:
    """Count jobs, photos without copies, the last day's verdicts, and living workers."""
    return QueueStats.of(parts.reviews.queue_report(), now=datetime.now(UTC))


@router.get(
    "/moderation/dashboard",
    dependencies=[Depends(require(Role.VIEWER, sessions.signed_in))],
    responses=problems(401, 403, 422, 503),
    tags=["moderation"],
)
def dashboard(
    parts: Parts,
    status: Annotated[
        StatusFilter | None,
        Query(
            description="Only photos in this state; `failed` are those in review that the machine"
            " could not finish, and `all` is the same as none."
        ),
    ] = None,
    page: Annotated[
        int,
        Query(
            ge=1,
            le=100_000,
            description=f"From 1; up to {MAX_PAGE}. Go on with `cursor`.",
            json_schema_extra={"maximum": MAX_PAGE},
        ),
    ] = 1,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: Annotated[
        str | None,
        Query(
            max_length=200,
            description="`pagination.next_cursor` of the page before; replaces `page`.",
        ),
    ] = None,
    test: Annotated[
        bool, Query(description="Only test photos, which are else not among them.")
    ] = False,
) -> Dashboard:
    """Page through photos, newest first."""
    listing = parts.reviews.dashboard(
        status=None if status in (None, "all", "failed") else Status(status),
        page=page,
        limit=limit,
        cursor=cursor,
        failed=status == "failed",
        test=test,
    )
    return Dashboard(
        media=[ReviewedPhoto.of(photo, url) for photo, url in listing.photos],
        pagination=Pagination.of(listing, page=None if cursor else page, limit=limit),
        filters=Filters(status=status),
        in_force=InForce.of(newest) if (newest := parts.reviews.newest_worker()) else None,
    )


@router.get(
    "/moderation/pending",
    dependencies=[Depends(require(Role.MODERATOR, sessions.signed_in))],
    responses=problems(401, 403, 422, 503),
    tags=["moderation"],
)
def pending(parts: Parts, limit: Annotated[int, Query(ge=1, le=500)] = 100) -> Pending:
    """List what waits for a person, oldest first."""
    return Pending(
        photos=[ReviewedPhoto.of(photo, url) for photo, url in parts.reviews.waiting(limit=limit)]
    )


@router.get(
    "/moderation/{media_id}/photo",
    dependencies=[Depends(require(Role.MODERATOR, sessions.signed_in))],
    response_class=Response,
    responses=problems(401, 403, 404, 422, 503) | {200: PICTURE},
    tags=["moderation"],
)
def photo(
    parts: Parts, media_id: str, copy: Annotated[CopyName, COPY_QUERY] = "display"
) -> Response:
    """See a photo, whatever its state is."""
    return picture_answer(parts.reviews.picture(media_id, copy))


@router.put(
    "/moderation/{media_id}/approve",
    responses=problems(401, 403, 404, 409, 422, 503),
    tags=["moderation"],
)
def approve(request: Request, moderator: Moderator, parts: Parts, media_id: str) -> ReviewedPhoto:
    """Approve a photo. No machine overwrites a person's decision.

    409 where no copy of the photo can be made, as nobody could see it: reject it, or ask its owner
    for another.

    Who is signed in with a browser has to reveal it first; a token's bearer may show photos by
    means of its own.
    """
    if getattr(request.state, "by_session", False):
        parts.reviewing.seen(media_id, by=moderator)
    return ReviewedPhoto.of(parts.reviews.approve(media_id, by=moderator))


@router.put(
    "/moderation/{media_id}/reject",
    responses=problems(400, 401, 403, 404, 413, 422, 503),
    tags=["moderation"],
)
def reject(moderator: Moderator, parts: Parts, media_id: str, body: Rejection) -> ReviewedPhoto:
    """Reject a photo, with words that its owner will read."""
    return ReviewedPhoto.of(parts.reviews.reject(media_id, reason=body.reason, by=moderator))


@router.put(
    "/moderation/rejected/{media_id}/verify",
    responses=problems(401, 403, 404, 409, 422, 503),
    tags=["moderation"],
)
def verify(moderator: Moderator, parts: Parts, media_id: str) -> ReviewedPhoto:
    """Confirm that a rejection was right."""
    return ReviewedPhoto.of(parts.reviews.verify(media_id, by=moderator))


@router.delete(
    "/moderation/rejected/{media_id}",
    status_code=204,
    responses=problems(401, 403, 404, 409, 422, 503),
    tags=["moderation"],
)
def delete_rejected(moderator: Moderator, parts: Parts, media_id: str) -> None:
    """Delete a rejected photo for good."""
    parts.reviews.delete(media_id, by=moderator)


def create_app(parts: Callable[[], AdminParts] = admin) -> FastAPI:
    """Make the app; ``parts`` is called when the first request needs it."""
    return make_app(
        "admin",
        title="Photogate admin",
        summary="For moderators and operators.",
        base="/api/v1/admin",
        router=_routes(),
        parts=parts,
    )


def _routes() -> APIRouter:
    routes = APIRouter()
    for part in (
        router,
        sessions.router,
        oidc.router,
        session_list.router,
        reviewing.router,
        holding.router,
        lists.router,
        history.router,
        notices.router,
        telegram.router,
        accuracy.router,
        page_router(),
    ):
        routes.include_router(part)
    return routes


app = create_app()
handler = on_lambda(app, "admin")
