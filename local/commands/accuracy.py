"""``photogate accuracy``: how often the machine was right, as far as people looked."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from local.commands.settings import stacks_settings
from local.console import complain, out


def accuracy(
    days: Annotated[int, typer.Option(min=1, max=3650, help="Look back so long.")] = 28,
    as_json: Annotated[
        bool, typer.Option("--json", help="All of it for programs, as the admin API has it.")
    ] = False,
    html: Annotated[Path | None, typer.Option(help="Write it as one page, for an auditor.")] = None,
) -> None:
    """Say how often the machine was right, as far as people looked."""
    from functions.admin.accuracy import AccuracyCard
    from local.accuracy import lines, machine_table, reason_table, write_card
    from photogate import bootstrap

    with stacks_settings():
        found = bootstrap.accuracy().of_days(days)
    if as_json:
        sys.stdout.write(AccuracyCard.of(found).model_dump_json(indent=2) + "\n")
    elif not found.all.judged:
        out.print(f"the machine has decided nothing in the last {days} days", highlight=False)
    else:
        for line in lines(found):
            out.print(line, highlight=False, markup=False)
        out.print(machine_table(found))
        if (table := reason_table(found)).rows:
            out.print(table)
    if html is not None:
        try:
            write_card(html, found)
        except OSError as error:
            complain(f"photogate: {html} cannot be written: {error.strerror}")
            raise typer.Exit(1) from error
