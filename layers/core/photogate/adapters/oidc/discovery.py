"""What a provider says about itself (OpenID Connect Discovery 1.0)."""

from __future__ import annotations

import json
import logging
import math
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from photogate.adapters.exchange import Answer, Exchange
from photogate.errors import ConfigError, ProviderUnavailable

logger = logging.getLogger(__name__)

#: The admin function has 20 s for three calls, each of which may connect for 2 s before.
_TIMEOUT_S = 3.0
#: After this time the document is fetched again.
_FRESH_S = 3600.0
#: While the provider does not answer, what it said counts for this long.
_LONGEST_S = 86_400.0
#: Between two fetches that fail.
_PAUSE_S = 10.0


@dataclass(frozen=True, kw_only=True)
class Endpoints:
    """Where a provider answers what."""

    authorization: str
    token: str
    keys: str
    #: Whether the client's secret goes into a header (RFC 6749, 2.3.1), else into the body.
    basic: bool


class Discovery:
    """Reads a provider's document when first needed, and then every hour. Thread-safe.

    Args:
        issuer: the provider's address, exactly as it names itself.
        clock: seconds, for tests that move the time.
    """

    def __init__(self, issuer: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._issuer = issuer
        self._clock = clock
        self._lock = threading.Lock()
        self._found: Endpoints | None = None
        self._found_at = self._tried_at = -math.inf
        self._failure: ProviderUnavailable | ConfigError | None = None

    def endpoints(self) -> Endpoints:
        """Give where it answers.

        Raises:
            ProviderUnavailable: it does not answer, or not sensibly.
            ConfigError: it is no OpenID provider, or another one.
        """
        with self._lock:
            now = self._clock()
            if now - self._found_at > _FRESH_S and now - self._tried_at > _PAUSE_S:
                self._tried_at = now
                try:
                    self._found, self._failure = self._read(), None
                    self._found_at = now
                except (ProviderUnavailable, ConfigError) as error:
                    self._failure = error
                    logger.warning("the provider of OIDC_ISSUER cannot be asked: %s", error)
            if self._found is None or now - self._found_at > _LONGEST_S:
                raise self._failure or ProviderUnavailable("the provider does not answer")
            return self._found

    def keys(self) -> Mapping[str, Any]:
        """Fetch the provider's keys (RFC 7517)."""
        return document(self.call("GET", self.endpoints().keys), of="keys")

    def call(
        self,
        method: str,
        url: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request to the provider: no redirect is followed.

        Raises:
            ProviderUnavailable: no complete answer came in time.
        """
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        path = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
        # Not kept open: hours pass between sign-ins, and a sandbox of Lambda sleeps meanwhile. A
        # connection that died in its sleep would cost somebody a sign-in.
        with closing(_exchange(origin)) as exchange:
            return exchange.call(
                method, path, body=body, headers={"Accept": "application/json", **(headers or {})}
            )

    def _read(self) -> Endpoints:
        where = f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"
        found = document(self.call("GET", where), of="discovery document")
        if found.get("issuer") != self._issuer:
            raise ConfigError(
                f"OIDC_ISSUER is {self._issuer}, but there answers {_shown(found.get('issuer'))}:"
                " set it to exactly this, if that is your provider"
            )
        methods = found.get("token_endpoint_auth_methods_supported")
        return Endpoints(
            authorization=self._address(found, "authorization_endpoint"),
            token=self._address(found, "token_endpoint"),
            keys=self._address(found, "jwks_uri"),
            # What counts where it says nothing.
            basic=not isinstance(methods, list) or "client_secret_basic" in methods,
        )

    def _address(self, found: Mapping[str, Any], name: str) -> str:
        url = found.get(name)
        parts = urlsplit(url) if isinstance(url, str) else None
        # Plain http is for a provider on this machine, whose issuer is so, too.
        schemes = {"https", urlsplit(self._issuer).scheme}
        if parts is None or parts.scheme not in schemes or not parts.hostname:
            raise ConfigError(f"the provider's {name} is no https address: {_shown(url)}")
        return parts.geturl()


def document(answer: Answer, *, of: str) -> dict[str, Any]:
    """Read a JSON object.

    Args:
        of: what it is, for messages.

    Raises:
        ProviderUnavailable: it is not well at the moment.
        ConfigError: nothing of the kind is there.
    """
    if answer.status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE) or 300 <= answer.status < 400:
        raise ConfigError(f"the provider has no {of} where it should be ({answer.status})")
    if answer.status != HTTPStatus.OK:
        raise ProviderUnavailable(f"asked for its {of}, the provider answers {answer.status}")
    return read_object(answer.body, of=of)


def read_object(body: bytes, *, of: str) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        ProviderUnavailable: it is none.
    """
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ProviderUnavailable(f"the provider's {of} is no JSON") from error
    if not isinstance(found, dict):
        raise ProviderUnavailable(f"the provider's {of} is no JSON object")
    return found


def _exchange(origin: str) -> Exchange:
    return Exchange(
        origin,
        timeout_s=_TIMEOUT_S,
        name="the provider",
        setting="OIDC_ISSUER",
        failure=ProviderUnavailable,
    )


def _shown(value: object) -> str:
    text = value[:200] if isinstance(value, str) else type(value).__name__
    return "".join(c if c.isprintable() else "?" for c in text)
