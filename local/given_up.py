"""What ``photogate dead`` prints."""

from __future__ import annotations

from rich.markup import escape
from rich.table import Table

from photogate.domain import DeadJob
from photogate.errors import InvalidRequest
from photogate.messages import Job
from photogate.service.redrive import GivenUp


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
