"""What ``photogate queue`` prints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.markup import escape
from rich.table import Table

from local.durations import age
from photogate.adapters.postgres.open_work import Work
from photogate.domain import DeadJob, Exactness, QueueStats
from photogate.errors import InvalidRequest
from photogate.messages import Job
from photogate.service.redrive import GivenUp

#: What each kind of work is counted in.
_UNITS = {"verdicts": ("batch", "batches"), "copies": ("photo", "photos")}


def stats_tables(jobs: QueueStats, work: Sequence[Work]) -> list[Table]:
    """Show the jobs by state, and below what they are for."""
    states = Table(title="jobs", title_justify="left", header_style="bold")
    for state in ("waiting", "at work", "delayed", "given up"):
        states.add_column(state, justify="right")
    given_up = f"[red]{jobs.dead}[/red]" if jobs.dead else "0"
    states.add_row(str(jobs.visible), str(jobs.in_flight), str(jobs.delayed), given_up)
    kinds = Table(title="to be done", title_justify="left", header_style="bold")
    kinds.add_column("kind")
    for title in ("how many", "oldest"):
        kinds.add_column(title, justify="right")
    for one in work:
        kinds.add_row(_kind(one), counted(one), age(one.oldest_s))
    if not work:
        kinds.add_row("nothing", "", "")
    return [states, kinds]


def stats_json(jobs: QueueStats, work: Sequence[Work]) -> dict[str, Any]:
    """Give the same for programs; states are named as ``/metrics`` does."""
    return {
        "jobs": {
            "waiting": jobs.visible,
            "in_flight": jobs.in_flight,
            "delayed": jobs.delayed,
            "dead": jobs.dead,
        },
        "work": [
            {
                "kind": one.kind,
                "waits_for": one.waits_for,
                "count": one.count.n,
                "count_is": one.count.exactness.value,
                "oldest_s": None if one.oldest_s is None else round(one.oldest_s, 1),
            }
            for one in work
        ],
    }


def counted(work: Work) -> str:
    """Say how much work it is: ``2 batches``."""
    one, many = _UNITS[work.kind]
    more = " or more" if work.count.exactness is Exactness.AT_LEAST else ""
    return f"{work.count.n}{more} {one if work.count.n == 1 else many}"


def _kind(work: Work) -> str:
    return work.kind if work.waits_for is None else f"{work.kind}, while {work.waits_for} is down"


def given_up_table(found: GivenUp) -> Table:
    """Show one line per batch; a dead job has its own where its batch is still open."""
    table = Table("batch", "photos", "deliveries", "since", "error")
    concluded = {batch.batch_id for batch in found.batches}
    for batch in found.batches:
        table.add_row(
            batch.batch_id,
            str(batch.photos),
            str(batch.deliveries),
            f"{batch.concluded_at:%Y-%m-%d %H:%M}",
            escape(batch.error),
        )
    for job in found.jobs:
        if (name := _batch_of(job)) not in concluded:
            table.add_row(
                escape(name), "", str(job.receive_count), "", escape(job.last_error or "")
            )
    return table


def _batch_of(job: DeadJob) -> str:
    try:
        return Job.decode(job.body).batch_id
    except InvalidRequest:
        return job.body[:80]
