"""The page that documents an app's API: Swagger UI, which loads nothing from elsewhere."""

from __future__ import annotations

from html import escape
from importlib.resources import files

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, Response

from photogate.errors import NotFound

#: Files of the page: which package carries each, where, and its type.
_ASSETS = {
    "swagger-ui-bundle.js": ("fastapi_offline", "static", "text/javascript"),
    "swagger-ui.css": ("fastapi_offline", "static", "text/css"),
    "start.js": (__name__, ".", "text/javascript"),
}
#: Whatever the page's scripts do, the browser asks nobody but the API itself.
_HEADERS = {
    "Content-Security-Policy": "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src data:",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def docs_router(base: str, title: str) -> APIRouter:
    """Make the routes ``{base}/docs`` and its files; ``{base}/openapi.json`` is shown.

    Args:
        base: path of the API, e.g. ``/api/v1``.
        title: of the page.
    """
    router = APIRouter(prefix=f"{base}/docs", include_in_schema=False)
    page = files(__name__).joinpath("page.html").read_text(encoding="utf-8")
    page = page.replace("{title}", escape(title))

    @router.get("")
    def docs_page() -> HTMLResponse:
        return HTMLResponse(page, headers=_HEADERS)

    @router.get("/{name}")
    def docs_file(name: str) -> Response:
        if name not in _ASSETS:
            raise NotFound(f"there is no file {name} here")
        package, folder, media_type = _ASSETS[name]
        # Nothing is imported or read before somebody looks at the page.
        content = files(package).joinpath(folder, name).read_bytes()
        cached = {"Cache-Control": "public, max-age=3600"}
        return Response(content, media_type=media_type, headers=_HEADERS | cached)

    return router
