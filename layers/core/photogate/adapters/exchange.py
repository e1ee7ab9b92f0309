"""One request to another service and its whole answer, within a time and a size.

A timeout of a socket, of urllib3 or of requests begins anew with every byte. Here a timer ends
the connection, wherever the exchange is: in the TLS handshake, the head or the body.
"""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPException
from threading import Timer
from urllib.parse import urlsplit

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from photogate.domain import NEVER, Deadline
from photogate.errors import ConfigError, RetryableError

#: A service in the same network answers a SYN at once, or not at all.
CONNECT_TIMEOUT_S = 2.0
#: CompreFace describes a face in about 300 bytes; a provider's keys have a few thousand.
_MOST_ANSWER_BYTES = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back."""

    status: int
    body: bytes
    content_type: str
    #: As it stands in the header; None when there is none.
    retry_after: str | None


class Exchange:
    """Connections to one service, kept open between requests. Thread-safe.

    They know no redirect, proxy, cookie or ``~/.netrc``: a redirect or a proxy would get the key
    and the photo, and a password in that file is meant for something else.

    Args:
        url: before each request's path. For https the system's certificates count, or those of
            ``REQUESTS_CA_BUNDLE``.
        timeout_s: longest time from the request's first byte to the answer's last.
            Connecting has 2 s beside it.
        name: what the service is called in messages.
        setting: which one has the URL.
        failure: raised, with words, when no complete answer came.

    Raises:
        ConfigError: the URL is not valid.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout_s: float,
        name: str,
        setting: str,
        failure: type[RetryableError],
    ) -> None:
        self.url = url.rstrip("/")
        self._where = urlsplit(self.url)
        if self._where.scheme not in ("http", "https") or not self._where.hostname:
            raise ConfigError(f"{setting} is not an http or https URL: {url}")
        self._timeout_s = timeout_s
        self._name = name
        self._failure = failure
        self._idle: list[HTTPConnection] = []

    def call(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        deadline: Deadline = NEVER,
    ) -> Answer:
        """Send one request; ``path`` has its query. ``deadline`` may end it earlier.

        Raises:
            RetryableError: no complete answer came in time; of the kind ``failure``.
        """
        target = self._where.path + path
        try:
            with (
                self._connected(deadline) as connection,
                _ended(connection, after_s=min(self._timeout_s, deadline.left_s())),
            ):
                connection.request(method, target, body, headers, preload_content=False)
                response = connection.getresponse()
                # Not decoded: a compressed answer would have a size that nobody bounded.
                answered = response.read(_MOST_ANSWER_BYTES + 1, decode_content=False)
                if len(answered) > _MOST_ANSWER_BYTES:
                    raise self._failure(f"{self._name} answers with more than a megabyte")
        except (HTTPError, HTTPException, OSError) as error:
            # Without urllib3's "HTTPConnection(host=…): " in front.
            why = re.sub(r"^\w+\(host=.*?\): ", "", str(error)).strip()
            raise self._failure(f"{self._name} does not answer at {self.url}: {why}") from error
        return Answer(
            status=response.status,
            body=answered,
            content_type=response.headers.get("Content-Type", ""),
            retry_after=response.headers.get("Retry-After"),
        )

    def close(self) -> None:
        """Close the connections; they are opened again when needed."""
        while self._idle:
            self._idle.pop().close()

    @contextmanager
    def _connected(self, deadline: Deadline) -> Iterator[HTTPConnection]:
        """Lend an open connection; it is kept for the next request unless this one fails."""
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._new()
        try:
            if not connection.is_connected:
                connection.close()
                # Not 0, which would not wait at all and be another error.
                within_s = max(0.001, min(CONNECT_TIMEOUT_S, deadline.left_s()))
                connection.timeout = within_s
                with _ended(connection, after_s=within_s):
                    connection.connect()
                connection.timeout = self._timeout_s
            yield connection
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)

    def _new(self) -> HTTPConnection:
        host, port = self._where.hostname or "", self._where.port
        if self._where.scheme == "https":
            certificates = os.environ.get("REQUESTS_CA_BUNDLE")
            return HTTPSConnection(host, port, ca_certs=certificates)
        return HTTPConnection(host, port)


@contextmanager
def _ended(connection: HTTPConnection, *, after_s: float) -> Iterator[None]:
    """End the connection when the block takes longer, which then raises TimeoutError."""
    # Once an answer says that it is the last, only its reader holds the socket.
    opened = connection.sock

    def end() -> None:
        # The other end may have closed it, or it is not open yet. Not SSLSocket.shutdown,
        # after which the socket would go on without TLS.
        with suppress(OSError, TypeError):
            socket.socket.shutdown(opened or connection.sock, socket.SHUT_RDWR)

    ends = time.monotonic() + after_s
    timer = Timer(after_s, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    except Exception:
        if time.monotonic() < ends:
            raise
    finally:
        timer.cancel()
    # Also without an error: cut off between two headers, an answer may look complete.
    if time.monotonic() >= ends:
        raise TimeoutError(f"not within {after_s:g} s")
