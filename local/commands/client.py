"""``photogate token`` and ``smoke``: what a client of a running stack does."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from local.commands.settings import stacks_settings
from local.console import errors_as_lines, out
from photogate.errors import ConfigError


def token(
    user: Annotated[
        str | None, typer.Argument(help="The user's id: the token's `sub`; for a link `admin`.")
    ] = None,
    role: Annotated[
        str | None,
        typer.Option(help="user, viewer, moderator or admin; else user, of a link admin."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="What moderators read.")] = None,
    hours: Annotated[float, typer.Option(min=0.01, max=8760, help="Lifetime of a token.")] = 12,
    admin: Annotated[
        bool, typer.Option("--admin", help="Print a link that signs in at the page, once.")
    ] = False,
    url: Annotated[str | None, typer.Option(help="Where the API answers, for a link.")] = None,
) -> None:
    """Print a bearer token that is signed with JWT_SECRET, or a sign-in link for the page."""
    from local.home import user_claim
    from photogate.auth import issue_token, sign_in_link
    from photogate.domain import Role

    with errors_as_lines():
        # What was asked for wrongly is said first: no setting is to blame for it.
        if role is not None and role not in list(Role):
            raise ConfigError(f"--role must be one of {', '.join(Role)}")
        if admin and role == Role.USER:
            raise ConfigError("--admin needs the role viewer, moderator or admin: --role")
        if not user and not admin:
            raise ConfigError("say whose token: photogate token USER")
    with stacks_settings():
        secret = _jwt_secret()
        issuer, audience = os.environ.get("JWT_ISSUER"), os.environ.get("JWT_AUDIENCE")
        if admin or not user:
            made = sign_in_link(
                url or os.environ.get("PUBLIC_URL", "http://127.0.0.1:8000"),
                user or "admin",
                secret=secret,
                role=Role(role or Role.ADMIN),
                name=name,
                issuer=issuer,
                audience=audience,
                user_claim=user_claim(),
            )
        else:
            made = issue_token(
                user,
                secret=secret,
                role=Role(role or Role.USER),
                name=name,
                lifetime_s=int(hours * 3600),
                issuer=issuer,
                audience=audience,
                user_claim=user_claim(),
            )
        sys.stdout.write(made + "\n")


def smoke(
    count: Annotated[int, typer.Argument(min=1, max=10_000, help="Photos to upload.")] = 5,
    url: Annotated[str | None, typer.Option(help="Where the API answers.")] = None,
    as_: Annotated[
        str | None,
        typer.Option("--as", help="A verdict, e.g. rejected:nsfw: send test photos that name it."),
    ] = None,
) -> None:
    """Upload photos to a running stack and wait for their verdicts; 1 when some stay out."""
    from itertools import cycle, islice

    from local.demo import Demo
    from local.samples import marked, sample_photos

    with stacks_settings():
        public_url = os.environ.get("PUBLIC_URL", "http://127.0.0.1:8000")
        at = url or os.environ.get("PHOTOGATE_API_URL") or public_url
        demo = Demo(at, _jwt_secret(), out, public_url=public_url)
        photos = sample_photos() if as_ is None else [marked(sample_photos()[0], as_)]
        uploads = list(islice(cycle(photos), count))
        if not demo.show(uploads, test=as_ is not None):
            raise typer.Exit(1)


def _jwt_secret() -> str:
    secret = os.environ.get("JWT_SECRET")
    if secret:
        return secret
    if os.environ.get("JWT_JWKS_URL"):
        raise ConfigError("tokens are made where the keys of JWT_JWKS_URL come from, not here")
    raise ConfigError("JWT_SECRET is not set")
