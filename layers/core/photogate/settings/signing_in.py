"""Who calls: tokens, keys made from secrets, and an OpenID provider."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr, model_validator

from photogate.settings.checks import Secret, is_safe_address
from photogate.settings.reading import LogSettings


class AuthSettings(LogSettings):
    """How callers' tokens are checked."""

    jwt_secret: Secret | None = Field(None, description="Secret of HS256 tokens.")
    jwt_jwks_url: Annotated[str, AfterValidator(is_safe_address)] | None = Field(
        None,
        description="Instead of `JWT_SECRET`: the https address of the keys of RS256 or ES256"
        " tokens.",
    )
    jwt_issuer: str | None = Field(
        None, description="Required `iss`; must be set with `JWT_JWKS_URL`."
    )
    jwt_audience: str | None = Field(
        None, description="Required `aud`; must be set with `JWT_JWKS_URL`."
    )
    jwt_user_claim: str = Field(
        "sub", min_length=1, max_length=200, description="The claim that holds the user's id."
    )

    @model_validator(mode="after")
    def _one_source(self) -> AuthSettings:
        if (self.jwt_secret is None) == (self.jwt_jwks_url is None):
            raise ValueError("set either JWT_SECRET or JWT_JWKS_URL")
        if self.jwt_jwks_url and not (self.jwt_issuer and self.jwt_audience):
            raise ValueError(
                "JWT_ISSUER and JWT_AUDIENCE are required with JWT_JWKS_URL, whose keys may sign"
                " tokens for other applications: set them to the iss and aud of yours"
            )
        return self


class KeySettings(AuthSettings):
    """What other keys are made from."""

    file_key_secret: Secret | None = Field(
        None, description="Proves whose an object key is; from `JWT_SECRET` when not set."
    )

    @property
    def key_secret(self) -> str:
        """What ``FileKeys`` and other keys are made from."""
        secret = self.file_key_secret or self.jwt_secret
        assert secret is not None  # noqa: S101 - held by those who need it
        return secret.get_secret_value()


class OidcSettings(KeySettings):
    """Signing in at the page with an OpenID provider."""

    oidc_issuer: Annotated[str, AfterValidator(is_safe_address)] | None = Field(
        None,
        description="Lets people sign in at the page with this OpenID provider: its address, as"
        " it names itself ([review](review.md)).",
    )
    oidc_client_id: str | None = Field(
        None, description="How the provider calls Photogate; needed with `OIDC_ISSUER`."
    )
    oidc_client_secret: SecretStr | None = Field(
        None, description="Its secret, unless the provider knows it as a public client."
    )
    oidc_scope: str = Field(
        "openid profile",
        pattern=r"^([!-~]+ )*openid( [!-~]+)*$",
        description="What is asked for; providers may want one more for the claim of the roles.",
    )
    oidc_roles_claim: str = Field(
        "groups",
        min_length=1,
        description="Claim of the ID token that says what somebody may do; `realm_access.roles`"
        " for one inside of another.",
    )
    oidc_admins: str = Field(
        "", description="Values of that claim, by commas, that make an `admin`."
    )
    oidc_moderators: str = Field("", description="The same for a `moderator`.")
    oidc_viewers: str = Field("", description="The same for a `viewer`.")
    oidc_user_claim: str = Field(
        "sub",
        min_length=1,
        description="Claim by which history names a person: one that nobody else ever gets.",
    )

    @model_validator(mode="after")
    def _has_provider(self) -> OidcSettings:
        if self.oidc_issuer is None:
            return self
        if self.oidc_client_id is None:
            raise ValueError("OIDC_CLIENT_ID is required with OIDC_ISSUER")
        if not any(self.oidc_roles.values()):
            raise ValueError(
                "OIDC_ISSUER needs OIDC_ADMINS, OIDC_MODERATORS or OIDC_VIEWERS: without them"
                " nobody may sign in"
            )
        if self.file_key_secret is None and self.jwt_secret is None:
            raise ValueError("FILE_KEY_SECRET is required with OIDC_ISSUER and JWT_JWKS_URL")
        return self

    @property
    def oidc_roles(self) -> dict[str, frozenset[str]]:
        """Give the values of the claim by role."""
        return {
            role: frozenset(value.strip() for value in values.split(",") if value.strip())
            for role, values in (
                ("admin", self.oidc_admins),
                ("moderator", self.oidc_moderators),
                ("viewer", self.oidc_viewers),
            )
        }
