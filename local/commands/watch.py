"""``photogate watch``: what the installation is at, until Ctrl-C."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Annotated

import typer

from local.commands.settings import stacks_settings
from local.console import out


def watch(
    every: Annotated[float, typer.Option(min=0.5, max=3600, help="Seconds between two looks.")] = 2,
    once: Annotated[bool, typer.Option("--once", help="Look once and end.")] = False,
) -> None:
    """Show queue, verdicts, workers and the newest photos, and go on until Ctrl-C.

    Takes the settings of the environment, then those of the last stack here.
    """
    from rich.live import Live

    from local.watch import screen
    from photogate import bootstrap

    with stacks_settings(), suppress(KeyboardInterrupt):
        parts = bootstrap.admin()
        if once:
            out.print(screen(parts))
            return
        with Live(screen(parts), console=out, auto_refresh=False) as live:
            while True:
                time.sleep(every)
                live.update(screen(parts), refresh=True)
