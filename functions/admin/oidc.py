"""Signing in with an identity provider: what the page calls before and after it is there."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Cookie, Request, Response
from pydantic import BaseModel, Field

from photogate.bootstrap import AdminParts
from photogate.domain.signing_in import ATTEMPT_S
from photogate.errors import Conflict, NotFound
from photogate.problems import problems
from photogate.service.oidc import MOST_CODE_CHARS, OidcSignIns

from .sessions import SESSION_PATH, Session, begun, from_our_page, is_local, origin

#: Holds what has begun, until the browser is back.
COOKIE = "photogate_oidc"
_PATH = f"{SESSION_PATH}/oidc"
#: What browsers leave out of an origin.
_PORTS = {"https": ":443", "http": ":80"}
#: Codes and states are ASCII without controls (RFC 6749, appendix A).
_PRINTABLE = r"^[\x20-\x7e]+$"


class Provider(BaseModel):
    """Whether people can sign in with accounts that they have already."""

    name: str | None = Field(
        description="The provider's host; null where none is set.", examples=["id.example"]
    )


class Leaving(BaseModel):
    """Where to sign in."""

    url: str = Field(
        description="For this browser, now; it comes back to `/admin/sign-in/oidc`.",
        examples=["https://id.example/authorize?response_type=code&…"],
    )


class Arrived(BaseModel):
    """What came back with the browser."""

    code: str = Field(min_length=1, max_length=MOST_CODE_CHARS, pattern=_PRINTABLE)
    state: str = Field(min_length=1, max_length=200, pattern=_PRINTABLE)
    iss: str | None = Field(None, max_length=500, description="Where the provider tells it.")


router = APIRouter(prefix=_PATH, tags=["session"])


@router.get("", responses=problems(503))
def provider(request: Request) -> Provider:
    """Tell with which provider people may sign in."""
    parts: AdminParts = request.app.state.parts()
    return Provider(name=urlsplit(parts.oidc.issuer).netloc if parts.oidc else None)


@router.post("", responses=problems(403, 404, 409, 503))
def begin_with_provider(request: Request, response: Response) -> Leaving:
    """Begin a sign-in: a cookie for ten minutes, and where to go."""
    from_our_page(request)
    oidc = _oidc(request)
    home = urlsplit(oidc.back_to)
    at_home = f"{home.scheme}://{home.netloc.removesuffix(_PORTS.get(home.scheme, ''))}"
    if origin(request).lower() != at_home.lower():
        # The browser would come back to another address, without its cookie.
        raise Conflict(f"sign in at {at_home}/admin/sign-in")
    begun_now = oidc.begin()
    response.set_cookie(
        COOKIE,
        begun_now.sealed,
        max_age=ATTEMPT_S,
        path=_PATH,
        httponly=True,
        # Our own page reads it, once it is there: it need not come with the way back itself.
        samesite="strict",
        secure=not is_local(request),
    )
    response.headers["Cache-Control"] = "no-store"
    return Leaving(url=begun_now.url)


@router.post("/finish", responses=problems(400, 401, 403, 404, 413, 422, 503))
def finish_with_provider(
    request: Request,
    response: Response,
    arrived: Arrived,
    sealed: Annotated[str | None, Cookie(alias=COOKIE, include_in_schema=False)] = None,
) -> Session:
    """Begin a session with what the provider gave to the browser that began here."""
    from_our_page(request)
    session = _oidc(request).finish(
        sealed, state=arrived.state, code=arrived.code, issuer=arrived.iss
    )
    response.delete_cookie(COOKIE, path=_PATH)
    return begun(request, response, session)


def _oidc(request: Request) -> OidcSignIns:
    parts: AdminParts = request.app.state.parts()
    if parts.oidc is None:
        raise NotFound("no provider is set here; sign in with a link")
    return parts.oidc
