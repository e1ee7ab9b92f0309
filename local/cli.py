"""The command line: ``photogate --help``."""

from __future__ import annotations

from collections.abc import Callable

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

_FIRST = "Begin here"
_SEE = "See what happens"
_JUDGE = "Judge better"
_OPERATE = "Operate"
_KEEP = "Keep and restore"
_EXAMPLES = """Examples:
photogate check photo.jpg            the verdict on a file, without a service
photogate up --demo                  run everything, and send sample photos
photogate token --admin              a link to the page where people decide
photogate results --status rejected  what was rejected, and why
photogate doctor                     what is wrong, and how to mend it"""

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Photo moderation: photos go in, verdicts come out.",
    epilog=_EXAMPLES,
)
#: In the order in which ``photogate --help`` lists them; groups of commands come last under each.
_COMMANDS: dict[str, tuple[Callable[..., None], ...]] = {
    _FIRST: (check, up, token, smoke, doctor),
    _SEE: (watch, results, report, accuracy, logs, metrics),
    _JUDGE: (evaluate,),
    _OPERATE: (worker, migrate, sessions, erase),
    _KEEP: (backup, remaining, restore),
}
_GROUPS = {
    "model": (models, _JUDGE),
    "queue": (queue, _OPERATE),
    "notices": (notices, _OPERATE),
    "alerts": (alerts, _OPERATE),
    "stack": (stacks, _OPERATE),
}
for panel, commands in _COMMANDS.items():
    for command in commands:
        app.command(rich_help_panel=panel)(command)
for name, (group, panel) in _GROUPS.items():
    app.add_typer(group, name=name, rich_help_panel=panel)
# Their names before there was a group.
app.command(hidden=True)(dead)
app.command(hidden=True)(redrive)

if __name__ == "__main__":
    app(prog_name="photogate")
