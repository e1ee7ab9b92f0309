"""A backend that takes webhooks over real HTTP, and behaves as a test says."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

from photogate.notice_body import WebhookBody


@dataclass(frozen=True, kw_only=True)
class Request:
    """What came."""

    headers: Mapping[str, str]
    body: bytes

    @property
    def id(self) -> str:
        """The notice's."""
        return self.headers["webhook-id"]

    @property
    def told(self) -> WebhookBody:
        """Read it as its schema has it."""
        return WebhookBody.model_validate_json(self.body)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """How one request is answered."""

    status: int = 204
    headers: Mapping[str, str] = field(default_factory=dict)
    #: ``hang``: no answer; ``drip``: a byte of the head now and then; ``huge``: a body without
    #: end; ``drip_body``: the body byte by byte.
    then: Literal["", "hang", "drip", "huge", "drip_body"] = ""


class Receiver(ThreadingHTTPServer):
    """Keeps what it took, in order; ``answers`` are used up first, then ``behave`` is asked."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        self.answers: deque[Answer] = deque()
        self.behave: Callable[[Request], Answer] = lambda _: Answer()
        self.requests: list[Request] = []
        #: Those that had a 2xx.
        self.taken: list[Request] = []
        self.ending = threading.Event()
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), _Handler)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.server_address[1]}/hook?of=photogate"

    def answer(self, request: Request) -> Answer:
        """Note a request and choose its answer."""
        with self._lock:
            self.requests.append(request)
            answer = self.answers.popleft() if self.answers else self.behave(request)
            if 200 <= answer.status < 300 and answer.then in ("", "huge", "drip_body"):
                self.taken.append(request)
            return answer

    def of_user(self, user_id: str) -> list[str]:
        """Give the ids of what a user's notices were taken, in order."""
        return [r.id for r in self.taken if r.told.data and r.told.data.user_id == user_id]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: senders that give up are what this is for."""

    def stop(self) -> None:
        """End it, and what hangs."""
        self.ending.set()
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: Receiver
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        body = self.rfile.read(length)
        if len(body) < length:
            # Its sender was killed in the middle: no receiver takes that.
            self.close_connection = True
            return
        answer = self.server.answer(
            Request(headers={k.lower(): v for k, v in self.headers.items()}, body=body)
        )
        if answer.then == "hang":
            self.server.ending.wait(60)
            self.close_connection = True
            return
        if answer.then == "drip":
            self._drip(b"HTTP/1.1 204 No Content\r\n" + b"X-Slow: " + b"x" * 5000)
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if not answer.then:
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_header("Content-Length", "1000" if answer.then == "drip_body" else str(10**12))
        self.end_headers()
        self.close_connection = True
        if answer.then == "drip_body":
            self._drip(b"x" * 1000)
            return
        while not self.server.ending.is_set():
            self.wfile.write(b"x" * 65536)

    def _drip(self, what: bytes) -> None:
        self.close_connection = True
        for byte in what:
            if self.server.ending.is_set():
                return
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
            time.sleep(0.02)

    def log_message(self, *args: Any) -> None:
        """Write nothing."""
