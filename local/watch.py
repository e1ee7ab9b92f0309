"""What an installation is at, as one screen: parts, queue, verdicts, workers, newest photos."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from local.durations import age
from local.verdicts import coloured
from photogate.bootstrap import AdminParts
from photogate.domain import PhotoRow
from photogate.domain.operation import WorkerInfo
from photogate.errors import PhotogateError
from photogate.health import Health
from photogate.service.review import QueueReport

#: Newest photos that are listed.
_NEWEST = 12


def screen(parts: AdminParts) -> RenderableType:
    """Ask everything once; a part that is away is named, and what needs it is left out."""
    health = parts.health.report()
    now = datetime.now(UTC)
    shown: list[RenderableType] = [_line_of_parts(health, now)]
    try:
        report = parts.reviews.queue_report()
        listing = parts.reviews.dashboard(status=None, limit=_NEWEST)
    except PhotogateError as error:
        return Group(*shown, Text(str(error), style="red"))
    return Group(*shown, _work(report), _workers(report.workers, now), _photos(listing.photos, now))


def _line_of_parts(health: Health, now: datetime) -> RenderableType:
    marks = [
        f"[green]✓ {name}[/green]"
        if told["ok"]
        else f"[red]✗ {name}: {escape(str(told['error']))}[/red]"
        for name, told in (health.parts or {}).items()
    ]
    head = f"[bold]Photogate {health.version}[/bold]  {now:%H:%M:%S} UTC  {health.policy or ''}"
    if health.test_mode:
        head += "  [yellow]test mode[/yellow]"
    return Text.from_markup("\n".join([head, "  ".join(marks)]))


def _work(report: QueueReport) -> Table:
    queue, day = report.queue, report.last_day
    table = Table(title="now, and in the last 24 hours", title_justify="left", header_style="bold")
    cells = {
        "jobs wait": str(queue.visible),
        "at work": str(queue.in_flight),
        "delayed": str(queue.delayed),
        "given up": _if_any(queue.dead),
        "oldest": age(day.oldest_age_s),
        "approved": str(day.approved),
        "rejected": str(day.rejected),
        "for people": str(day.in_review),
        "failed": _if_any(day.failed),
    }
    for title in cells:
        table.add_column(title, justify="right")
    table.add_row(*cells.values())
    if day.rejection_reasons:
        most = sorted(day.rejection_reasons.items(), key=lambda pair: -pair[1])
        table.caption = "rejected: " + ", ".join(f"{reason} {n}" for reason, n in most)
    return table


def _workers(workers: Sequence[WorkerInfo], now: datetime) -> Table:
    table = Table(title="workers", title_justify="left", header_style="bold")
    for title in ("id", "policy", "up", "last photo"):
        table.add_column(title, overflow="fold")
    for worker in workers:
        last = worker.last_photo_at
        table.add_row(
            escape(worker.id),
            escape(worker.policy),
            age((now - worker.started_at).total_seconds()),
            "" if last is None else f"{age((now - last).total_seconds())} ago",
        )
    return table


def _photos(photos: Sequence[tuple[PhotoRow, str]], now: datetime) -> Table:
    table = Table(title="newest photos", title_justify="left", header_style="bold")
    for title in ("user", "verdict", "why", "ms", "came"):
        table.add_column(title, overflow="fold")
    for photo, _ in photos:
        took = (photo.scores or {}).get("processing_time_ms")
        table.add_row(
            escape(photo.user_id),
            coloured(photo.status),
            escape(photo.reason or photo.error or ""),
            "" if took is None else f"{took:.0f}",
            f"{age((now - photo.created_at).total_seconds())} ago",
        )
    return table


def _if_any(count: int) -> str:
    return f"[red]{count}[/red]" if count else "0"
