"""Serves the signed URLs of photos that are kept in a folder."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from photogate.adapters.photos_files import MOUNT, FilePhotoStore
from photogate.file_keys import SUFFIXES
from photogate.problems import PROBLEM_HANDLERS, problem

_TYPES = {suffix: content_type for content_type, suffix in SUFFIXES.items()}
#: Bodies are held in memory until they are complete; more uploads wait unread.
_UPLOADS_AT_ONCE = 16


def create_app(store: Callable[[], FilePhotoStore], *, max_bytes: Callable[[], int]) -> Starlette:
    """Make the app; both callables are asked when the first request needs them."""
    at_once = asyncio.Semaphore(_UPLOADS_AT_ONCE)

    async def get(request: Request) -> Response:
        key = request.path_params["key"]
        store().verify(request.method, key, request.query_params)
        return FileResponse(
            store().path(key),
            # Not every machine's table of types knows WebP and AVIF.
            media_type=_TYPES.get(key.rpartition(".")[2]),
            headers={
                "Cache-Control": "private, max-age=300",
                # Untrusted bytes, on the same origin as the API.
                "Content-Security-Policy": "sandbox; default-src 'none'",
                "X-Content-Type-Options": "nosniff",
            },
        )

    async def put(request: Request) -> Response:
        key = request.path_params["key"]
        grant = store().verify("PUT", key, request.query_params)
        most = max_bytes() if grant.size_bytes is None else grant.size_bytes
        async with at_once:
            try:
                body = await _body(request, most)
            except ClientDisconnect:
                return Response(status_code=499)
            if body is None:
                return problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"at most {most} bytes")
            stored = await run_in_threadpool(
                store().receive, grant, body, content_type=request.headers.get("content-type")
            )
        return Response(headers={"ETag": f'"{stored.etag}"'})

    return Starlette(
        routes=[
            Route(f"{MOUNT}/{{key:path}}", get, methods=["GET"]),
            Route(f"{MOUNT}/{{key:path}}", put, methods=["PUT"]),
        ],
        # A signed URL is the permission, from whatever page it is used.
        middleware=[
            Middleware(
                CORSMiddleware,
                allow_origins=["*"],
                allow_methods=["GET", "PUT"],
                allow_headers=["content-type"],
                expose_headers=["etag"],
            )
        ],
        exception_handlers=PROBLEM_HANDLERS,
    )


async def _body(request: Request, most: int) -> bytearray | None:
    """Read the body; None when it has more than ``most`` bytes."""
    announced = request.headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and int(announced) > most:
        return None
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            return None
    return body
