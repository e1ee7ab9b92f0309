"""The public keys of whoever issues tokens, from its JWKS (RFC 7517), and what they prove."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import jwt

from photogate.errors import ConfigError, RetryableError, Unauthenticated

logger = logging.getLogger(__name__)

ALGORITHMS = ("RS256", "ES256")
_TIMEOUT_S = 5.0
#: After this time the keys are fetched again.
_FRESH_S = 300.0
#: While the issuer does not answer, its keys count for this long: a key that it took back
#: meanwhile does so too.
_LONGEST_S = 86_400.0
#: Between two fetches: whoever sends tokens of unknown keys must not make us ask each time.
_PAUSE_S = 10.0

#: Checks a token with a key and its algorithms, and gives the token's claims.
Decode = Callable[[str, jwt.PyJWK, list[str]], dict[str, Any]]


class IssuerKeys:
    """Fetches the keys when first needed, and then every 5 minutes. Thread-safe.

    One thread fetches; the others go on with the keys that are there.

    Args:
        source: the address of the JWKS, or what fetches it.
        name: the setting that says whose keys they are.
        clock: seconds, for tests that move the time.
    """

    def __init__(
        self,
        source: str | Callable[[], Mapping[str, Any]],
        *,
        name: str = "JWT_JWKS_URL",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetch_data: Callable[[], Mapping[str, Any]] = (
            jwt.PyJWKClient(source, cache_jwk_set=False, timeout=_TIMEOUT_S).fetch_data
            if isinstance(source, str)
            else source
        )
        self._name = name
        self._clock = clock
        self._fetching = threading.Lock()
        self._keys: list[jwt.PyJWK] = []
        self._fetched_at = self._tried_at = -math.inf
        self._failure: Exception | None = None

    def opened(self, token: str, decode: Decode) -> dict[str, Any]:
        """Give the claims of a token that one of the keys signed.

        Raises:
            Unauthenticated: it names no key of the issuer, or another kind of signature.
            RetryableError: the issuer does not answer, and its answer is needed.
            jwt.PyJWTError: it is no token; and what ``decode`` raises.
        """
        header = jwt.get_unverified_header(token)
        key_id, algorithm = header.get("kid"), header.get("alg")
        if not key_id or algorithm not in ALGORITHMS:
            raise Unauthenticated(
                f"the token must name its key (kid), and {' or '.join(ALGORITHMS)} as its alg"
            )
        fitting = [key for key in self.named(key_id) if key.algorithm_name == algorithm]
        if not fitting:
            raise Unauthenticated("the issuer has no such key for this alg")
        for key in fitting[:-1]:
            with suppress(jwt.InvalidSignatureError):
                return decode(token, key, [key.algorithm_name])
        return decode(token, fitting[-1], [fitting[-1].algorithm_name])

    def named(self, key_id: str) -> list[jwt.PyJWK]:
        """Give the keys of this id: more than one where the issuer uses an id twice.

        [] when the issuer has none.

        Raises:
            RetryableError: the issuer does not answer, and its answer is needed.
        """
        self._fetch(older_than_s=_FRESH_S)
        if self._clock() - self._fetched_at > _LONGEST_S:
            raise self._outage()
        if found := self._known(key_id):
            return found
        # It may be new.
        asked = self._fetch(older_than_s=_PAUSE_S)
        found = self._known(key_id)
        if not found and (self._failure is not None or not asked):
            raise self._outage()
        return found

    def _known(self, key_id: str) -> list[jwt.PyJWK]:
        return [key for key in self._keys if key.key_id == key_id]

    def _outage(self) -> RetryableError:
        return RetryableError(
            f"the keys of {self._name} cannot be fetched: {self._failure}", retry_after_s=_PAUSE_S
        )

    def _fetch(self, *, older_than_s: float) -> bool:
        """Fetch keys that are older, unless that was tried just now; False when others do."""
        if not self._fetching.acquire(blocking=not self._keys):
            return False
        try:
            now = self._clock()
            if now - self._fetched_at <= older_than_s or now - self._tried_at <= _PAUSE_S:
                return True
            self._tried_at = now
            try:
                self._keys = _usable(self._fetch_data())
                self._fetched_at, self._failure = now, None
            # ValueError, RecursionError: an answer that is no JSON, or too deep.
            except (
                jwt.PyJWTError,
                ValueError,
                RecursionError,
                OSError,
                RetryableError,
                ConfigError,
            ) as error:
                self._failure = error
                logger.warning("the keys of %s cannot be fetched: %s", self._name, error)
            return True
        finally:
            self._fetching.release()


def _usable(document: Mapping[str, Any]) -> list[jwt.PyJWK]:
    """Give the keys that verify signatures; an odd one does not keep the others away.

    Raises:
        PyJWKSetError: there is none.
    """
    found = []
    entries = document.get("keys")
    for entry in entries if isinstance(entries, list) else ():
        try:
            key = jwt.PyJWK(entry)
        except (jwt.PyJWTError, AttributeError, TypeError, ValueError):
            continue
        # OpenID providers list keys for encryption, too.
        verifies = key.algorithm_name in ALGORITHMS and key.public_key_use in (None, "sig")
        if verifies and isinstance(key.key_id, str) and key.key_id:
            found.append(key)
    if not found:
        raise jwt.PyJWKSetError(f"it holds no key for {' or '.join(ALGORITHMS)}")
    return found
