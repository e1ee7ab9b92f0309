"""One request to CompreFace and its whole answer, within a time and a size."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from socket import SHUT_RDWR
from threading import Timer
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.exceptions import InvalidSchema, InvalidURL, MissingSchema, RequestException
from urllib3 import HTTPConnectionPool, HTTPResponse, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from photogate.errors import ConfigError, FacesUnavailable

#: A service in the same network answers a SYN at once, or not at all.
CONNECT_TIMEOUT_S = 2.0
#: One face is described in about 300 bytes.
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
    """Pooled connections to one CompreFace. Thread-safe.

    Follows no redirect, which would carry the key to wherever it leads, keeps no cookie, and
    goes through no proxy: one that the environment names for other ends would read key and
    photo. Of the environment only ``REQUESTS_CA_BUNDLE`` counts.

    Args:
        url: where its API begins, without ``/api``.
        timeout_s: an answer that is not complete after this long is none, however busily
            its bytes drip. Connecting has 2 s beside it.
    """

    def __init__(self, url: str, *, timeout_s: float) -> None:
        self.url = url.rstrip("/")
        self._timeout_s = timeout_s
        self._session = requests.Session()
        # A jar that fills is the one part of a session that is not thread-safe.
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        # A compressed answer would have a size that nobody bounded.
        self._session.headers["Accept-Encoding"] = "identity"
        # With an auth of its own it does not look into ~/.netrc, whose password for this host
        # is meant for something else.
        self._session.auth = _as_it_is
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, _Adapter())

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        file: tuple[str, bytes, str] | None = None,
    ) -> Answer:
        """Send one request.

        Args:
            file: name, bytes and type of the multipart's one part ``file``.

        Raises:
            FacesUnavailable: no complete answer came in time.
            ConfigError: the URL is none.
        """
        started = time.monotonic()
        try:
            response = self._session.request(
                method,
                self.url + path,
                params=query,
                headers=headers,
                files=None if file is None else {"file": file},
                timeout=(CONNECT_TIMEOUT_S, self._timeout_s),
                allow_redirects=False,
                stream=True,
            )
            with closing(response):
                left_s = self._timeout_s - (time.monotonic() - started)
                with _cut_off(response.raw.shutdown, after_s=left_s):
                    body = response.raw.read(_MOST_ANSWER_BYTES + 1, decode_content=False)
        except (InvalidSchema, InvalidURL, MissingSchema) as error:
            raise ConfigError(f"COMPREFACE_URL is no URL: {error}") from error
        except (RequestException, HTTPError, OSError) as error:
            raise FacesUnavailable(
                f"CompreFace does not answer at {self.url}: {_words(error)}"
            ) from error
        if time.monotonic() - started > self._timeout_s + CONNECT_TIMEOUT_S:
            # Cut off between two headers, it may look complete.
            raise FacesUnavailable(
                f"CompreFace does not answer at {self.url} within {self._timeout_s:g} s"
            )
        if len(body) > _MOST_ANSWER_BYTES:
            raise FacesUnavailable("CompreFace answers with more than a megabyte")
        return Answer(
            status=response.status_code,
            body=body,
            content_type=response.headers.get("Content-Type", ""),
            retry_after=response.headers.get("Retry-After"),
        )

    def close(self) -> None:
        """Close the connections; they are opened again when needed."""
        self._session.close()


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


@contextmanager
def _cut_off(end: Callable[[], object], *, after_s: float) -> Iterator[None]:
    """Call ``end`` from another thread when the block takes longer than ``after_s``.

    A socket's own timeout begins anew with each byte.
    """

    def cut() -> None:
        # It may have ended by itself just now.
        with suppress(OSError, RuntimeError, ValueError):
            end()

    timer = Timer(max(0.0, after_s), cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


class _Connection(HTTPConnection):
    """Ends itself when the head of the answer takes longer than the timeout."""

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]
        after_s = self.timeout
        assert after_s is not None  # noqa: S101 - every call here has one
        with _cut_off(lambda: self.sock.shutdown(SHUT_RDWR), after_s=after_s):
            return super().getresponse()


class _TlsConnection(_Connection, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}

    def send(self, *args: Any, **kwargs: Any) -> requests.Response:
        return super().send(*args, **{**kwargs, "proxies": None})


def _words(error: Exception) -> str:
    """Say what happened without the wrappings of two libraries."""
    inner = error.args[0] if error.args else error
    inner = getattr(inner, "reason", None) or inner
    if isinstance(inner, Exception) and inner.args:
        inner = inner.args[-1]
    return re.sub(r"^\w+\(host=.*?\): ", "", str(inner))
