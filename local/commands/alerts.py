"""``photogate alerts``: what is wrong by the bounds of the settings, and whether telling works."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from local.commands.settings import stacks_settings
from local.console import complain, out

alerts = typer.Typer(no_args_is_help=True, help="What operators are told of, and how.")


@alerts.command("list")
def list_(
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Look at each condition once, and say what is wrong; nobody is told.

    Exits with 1 when something is.
    """
    from local.alerts.bounds import FIRST_STEPS, look
    from photogate import settings as s
    from photogate.bootstrap import choose

    with stacks_settings():
        found = look(choose.settings_of(s.AlertSettings))
    wrong = any(says is not None for says in found.values())
    if as_json:
        states = {name: _state(found, name) for name in FIRST_STEPS}
        told = {name: {"state": state, "says": found.get(name)} for name, state in states.items()}
        sys.stdout.write(json.dumps(told, indent=1) + "\n")
    else:
        table = Table("alert", "state", "what", header_style="bold")
        for name, first in FIRST_STEPS.items():
            says = found.get(name)
            words = "" if says is None else f"{escape(says)}\n→ {escape(first)}"
            table.add_row(name, _COLOURED[_state(found, name)], words)
        out.print(table)
    if wrong:
        raise typer.Exit(1)


@alerts.command()
def test() -> None:
    """Tell something over each way that is set, and say what came back.

    Exits with 1 when a way fails, or none is set.
    """
    from local.alerts.incidents import Alert
    from local.alerts.watch import ways
    from photogate import settings as s
    from photogate.bootstrap import choose

    with stacks_settings():
        installation = choose.settings_of(s.PublicSettings).public_url
        found = ways(choose.settings_of(s.AlertSettings), installation)
    if not found:
        complain(
            "photogate: nobody is told anything: set ALERT_WEBHOOK_URL, ALERT_TELEGRAM_CHAT or"
            " ALERT_COMMAND (docs/operate.md)"
        )
        raise typer.Exit(1)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    says = "a test: alerts arrive here"
    alert = Alert(name="test", state="test", says=says, first="", since=now, at=now)
    failed = False
    for way in found:
        told = way.tell(alert)
        failed |= not told.ok
        mark = "told" if told.ok else "not told"
        out.print(f"{way.name}: {mark}: {told.says}", highlight=False, markup=False, soft_wrap=True)
    if failed:
        raise typer.Exit(1)


_COLOURED = {"well": "[green]well[/green]", "wrong": "[red]wrong[/red]", "not known": "not known"}


def _state(found: dict[str, str | None], name: str) -> str:
    """Say how a condition is; it is not known where a bound is 0, or a part does not answer."""
    if name not in found:
        return "not known"
    return "well" if found[name] is None else "wrong"
