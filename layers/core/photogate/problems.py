"""Errors as RFC 9457 ``application/problem+json``, and how they are documented.

Each has an ``error`` member with the one-line message, as the predecessor's clients read it.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from photogate import errors
from photogate.telemetry import correlate, correlation_id

logger = logging.getLogger(__name__)

PROBLEM_TYPE = "application/problem+json"

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
    correlation_id: str | None = Field(
        None, description="Of a fault: the log has more under it.", examples=[None]
    )
    limit: int | None = Field(
        None, description="Of a 429: photos that are allowed in 24 hours.", examples=[None]
    )
    remaining: int | None = Field(
        None, description="Of a 429: how many of these can be handed in now.", examples=[None]
    )
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
    422: "photos: 1 to 9 photos, not 10",
    429: "at most 30 photos in 24 hours: 2 remain, and the next is free in 3 h 20 min",
    503: errors.DatabaseUnavailable.outside,
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


def fault(status: HTTPStatus, message: str, error: Exception) -> JSONResponse:
    """Answer a fault of ours: in general words, with the id under which the log has the rest."""
    correlation = correlation_id.get() or correlate()
    logger.error("%s", error, exc_info=None if isinstance(error, errors.PhotogateError) else error)
    headers = {}
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        retry_after_s = getattr(error, "retry_after_s", None) or 2
        headers["Retry-After"] = str(max(1, math.ceil(retry_after_s)))
    return problem(status, message, headers=headers, correlation_id=correlation)


async def _answer_error(_: Request, error: Exception) -> JSONResponse:
    """Answer a ``PhotogateError`` with the problem that it is."""
    status = next(
        (code for kind, code in _STATUS if isinstance(error, kind)),
        HTTPStatus.INTERNAL_SERVER_ERROR,
    )
    if status is HTTPStatus.INTERNAL_SERVER_ERROR:
        return fault(status, "this installation is not set up rightly; see its log", error)
    if isinstance(error, errors.RetryableError):
        return fault(status, error.outside, error)
    headers: dict[str, str] = {}
    more: dict[str, Any] = {}
    if status is HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    retry_after_s = getattr(error, "retry_after_s", None)
    if retry_after_s is not None:
        headers["Retry-After"] = str(max(1, math.ceil(retry_after_s)))
    if isinstance(error, errors.Conflict) and error.file_keys:
        more["file_keys"] = list(error.file_keys)
    if isinstance(error, errors.RateLimited) and error.limit is not None:
        more |= {"limit": error.limit, "remaining": error.remaining}
    return problem(status, str(error), headers=headers, **more)


async def _on_invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - the registered type
    found = [_fault_in(e) for e in error.errors()]
    lines = [f"{e['field']}: {e['message']}" if e["field"] else e["message"] for e in found]
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, "; ".join(lines), fields=found)


#: What pydantic calls a value that is no JSON object.
_NO_OBJECT = ("model_attributes_type", "dict_type")


def _fault_in(error: dict[str, Any]) -> dict[str, str]:
    """Say where a request is wrong, and what is wrong with it."""
    if error["type"] == "json_invalid":
        why = error.get("ctx", {}).get("error", "")
        return {"field": "", "message": f"the body is not JSON: {why} at {error['loc'][-1]}"}
    if error["loc"] == ("body",):
        message = "a body of JSON is required" if error["type"] == "missing" else error["msg"]
        if error["type"] in _NO_OBJECT:
            message = "the body must be a JSON object, sent as application/json"
        return {"field": "", "message": message}
    # In the words of JSON, not of what reads it.
    message = "must be a JSON object" if error["type"] in _NO_OBJECT else error["msg"]
    return {"field": ".".join(str(part) for part in error["loc"][1:]), "message": message}


async def _on_http_exception(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - the registered type
    status, headers = HTTPStatus(error.status_code), dict(error.headers or {})
    words = str(error.detail)
    if words == status.phrase:
        words = _not_routed(request, status, headers.get("Allow", "")) or words
    return problem(status, words, headers=headers)


def _not_routed(request: Request, status: HTTPStatus, allowed: str) -> str | None:
    """Say what a path that no route takes lacks; None of another fault."""
    path = request.url.path[:200]
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        return f"{path} takes {allowed}, not {request.method}" if allowed else None
    if status is not HTTPStatus.NOT_FOUND:
        return None
    document = getattr(request.app, "openapi_url", None) or ""
    where = f": {document.removesuffix('openapi.json')}docs lists what there is" if document else ""
    return f"there is nothing at {path}{where}"


#: Error -> how it is answered; for any Starlette application.
PROBLEM_HANDLERS: dict[type[Exception], Callable[[Request, Exception], Awaitable[Response]]] = {
    errors.PhotogateError: _answer_error,
    RequestValidationError: _on_invalid,
    HTTPException: _on_http_exception,
}


def document(schema: dict[str, Any]) -> None:
    """Complete an OpenAPI document: FastAPI's own validation schema is not what is answered."""
    components = schema.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        components.pop(name, None)
    components["Problem"] = Problem.model_json_schema()
    for path in schema["paths"].values():
        for operation in path.values():
            described = operation["responses"].get("422", {}).get("content", {})
            if "application/json" in described:
                operation["responses"]["422"] = problems(422)[422]
