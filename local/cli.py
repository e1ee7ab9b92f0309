"""The command line: ``photogate --help``."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from local.console import complain, errors_as_lines, out, step
from local.home import EMBEDDED_POLICY
from local.model_commands import models
from photogate.errors import ConfigError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Photo moderation: photos go in, verdicts come out.",
)
app.add_typer(models, name="model")


@app.command()
def check(
    files: Annotated[list[Path], typer.Argument(help="Photos to moderate.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    model: Annotated[
        str | None,
        typer.Option(help="Which model looks; else MODEL_DIR's, or the small one."),
    ] = None,
    policy: Annotated[
        str, typer.Option(help="Which preset decides.", envvar="POLICY")
    ] = EMBEDDED_POLICY,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show what each rule says, and which one decided.")
    ] = False,
) -> None:
    """Moderate files directly, without any service.

    Exits with 0 whatever the verdicts are, with 2 when a file is not there.
    """
    from local.check import check_file
    from local.verdicts import coloured, explanation, score_columns, verdict_table
    from photogate import bootstrap
    from photogate.settings import MAX_PHOTO_BYTES, ModelSettings, PolicySettings, read

    with errors_as_lines():
        bundles = {}
        if model is not None or not os.environ.get("MODEL_DIR"):
            bundles["model_dir"] = _bundle(model)
        embedded = bootstrap.needs_faces(policy) and read(PolicySettings).compreface_url is None
        if embedded and not os.environ.get("FACES_DIR"):
            bundles["faces_dir"] = _faces()
        settings = read(ModelSettings, policy=policy, **bundles)
        rules, analyzer = bootstrap.preset(policy), bootstrap.analyzer(settings)
    table, missing = verdict_table(), False
    for path in files:
        try:
            checked = check_file(path, analyzer, rules, max_bytes=MAX_PHOTO_BYTES)
        except OSError as error:
            missing = True
            complain(f"{path}: {error.strerror}")
            continue
        if as_json:
            sys.stdout.write(json.dumps(checked.to_json()) + "\n")
        verdict = checked.finding.verdict
        if explain and not as_json:
            out.print(explanation(path.name, checked.finding, rules))
        table.add_row(
            escape(path.name),
            coloured(verdict.status),
            escape(verdict.reason or checked.finding.error or ""),
            *score_columns(checked.finding.scores()),
            f"{checked.duration_ms:.1f}",
        )
    if table.rows and not as_json:
        out.print(table)
    if missing:
        raise typer.Exit(2)


@app.command()
def up(
    port: Annotated[int, typer.Option(help="Where the API answers.")] = 8000,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Worker processes.")] = 2,
    model: Annotated[
        str | None,
        typer.Option(help="Which model looks; else MODEL_DIR's, or the small one."),
    ] = None,
    demo: Annotated[bool, typer.Option("--demo", help="First moderate sample photos.")] = False,
    photos: Annotated[
        Path | None, typer.Option(help="First moderate the photos of this folder.")
    ] = None,
) -> None:
    """Run everything on this machine until Ctrl-C."""
    from local.demo import Demo
    from local.home import Home
    from local.samples import folder_photos, sample_photos
    from local.stack import Stack

    with errors_as_lines():
        uploads = folder_photos(photos) if photos else sample_photos() if demo else []
        stack = Stack(
            home=Home(), port=port, workers=workers, model=model, progress=step, alert=complain
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


@app.command()
def worker() -> None:
    """Run one more worker until Ctrl-C; needs the settings, or a stack that ran here."""
    from local import worker as module

    with _stacks_settings():
        module.main()


@app.command()
def migrate(
    stack: Annotated[
        str | None, typer.Option(help="Of this CloudFormation stack, by its own function.")
    ] = None,
) -> None:
    """Bring the database's schema up to this version."""
    with errors_as_lines():
        if stack is None:
            from photogate import bootstrap

            with _stacks_settings():
                applied = bootstrap.migrate()
        else:
            from photogate.adapters.stack_aws import migrate_stack

            applied = migrate_stack(stack)
        out.print("\n".join(applied) or "the schema is up to date", highlight=False)


