"""What a browser carries between the beginning of a sign-in and its end."""

from __future__ import annotations

import hmac
from datetime import UTC, datetime

import jwt

from photogate.domain.signing_in import Attempt
from photogate.errors import Unauthenticated

#: Keys that are made from one secret must differ by what they are for.
_PURPOSE = b"photogate: a sign-in that has begun"
_AUDIENCE = "sign-in that has begun"


class SealedAttempts:
    """The ``Attempts`` port: a JWT of our own, signed with a key that is made from ``secret``.

    It is not encrypted: the browser that carries it is the one that it is about.
    """

    def __init__(self, secret: str) -> None:
        self._key = hmac.digest(secret.encode(), _PURPOSE, "sha256")

    def seal(self, attempt: Attempt) -> str:
        """See ``photogate.ports.signing_in.Attempts.seal``."""
        claims = {
            "aud": _AUDIENCE,
            "jti": attempt.id,
            "nonce": attempt.nonce,
            "verifier": attempt.verifier,
            "exp": int(attempt.expires_at.timestamp()),
        }
        return jwt.encode(claims, self._key, algorithm="HS256")

    def opened(self, sealed: str) -> Attempt:
        """See ``photogate.ports.signing_in.Attempts.opened``."""
        try:
            claims = jwt.decode(
                sealed,
                self._key,
                algorithms=["HS256"],
                audience=_AUDIENCE,
                options={"require": ["exp", "jti", "nonce", "verifier"]},
            )
        except jwt.ExpiredSignatureError as error:
            raise Unauthenticated("this sign-in has taken too long; begin again") from error
        except (jwt.PyJWTError, ValueError) as error:
            raise Unauthenticated("this sign-in did not begin here; begin again") from error
        return Attempt(
            id=claims["jti"],
            nonce=claims["nonce"],
            verifier=claims["verifier"],
            expires_at=datetime.fromtimestamp(claims["exp"], UTC),
        )
