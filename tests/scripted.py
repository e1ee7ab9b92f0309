"""An HTTP server that answers what a test says, and keeps what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, kw_only=True)
class Answered:
    """One answer, or none."""

    status: int = 200
    #: Bytes, or what is written as JSON.
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    #: Take the request, then close the connection without a word.
    hangs_up: bool = False


#: Gives the answer to a request.
Answers = Callable[[Asked], Answered]


class ScriptedServer:
    """Where it is, and what it was asked so far."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: list[Asked] = []
        #: May be replaced while it runs.
        self.answer: Answers = lambda _: Answered()

    def in_turn(self, *answers: Answered) -> None:
        """Give these answers one after the other."""
        left = iter(answers)
        self.answer = lambda _: next(left)

    def always(self, answer: Answered) -> None:
        """Give this answer from now on."""
        self.answer = lambda _: answer


class _Handler(BaseHTTPRequestHandler):
    scripted: ScriptedServer
    protocol_version = "HTTP/1.1"

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length", "0"))
        asked = Asked(
            method=self.command,
            path=self.path,
            headers=dict(self.headers),
            body=self.rfile.read(length),
        )
        self.scripted.asked.append(asked)
        answer = self.scripted.answer(asked)
        if answer.hangs_up:
            self.close_connection = True
            return
        body = answer.body
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        if body is None:
            content = b""
        with suppress(ConnectionError):  # who asked may have gone
            self._write(answer, content)

    def _write(self, answer: Answered, content: bytes) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_PUT = do_POST = do_DELETE = _serve  # noqa: N815 - the library's names

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def scripted_server() -> Iterator[ScriptedServer]:
    """Serve on a free port of loopback."""

    class Handler(_Handler):
        pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    scripted = ScriptedServer(f"http://127.0.0.1:{server.server_port}")
    Handler.scripted = scripted
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield scripted
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
