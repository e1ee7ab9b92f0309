"""What both HTTP functions share: tokens in, reports out, and the way onto Lambda."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import asdict, dataclass
from functools import cache
from http import HTTPStatus
from typing import Annotated, Any, Protocol, cast

from aws_lambda_powertools.utilities.typing import LambdaContext
from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from mangum import Mangum

from photogate import __version__, errors
from photogate.api_docs import docs_router
from photogate.auth import TokenVerifier
from photogate.domain import Principal, Role
from photogate.problems import PROBLEM_HANDLERS, PROBLEM_TYPE, document, fault, problem
from photogate.telemetry import (
    correlate,
    emit,
    make_logger,
    make_tracer,
    report_cold_start,
)

logger = logging.getLogger(__name__)

#: JSON bodies have a few hundred bytes; nothing needs more than this.
MAX_BODY_BYTES = 64 * 1024


@dataclass(frozen=True, kw_only=True)
class RequestReport:
    """One request and its answer, for logs and metrics."""

    method: str
    #: The route's template, never the path itself, which may hold ids.
    route: str
    status: int
    duration_ms: float
    #: Address of the caller, as far as proxies are trusted.
    client: str | None
    user_id: str | None
    batch_id: str | None


def make_app(
    service: str,
    *,
    title: str,
    summary: str,
    base: str,
    router: APIRouter,
    parts: Callable[[], Parts],
) -> FastAPI:
    """Make a function's app: its routes, problems for every error, a report per request.

    Args:
        service: names its logs, metrics and traces.
        base: path below which its documentation is.
        parts: called when the first request needs it.
    """
    app = FastAPI(
        title=title,
        version=__version__,
        summary=summary,
        docs_url=None,  # FastAPI's own pages load their parts from elsewhere
        redoc_url=None,
        openapi_url=f"{base}/openapi.json",
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.parts = parts
    app.include_router(router)
    app.include_router(docs_router(base, title))
    for kind, answer in PROBLEM_HANDLERS.items():
        app.add_exception_handler(kind, answer)
    logger = make_logger(service)

    def observe(report: RequestReport) -> None:
        logger.info("request", **asdict(report))
        emit(
            service,
            counts={"Requests": 1, "Errors": report.status >= HTTPStatus.INTERNAL_SERVER_ERROR},
            milliseconds={"RequestDuration": report.duration_ms},
        )

    app.add_middleware(_LastResort, observe=observe)
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        fresh = app.openapi_schema is None
        schema = generate()
        if fresh:
            document(schema)
        return schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend
    return app


def on_lambda(
    app: FastAPI, service: str
) -> Callable[[dict[str, Any], LambdaContext], dict[str, Any]]:
    """Make the handler that answers an HTTP API's requests with ``app``."""

    @cache
    def mangum() -> Mangum:
        # Mangum asks for the thread's event loop, which Python no longer makes by itself.
        asyncio.set_event_loop(asyncio.new_event_loop())
        # Startup events would run at every invocation, so there are none.
        types = ["application/json", PROBLEM_TYPE, "text/"]
        return Mangum(app, lifespan="off", text_mime_types=types)

    def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
        report_cold_start(service)
        return mangum()(event, cast(Any, context))

    traced: Callable[[dict[str, Any], LambdaContext], dict[str, Any]]
    traced = make_tracer(service).capture_lambda_handler(handler, capture_response=False)
    return traced


#: Documents the token in OpenAPI; does not check it.
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


_Scope = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
_Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class _LastResort:
    """Refuses huge bodies unread, answers 500 for unexpected errors, and reports every request.

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
        except Exception as error:
            logger.warning("unforeseen error in %s %s", scope["method"], scope["path"])
            if status:
                raise
            words = "an unforeseen error; see the log"
            await fault(HTTPStatus.INTERNAL_SERVER_ERROR, words, error)(scope, receive, watched)
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
        client=(scope.get("client") or (None,))[0],
        user_id=state.get("user_id"),
        batch_id=state.get("batch_id"),
    )
