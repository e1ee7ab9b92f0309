"""``photogate up``: everything on this machine."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from local.console import complain, errors_as_lines, out, step

#: What a newcomer does after the first start.
_NEXT = (
    "next: open the review page and decide what waits for a person",
    "      moderate your own photos: .venv/bin/photogate check photo.jpg, or make run PHOTOS=dir",
    "      change what is rejected: docs/policies.md; from your own app: docs/tutorial.md",
)


def up(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Where the API answers.")] = 8000,
    workers: Annotated[
        int, typer.Option(min=0, max=64, help="Worker processes; 0 where others bring theirs.")
    ] = 2,
    model: Annotated[
        str | None,
        typer.Option(help="Which model looks; else MODEL_DIR's, or the small one."),
    ] = None,
    demo: Annotated[bool, typer.Option("--demo", help="First moderate sample photos.")] = False,
    photos: Annotated[
        Path | None, typer.Option(help="First moderate the photos of this folder.")
    ] = None,
    migrate: Annotated[
        bool,
        typer.Option("--migrate", help="Migrate the database of DATABASE_URL without asking."),
    ] = False,
) -> None:
    """Run everything on this machine until Ctrl-C."""
    from local.demo import Demo
    from local.home import Home
    from local.samples import folder_photos, sample_photos
    from local.stack import Stack

    with errors_as_lines():
        uploads = folder_photos(photos) if photos else sample_photos() if demo else []
        stack = Stack(
            home=Home(),
            port=port,
            workers=workers,
            model=model,
            progress=step,
            alert=complain,
            may_migrate=lambda lines: migrate or _agreed(lines),
        )
        with _interruptible():
            try:
                stack.start()
                user = "demo"
                if uploads and "JWT_SECRET" in os.environ:
                    run = Demo(stack.url, os.environ["JWT_SECRET"], out)
                    run.show(uploads)
                    user = run.first_user
                _print_addresses(stack.url, user, stack.home.path)
                while stack.failure is None:
                    time.sleep(0.5)
                raise stack.failure
            except KeyboardInterrupt:
                step("stopping")
            finally:
                stack.stop()


def _agreed(lines: list[str]) -> bool:
    """Show what a migration would do, and ask; nobody can be asked where there is no terminal."""
    for line in lines:
        step(line)
    return sys.stdin.isatty() and typer.confirm("Migrate this database?", err=True)


def _print_addresses(url: str, user: str, home: Path) -> None:
    from local.home import user_claim
    from photogate.auth import issue_token, sign_in_link
    from photogate.domain import Role

    lines = [
        f"API          {url}/api/v1/docs",
        f"admin API    {url}/api/v1/admin/docs",
        f"data         {home}",
    ]
    if secret := os.environ.get("JWT_SECRET"):
        half_a_day_s = 12 * 3600
        user_token = issue_token(
            user, secret=secret, lifetime_s=half_a_day_s, user_claim=user_claim()
        )
        admin_token = issue_token(
            "admin",
            secret=secret,
            role=Role.ADMIN,
            lifetime_s=half_a_day_s,
            user_claim=user_claim(),
        )
        link = sign_in_link(
            url,
            "admin",
            secret=secret,
            role=Role.ADMIN,
            issuer=os.environ.get("JWT_ISSUER"),
            audience=os.environ.get("JWT_AUDIENCE"),
            user_claim=user_claim(),
        )
        lines += [f"user token   {user_token}", f"admin token  {admin_token}"]
        lines += [f"review page  {link}"]
        lines += ["             (works once, for 15 minutes; another: photogate token --admin)"]
    # Not through rich: tokens must stay on one line, to be copied.
    sys.stdout.write("\n".join(["", *lines, "", *_NEXT, "", "Ctrl-C stops everything.", ""]))
    sys.stdout.flush()


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let SIGTERM and SIGINT end this process in order, also where a shell ignores them."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = {n: signal.signal(n, interrupt) for n in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
