"""Signing in with an OpenID provider (OpenID Connect Core 1.0), by the code flow with PKCE."""

from photogate.adapters.oidc.attempts import SealedAttempts
from photogate.adapters.oidc.provider import OidcProvider

__all__ = ["OidcProvider", "SealedAttempts"]
