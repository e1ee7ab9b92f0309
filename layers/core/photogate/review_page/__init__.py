"""The page on which moderators review photos: files alone, from here and nowhere else.

No value is ever put into the HTML: everything shown comes from the admin API as JSON and is set
as text by the scripts. So there are no templates, and nothing to escape.
"""

from __future__ import annotations

import hashlib
from importlib.resources import files

from fastapi import APIRouter, Header
from fastapi.responses import Response

from photogate.errors import NotFound

_TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_FILES = frozenset(
    {
        "page.css",
        "icon.svg",
        "api.js",
        "evidence.js",
        "outbox.js",
        "pictures.js",
        "review.js",
        "sign-in.js",
        "view.js",
    }
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

    @router.get("")
    def review_page(if_none_match: str | None = Header(None)) -> Response:
        return _file("review.html", if_none_match)

    @router.get("/sign-in")
    @router.get("/sign-in/oidc")
    def sign_in_page(if_none_match: str | None = Header(None)) -> Response:
        return _file("sign-in.html", if_none_match)

    @router.get("/files/{name}")
    def page_file(name: str, if_none_match: str | None = Header(None)) -> Response:
        if name not in _FILES:
            raise NotFound(f"there is no file {name} here")
        return _file(name, if_none_match)

    return router


def _file(name: str, if_none_match: str | None) -> Response:
    content = files(__name__).joinpath(name).read_bytes()
    headers = _HEADERS | {"ETag": f'"{hashlib.sha256(content).hexdigest()[:32]}"'}
    if if_none_match == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=_TYPES[name.rpartition(".")[2]], headers=headers)
