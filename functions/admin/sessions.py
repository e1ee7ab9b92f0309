"""People with a browser: who they are by their cookie, signing in and out."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, Field

from photogate.bootstrap import AdminParts
from photogate.domain import Principal, Role
from photogate.domain.reviews import SESSION_S
from photogate.errors import Forbidden, Unauthenticated
from photogate.http import require
from photogate.problems import problems
from photogate.service.sessions import SignedIn, csrf_matches, csrf_token

COOKIE = "photogate_session"
CSRF_HEADER = "X-Photogate-CSRF"
#: The cookie goes to the admin API and nowhere else.
_PATH = "/api/v1/admin"
SESSION_PATH = f"{_PATH}/session"
#: Browsers treat these as safe without TLS.
_LOCAL = ("localhost", "127.0.0.1", "::1")
_SAFE = ("GET", "HEAD")


def signed_in(request: Request) -> Principal | None:
    """Give who is signed in by the request's cookie; None without a cookie.

    Raises:
        Unauthenticated: the session has ended.
        Forbidden: the request would change something and does not come from a page of ours.
    """
    secret = request.cookies.get(COOKIE)
    if secret is None:
        return None
    parts: AdminParts = request.app.state.parts()
    principal = parts.sign_ins.who(secret)
    if request.method not in _SAFE and not csrf_matches(secret, request.headers.get(CSRF_HEADER)):
        raise Forbidden(f"the header {CSRF_HEADER} must be the csrf of GET {_PATH}/session")
    request.state.by_session = True
    return principal


Viewer = Annotated[Principal, Depends(require(Role.VIEWER, signed_in))]


class Link(BaseModel):
    """A sign-in link, of which the part behind the # is the token."""

    token: str = Field(min_length=1, max_length=4096, examples=["eyJhbGciOi…"])


class Session(BaseModel):
    """Who is signed in."""

    user_id: str = Field(examples=["ada"])
    name: str | None = Field(examples=["Ada"])
    role: Role = Field(examples=["moderator"])
    csrf: str | None = Field(
        description=f"Goes into the header `{CSRF_HEADER}` of whatever is not GET; null for"
        " bearer tokens, which need none.",
        examples=["5f0c…"],
    )


router = APIRouter(prefix=SESSION_PATH, tags=["session"])


@router.post("", responses=problems(400, 401, 403, 413, 422, 503))
def sign_in(request: Request, response: Response, link: Link) -> Session:
    """Use up a sign-in link, and begin a session: a cookie."""
    from_our_page(request)
    parts: AdminParts = request.app.state.parts()
    return begun(request, response, parts.sign_ins.sign_in(link.token))


@router.get("", responses=problems(401, 403, 503))
def session(request: Request, response: Response, viewer: Viewer) -> Session:
    """Tell who calls."""
    response.headers["Cache-Control"] = "no-store"
    by_session = getattr(request.state, "by_session", False)
    return _session(viewer, request.cookies.get(COOKIE) if by_session else None)


@router.delete("", status_code=204, responses=problems(401, 403, 422, 503))
def sign_out(
    request: Request,
    response: Response,
    _: Viewer,
    everywhere: Annotated[bool, Query(description="Also in other browsers.")] = False,
) -> None:
    """End the session."""
    secret = request.cookies.get(COOKIE)
    if secret is None:
        raise Unauthenticated("only a session can be ended, not a token")
    parts: AdminParts = request.app.state.parts()
    parts.sign_ins.sign_out(secret, everywhere=everywhere)
    response.delete_cookie(COOKIE, path=_PATH)


def from_our_page(request: Request) -> None:
    """Refuse what another site's page sends in somebody's browser.

    Raises:
        Forbidden: the browser says so.
    """
    if request.headers.get("Sec-Fetch-Site", "none") not in ("same-origin", "none"):
        raise Forbidden("another site cannot sign you in")


def origin(request: Request) -> str:
    """Give where the browser sees our page.

    It says so itself with what is not GET. ``Host`` may be a proxy's word for this server.
    """
    return request.headers.get("Origin") or f"{request.url.scheme}://{request.url.netloc}"


def is_local(request: Request) -> bool:
    """Tell whether the browser and this server are on one machine, where cookies need no TLS."""
    try:
        return urlsplit(origin(request)).hostname in _LOCAL
    except ValueError:
        return False


def begun(request: Request, response: Response, session: SignedIn) -> Session:
    """Answer with a session that has begun: a cookie, and who it is."""
    request.state.user_id = session.principal.user_id
    response.set_cookie(
        COOKIE,
        session.secret,
        max_age=SESSION_S,
        path=_PATH,
        httponly=True,
        samesite="strict",
        secure=not is_local(request),
    )
    response.headers["Cache-Control"] = "no-store"
    return _session(session.principal, session.secret)


def _session(principal: Principal, secret: str | None) -> Session:
    return Session(
        user_id=principal.user_id,
        name=principal.name,
        role=principal.role,
        csrf=csrf_token(secret) if secret else None,
    )
