"""The ``IdentityProvider`` port on any OpenID provider."""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import quote_plus, urlencode, urlsplit

import jwt

from photogate.adapters.exchange import Answer
from photogate.adapters.oidc.discovery import Discovery, Endpoints, document, read_object
from photogate.domain.signing_in import Attempt
from photogate.errors import ConfigError, ProviderUnavailable, Unauthenticated
from photogate.issuer_keys import IssuerKeys

logger = logging.getLogger(__name__)

#: Clocks of two organisations may differ by this much.
_LEEWAY_S = 30
#: Those of people in hundreds of groups have 20,000.
_MOST_TOKEN_CHARS = 100_000
#: What the token endpoint says of a code that was used, is too old or is of another client
#: (RFC 6749, 5.2); all else that it says of a request is a matter of settings.
_BAD_CODE = "invalid_grant"
_BEGIN_AGAIN = "the provider does not accept this sign-in any more; begin again"


class OidcProvider:
    """Sends browsers to a provider, and asks it who they are. Thread-safe.

    Args:
        issuer: its address, exactly as it names itself.
        client_id: under which it knows this installation.
        client_secret: None where it knows it as a public client, by PKCE alone.
        scope: what is asked for, ``openid`` among it.
        clock: seconds, for tests that move the time.
    """

    def __init__(
        self,
        issuer: str,
        *,
        client_id: str,
        client_secret: str | None,
        scope: str = "openid profile",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._issuer = issuer
        self._client_id = client_id
        self._client_secret = client_secret
        self._scope = scope
        self._discovery = Discovery(issuer, clock=clock)
        self._keys = IssuerKeys(self._discovery.keys, name="OIDC_ISSUER", clock=clock)

    @property
    def issuer(self) -> str:
        """See ``photogate.ports.signing_in.IdentityProvider.issuer``."""
        return self._issuer

    def check(self) -> None:
        """Ask it what it is, and for its keys.

        Raises:
            ProviderUnavailable: it does not answer.
            ConfigError: it is no OpenID provider, or another one.
        """
        self._discovery.keys()

    def address(self, attempt: Attempt, *, back_to: str) -> str:
        """See ``photogate.ports.signing_in.IdentityProvider.address``."""
        challenge = base64.urlsafe_b64encode(hashlib.sha256(attempt.verifier.encode()).digest())
        query = {
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": back_to,
            "scope": self._scope,
            "state": attempt.id,
            "nonce": attempt.nonce,
            "code_challenge": challenge.decode().rstrip("="),
            "code_challenge_method": "S256",
        }
        endpoint = self._discovery.endpoints().authorization
        joint = "&" if urlsplit(endpoint).query else "?"
        return f"{endpoint}{joint}{urlencode(query)}"

    def claims(self, code: str, attempt: Attempt, *, back_to: str) -> Mapping[str, object]:
        """See ``photogate.ports.signing_in.IdentityProvider.claims``."""
        endpoints = self._discovery.endpoints()
        token = _id_token(self._redeemed(endpoints, code, attempt, back_to))
        try:
            claims = self._keys.opened(token, self._decoded)
        # PyJWT lets these three through for odd values, such as an exp of 1e999.
        except (Unauthenticated, jwt.PyJWTError, ValueError, TypeError, OverflowError) as error:
            raise _not_for_us(str(error)) from error
        nonce = claims["nonce"]
        if not isinstance(nonce, str) or not _same(nonce, attempt.nonce):
            raise _not_for_us("its nonce is of another sign-in")
        # OpenID Connect Core 1.0, 3.1.3.7: whom it was issued to, where it is for several.
        several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if (several or "azp" in claims) and claims.get("azp") != self._client_id:
            raise _not_for_us("its azp is another client")
        return claims

    def _redeemed(
        self, endpoints: Endpoints, code: str, attempt: Attempt, back_to: str
    ) -> dict[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": back_to,
            "code_verifier": attempt.verifier,
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if self._client_secret is None:
            form["client_id"] = self._client_id
        elif endpoints.basic:
            login = f"{quote_plus(self._client_id)}:{quote_plus(self._client_secret)}"
            headers["Authorization"] = f"Basic {base64.b64encode(login.encode()).decode()}"
        else:
            form |= {"client_id": self._client_id, "client_secret": self._client_secret}
        answer = self._discovery.call(
            "POST", endpoints.token, body=urlencode(form).encode(), headers=headers
        )
        if answer.status in (HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise _refusal(answer)
        return document(answer, of="token")

    def _decoded(self, token: str, key: jwt.PyJWK, algorithms: list[str]) -> dict[str, Any]:
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=algorithms,
            issuer=self._issuer,
            audience=self._client_id,
            leeway=_LEEWAY_S,
            options={
                "require": ["iss", "aud", "exp", "iat", "sub", "nonce"],
                "enforce_minimum_key_length": True,
            },
        )
        return claims


def _id_token(answer: Mapping[str, Any]) -> str:
    token = answer.get("id_token")
    if not isinstance(token, str):
        raise ConfigError("the provider answers without an ID token: is the client one of OpenID?")
    if len(token) > _MOST_TOKEN_CHARS:
        raise ConfigError(f"the provider's ID token has more than {_MOST_TOKEN_CHARS} characters")
    return token


def _refusal(answer: Answer) -> Exception:
    """Say what a refused code means."""
    said = read_object(answer.body, of="refusal").get("error")
    if said == _BAD_CODE:
        return Unauthenticated(_BEGIN_AGAIN)
    if not isinstance(said, str):
        return ProviderUnavailable(f"the provider answers {answer.status} to a code")
    shown = "".join(c if c.isprintable() else "?" for c in said[:60])
    return ConfigError(
        f"the provider refuses this client ({shown}): look at OIDC_CLIENT_ID, OIDC_CLIENT_SECRET"
        " and the redirect address that it knows"
    )


def _not_for_us(why: str) -> Unauthenticated:
    """Tell the log why, and the person what to do."""
    logger.warning("an ID token was refused: %s", why)
    return Unauthenticated("the provider's answer is not one to this sign-in; begin again")


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(errors="replace"), other.encode())
