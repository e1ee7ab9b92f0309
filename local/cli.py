"""The command line: ``photogate --help``."""

from __future__ import annotations

import typer

from local.commands.accuracy import accuracy
from local.commands.alerts import alerts
from local.commands.aws import stacks
from local.commands.backup import backup, remaining, restore
from local.commands.check import check
from local.commands.client import smoke, token
from local.commands.doctor import doctor
from local.commands.erase import erase
from local.commands.evaluate import evaluate
from local.commands.logs import logs, metrics
from local.commands.model import models
from local.commands.notices import notices
from local.commands.parts import migrate, worker
from local.commands.queue import dead, queue, redrive
from local.commands.report import report, results
from local.commands.sessions import sessions
from local.commands.up import up
from local.commands.watch import watch

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Photo moderation: photos go in, verdicts come out.",
)
for command in (
    check,
    evaluate,
    accuracy,
    up,
    worker,
    migrate,
    token,
    smoke,
    sessions,
    erase,
    doctor,
    watch,
    report,
    results,
    logs,
    metrics,
    backup,
    remaining,
    restore,
):
    app.command()(command)
app.add_typer(models, name="model")
app.add_typer(notices, name="notices")
app.add_typer(queue, name="queue")
app.add_typer(alerts, name="alerts")
# Their names before there was a group.
app.command(hidden=True)(dead)
app.command(hidden=True)(redrive)
app.add_typer(stacks, name="stack")

if __name__ == "__main__":
    app(prog_name="photogate")
