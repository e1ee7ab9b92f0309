"""What signing in with an identity provider needs beside sessions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from photogate.domain.signing_in import Attempt


class IdentityProvider(Protocol):
    """Knows people, and tells who somebody is."""

    @property
    def issuer(self) -> str:
        """Its name in tokens and answers: an https address."""

    def address(self, attempt: Attempt, *, back_to: str) -> str:
        """Give where the browser goes to sign in; it then comes back to ``back_to``.

        Raises:
            ProviderUnavailable: it does not answer.
            ConfigError: it is no OpenID provider, or another one.
        """

    def claims(self, code: str, attempt: Attempt, *, back_to: str) -> Mapping[str, object]:
        """Turn what the browser brought back into the checked claims of a person's account.

        Raises:
            Unauthenticated: the code was used or is not of this attempt, or the answer is not
                for this client, this attempt or this moment.
            ProviderUnavailable: it does not answer.
            ConfigError: it refuses this client.
        """


class Attempts(Protocol):
    """Lets the browser carry what has begun, so that any process can finish it."""

    def seal(self, attempt: Attempt) -> str:
        """Give it as a text that nobody else can make."""

    def opened(self, sealed: str) -> Attempt:
        """Take it back.

        Raises:
            Unauthenticated: it was not made here, or its time is over.
        """
