"""What both HTTP functions share: tokens in, problems out.

Errors are RFC 9457 ``application/problem+json`` with an ``error`` member that holds the
one-line message, as the predecessor's clients read it.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any, Protocol

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from photogate import errors
from photogate.auth import TokenVerifier
from photogate.domain import Principal, Role
from photogate.telemetry import correlate

logger = logging.getLogger(__name__)

PROBLEM_TYPE = "application/problem+json"

#: JSON bodies have a few hundred bytes; nothing needs more than this.
MAX_BODY_BYTES = 64 * 1024

#: The first match counts, so the narrow ones come first.
_STATUS: tuple[tuple[type[errors.PhotogateError], HTTPStatus], ...] = (
    (errors.InvalidRequest, HTTPStatus.UNPROCESSABLE_ENTITY),
    (errors.Unauthenticated, HTTPStatus.UNAUTHORIZED),
    (errors.Forbidden, HTTPStatus.FORBIDDEN),
    (errors.NotFound, HTTPStatus.NOT_FOUND),
    (errors.Conflict, HTTPStatus.CONFLICT),
    (errors.RateLimited, HTTPStatus.TOO_MANY_REQUESTS),
    (errors.PermanentError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (errors.RetryableError, HTTPStatus.SERVICE_UNAVAILABLE),
)


class Problem(BaseModel):
    """RFC 9457 problem details."""

    model_config = ConfigDict(extra="allow")

    type: str = Field("about:blank", examples=["about:blank"])
    title: str = Field(examples=["Conflict"])
    status: int = Field(examples=[409])
    detail: str = Field(examples=["some photos have not been uploaded"])
    error: str = Field(
        description="The same line as `detail`, for clients of the earlier API.",
        examples=["some photos have not been uploaded"],
    )


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Document error answers: for a route's ``responses``."""
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {
                PROBLEM_TYPE: {
                    "schema": {"$ref": "#/components/schemas/Problem"},
                    "example": {
                        "type": "about:blank",
                        "title": HTTPStatus(status).phrase,
                        "status": status,
                        "detail": _EXAMPLES.get(status, HTTPStatus(status).phrase),
                        "error": _EXAMPLES.get(status, HTTPStatus(status).phrase),
                    },
                }
            },
        }
        for status in statuses
    }


_EXAMPLES = {
    400: "There was an error parsing the body",
    401: "a bearer token is required",
    403: "this needs the role moderator",
    413: "a body needs a Content-Length of at most 65536 bytes",
    404: "there is no photo 7b0e4d1c-…",
    409: "some photos have not been uploaded",
    422: "photos: List should have at most 9 items",
    429: "at most 30 photos in 24 hours",
    503: "the database does not answer: Connection refused",
}


def problem(
    status: HTTPStatus, message: str, *, headers: dict[str, str] | None = None, **more: Any
) -> JSONResponse:
    """Make an error answer; ``more`` become members of their own."""
    body = {
        "type": "about:blank",
        "title": status.phrase,
        "status": status.value,
        "detail": message,
        "error": message,
        **more,
    }
    return JSONResponse(body, status.value, headers=headers, media_type=PROBLEM_TYPE)


@dataclass(frozen=True, kw_only=True)
class RequestReport:
    """One request and its answer, for logs and metrics."""

    method: str
    #: The route's template, never the path itself, which may hold ids.
    route: str
    status: int
    duration_ms: float
    user_id: str | None
    batch_id: str | None


def install(app: FastAPI, observe: Callable[[RequestReport], None]) -> None:
    """Answer every error of ``app`` with a problem, document that, and report requests."""
    for kind, answer in PROBLEM_HANDLERS.items():
        app.add_exception_handler(kind, answer)
    app.add_middleware(_LastResort, observe=observe)
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        fresh = app.openapi_schema is None
        schema = generate()
        if fresh:
            _document(schema)
        return schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend


#: Documents the token in OpenAPI; says nothing about whether it holds.
BEARER = HTTPBearer(
    auto_error=False,
    bearerFormat="JWT",
    scheme_name="token",
    description="A JWT with `exp` and `sub`; its `role` may be viewer, moderator or admin.",
)


class Parts(Protocol):
    """What an app keeps in ``app.state.parts``, as a callable that gives it."""

    @property
    def verifier(self) -> TokenVerifier:
        """Checks the callers' tokens."""


