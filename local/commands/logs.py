"""``photogate logs`` and ``metrics``: what the functions wrote down."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from local.console import errors_as_lines, out
from photogate.errors import ConfigError


def logs(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Log files; else those of the stack here.")
    ] = None,
    batch: Annotated[str | None, typer.Option(help="Only this batch.")] = None,
    user: Annotated[str | None, typer.Option(help="Only this user.")] = None,
    status: Annotated[
        str | None, typer.Option(help="Only photos (rejected) or requests (503) of this status.")
    ] = None,
    correlation: Annotated[str | None, typer.Option(help="Only this correlation id.")] = None,
    since: Annotated[str | None, typer.Option(help="90s, 15m, 2h, 1d or an ISO time.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The events themselves.")] = False,
) -> None:
    """Show what the functions logged, oldest first, as one would in CloudWatch."""
    from local import logs as module
    from local.log_tables import event_table

    with errors_as_lines():
        wanted = module.LogFilter(
            batch=batch,
            user=user,
            status=status,
            correlation=correlation,
            since=module.since(since),
        )
        events = module.read_events(_log_files(files), wanted)
        if as_json:
            for event in events:
                sys.stdout.write(json.dumps(event, default=str) + "\n")
        else:
            table = event_table(events)
            out.print(table if table.rows else "nothing of that was logged yet")


def metrics(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Log files; else those of the stack here.")
    ] = None,
    since: Annotated[str | None, typer.Option(help="90s, 15m, 2h, 1d or an ISO time.")] = None,
) -> None:
    """Sum up the metrics that the functions emitted, as one would in CloudWatch."""
    from local import logs as module
    from local.log_tables import metric_table

    with errors_as_lines():
        found = module.read_metrics(_log_files(files), after=module.since(since))
        table = metric_table(found)
        out.print(table if table.rows else "no metrics were written yet")


def _log_files(files: list[Path] | None) -> list[Path]:
    from local.home import Home

    found = files or sorted(Home().folder("logs").glob("*.log"))
    missing = [path for path in found if not path.is_file()]
    if missing:
        raise ConfigError(f"there is no file {missing[0]}")
    if not found:
        raise ConfigError("no stack has written logs here: `photogate up`, or name the files")
    return found
