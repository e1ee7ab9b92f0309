"""CloudFormation's bucket, where what migrates says how it went."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

SIGNATURE = "X-Amz-Signature=0f8fad5bd9cb469fa165"


class Answers:
    """CloudFormation's bucket: keeps what is put, and refuses as often as it is told to."""

    def __init__(self) -> None:
        self.refusals: list[int] = []
        self.got: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.url = ""

    def serve(self) -> ThreadingHTTPServer:
        answers = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_PUT(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = answers.refusals.pop(0) if answers.refusals else 200
                if status == 200:
                    assert len(body) <= 4096
                    answers.got.append(json.loads(body))
                    answers.headers.append(dict(self.headers))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{server.server_port}/answer?{SIGNATURE}"
        return server


@pytest.fixture
def answers() -> Iterator[Answers]:
    """CloudFormation's bucket."""
    answers = Answers()
    server = answers.serve()
    yield answers
    server.shutdown()
    server.server_close()
