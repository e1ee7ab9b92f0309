"""Stand-ins over real HTTP: an AWS of this run's own, and a server that misbehaves."""

from __future__ import annotations

import contextlib
import os
import socket
import socketserver
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Literal

import pytest

#: moto believes any.
AWS_KEY = "AKIAIOSFODNN7EXAMPLE"
AWS_SECRET = "of-no-worth"


@contextlib.contextmanager
def aws_credentials() -> Iterator[None]:
    """Put credentials where the SDK looks for them, and hide the developer's own."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
            patch.delenv(name, raising=False)
        for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
            patch.setenv(name, os.devnull)
        patch.setenv("AWS_ACCESS_KEY_ID", AWS_KEY)
        patch.setenv("AWS_SECRET_ACCESS_KEY", AWS_SECRET)
        yield


@dataclass(frozen=True, kw_only=True)
class Fault:
    """How a server misbehaves, once it has read the request."""

    #: Written as it stands.
    writes: bytes = b""
    #: "drip" adds a byte now and then, for far longer than anybody should wait.
    then: Literal["close", "reset", "stall", "drip"] = "close"


def answer(
    status: HTTPStatus, body: bytes = b"", *, length: int | None = None, **headers: str
) -> bytes:
    """Spell an HTTP answer; ``length`` is what it claims to hold."""
    lines = [f"HTTP/1.1 {status.value} {status.phrase}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    lines += [f"Content-Length: {len(body) if length is None else length}", "", ""]
    return "\r\n".join(lines).encode() + body


class FaultyServer(socketserver.ThreadingTCPServer):
    """Does to every request what ``fault`` says, and keeps their heads and bodies."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        self.fault = Fault()
        self.heads: list[bytes] = []
        self.bodies: list[bytes] = []
        self.ending = threading.Event()
        #: Whether somebody waited until nothing more dripped.
        self.drained = False
        super().__init__(("127.0.0.1", 0), _Misbehaving)

    @property
    def url(self) -> str:
        """Where it answers."""
        host, port = self.socket.getsockname()
        return f"http://{host}:{port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients that give up are what this is for."""


@contextlib.contextmanager
def black_hole() -> Iterator[int]:
    """Give a port where no connection is ever made, and none refused: its queue is full."""
    with contextlib.ExitStack() as opened:
        listener = opened.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(3):
            waiting = opened.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


class _Misbehaving(socketserver.BaseRequestHandler):
    server: FaultyServer

    def handle(self) -> None:
        connection: socket.socket = self.request
        head, body = _read_request(connection)
        self.server.heads.append(head)
        self.server.bodies.append(body)
        fault = self.server.fault
        connection.sendall(fault.writes)
        if fault.then == "stall":
            self.server.ending.wait(30)
        elif fault.then == "drip":
            for _ in range(300):
                if self.server.ending.wait(0.05):
                    return
                connection.sendall(b"x")
            self.server.drained = True
        elif fault.then == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()


def _read_request(connection: socket.socket) -> tuple[bytes, bytes]:
    """Read it whole, for closing earlier would be a reset; gives its head and body."""
    head, _, body = b"", b"", b""
    while b"\r\n\r\n" not in head:
        chunk = connection.recv(65536)
        if not chunk:
            return b"", b""
        head += chunk
    head, _, body = head.partition(b"\r\n\r\n")
    if b"expect: 100-continue" in head.lower():
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    lengths = [
        int(line.partition(b":")[2])
        for line in head.lower().splitlines()
        if line.startswith(b"content-length:")
    ]
    while lengths and len(body) < lengths[0]:
        body += connection.recv(65536)
    return head, body


@pytest.fixture
def faulty() -> Iterator[FaultyServer]:
    """A server that misbehaves as its ``fault`` says."""
    with misbehaving() as server:
        yield server


@contextlib.contextmanager
def misbehaving() -> Iterator[FaultyServer]:
    """Run such a server."""
    with FaultyServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        with contextlib.ExitStack() as after:
            after.callback(thread.join, 10)
            after.callback(server.shutdown)
            after.callback(server.ending.set)
            yield server
