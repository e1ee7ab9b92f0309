"""A TCP proxy in front of a real server that breaks connections where a test says."""

from __future__ import annotations

import contextlib
import random
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import urlsplit

_CHUNK = 65536
#: Shorter pieces of an answer are its head.
_HEAD_BYTES = 1000


class Break(StrEnum):
    """What becomes of a message that asks for something."""

    #: It reaches the server, and the answer comes back.
    NOT = "not"
    #: The connection is reset before the server sees it.
    BEFORE = "before"
    #: The server does it, and the connection is reset before anybody learns that.
    AFTER = "after"
    #: The server does it, and no answer ever comes.
    SILENCE = "silence"
    #: Half of the answer's body comes, and then a reset.
    HALF = "half"
    #: Half of the answer's body comes, and then the end, in good order.
    SHORT = "short"
    #: The server does not see it; ``Proxy.refusal`` comes back.
    REFUSED = "refused"


@dataclass
class Proxy:
    """Hands bytes to and fro; ``decide`` is asked about each message of a client.

    Args:
        server: host and port behind it.
        decide: gets what a client sent in one piece.
    """

    server: tuple[str, int]
    decide: Callable[[bytes], Break] = lambda _: Break.NOT
    #: What stands for the server's answer.
    refusal: bytes = b""
    #: How often it broke something, by kind.
    broken: dict[Break, int] = field(default_factory=dict)
    _listener: socket.socket = field(default_factory=socket.socket)
    _open: set[socket.socket] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _ending: threading.Event = field(default_factory=threading.Event)

    @property
    def port(self) -> int:
        """Where it listens, on the loopback address."""
        return int(self._listener.getsockname()[1])

    @property
    def count(self) -> int:
        """How often it broke something."""
        return sum(self.broken.values())

    def start(self) -> None:
        """Listen."""
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(256)
        threading.Thread(target=self._accept, name="proxy", daemon=True).start()

    def stop(self) -> None:
        """Break what is open, and listen no more."""
        self._ending.set()
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """Reset every open connection."""
        with self._lock:
            connections = list(self._open)
        for connection in connections:
            _reset(connection)

    def _accept(self) -> None:
        while not self._ending.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(self.server, timeout=5)
        except OSError:
            _reset(client)
            return
        server.settimeout(None)
        for connection in (client, server):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            self._open |= {client, server}
        state = _State()
        backward = threading.Thread(
            target=self._backward, args=(server, client, state), daemon=True
        )
        backward.start()
        self._forward(client, server, state)
        backward.join()
        with self._lock:
            self._open -= {client, server}
        client.close()
        server.close()

    def _forward(self, client: socket.socket, server: socket.socket, state: _State) -> None:
        with contextlib.suppress(OSError):
            while message := client.recv(_CHUNK):
                what = self.decide(message)
                if what is not Break.NOT:
                    with self._lock:
                        self.broken[what] = self.broken.get(what, 0) + 1
                if what is Break.BEFORE:
                    _reset(client)
                    break
                state.answer = what
                if what is Break.REFUSED:
                    client.sendall(self.refusal)
                else:
                    server.sendall(message)
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)

    def _backward(self, server: socket.socket, client: socket.socket, state: _State) -> None:
        with contextlib.suppress(OSError):
            while message := server.recv(_CHUNK):
                if state.answer is Break.SILENCE:
                    continue
                if state.answer is Break.AFTER:
                    break
                if state.answer in (Break.HALF, Break.SHORT) and len(message) > _HEAD_BYTES:
                    client.sendall(message[: len(message) // 2])
                    break
                client.sendall(message)
        if state.answer is Break.SILENCE:
            return  # also when the server has hung up
        if state.answer in (Break.AFTER, Break.HALF):
            _reset(client)
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)


@dataclass
class _State:
    """What becomes of the answer that a connection waits for."""

    answer: Break = Break.NOT


def _reset(connection: socket.socket) -> None:
    """Close by RST, as a machine does that has lost its memory, and wake whoever reads."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RD)
        connection.close()


@contextmanager
def proxied(port: int) -> Iterator[Proxy]:
    """Run a proxy in front of a server on this machine."""
    proxy = Proxy(("127.0.0.1", port))
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.stop()


def by_chance(
    seed: str, share: float, *kinds: Break, when: Callable[[bytes], bool]
) -> Callable[[bytes], Break]:
    """Break a share of the messages for which ``when`` holds, each in one of these ways."""
    chance, lock = random.Random(seed), threading.Lock()

    def decide(message: bytes) -> Break:
        if not when(message):
            return Break.NOT
        with lock:
            return chance.choice(kinds) if chance.random() < share else Break.NOT

    return decide


@dataclass(frozen=True, kw_only=True)
class Cut:
    """One break, at the next message that holds these bytes."""

    at: bytes
    how: Break


@dataclass
class Script:
    """Breaks what a test names, one cut after the other: a ``decide`` for ``Proxy``."""

    cuts: list[Cut] = field(default_factory=list)
    done: list[Cut] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, message: bytes) -> Break:
        """Take the first cut when this is where it is."""
        with self._lock:
            if not self.cuts or self.cuts[0].at not in message:
                return Break.NOT
            self.done.append(self.cuts.pop(0))
            return self.done[-1].how


@contextmanager
def scripted(database_url: str) -> Iterator[tuple[Script, str]]:
    """Run a proxy in front of a database; gives what breaks it, and the URL through it."""
    port = urlsplit(database_url).port or 5432
    with proxied(port) as proxy:
        proxy.decide = script = Script()
        yield script, database_url.replace(f":{port}/", f":{proxy.port}/")
