"""What AWS's HTTP API does between a browser and a function, on loopback.

Payload format 2.0 both ways
(https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html):
cookies in a list of their own, bodies that are no text in base64, header names in small letters.
Each request goes to the next of several function processes, as sandboxes take turns.
"""

from __future__ import annotations

import base64
import itertools
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from local.lambda_runtime import LambdaRuntime, run_function
from tests.servers import serve

#: Bodies of these are text; all else has to come in base64.
_TEXT = ("text/", "application/json", "application/problem+json")


class Gateway:
    """Translates requests into events, and answers of functions into answers."""

    def __init__(self) -> None:
        #: A sandbox works on one request at a time.
        self.sandboxes: list[tuple[LambdaRuntime, threading.Lock]] = []
        self._turns = itertools.count()
        self.answers: list[dict[str, Any]] = []

    def app(self) -> Starlette:
        """Give what serves it."""
        methods = ["GET", "HEAD", "POST", "PUT", "DELETE"]
        return Starlette(routes=[Route("/{path:path}", self._handle, methods=methods)])

    async def _handle(self, request: Request) -> Response:
        event = _event(request, await request.body())
        answer = await run_in_threadpool(self._invoke, event)
        self.answers.append({"path": request.url.path, **answer})
        return _answer(answer)

    def _invoke(self, event: dict[str, Any]) -> dict[str, Any]:
        number = next(self._turns) % len(self.sandboxes)
        runtime, lock = self.sandboxes[number]
        with lock:
            answer: dict[str, Any] = runtime.invoke(event)
        return answer | {"sandbox": number}


def _event(request: Request, body: bytes) -> dict[str, Any]:
    headers = {name.lower(): value for name, value in request.headers.items()}
    cookies = headers.pop("cookie", "")
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "ANY /{proxy+}",
        "rawPath": request.url.path,
        "rawQueryString": request.url.query,
        "headers": headers | {"x-forwarded-proto": "https", "x-forwarded-port": "443"},
        "requestContext": {
            "requestId": "gateway-1",
            "domainName": request.url.hostname,
            "stage": "$default",
            "http": {
                "method": request.method,
                "path": request.url.path,
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1",
                "userAgent": headers.get("user-agent", ""),
            },
        },
        "isBase64Encoded": False,
    }
    if cookies:
        event["cookies"] = cookies.split("; ")
    if body:
        event["body"] = body.decode()
    return event


def _answer(answer: dict[str, Any]) -> Response:
    headers: dict[str, str] = answer["headers"]
    assert all(name == name.lower() and isinstance(value, str) for name, value in headers.items())
    # There it would be one header, of which browsers read the first cookie only.
    assert "set-cookie" not in headers
    body = answer.get("body") or ""
    text = headers.get("content-type", "text/").startswith(_TEXT)
    assert answer["isBase64Encoded"] is not text
    response = Response(
        body.encode() if text else base64.b64decode(body, validate=True),
        answer["statusCode"],
        {name: value for name, value in headers.items() if name != "content-length"},
    )
    for cookie in answer.get("cookies", []):
        response.raw_headers.append((b"set-cookie", cookie.encode()))
    return response


@contextmanager
def on_lambda(handler: str, folder: Path, *, sandboxes: int = 2) -> Iterator[tuple[str, Gateway]]:
    """Run a function in so many processes behind an HTTP API; gives its address."""
    gateway = Gateway()
    with serve(gateway.app()) as url, ExitStack() as opened:
        for number in range(sandboxes):
            runtime = opened.enter_context(
                run_function(handler, {"PUBLIC_URL": url}, log=folder / f"sandbox-{number}.log")
            )
            gateway.sandboxes.append((runtime, threading.Lock()))
        yield url, gateway
