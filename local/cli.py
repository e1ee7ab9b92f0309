"""The command line: ``photogate --help``."""

from __future__ import annotations

import typer

from local.commands.aws import stacks
from local.commands.check import check
from local.commands.client import smoke, token
from local.commands.doctor import doctor
from local.commands.evaluate import evaluate
from local.commands.given_up import dead, redrive
from local.commands.logs import logs, metrics
from local.commands.model import models
from local.commands.notices import notices
from local.commands.parts import migrate, worker
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
    up,
    worker,
    migrate,
    token,
    smoke,
    sessions,
    dead,
    redrive,
    doctor,
    watch,
    logs,
    metrics,
):
    app.command()(command)
app.add_typer(models, name="model")
app.add_typer(notices, name="notices")
app.add_typer(stacks, name="stack")