def require(role: Role) -> Callable[..., Principal]:
    """Make the dependency that admits callers from ``role`` upwards."""

    def admit(
        request: Request,
        credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)],
    ) -> Principal:
        parts: Parts = request.app.state.parts()
        principal = parts.verifier.verify(credentials.credentials if credentials else None)
        if not principal.role.allows(role):
            raise errors.Forbidden(f"this needs the role {role}")
        request.state.user_id = principal.user_id
        return principal

    return admit


async def _answer_error(_: Request, error: Exception) -> JSONResponse:
    """Answer a ``PhotogateError`` with the problem that it is."""
    status = next(
        (code for kind, code in _STATUS if isinstance(error, kind)),
        HTTPStatus.INTERNAL_SERVER_ERROR,
    )
    if status is HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.error("%s", error)
        return problem(status, "this installation is not set up rightly; see its log")
    headers, more = {}, {}
    if status is HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    retry_after_s = getattr(error, "retry_after_s", None)
    if retry_after_s is not None or status is HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = str(max(1, math.ceil(retry_after_s or 2)))
    if isinstance(error, errors.Conflict) and error.file_keys:
        more["file_keys"] = list(error.file_keys)
    return problem(status, str(error), headers=headers, **more)


async def _on_invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - the registered type
    found = [
        {"field": ".".join(str(part) for part in e["loc"][1:]), "message": e["msg"]}
        for e in error.errors()
    ]
    lines = [f"{e['field']}: {e['message']}" if e["field"] else e["message"] for e in found]
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, "; ".join(lines), fields=found)


async def _on_http_exception(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - the registered type
    return problem(
        HTTPStatus(error.status_code), str(error.detail), headers=dict(error.headers or {})
    )


#: Error -> how it is answered; for any Starlette application.
PROBLEM_HANDLERS: dict[type[Exception], Callable[[Request, Exception], Awaitable[Response]]] = {
    errors.PhotogateError: _answer_error,
    RequestValidationError: _on_invalid,
    HTTPException: _on_http_exception,
}


def _document(schema: dict[str, Any]) -> None:
    """Replace FastAPI's own validation schema, which is not what is answered."""
    components = schema.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        components.pop(name, None)
    components["Problem"] = Problem.model_json_schema()
    for path in schema["paths"].values():
        for operation in path.values():
            described = operation["responses"].get("422", {}).get("content", {})
            if "application/json" in described:
                operation["responses"]["422"] = problems(422)[422]


_Scope = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
_Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class _LastResort:
    """Refuses huge bodies unread, answers 500 for what nobody foresaw, and reports it all.

    The correlation id is the caller's ``X-Correlation-Id``, else API Gateway's request id,
    else a new one; the answer carries it.
    """

    def __init__(
        self,
        app: Callable[[_Scope, _Receive, _Send], Awaitable[None]],
        observe: Callable[[RequestReport], None],
    ) -> None:
        self._app = app
        self._observe = observe

    async def __call__(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 0
        headers = dict(scope["headers"])
        gateway = scope.get("aws.event", {}).get("requestContext", {}).get("requestId")
        correlation = correlate(headers.get(b"x-correlation-id", b"").decode("latin-1"), gateway)

        async def watched(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message["headers"],
                    (b"x-correlation-id", correlation.encode()),
                ]
            await send(message)

        try:
            refusal = _refusal(headers)
            await (refusal or self._app)(scope, receive, watched)
        except Exception:
            logger.exception("unforeseen error in %s %s", scope["method"], scope["path"])
            if status:
                raise
            answer = problem(HTTPStatus.INTERNAL_SERVER_ERROR, "an unforeseen error; see the log")
            await answer(scope, receive, watched)
        finally:
            self._observe(_report(scope, status, (time.perf_counter() - started) * 1000))


def _refusal(headers: dict[bytes, bytes]) -> JSONResponse | None:
    length = headers.get(b"content-length", b"0")
    if b"transfer-encoding" in headers or not length.isdigit() or int(length) > MAX_BODY_BYTES:
        return problem(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"a body needs a Content-Length of at most {MAX_BODY_BYTES} bytes",
        )
    return None


def _report(scope: _Scope, status: int, duration_ms: float) -> RequestReport:
    state = scope.get("state") or {}
    return RequestReport(
        method=scope["method"],
        route=getattr(scope.get("route"), "path", "unknown"),
        status=status,
        duration_ms=round(duration_ms, 2),
        user_id=state.get("user_id"),
        batch_id=state.get("batch_id"),
    )
