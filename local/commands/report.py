"""``photogate report`` and ``results``: verdicts, summed up and one by one."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from local.commands.settings import stacks_settings
from local.console import errors_as_lines, out
from photogate.errors import ConfigError


def report(
    week: Annotated[bool, typer.Option("--week", help="Today and the six days before.")] = False,
    days: Annotated[
        int | None, typer.Option(min=1, max=92, help="So many days instead, today among them.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print all numbers as JSON.")] = False,
) -> None:
    """Sum up a week: verdicts, reasons, times, the work of people, the size of the database."""
    from local.report_tables import report_json, report_parts
    from photogate import bootstrap

    with errors_as_lines():
        if week and days is not None:
            raise ConfigError("--week and --days are two ways to say it: choose one")
    with stacks_settings():
        found = bootstrap.report(days=days or 7)
    if as_json:
        sys.stdout.write(json.dumps(report_json(found), indent=1) + "\n")
        return
    for part in report_parts(found):
        out.print(part, highlight=False)


def results(
    status: Annotated[
        str | None,
        typer.Option(help="approved, rejected, review, or failed: those that were not finished."),
    ] = None,
    reason: Annotated[str | None, typer.Option(help="Only with this reason, such as nsfw.")] = None,
    user: Annotated[str | None, typer.Option(help="Only photos of this user.")] = None,
    since: Annotated[str | None, typer.Option(help="90s, 15m, 2h, 1d or an ISO time.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Verdicts at most.")] = 20,
    as_csv: Annotated[bool, typer.Option("--csv", help="One row a verdict.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """List the latest verdicts, of the machine and of people, newest first.

    Reads the history in the database, as `GET /admin/history` does; `photogate logs` reads logs.
    """
    from local.results import newest, result_table, wanted
    from photogate import bootstrap

    with errors_as_lines():
        if as_csv and as_json:
            raise ConfigError("--csv and --json are two ways to print: choose one")
        chosen = wanted(status=status, reason=reason, user=user, since=since)
    with stacks_settings():
        found = newest(bootstrap.lists(), chosen, limit=limit)
    if as_csv:
        from functions.admin.csv_rows import csv_row
        from functions.admin.history import COLUMNS, cells

        sys.stdout.write("".join([csv_row(COLUMNS), *(csv_row(cells(one)) for one in found)]))
    elif as_json:
        from functions.admin.history import Entry

        sys.stdout.write("".join(f"{Entry.of(one).model_dump_json()}\n" for one in found))
    elif found:
        out.print(result_table(found, width=out.width))
    elif any((status, reason, user, since)):
        out.print("no verdict is of that kind")
    else:
        out.print("there are no verdicts yet")
