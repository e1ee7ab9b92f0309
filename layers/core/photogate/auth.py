"""Checks JWT bearer tokens strictly, and says who calls.

PyJWT refuses ``none`` and a mix-up of HS and RS by itself, but accepts a missing ``exp``
and short keys unless it is told otherwise; here it is told.
"""

from __future__ import annotations

import re
import secrets
import time
from datetime import UTC, datetime
from typing import Any

import jwt

from photogate.domain import Principal, Role
from photogate.domain.people import MAX_TELEGRAM_ID, MAX_USER_ID, storable
from photogate.domain.reviews import SignInLink
from photogate.errors import Unauthenticated
from photogate.issuer_keys import IssuerKeys

#: The user's chat with the bot, which the token's issuer knows from Telegram's own signature.
_TELEGRAM_CLAIM = "telegram_chat_id"
#: Clocks of two machines may differ by this much.
_LEEWAY_S = 10
#: Issuers' tokens have 500 to 3,000; servers refuse heads of more than 8 or 16 KB.
_MOST_CHARS = 8192
#: What ``use`` says in the token of a link that opens the moderators' page once.
_SIGN_IN = "sign-in"
#: Where that page is; the token stands behind the #, which no server and no log is sent.
_SIGN_IN_PATH = "/admin/sign-in#"
#: RFC 5646, as far as it is used.
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")
#: How long such a link is good.
LINK_S = 15 * 60


class TokenVerifier:
    """Turns a token into a ``Principal``. Thread-safe.

    Args:
        secret: for HS256; or
        jwks_url: for RS256 and ES256, see ``IssuerKeys``.
        issuer: required ``iss``, when given.
        audience: required ``aud``, when given.
        user_claim: which claim names the user, for issuers that say it elsewhere than in ``sub``.
            A number counts as its digits.
    """

    def __init__(
        self,
        *,
        secret: str | None = None,
        jwks_url: str | None = None,
        issuer: str | None = None,
        audience: str | None = None,
        user_claim: str = "sub",
    ) -> None:
        self._user_claim = user_claim
        self._secret = secret
        self._issuer_keys = IssuerKeys(jwks_url) if jwks_url else None
        self._issuer = issuer
        self._audience = audience

    def verify(self, token: str | None) -> Principal:
        """Check signature, times and claims.

        Raises:
            Unauthenticated: no token, or one that is not valid; says why.
            RetryableError: the JWKS could not be fetched.
        """
        claims = self._claims(token)
        if claims.get("use") == _SIGN_IN:
            raise Unauthenticated("this token is for signing in at the page, not for the API")
        return _principal(claims, self._user_claim)

    def verify_link(self, token: str | None) -> SignInLink:
        """Check the token of a sign-in link; whether it was used already is not known here.

        Raises:
            Unauthenticated: it is not valid, or no such token.
            RetryableError: the JWKS could not be fetched.
        """
        claims = self._claims(token)
        id_ = claims.get("jti")
        if claims.get("use") != _SIGN_IN or not isinstance(id_, str) or not 16 <= len(id_) <= 128:
            raise Unauthenticated("this token is not one of a sign-in link")
        try:
            expires_at = datetime.fromtimestamp(int(claims["exp"]), UTC)
        except (ValueError, OverflowError, OSError) as error:
            raise Unauthenticated("the token's exp is no time") from error
        return SignInLink(
            id=id_, expires_at=expires_at, principal=_principal(claims, self._user_claim)
        )

    def _claims(self, token: str | None) -> dict[str, Any]:
        if not token:
            raise Unauthenticated("a bearer token is required")
        if len(token) > _MOST_CHARS:
            raise Unauthenticated(f"the token has more than {_MOST_CHARS} characters")
        try:
            return self._checked(token)
        # PyJWT lets these three through for odd values, such as an exp of 1e999.
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError) as error:
            raise Unauthenticated(f"the token is not valid: {error}") from error

    def _checked(self, token: str) -> dict[str, Any]:
        if self._issuer_keys is None:
            return self._decode(token, self._secret or "", ["HS256"])
        return self._issuer_keys.opened(token, self._decode)

    def _decode(self, token: str, key: jwt.PyJWK | str, algorithms: list[str]) -> dict[str, Any]:
        required = ["exp", self._user_claim]
        required += ["iss"] if self._issuer else []
        required += ["aud"] if self._audience else []
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=algorithms,
            issuer=self._issuer,
            audience=self._audience,
            leeway=_LEEWAY_S,
            options={
                "require": required,
                "verify_aud": self._audience is not None,
                "enforce_minimum_key_length": True,
            },
        )
        return claims


