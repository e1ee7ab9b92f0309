"""``photogate worker`` and ``migrate``: single parts of an installation."""

from __future__ import annotations

from typing import Annotated

import typer

from local.commands.settings import stacks_settings
from local.console import errors_as_lines, out, step


def worker() -> None:
    """Run one more worker until Ctrl-C; needs the settings, or a stack that ran here."""
    from local import worker as module

    with stacks_settings():
        module.main()


def migrate(
    stack: Annotated[
        str | None, typer.Option(help="Of this CloudFormation stack, by its own function.")
    ] = None,
) -> None:
    """Bring the database's schema up to this version."""
    with errors_as_lines():
        if stack is None:
            from photogate import bootstrap

            with stacks_settings():
                applied = bootstrap.migrate()
        else:
            from photogate.adapters.stack_aws import migrate_stack

            applied = migrate_stack(stack, step)
        out.print("\n".join(applied) or "the schema is up to date", highlight=False)
