"""``photogate queue``: what the jobs are at, what was given up, once more, and emptying it."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from local.commands.settings import stacks_settings
from local.console import ask, out
from local.durations import age

if TYPE_CHECKING:
    from collections.abc import Sequence

    from photogate.adapters.postgres.open_work import Work

queue = typer.Typer(no_args_is_help=True, help="The jobs: how many, which were given up.")

#: What the sweep takes at most until it begins its next round.
_SOON_S = 60.0


@queue.command()
def stats(
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Count the jobs by state, and what they are for, with the oldest."""
    from local.queue_tables import stats_json, stats_tables
    from photogate import bootstrap

    with stacks_settings():
        jobs, work = bootstrap.job_monitor().stats(), bootstrap.open_work()
    if as_json:
        sys.stdout.write(json.dumps(stats_json(jobs, work), indent=1) + "\n")
    else:
        out.print(*stats_tables(jobs, work), sep="\n")


@queue.command()
def dead(
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Rows at most.")] = 100,
) -> None:
    """List what automatic moderation gave up, with the last error, oldest first."""
    from local.queue_tables import given_up_table
    from photogate import bootstrap

    with stacks_settings():
        table = given_up_table(bootstrap.redrive().given_up(limit=limit))
    if table.rows:
        out.print(table)
    else:
        out.print("nothing was given up")


@queue.command()
def redrive(
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Batches at most.")] = 500,
) -> None:
    """Moderate once more what was given up; photos that a person decided stay as they are."""
    from photogate import bootstrap

    with stacks_settings():
        done = bootstrap.redrive().run(limit=limit)
    out.print(
        f"redriven: photos {done.photos}, batches {done.batches}, dead jobs {done.jobs}",
        highlight=False,
    )


@queue.command()
def purge(
    only_dead: Annotated[
        bool, typer.Option("--dead", help="Remove the jobs that were given up, and no others.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Empty the queue: remove the jobs that wait. No photo is lost: the sweep sends jobs again.

    For jobs of another installation, or that nobody can read.
    """
    from photogate import bootstrap

    with stacks_settings():
        monitor = bootstrap.job_monitor()
        before = monitor.stats()
        count = before.dead if only_dead else before.visible + before.delayed
        if not count:
            out.print(f"there are {_jobs(0, only_dead)}: nothing is removed", highlight=False)
            return
        if not yes:
            ask("remove", _jobs(count, only_dead), done="removed")
        removed = monitor.purge(dead=only_dead)
        out.print(f"removed: {_jobs(removed, only_dead)}", highlight=False)
        for line in _given_up_lines() if only_dead else _lines(bootstrap.open_work()):
            out.print(line, highlight=False, soft_wrap=True)


def _jobs(count: int, given_up: bool) -> str:
    of = "given-up" if given_up else "waiting"
    return f"{count or 'no'} {of} {'job' if count == 1 else 'jobs'}"


def _given_up_lines() -> list[str]:
    """Say what becomes of photos whose jobs were given up and are gone."""
    from photogate import bootstrap

    most = 1000
    batches = bootstrap.redrive().given_up(limit=most).batches
    if not batches:
        return ["no photo waits for a person because of them"]
    photos, more = sum(batch.photos for batch in batches), " or more" * (len(batches) == most)
    return [
        f"photos that wait for a person because moderation gave up: {photos}{more}, as before",
        "(`photogate queue dead` lists them, `photogate queue redrive` tries them once more)",
    ]


def _lines(work: Sequence[Work]) -> list[str]:
    """Say what becomes of photos whose jobs waited and are gone."""
    from local.queue_tables import counted

    if not work:
        return ["no photo waits for any of them"]
    waits = ", ".join(counted(one) for one in work)
    last_s = max(one.due_in_s for one in work) + _SOON_S
    return [
        f"still to be done, and not lost: {waits}",
        f"the sweep sends their jobs again by itself, the last of them in about {age(last_s)}",
    ]