def issue_token(
    user_id: str,
    *,
    secret: str,
    role: Role = Role.USER,
    name: str | None = None,
    lifetime_s: int = 3600,
    issuer: str | None = None,
    audience: str | None = None,
    user_claim: str = "sub",
    **more: str | int,
) -> str:
    """Make an HS256 token: for trying things out, and for backends without an issuer.

    ``more`` becomes claims as they stand.
    """
    now = int(time.time())
    claims: dict[str, Any] = {**more, user_claim: user_id, "iat": now, "exp": now + lifetime_s}
    optional = {"name": name, "iss": issuer, "aud": audience}
    claims |= {key: value for key, value in optional.items() if value is not None}
    if role is not Role.USER:
        claims["role"] = role.value
    return jwt.encode(claims, secret, algorithm="HS256")


def sign_in_link(
    url: str,
    user_id: str,
    *,
    secret: str,
    role: Role,
    name: str | None = None,
    issuer: str | None = None,
    audience: str | None = None,
    user_claim: str = "sub",
) -> str:
    """Make a link that opens the moderators' page once, within ``LINK_S``.

    Args:
        url: where the API answers, e.g. ``http://127.0.0.1:8000``.
    """
    token = issue_token(
        user_id,
        secret=secret,
        role=role,
        name=name,
        lifetime_s=LINK_S,
        issuer=issuer,
        audience=audience,
        user_claim=user_claim,
        use=_SIGN_IN,
        jti=secrets.token_urlsafe(16),
    )
    return f"{url.rstrip('/')}{_SIGN_IN_PATH}{token}"


def _principal(claims: dict[str, Any], user_claim: str) -> Principal:
    for claim in ("exp", "nbf", "iat"):
        # RFC 7519: a number. PyJWT takes texts, too.
        if not isinstance(claims.get(claim, 0), int | float) or claims.get(claim) is True:
            raise Unauthenticated(f"the token's {claim} must be a number of seconds")
    user_id, name = claims[user_claim], claims.get("name")
    if user_claim != "sub" and isinstance(user_id, int) and not isinstance(user_id, bool):
        user_id = str(user_id)
    if not isinstance(user_id, str) or not 1 <= len(user_id) <= MAX_USER_ID:
        raise Unauthenticated(f"the token's {user_claim} must have 1 to {MAX_USER_ID} characters")
    if not storable(user_id):
        raise Unauthenticated(
            f"the token's {user_claim} must not hold NULs or halves of characters"
        )
    try:
        role = Role(claims.get("role", Role.USER))
    except ValueError as error:
        known = ", ".join(role.value for role in Role)
        raise Unauthenticated(f"the token's role is unknown; it may be {known}") from error
    return Principal(
        user_id=user_id,
        role=role,
        name=name[:200] if isinstance(name, str) and name and storable(name) else None,
        addresses=_addresses(claims),
        language=language_tag(claims.get("locale")),
    )


def _addresses(claims: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    chat = claims.get(_TELEGRAM_CLAIM)
    if chat is None:
        return ()
    if not isinstance(chat, int) or not 1 <= chat <= MAX_TELEGRAM_ID or chat is True:
        raise Unauthenticated(f"the token's {_TELEGRAM_CLAIM} must be the number of a user's chat")
    return (("telegram", str(chat)),)


def language_tag(wish: object) -> str | None:
    """Read an IETF tag of a language, such as ``am`` or ``am-ET``; None for anything else."""
    if not isinstance(wish, str) or len(wish) > 35:
        return None
    tag = wish.replace("_", "-")
    return tag if _LANGUAGE.fullmatch(tag) else None
