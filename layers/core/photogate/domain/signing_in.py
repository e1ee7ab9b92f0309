"""Signing in with an identity provider: what has begun, and who an account is here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from photogate.domain.people import MAX_USER_ID, Principal, Role, storable

#: So long a person may take at the provider: a password, and a second factor.
ATTEMPT_S = 600

_MOST_NAME = 200
#: Claims that people read (OpenID Connect Core 1.0, 5.1), the best first.
_NAMES = ("name", "preferred_username", "email")


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A sign-in that has begun in a browser, and that this browser alone can finish."""

    #: The ``state`` that comes back from the provider; used up by the session that it begins.
    id: str
    #: Comes back inside the ID token.
    nonce: str
    #: Of PKCE (RFC 7636): 43 to 128 characters, told to the token endpoint alone.
    verifier: str
    expires_at: datetime


class NotAllowed(ValueError):
    """The account is real, and may not come in; says why in words for its owner."""


@dataclass(frozen=True, kw_only=True)
class Accounts:
    """Who accounts of the provider are here."""

    #: The claim that says what an account may do: ``groups``, or a path such as
    #: ``realm_access.roles``.
    roles_claim: str
    #: Role -> values of that claim, any of which gives it.
    roles: Mapping[Role, frozenset[str]]
    #: The claim that names a person in sessions and history.
    user_claim: str = "sub"

    def principal(self, claims: Mapping[str, object]) -> Principal:
        """Say who the account of these checked claims is.

        Raises:
            NotAllowed: no value of the roles' claim gives a role, or the person has no name here.
        """
        # Before somebody has proved that it is his, anybody can write an address there.
        by_address = "email" in (self.user_claim, self.roles_claim)
        if by_address and claims.get("email_verified") is not True:
            raise NotAllowed("the provider has not verified your e-mail address")
        role = self._role(claims)
        user_id = claims.get(self.user_claim)
        if not isinstance(user_id, str) or not 1 <= len(user_id) <= MAX_USER_ID:
            raise NotAllowed(f"your account has no {self.user_claim} of 1 to {MAX_USER_ID} letters")
        if not storable(user_id):
            raise NotAllowed(f"the {self.user_claim} of your account holds odd characters")
        names = (claims.get(name) for name in _NAMES)
        name = next((n for n in names if isinstance(n, str) and n.strip() and storable(n)), None)
        return Principal(user_id=user_id, role=role, name=name and name[:_MOST_NAME])

    def _role(self, claims: Mapping[str, object]) -> Role:
        held = _values(_at(claims, self.roles_claim))
        for role in sorted(self.roles, key=list(Role).index, reverse=True):
            if held & self.roles[role]:
                return role
        raise NotAllowed("your account has no role here; ask whoever runs Photogate for one")


def _at(claims: Mapping[str, object], path: str) -> object:
    """Give a claim by its name, which may hold dots, or by the path of names to it."""
    if path in claims:
        return claims[path]
    found: object = claims
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _values(claim: object) -> set[str]:
    """Read one value, a list of them, or an object whose names they are."""
    if isinstance(claim, str):
        return {claim}
    if isinstance(claim, list | Mapping):
        return {value for value in claim if isinstance(value, str)}
    return set()
