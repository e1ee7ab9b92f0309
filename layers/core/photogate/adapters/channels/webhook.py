"""Tells a backend of every decision, as Standard Webhooks (standardwebhooks.com) has it.

Each notice is a POST of its own, signed with HMAC-SHA256. A 2xx takes it. Redirects are not
followed; nothing of an answer but its status and ``Retry-After`` is used.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from urllib.parse import urlsplit

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

from photogate import __version__
from photogate.adapters.channels.public_https import PublicHTTPSConnection
from photogate.adapters.http_timer import ended
from photogate.domain import Deadline
from photogate.domain.notices import Failing, Failure, Notice, Parcel, Receipt
from photogate.errors import ConfigError

#: From connecting to the answer's head. Receivers should put it by and answer at once.
TIMEOUT_S = 10.0
#: An answer's body is only read so that the connection can be kept.
_MOST_BODY_BYTES = 16_384
_DRAIN_S = 1.0
#: Connections that are kept, for as many parcels at once.
_KEPT = 8
#: "Not now", whoever is told; other errors may be about this one notice.
_DOWN = frozenset({429, 502, 503, 504})
_PREFIX = "whsec_"
#: By the specification.
_LEAST_BYTES, _MOST_BYTES = 24, 64


class WebhookChannel:
    """The ``Channel`` port.

    Args:
        url: https, or http where ``private`` is set.
        secrets: the newest first; each signs, so that a receiver may know either of them.
        body: writes a notice.
        private: also tell receivers at addresses that are not public, and by http. For https the
            system's certificates count, or those of ``REQUESTS_CA_BUNDLE``.

    Raises:
        ConfigError: the URL or a secret is not valid.
    """

    name = "webhook"
    addressed = False
    #: Told within the time of a parcel where each takes a second.
    at_once = 20
    gathers_s = 0.0
    rests_s = 0.0

    def __init__(
        self,
        url: str,
        secrets: Sequence[str],
        *,
        body: Callable[[Notice], bytes],
        private: bool = False,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        where = urlsplit(url)
        if not where.hostname or where.scheme not in (("https", "http") if private else ("https",)):
            raise ConfigError("WEBHOOK_URL must be like https://example.com/photogate")
        self._where = where
        self._target = (where.path or "/") + (f"?{where.query}" if where.query else "")
        self._keys = [key_of(secret) for secret in secrets]
        if not self._keys:
            raise ConfigError("a webhook needs a secret")
        self._body = body
        self._private = private
        self._timeout_s = timeout_s
        self._idle: list[HTTPConnection] = []
        self._lock = threading.Lock()

    def tell(self, parcel: Parcel, deadline: Deadline) -> Receipt:
        """See ``photogate.ports.notices.Channel.tell``."""
        for told, notice in enumerate(parcel.notices):
            # One that is begun has its whole time; the others come with the next parcel.
            if told and deadline.left_s() < self._timeout_s:
                return Receipt(told=told)
            failure = self._post(notice)
            if failure is not None:
                return Receipt(told=told, failure=failure)
        return Receipt(told=len(parcel.notices))

    def close(self) -> None:
        """Close the connections that are kept; they are opened again when needed."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _post(self, notice: Notice) -> Failure | None:
        body, now = self._body(notice), int(time.time())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"Photogate/{__version__}",
            "webhook-id": notice.id,
            "webhook-timestamp": str(now),
            "webhook-signature": sign(self._keys, notice.id, now, body),
        }
        try:
            return _failure(*self._exchange(body, headers, Deadline.after(self._timeout_s)))
        except (HTTPError, HTTPException, OSError) as error:
            # Without urllib3's "HTTPConnection(host=…): " in front.
            why = re.sub(r"^.*?\(host=.*?\): ", "", str(error)).strip() or type(error).__name__
            return Failure(kind=Failing.DOWN, error=f"no answer: {why}")

    def _exchange(
        self, body: bytes, headers: Mapping[str, str], deadline: Deadline
    ) -> tuple[int, str | None]:
        """Send a request; give the answer's status and ``Retry-After`` as soon as they are there.

        Raises:
            HTTPError, HTTPException, OSError: no head of an answer came in time.
        """
        with self._connection(deadline) as connection:
            with ended(connection, after_s=deadline.left_s()):
                connection.request("POST", self._target, body, headers, preload_content=False)
                response = connection.getresponse()
            _drain(connection, response)
        return response.status, response.headers.get("Retry-After")

    @contextmanager
    def _connection(self, deadline: Deadline) -> Iterator[HTTPConnection]:
        """Lend an open connection; it is kept for the next notice unless this one fails."""
        with self._lock:
            connection = self._idle.pop() if self._idle else self._new()
        try:
            if not connection.is_connected:
                connection.close()
                with ended(connection, after_s=deadline.left_s()):
                    connection.connect()
            yield connection
        except BaseException:
            connection.close()
            raise
        with self._lock:
            if len(self._idle) < _KEPT:
                self._idle.append(connection)
                return
        connection.close()

    def _new(self) -> HTTPConnection:
        host, port = self._where.hostname or "", self._where.port
        if self._where.scheme == "http":
            return HTTPConnection(host, port, timeout=self._timeout_s)
        kind = HTTPSConnection if self._private else PublicHTTPSConnection
        certificates = os.environ.get("REQUESTS_CA_BUNDLE")
        return kind(host, port, timeout=self._timeout_s, ca_certs=certificates)


def key_of(secret: str) -> bytes:
    """Read a secret as Standard Webhooks writes it: ``whsec_`` and 24 to 64 bytes in base64.

    Raises:
        ConfigError: it is none.
    """
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except ValueError:
        key = b""
    if not secret.startswith(_PREFIX) or not _LEAST_BYTES <= len(key) <= _MOST_BYTES:
        raise ConfigError(
            'a webhook\'s secret is whsec_ and base64: echo "whsec_$(openssl rand -base64 32)"'
        )
    return key


def sign(keys: Sequence[bytes], id_: str, timestamp: int, body: bytes) -> str:
    """Give the ``webhook-signature`` header: one signature for each key.

    Args:
        timestamp: seconds since 1970, as ``webhook-timestamp`` says it.
    """
    content = b".".join((id_.encode(), str(timestamp).encode(), body))
    made = (hmac.new(key, content, hashlib.sha256).digest() for key in keys)
    return " ".join(f"v1,{base64.b64encode(one).decode()}" for one in made)


def _drain(connection: HTTPConnection, response: BaseHTTPResponse) -> None:
    """Read a short body, so that the connection can be used again; else close it."""
    length = response.headers.get("Content-Length", "")
    if not length.isdigit() or int(length) > _MOST_BODY_BYTES:
        connection.close()
        return
    try:
        with ended(connection, after_s=_DRAIN_S):
            response.read(_MOST_BODY_BYTES, decode_content=False)
    except (HTTPError, HTTPException, OSError):
        connection.close()


def _failure(status: int, retry_after: str | None) -> Failure | None:
    if 200 <= status < 300:
        return None
    what = "redirects are not followed" if 300 <= status < 400 else "not taken"
    return Failure(
        kind=Failing.DOWN if status in _DOWN else Failing.REFUSED,
        error=f"HTTP {status}: {what}",
        retry_after_s=_seconds(retry_after),
    )


def _seconds(retry_after: str | None) -> float | None:
    """Read ``Retry-After``: seconds, or a date."""
    if not retry_after:
        return None
    if retry_after.isascii() and retry_after.isdigit():
        return float(retry_after[:9])
    try:
        until = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (until - datetime.now(UTC)).total_seconds())
