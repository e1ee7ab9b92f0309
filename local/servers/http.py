"""uvicorn's HTTP protocol with limits of size and time, so that slow or greedy clients harm nobody.

uvicorn itself waits for heads and bodies as long as they take. In front of it other servers
have these limits; here there may be none.
"""

from __future__ import annotations

import asyncio
import resource
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from http import HTTPStatus
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from photogate.problems import PROBLEM_TYPE, problem

#: A token has 8 KB at most; nginx allows 32 KB as well.
MOST_HEAD_BYTES = 32 * 1024
HEAD_WITHIN_S = 10.0
#: A body has so many seconds, and one more for so many bytes: 20 MB over a slow mobile network.
BODY_WITHIN_S = 10.0
SLOWEST_BYTES_PER_S = 8_000
#: What is left of a body after its answer, which was a refusal then.
_REST_WITHIN_S = 5.0
#: Of one address: connections, or requests that a trusted proxy forwards for it.
MOST_OF_ONE = 256
#: An idle connection takes some 20 KB.
MOST_CONNECTIONS = 2_000

Networks = Sequence[IPv4Network | IPv6Network]


class LimitedHttp(HttpToolsProtocol):
    """One connection.

    Args:
        proxies: whose connections are not counted, since they are of many clients.
    """

    def __init__(self, *args: Any, proxies: Networks = (), **more: Any) -> None:
        super().__init__(*args, **more)
        self._proxies = proxies
        self._refused = False
        self._in_head = True
        self._head_bytes = 0
        self._body_bytes = 0
        self._body_began_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Refuse it when there are too many."""
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, "too many connections; try again")
        elif self._of_this_address() > MOST_OF_ONE:
            words = f"at most {MOST_OF_ONE} connections from one address; try again"
            self._refuse(HTTPStatus.TOO_MANY_REQUESTS, words)
        else:
            self._allow(HEAD_WITHIN_S)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take a piece, unless the head grows too long or takes too long."""
        if self._refused:
            return
        if self._in_head and self._timer is None:
            self._allow(HEAD_WITHIN_S)
        self._head_bytes += len(data) if self._in_head else 0
        super().data_received(data)
        # What came in one piece is read already; the callbacks below count that.
        if self._in_head and self._head_bytes > MOST_HEAD_BYTES and not self._refused:
            self._refuse_head()

    def on_message_begin(self) -> None:
        """Count from here the bytes of a head whose pieces the parser gives."""
        super().on_message_begin()
        self._head_bytes = 0

    def on_url(self, url: bytes) -> None:
        """Take a piece of the URL."""
        self._grow(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        self._grow(len(name) + len(value) + 4)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin to wait for the body."""
        super().on_headers_complete()
        self._in_head, self._body_bytes, self._body_began_at = False, 0, self.loop.time()
        self._allow(BODY_WITHIN_S)

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Wait for nothing until the next request begins."""
        self._in_head, self._head_bytes = True, 0
        self._stop_timer()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Take what is left of a body that was not wanted, for a short time."""
        super().on_response_complete()
        if not self._in_head:
            self._allow(_REST_WITHIN_S)

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP, or more of it than is read."""
        if self._head_bytes > MOST_HEAD_BYTES:
            self._refuse_head()
        else:
            self._refused = True
            super().send_400_response(msg)

    def _grow(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > MOST_HEAD_BYTES:
            raise ValueError("the head is too large")  # the parser stops; see send_400_response

    def _of_this_address(self) -> int:
        host = self.client[0] if self.client else ""
        if is_of(host, self._proxies):
            return 0
        others = [getattr(other, "client", None) for other in self.connections]
        return sum(client is not None and client[0] == host for client in others)

    def _allow(self, time_s: float) -> None:
        self._stop_timer()
        self._timer = self.loop.call_later(time_s, self._time_is_up)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _time_is_up(self) -> None:
        self._timer = None
        if self._in_head:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, "the request's head took too long")
            return
        earned_s = BODY_WITHIN_S + self._body_bytes / SLOWEST_BYTES_PER_S
        left_s = self._body_began_at + earned_s - self.loop.time()
        answered = self.cycle.response_complete
        if self.flow.read_paused and not answered:
            self._allow(1.0)  # we are the slow ones
        elif left_s > 0 and not answered:
            self._allow(max(left_s, 0.1))
        else:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, "the request's body came too slowly")

    def _refuse_head(self) -> None:
        words = f"a request's head may have {MOST_HEAD_BYTES} bytes"
        self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, words)

    def _refuse(self, status: HTTPStatus, words: str) -> None:
        """Say why, where no other answer has begun, and end the connection."""
        self._refused = True
        self._stop_timer()
        waiting = self.cycle is None or self.cycle.response_complete
        if (self._in_head and waiting) or not (self._in_head or self.cycle.response_started):
            document = problem(status, words).body
            self.transport.write(
                f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {PROBLEM_TYPE}\r\n"
                f"Content-Length: {len(document)}\r\nRetry-After: 1\r\nConnection: close\r\n\r\n"
                "".encode()
                + bytes(document)
            )
        if self.cycle is not None:
            self.cycle.disconnected = True
        self.transport.close()


_App = Callable[
    [
        MutableMapping[str, Any],
        Callable[[], Awaitable[MutableMapping[str, Any]]],
        Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ],
    Awaitable[None],
]


def limited_per_client(app: _App) -> _App:
    """Let ``app`` work on some requests of one client at once; more of them are refused with 429.

    For clients behind a trusted proxy, all of whose connections come from one address.
    """
    at_work: Counter[str] = Counter()

    async def limited(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        host = (scope.get("client") or ("",))[0]
        if at_work[host] >= MOST_OF_ONE:
            words = f"at most {MOST_OF_ONE} requests of one client at once; try again"
            refusal = problem(HTTPStatus.TOO_MANY_REQUESTS, words, headers={"Retry-After": "1"})
            await refusal(scope, receive, send)
            return
        at_work[host] += 1
        try:
            await app(scope, receive, send)
        finally:
            at_work[host] -= 1
            if not at_work[host]:
                del at_work[host]

    return limited


def is_of(host: str, networks: Networks) -> bool:
    """Tell whether an address is in one of the networks."""
    try:
        address = ip_address(host)
    except ValueError:  # a socket in the file system
        return False
    return any(address in network for network in networks)


def allow_descriptors() -> None:
    """Let this process have a descriptor for each connection, and some for its own."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_CONNECTIONS * 2
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
