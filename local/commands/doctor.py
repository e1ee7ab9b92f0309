"""``photogate doctor``: what is wrong with an installation, and how to mend it."""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import asdict
from typing import Annotated

import typer

from local.commands.settings import stacks_settings
from local.console import out

_MARKS = {"ok": "[green]✓[/green]", "warning": "[yellow]![/yellow]", "wrong": "[red]✗[/red]"}


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print findings as JSON.")] = False,
) -> None:
    """Look at each setting and part: what is wrong, and how to mend it.

    Takes the settings of the environment, then those of the last stack here. Exits with 1 when
    something is wrong; warnings alone give 0.
    """
    from local.doctor import Level, examine
    from photogate import bootstrap

    found = []
    with stacks_settings() as stack_was_here:
        if not (stack_was_here or as_json):
            out.print("no stack has run here: these are the environment's settings alone")
        try:
            for finding in examine():
                found.append(finding)
                if not as_json:
                    mark = _MARKS.get(finding.level, "?")
                    out.print(f"{mark} [bold]{finding.part}[/bold]", end=" ")
                    out.print(finding.says, markup=False, highlight=False, soft_wrap=True)
                    if finding.mend is not None:
                        out.print(f"  → {finding.mend}", markup=False, highlight=False)
        finally:
            bootstrap.reset()
    count = Counter(finding.level for finding in found)
    if as_json:
        sys.stdout.write(json.dumps([asdict(finding) for finding in found], indent=1) + "\n")
    elif count[Level.WRONG]:
        wrong = count[Level.WRONG]
        out.print(f"{wrong} thing{'s are' if wrong > 1 else ' is'} wrong", style="red")
    else:
        out.print("nothing is wrong")
    if count[Level.WRONG]:
        raise typer.Exit(1)
