"""The users' HTTP function: a place to put photos, handing them in, their verdicts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, FastAPI, Query, Request, Response
from fastapi.security import HTTPAuthorizationCredentials

from photogate import __version__
from photogate.bootstrap import UploadParts, markers_count, upload
from photogate.domain import Principal, Role
from photogate.file_keys import SUFFIXES
from photogate.health import Health
from photogate.http import BEARER, make_app, on_lambda, require
from photogate.pictures import COPY_QUERY, PICTURE, CopyName, picture_answer
from photogate.problems import problems
from photogate.telemetry import correlation_id, emit

from .schemas import Accepted, Language, ModerationStatus, Photo, Summary, UploadComplete, UploadUrl


def _parts(request: Request) -> UploadParts:
    parts: UploadParts = request.app.state.parts()
    return parts


Parts = Annotated[UploadParts, Depends(_parts)]
User = Annotated[Principal, Depends(require(Role.USER))]
router = APIRouter(prefix="/api/v1")


@router.get(
    "/health",
    response_model_exclude_none=True,
    responses=problems(401, 403) | {503: problems(503)[503] | {"model": Health}},
    openapi_extra={"security": [{}]},  # the token is for `deep`
    tags=["operation"],
)
def health(
    request: Request,
    response: Response,
    token: Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)],
    deep: Annotated[bool, Query(description="Ask every part; for admins.")] = False,
) -> Health:
    """Tell that this function answers.

    With `deep=1` every part is asked; 503 when one fails, or when no worker lives.
    """
    if not deep:
        return Health(status="ok", version=__version__, test_mode=markers_count() or None)
    require(Role.ADMIN)(request, token)
    report = _parts(request).health.report()
    response.status_code = 200 if report.status == "ok" else 503
    return report


@router.get("/users/media/upload-url", responses=problems(401, 422, 429, 503), tags=["photos"])
def upload_url(
    user: User,
    parts: Parts,
    media_type: Annotated[Literal["photo"], Query(description="Photos only.")] = "photo",  # noqa: ARG001 - checked by its type
    content_type: Annotated[
        str,
        Query(
            description="Type of the photo; HEIC where `ACCEPT_HEIC` is set.",
            examples=["image/jpeg"],
            json_schema_extra={"enum": list(SUFFIXES)},
        ),
    ] = "image/jpeg",
    size: Annotated[
        int | None, Query(ge=1, description="Exact size in bytes; the upload is bound to it.")
    ] = None,
) -> UploadUrl:
    """Get a signed URL for one photo."""
    key, ticket = parts.uploads.upload_url(user, content_type=content_type, size_bytes=size)
    return UploadUrl.of(key, ticket)


@router.post(
    "/users/media/upload-complete",
    responses=problems(400, 401, 404, 409, 413, 422, 429, 503),
    tags=["photos"],
)
def upload_complete(request: Request, user: User, parts: Parts, body: UploadComplete) -> Accepted:
    """Hand in 1 to 9 uploaded photos. The answer does not wait for verdicts.

    The same keys again give the same batch, and its present state. All photos are accepted, or
    none.
    """
    batch = parts.uploads.complete(
        user,
        [photo.file_key for photo in body.photos],
        correlation_id=correlation_id.get(),
        language=body.language,
    )
    request.state.batch_id = batch.id
    if batch.created:
        emit("upload", counts={"PhotosAccepted": len(batch.file_keys)})
    return Accepted.of(batch)


@router.get(
    "/users/media/moderation-status",
    response_model_exclude_unset=True,
    responses=problems(401, 422, 503),
    tags=["photos"],
)
def moderation_status(
    user: User,
    parts: Parts,
    limit: Annotated[int, Query(ge=1, le=100)] = 100,
    cursor: Annotated[
        str | None,
        Query(max_length=200, description="`next_cursor` of the answer before: the next page."),
    ] = None,
    language: Annotated[
        Language | None,
        Query(
            description="Of each `message`, e.g. `am`; else the token's `locale`, else English.",
        ),
    ] = None,
) -> ModerationStatus:
    """Get one's photos and their verdicts, newest first."""
    status = parts.uploads.status(user, limit=limit, cursor=cursor)
    spoken = language or user.language
    objection = {"objection": parts.objection} if parts.objection else {}
    return ModerationStatus(
        **objection,
        summary=Summary.of(status.summary, min_approved=parts.min_approved_photos),
        photos=[
            Photo.of(p, url, scores=parts.status_scores, language=spoken)
            for p, url in status.photos
        ],
        more=status.next_cursor is not None,
        next_cursor=status.next_cursor,
    )


@router.get(
    "/users/media/{media_id}/photo",
    response_class=Response,
    responses=problems(401, 404, 422, 503) | {200: PICTURE},
    tags=["photos"],
)
def photo(
    user: User, parts: Parts, media_id: str, copy: Annotated[CopyName, COPY_QUERY] = "display"
) -> Response:
    """See one of one's own photos, whatever its state is."""
    return picture_answer(parts.uploads.picture(user, media_id, copy))


@router.delete(
    "/users/media/{media_id}",
    status_code=204,
    responses=problems(401, 404, 422, 503),
    tags=["photos"],
)
def delete_photo(user: User, parts: Parts, media_id: str) -> None:
    """Delete one of one's photos for good."""
    parts.uploads.delete(user, media_id)


def create_app(parts: Callable[[], UploadParts] = upload) -> FastAPI:
    """Make the app; ``parts`` is called when the first request needs it."""
    return make_app(
        "upload",
        title="Photogate",
        summary="Photos go in, verdicts come out.",
        base="/api/v1",
        router=router,
        parts=parts,
    )


app = create_app()
handler = on_lambda(app, "upload")
