"""The pages on which moderators review photos: what they load is from here and nowhere else.

Templates put together what pages have in common. No value is ever put into the HTML: everything
shown comes from the admin API as JSON and is set as text by the scripts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from importlib.resources import files

from fastapi import APIRouter, Header
from fastapi.responses import Response
from jinja2 import Environment, PackageLoader, StrictUndefined

from photogate.errors import NotFound

_TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
#: Below ``/admin``: what is shown there, of the folder ``templates``.
_PAGES = {
    "": "review.html",
    "/grid": "grid.html",
    "/rejected": "rejected.html",
    "/user": "user.html",
    "/history": "history.html",
    "/sign-in": "sign-in.html",
    "/sign-in/oidc": "sign-in.html",
}
#: What pages load; the pages themselves have routes of their own.
_FILES = frozenset(
    entry.name for entry in files(__name__).iterdir() if entry.name.rpartition(".")[2] in _TYPES
)
_HEADERS = {
    "Content-Security-Policy": "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self'",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
        )
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    # Asked for again each time, and sent again only when it has changed.
    "Cache-Control": "no-cache",
}


def page_router() -> APIRouter:
    """Make the routes of the page, below ``/admin``."""
    router = APIRouter(prefix="/admin", include_in_schema=False)

    for path, name in _PAGES.items():
        router.add_api_route(path, _page(name), methods=["GET"])

    @router.get("/files/{name}")
    def page_file(name: str, if_none_match: str | None = Header(None)) -> Response:
        if name not in _FILES:
            raise NotFound(f"there is no file {name} here")
        content = files(__name__).joinpath(name).read_bytes()
        return _answer(content, _TYPES[name.rpartition(".")[2]], if_none_match)

    return router


@cache
def html(name: str) -> bytes:
    """Give a page of the folder ``templates``, in UTF-8."""
    environment = Environment(
        loader=PackageLoader(__name__),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    return environment.get_template(name).render().encode()


def _page(name: str) -> Callable[..., Response]:
    def page(if_none_match: str | None = Header(None)) -> Response:
        return _answer(html(name), "text/html", if_none_match)

    return page


def _answer(content: bytes, media_type: str, if_none_match: str | None) -> Response:
    headers = _HEADERS | {"ETag": f'"{hashlib.sha256(content).hexdigest()[:32]}"'}
    if if_none_match == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=media_type, headers=headers)
