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
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what it would do; nothing is written.")
    ] = False,
) -> None:
    """Bring the database's schema up to this version."""
    if dry_run:
        _say_what_it_would_do(stack)
        return
    with errors_as_lines():
        if stack is None:
            from photogate import bootstrap

            with stacks_settings():
                applied = bootstrap.migrate()
        else:
            from photogate.adapters.stack_aws import migrate_stack

            applied = migrate_stack(stack, step)
        out.print("\n".join(applied) or "the schema is up to date", highlight=False)


def _say_what_it_would_do(stack: str | None) -> None:
    from photogate import bootstrap

    if stack is not None:
        raise typer.BadParameter("--dry-run looks at DATABASE_URL; a stack's function cannot")
    with stacks_settings():
        plan = bootstrap.plan_migration()
        for line in plan.lines:
            out.print(line, highlight=False, markup=False, soft_wrap=True)
        if plan.in_the_way:
            raise typer.Exit(1)
