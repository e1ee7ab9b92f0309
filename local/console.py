"""What all commands share: where they write, and how they tell of errors."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console

from photogate.errors import PhotogateError

#: The width of tables where the output is no terminal.
_WIDTH = None if sys.stdout.isatty() else 120
out, err = Console(width=_WIDTH), Console(stderr=True)


def complain(line: str) -> None:
    """Say what went wrong."""
    err.print(line, style="red", markup=False, highlight=False, soft_wrap=True)


def step(line: str) -> None:
    """Say what takes long."""
    err.print(f"· {line}", style="dim", markup=False, highlight=False, soft_wrap=True)


def ask(verb: str, what: str, *, done: str) -> None:
    """Ask whether to do what cannot be undone; end with 1 where nobody agrees, or can be asked."""
    if not sys.stdin.isatty():
        complain(f"photogate: nobody can be asked here: to {verb} {what}, say --yes")
        raise typer.Exit(1)
    if not typer.confirm(f"{verb.capitalize()} {what}?", err=True):
        out.print(f"nothing is {done}")
        raise typer.Exit(1)


@contextmanager
def errors_as_lines() -> Iterator[None]:
    """Show an error of ours or of the database as one line, without a traceback; end with 1."""
    try:
        yield
    except PhotogateError as error:
        complain(f"photogate: {error}")
        raise typer.Exit(1) from error
    except Exception as error:
        from photogate.adapters.postgres.database_words import refusal

        if (words := refusal(error)) is None:
            raise
        complain(f"photogate: the database refuses: {words}")
        raise typer.Exit(1) from error
