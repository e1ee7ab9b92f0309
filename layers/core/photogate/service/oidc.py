"""Signing in at the moderators' page with an account of an identity provider."""

from __future__ import annotations

import hmac
import logging
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from photogate.domain.reviews import SignInLink
from photogate.domain.signing_in import ATTEMPT_S, Accounts, Attempt, NotAllowed
from photogate.errors import Forbidden, Unauthenticated
from photogate.ports.signing_in import Attempts, IdentityProvider
from photogate.service.sessions import SignedIn, SignIns

logger = logging.getLogger(__name__)

#: RFC 6749 bounds no code; the longest known ones have 2,000 characters.
MOST_CODE_CHARS = 8192


@dataclass(frozen=True, kw_only=True)
class Begun:
    """A sign-in that has begun."""

    #: Where the browser goes now.
    url: str
    #: What it brings back, besides what the provider gives it.
    sealed: str


class OidcSignIns:
    """Begins sign-ins, and finishes each once. Thread-safe; any process can finish any.

    Args:
        back_to: where the provider sends the browser; the provider has to know it.
    """

    def __init__(
        self,
        *,
        provider: IdentityProvider,
        attempts: Attempts,
        sign_ins: SignIns,
        accounts: Accounts,
        back_to: str,
    ) -> None:
        self._provider = provider
        self._attempts = attempts
        self._sign_ins = sign_ins
        self._accounts = accounts
        self._back_to = back_to

    @property
    def issuer(self) -> str:
        """The provider's address."""
        return self._provider.issuer

    @property
    def back_to(self) -> str:
        """Where the browser comes back to."""
        return self._back_to

    def begin(self) -> Begun:
        """Begin a sign-in.

        Raises:
            ProviderUnavailable: the provider does not answer.
        """
        attempt = Attempt(
            id=secrets.token_urlsafe(32),
            nonce=secrets.token_urlsafe(32),
            verifier=secrets.token_urlsafe(48),
            expires_at=datetime.now(UTC) + timedelta(seconds=ATTEMPT_S),
        )
        url = self._provider.address(attempt, back_to=self._back_to)
        return Begun(url=url, sealed=self._attempts.seal(attempt))

    def finish(
        self, sealed: str | None, *, state: str, code: str, issuer: str | None = None
    ) -> SignedIn:
        """Begin a session for whoever came back from the provider.

        Args:
            sealed: what ``begin`` gave to this browser; None when it brings none.
            state: what came back through the provider.
            code: likewise.
            issuer: likewise, where the provider tells it (RFC 9207).

        Raises:
            Unauthenticated: it was not begun by this browser, is over, or was finished already.
            Forbidden: the account has no role here.
            ProviderUnavailable: the provider does not answer.
        """
        if sealed is None:
            raise Unauthenticated(
                f"this sign-in took longer than {ATTEMPT_S // 60} minutes, or began in another"
                " browser; begin again"
            )
        attempt = self._attempts.opened(sealed)
        if not hmac.compare_digest(state.encode(errors="replace"), attempt.id.encode()):
            raise Unauthenticated("this answer belongs to another sign-in; begin again")
        if issuer is not None and issuer != self._provider.issuer:
            raise Unauthenticated("this answer comes from another provider; begin again")
        claims = self._provider.claims(code, attempt, back_to=self._back_to)
        try:
            principal = self._accounts.principal(claims)
        except NotAllowed as error:
            logger.warning("an account of the provider may not sign in: %s", error)
            raise Forbidden(str(error)) from error
        link = SignInLink(id=attempt.id, expires_at=attempt.expires_at, principal=principal)
        return self._sign_ins.begin(
            link, when_used="this sign-in was finished already; begin again"
        )
