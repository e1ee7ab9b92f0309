"""One request to another service and its whole answer, within a time and a size.

One timer bounds it, wherever the exchange is.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from urllib.parse import urlsplit

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from photogate.adapters.http_timer import ended
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
                ended(connection, after_s=min(self._timeout_s, deadline.left_s())),
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
                with ended(connection, after_s=within_s):
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