@app.command()
def token(
    user: Annotated[str, typer.Argument(help="The user's id: the token's `sub`.")],
    role: Annotated[str, typer.Option(help="user, viewer, moderator or admin.")] = "user",
    name: Annotated[str | None, typer.Option(help="What moderators read.")] = None,
    hours: Annotated[float, typer.Option(min=0.01, max=8760, help="Lifetime.")] = 12,
) -> None:
    """Print a bearer token that is signed with JWT_SECRET."""
    from photogate.auth import issue_token
    from photogate.domain import Role

    with _stacks_settings():
        if role not in list(Role):
            raise ConfigError(f"--role must be one of {', '.join(Role)}")
        sys.stdout.write(
            issue_token(
                user,
                secret=_jwt_secret(),
                role=Role(role),
                name=name,
                lifetime_s=int(hours * 3600),
                issuer=os.environ.get("JWT_ISSUER"),
                audience=os.environ.get("JWT_AUDIENCE"),
            )
            + "\n"
        )


@app.command()
def smoke(
    count: Annotated[int, typer.Argument(min=1, max=10_000, help="Photos to upload.")] = 5,
    url: Annotated[str | None, typer.Option(help="Where the API answers.")] = None,
) -> None:
    """Upload photos to a running stack and wait for their verdicts; 1 when some stay out."""
    from itertools import cycle, islice

    from local.demo import Demo
    from local.samples import sample_photos

    with _stacks_settings():
        where = url or os.environ.get("PUBLIC_URL", "http://127.0.0.1:8000")
        uploads = list(islice(cycle(sample_photos()), count))
        if not Demo(where, _jwt_secret(), out).show(uploads):
            raise typer.Exit(1)


@app.command()
def dead(
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Rows at most.")] = 100,
) -> None:
    """List what automatic moderation gave up, with the last error, oldest first."""
    from local.given_up import given_up_table
    from photogate import bootstrap

    with _stacks_settings():
        table = given_up_table(bootstrap.redrive().given_up(limit=limit))
    if table.rows:
        out.print(table)
    else:
        out.print("nothing was given up")


@app.command()
def redrive(
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Batches at most.")] = 500,
) -> None:
    """Moderate once more what was given up; photos that a person decided stay as they are."""
    from photogate import bootstrap

    with _stacks_settings():
        done = bootstrap.redrive().run(limit=limit)
    out.print(
        f"redriven: photos {done.photos}, batches {done.batches}, dead jobs {done.jobs}",
        highlight=False,
    )


@app.command()
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
            out.print(event_table(events))


@app.command()
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
        out.print(metric_table(found))


def _log_files(files: list[Path] | None) -> list[Path]:
    from local.home import Home

    found = files or sorted(Home().folder("logs").glob("*.log"))
    missing = [path for path in found if not path.is_file()]
    if missing:
        raise ConfigError(f"there is no file {missing[0]}")
    if not found:
        raise ConfigError("no stack has written logs here: `photogate up`, or name the files")
    return found


def _bundle(name: str | None) -> Path:
    from local.models.build import DEFAULT
    from local.models.own import bundle_folder

    return bundle_folder(name or DEFAULT, step)


def _faces() -> Path:
    from local.models.build import ensure_faces

    return ensure_faces(step)


def _jwt_secret() -> str:
    secret = os.environ.get("JWT_SECRET")
    if secret:
        return secret
    if os.environ.get("JWT_JWKS_URL"):
        raise ConfigError("tokens are made where the keys of JWT_JWKS_URL come from, not here")
    raise ConfigError("JWT_SECRET is not set")


@contextmanager
def _stacks_settings() -> Iterator[None]:
    """Run a command with the settings of the environment, then of the last stack here."""
    from local.home import Home

    with errors_as_lines():
        home = Home()
        stack_was_here = home.load_environment()
        try:
            yield
        except ConfigError as error:
            if stack_was_here:
                raise
            raise ConfigError(
                f"{error}. No stack has run in {home.path}: start one with `photogate up`, or set"
                " the settings yourself (README, Settings)"
            ) from error


def _print_addresses(url: str, user: str, home: Path) -> None:
    from photogate.auth import issue_token
    from photogate.domain import Role

    lines = [
        f"API          {url}/api/v1/docs",
        f"admin API    {url}/api/v1/admin/docs",
        f"data         {home}",
    ]
    if secret := os.environ.get("JWT_SECRET"):
        half_a_day_s = 12 * 3600
        user_token = issue_token(user, secret=secret, lifetime_s=half_a_day_s)
        admin_token = issue_token("admin", secret=secret, role=Role.ADMIN, lifetime_s=half_a_day_s)
        lines += [f"user token   {user_token}", f"admin token  {admin_token}"]
    # Not through rich: tokens must stay on one line, to be copied.
    sys.stdout.write("\n".join(["", *lines, "", "Ctrl-C stops everything.", ""]))
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
