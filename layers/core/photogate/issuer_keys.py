"""The public keys of the application that issues tokens, from its JWKS (RFC 7517)."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable
from typing import Any

import jwt

from photogate.errors import RetryableError

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


class IssuerKeys:
    """Fetches the keys when first needed, and then every 5 minutes. Thread-safe.

    One thread fetches; the others go on with the keys that are there.

    Args:
        url: of the JWKS.
        clock: seconds, for tests that move the time.
    """

    def __init__(self, url: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = jwt.PyJWKClient(url, cache_jwk_set=False, timeout=_TIMEOUT_S)
        self._clock = clock
        self._fetching = threading.Lock()
        self._keys: list[jwt.PyJWK] = []
        self._fetched_at = self._tried_at = -math.inf
        self._failure: Exception | None = None

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
            f"the keys of JWT_JWKS_URL cannot be fetched: {self._failure}", retry_after_s=_PAUSE_S
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
                self._keys = _usable(self._client.fetch_data())
                self._fetched_at, self._failure = now, None
            # ValueError, RecursionError: an answer that is no JSON, or too deep.
            except (jwt.PyJWTError, ValueError, RecursionError, OSError) as error:
                self._failure = error
                logger.warning("the keys of JWT_JWKS_URL cannot be fetched: %s", error)
            return True
        finally:
            self._fetching.release()


def _usable(document: dict[str, Any]) -> list[jwt.PyJWK]:
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
