"""``photogate dead`` and ``redrive``: what automatic moderation gave up."""

from __future__ import annotations

from typing import Annotated

import typer

from local.commands.settings import stacks_settings
from local.console import out


def dead(
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Rows at most.")] = 100,
) -> None:
    """List what automatic moderation gave up, with the last error, oldest first."""
    from local.given_up import given_up_table
    from photogate import bootstrap

    with stacks_settings():
        table = given_up_table(bootstrap.redrive().given_up(limit=limit))
    if table.rows:
        out.print(table)
    else:
        out.print("nothing was given up")


def redrive(
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Batches at most.")] = 500,
) -> None:
    """Moderate once more what was given up; photos that a person decided stay as they are."""
    from photogate import bootstrap

    with stacks_settings():
        done = bootstrap.redrive().run(limit=limit)
    out.print(
        f"redriven: photos {done.photos}, batches {done.batches}, dead jobs {done.jobs}",
        highlight=False,
    )
