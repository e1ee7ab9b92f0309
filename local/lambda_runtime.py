"""Lambda's Runtime API, so that the real runtime interface client runs a function here."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

_ROOT = Path(__file__).parents[1]


class FunctionFailed(Exception):
    """The function answered with an error: what Lambda counts as a function error."""


class LambdaRuntime:
    """Feeds one function process with events. Invocations come one after the other.

    https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
    """

    def __init__(self, *, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._events: queue.Queue[tuple[str, dict[str, Any]]] = queue.Queue()
        self._answers: queue.Queue[tuple[str, str, Any]] = queue.Queue()

    def invoke(self, event: dict[str, Any], *, within_s: float = 120.0) -> Any:
        """Give the function's answer to ``event``.

        Raises:
            FunctionFailed: it answered with an error.
        """
        request_id = str(uuid4())
        self._events.put((request_id, event))
        answered, kind, body = self._answers.get(timeout=within_s)
        if answered != request_id:
            raise RuntimeError(f"the function answered {answered}, not {request_id}")
        if kind != "response":
            raise FunctionFailed(body)
        return body

    def handler(self) -> type[BaseHTTPRequestHandler]:
        """Make the HTTP side."""
        runtime = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Otherwise every answer waits 40 ms for an acknowledgement.
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                request_id, event = runtime._events.get()
                body = json.dumps(event).encode()
                self.send_response(200)
                self.send_header("Lambda-Runtime-Aws-Request-Id", request_id)
                deadline_ms = int((time.time() + runtime._timeout_s) * 1000)
                self.send_header("Lambda-Runtime-Deadline-Ms", str(deadline_ms))
                self.send_header("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:x:1:f:p")
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                *_, request_id, kind = self.path.split("/")
                runtime._answers.put((request_id, kind, body))
                self.send_response(202)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """Say nothing: the function was ended while it waited for an event."""


@contextmanager
def run_function(
    handler: str, environment: Mapping[str, str], *, log: Path, timeout_s: float = 30.0
) -> Iterator[LambdaRuntime]:
    """Run ``handler`` under the runtime interface client; its output goes to ``log``."""
    runtime = LambdaRuntime(timeout_s=timeout_s)
    server = _Server(("127.0.0.1", 0), runtime.handler())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with log.open("w") as output:
        process = subprocess.Popen(  # noqa: S603 - our own arguments, no shell
            [sys.executable, "-m", "awslambdaric", handler],
            cwd=_ROOT,
            env={
                **os.environ,
                "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{server.server_port}",
                "AWS_LAMBDA_FUNCTION_NAME": handler,
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1024",
                "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
                "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
                "AWS_REGION": "eu-central-1",
                "AWS_DEFAULT_REGION": "eu-central-1",
                "POWERTOOLS_METRICS_DISABLED": "false",
                "POWERTOOLS_TRACE_DISABLED": "1",
                **environment,
            },
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield runtime
    finally:
        process.kill()
        process.wait()
        server.shutdown()
        server.server_close()
