"""Serves the signed URLs of photos that are kept in a folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import BinaryIO

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from photogate.adapters.photos_files import MOUNT, FilePhotoStore
from photogate.errors import RateLimited, StorageUnavailable
from photogate.file_keys import SUFFIXES
from photogate.problems import PROBLEM_HANDLERS, problem

_TYPES = {suffix: content_type for content_type, suffix in SUFFIXES.items()}
#: Bodies go to the disk as they come; more uploads are refused.
_UPLOADS_AT_ONCE = 256
#: Of one user, who hands in 9 photos at most.
_UPLOADS_OF_ONE = 16
#: So much of a body is kept in memory before it is written.
_PIECE_BYTES = 1 << 18


def create_app(store: Callable[[], FilePhotoStore], *, max_bytes: Callable[[], int]) -> Starlette:
    """Make the app; both callables are asked when the first request needs them."""
    under_way: Counter[str] = Counter()

    @contextmanager
    def counted(key: str) -> Iterator[None]:
        owner = key.rpartition("/")[0]
        if under_way[owner] >= _UPLOADS_OF_ONE:
            raise RateLimited(f"at most {_UPLOADS_OF_ONE} uploads at once", retry_after_s=1)
        if under_way.total() >= _UPLOADS_AT_ONCE:
            raise StorageUnavailable(f"{_UPLOADS_AT_ONCE} uploads are under way", retry_after_s=1)
        under_way[owner] += 1
        try:
            yield
        finally:
            under_way[owner] -= 1
            if not under_way[owner]:
                del under_way[owner]

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
        with counted(key), store().part() as part:
            try:
                complete = await _received(request, part, most)
            except ClientDisconnect:
                return Response(status_code=499)
            if not complete:
                return problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"at most {most} bytes")
            stored = await run_in_threadpool(
                store().keep, grant, part, content_type=request.headers.get("content-type")
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


async def _received(request: Request, part: BinaryIO, most: int) -> bool:
    """Write the body to ``part``; False when it has more than ``most`` bytes."""
    announced = request.headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and int(announced) > most:
        return False
    size, piece = 0, bytearray()
    async for chunk in request.stream():
        size += len(chunk)
        if size > most:
            return False
        piece += chunk
        if len(piece) >= _PIECE_BYTES:
            await run_in_threadpool(part.write, piece)
            piece = bytearray()
    await run_in_threadpool(part.write, piece)
    return True
