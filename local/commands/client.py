"""``photogate token`` and ``smoke``: what a client of a running stack does."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from local.commands.settings import stacks_settings
from local.console import out
from photogate.errors import ConfigError


def token(
    user: Annotated[str, typer.Argument(help="The user's id: the token's `sub`.")],
    role: Annotated[str, typer.Option(help="user, viewer, moderator or admin.")] = "user",
    name: Annotated[str | None, typer.Option(help="What moderators read.")] = None,
    hours: Annotated[float, typer.Option(min=0.01, max=8760, help="Lifetime.")] = 12,
) -> None:
    """Print a bearer token that is signed with JWT_SECRET."""
    from photogate.auth import issue_token
    from photogate.domain import Role

    with stacks_settings():
        if role not in list(Role):
            raise ConfigError(f"--role must be one of {', '.join(Role)}")
        sys.stdout.write(
            issue_token(
                user,
                secret=_jwt_secret(),
                role=Role(role),
                name=name,
                lifetime_s=int(hours * 3600),
                issuer=os.environ.get("JWT_ISSUER"),
                audience=os.environ.get("JWT_AUDIENCE"),
            )
            + "\n"
        )


def smoke(
    count: Annotated[int, typer.Argument(min=1, max=10_000, help="Photos to upload.")] = 5,
    url: Annotated[str | None, typer.Option(help="Where the API answers.")] = None,
) -> None:
    """Upload photos to a running stack and wait for their verdicts; 1 when some stay out."""
    from itertools import cycle, islice

    from local.demo import Demo
    from local.samples import sample_photos

    with stacks_settings():
        where = url or os.environ.get("PUBLIC_URL", "http://127.0.0.1:8000")
        uploads = list(islice(cycle(sample_photos()), count))
        if not Demo(where, _jwt_secret(), out).show(uploads):
            raise typer.Exit(1)


def _jwt_secret() -> str:
    secret = os.environ.get("JWT_SECRET")
    if secret:
        return secret
    if os.environ.get("JWT_JWKS_URL"):
        raise ConfigError("tokens are made where the keys of JWT_JWKS_URL come from, not here")
    raise ConfigError("JWT_SECRET is not set")
