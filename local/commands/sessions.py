"""``photogate sessions``: who is signed in at the moderators' page."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from local.commands.settings import stacks_settings
from local.console import out


def sessions(
    end: Annotated[
        str | None, typer.Option(metavar="USER", help="Sign this person out of all browsers.")
    ] = None,
) -> None:
    """List who is signed in at the page, or sign somebody out."""
    from photogate import bootstrap
    from photogate.service.sessions import MOST_LISTED

    with stacks_settings():
        known = bootstrap.sessions()
        if end is not None:
            out.print(f"sessions ended: {known.end_all(end)}", highlight=False)
            return
        table = Table("user", "name", "role", "since", "last seen")
        for session in known.listed(limit=MOST_LISTED):
            table.add_row(
                escape(session.principal.user_id),
                escape(session.principal.name or ""),
                session.principal.role.value,
                f"{session.began_at:%Y-%m-%d %H:%M}",
                f"{session.seen_at:%Y-%m-%d %H:%M}",
            )
    if table.rows:
        out.print(table)
    else:
        out.print("nobody is signed in")
