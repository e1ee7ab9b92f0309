"""Signing in at the moderators' page, and out."""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from photogate.domain import Principal, Role
from photogate.domain.reviews import OpenSession, SignInLink
from photogate.errors import Forbidden, Unauthenticated
from photogate.ports.reviewing import Sessions

logger = logging.getLogger(__name__)

#: A list is read by one person; a team has some tens of sessions.
MOST_LISTED = 500


@dataclass(frozen=True, kw_only=True)
class SignedIn:
    """A session that has begun."""

    #: What the cookie holds, and nobody else.
    secret: str
    principal: Principal


class SignIns:
    """Sessions of people with a browser. Thread-safe.

    Args:
        verify: reads the token of a link; raises ``Unauthenticated``.
    """

    def __init__(self, sessions: Sessions, verify: Callable[[str | None], SignInLink]) -> None:
        self._sessions = sessions
        self._verify = verify

    def sign_in(self, token: str) -> SignedIn:
        """Use up a link.

        Raises:
            Unauthenticated: it is not valid, or was used.
            Forbidden: its role has nothing to do at the page.
        """
        return self.begin(
            self._verify(token), when_used="this link was used already; ask for a new one"
        )

    def begin(self, link: SignInLink, *, when_used: str) -> SignedIn:
        """Begin a session with what was checked, once.

        Raises:
            Unauthenticated: it was used; says ``when_used``.
            Forbidden: its role has nothing to do at the page.
        """
        if not link.principal.role.allows(Role.VIEWER):
            raise Forbidden("the page needs the role viewer")
        secret = secrets.token_urlsafe(32)
        if not self._sessions.begin(link, _hash(secret)):
            raise Unauthenticated(when_used)
        return SignedIn(secret=secret, principal=link.principal)

    def who(self, secret: str) -> Principal:
        """Give who has this session.

        Raises:
            Unauthenticated: it has ended.
        """
        principal = self._sessions.find(_hash(secret))
        if principal is None:
            raise Unauthenticated("the session has ended; sign in again")
        return principal

    def sign_out(self, secret: str, *, everywhere: bool = False) -> None:
        """End this session, or all of this person's."""
        if everywhere:
            self._sessions.end_all(self.who(secret).user_id)
        else:
            self._sessions.end(_hash(secret))

    def listed(self) -> Sequence[OpenSession]:
        """Give who is signed in, the latest seen first; ``MOST_LISTED`` at most."""
        return self._sessions.listed(limit=MOST_LISTED)

    def end_one(self, id_: str, *, by: Principal) -> bool:
        """Take one session back; False when it had ended."""
        ended = self._sessions.end(id_)
        logger.info("a session was ended by %s: %s", by.user_id, ended)
        return ended

    def end_all_of(self, user_id: str, *, by: Principal) -> int:
        """Take all sessions of a person back; give how many those were."""
        ended = self._sessions.end_all(user_id)
        logger.info("%d sessions of %s were ended by %s", ended, user_id, by.user_id)
        return ended


def csrf_token(secret: str) -> str:
    """Give what a page of ours sends in a header, and no other page can know."""
    return hmac.digest(secret.encode(), b"csrf", "sha256").hex()


def csrf_matches(secret: str, token: str | None) -> bool:
    """Tell whether a request comes from a page of ours."""
    return hmac.compare_digest(csrf_token(secret).encode(), (token or "").encode())


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
