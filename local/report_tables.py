"""The report of some days as tables and small plots, and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import date, datetime
from typing import Any

from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from local.durations import age
from local.evaluation.tables import percent
from photogate.adapters.postgres.report import Day, People, Report, Spread
from photogate.adapters.postgres.report import Table as Stored
from photogate.domain import Exactness
from photogate.domain.estimates import Share

#: Characters of a whole bar; of one beside six numbers.
_BAR, _SHORT_BAR = 20, 12
#: Verdict -> what its part of a bar is made of, told apart without colours, too.
_PARTS = {"approved": ("█", "green"), "rejected": ("▒", "red"), "to_people": ("░", "yellow")}
_UNITS = ("B", "kB", "MB", "GB", "TB")


def report_parts(report: Report) -> Iterator[RenderableType]:
    """Give the report piece by piece, each 80 characters wide at most."""
    yield f"[bold]{report.since:%Y-%m-%d} to {report.until:%Y-%m-%d %H:%M} UTC[/bold]"
    if not any(day.photos or _verdicts(day) for day in report.days):
        yield "no photo was handed in, and none had a verdict"
    else:
        yield _day_table(report.days)
        if report.reasons:
            yield _reason_table(report.reasons)
        yield _time_table(report)
    yield _people_table(report.people)
    yield _size_table(report)


def report_json(report: Report) -> dict[str, Any]:
    """Give all numbers for programs; times in seconds and milliseconds, as their names say."""
    told = _plain(asdict(report))
    days = _length(report)
    for table, stored in zip(told["tables"], report.tables, strict=True):
        growth = stored.growth_bytes(days)
        table["growth_bytes_a_day"] = None if growth is None else round(growth)
    told["overturned"] = _overturned(report.people).to_json()
    return dict(told)


def _day_table(days: tuple[Day, ...]) -> Table:
    table = _table("verdicts of the machine by day", "day")
    for title in ("photos", "approved", "rejected", "to people", "failed"):
        table.add_column(title, justify="right")
    table.add_column("")
    most = max(_verdicts(day) for day in days)
    for day in days:
        table.add_row(
            f"{day.day:%m-%d}",
            f"{day.photos}",
            f"{day.approved}",
            f"{day.rejected}",
            f"{day.to_people}",
            f"[red]{day.failed}[/red]" if day.failed else "0",
            _stacked(day, most),
        )
    table.caption = ", ".join(
        f"[{colour}]{block}[/{colour}] {name.replace('_', ' ')}"
        for name, (block, colour) in _PARTS.items()
    )
    return table


def _reason_table(reasons: dict[str, int]) -> Table:
    table = _table("rejections of the machine by reason", "reason")
    table.add_column("photos", justify="right")
    table.add_column("")
    most = max(reasons.values())
    for reason, count in reasons.items():
        table.add_row(escape(reason), str(count), "█" * max(1, round(_BAR * count / most)))
    return table


def _time_table(report: Report) -> Table:
    table = _table("times", "from … to")
    for title in ("half", "19 of 20"):
        table.add_column(title, justify="right")
    table.add_row("handed in to verdict", *_seconds(report.waited_s))
    look = report.look_ms
    table.add_row("looking at a photo", *(_or_none(v, "{:.0f} ms") for v in (look.p50, look.p95)))
    return table


def _people_table(people: People) -> Table:
    table = _table("work of people", "what")
    table.add_column("photos", justify="right")
    table.add_row("left to them by the machine: approved", str(people.approved))
    table.add_row("left to them by the machine: rejected", str(people.rejected))
    table.add_row("rejections of the machine: confirmed", str(people.confirmed))
    table.add_row("rejections of the machine: overturned", str(people.restored))
    table.add_row("approvals of the machine: overturned", str(people.withdrawn))
    table.add_row("decided once more by people", str(people.others))
    more = " or more" if people.waiting.exactness is Exactness.AT_LEAST else ""
    table.add_row("waiting now", f"{people.waiting.n}{more}")
    half, most = _seconds(people.waited_s)
    overturned = _overturned(people)
    table.caption = (
        f"overturned: {percent(overturned)} of what people looked at again; what they settled had"
        f" waited {half} (half), {most} (19 of 20); what waits longest now: {age(people.oldest_s)}"
    )
    return table


def _size_table(report: Report) -> Table:
    days = _length(report)
    table = _table(f"database: {_bytes(report.database_bytes)}", "table")
    for title in ("size", "rows, about", "came", "a day, about"):
        table.add_column(title, justify="right")
    for stored in report.tables:
        table.add_row(*_stored(stored, days))
    return table


def _stored(stored: Stored, days: float) -> tuple[str, ...]:
    growth = stored.growth_bytes(days)
    return (
        escape(stored.name),
        _bytes(stored.size_bytes),
        str(stored.rows or ""),
        "" if stored.came is None else f"+{stored.came}",
        "" if growth is None else f"+{_bytes(growth)}",
    )


def _table(title: str, first: str) -> Table:
    table = Table(title=title, title_justify="left", caption_justify="left", header_style="bold")
    table.add_column(first, overflow="fold")
    return table


def _stacked(day: Day, most: int) -> str:
    """Draw a day's verdicts, at a scale at which the most of a day have a whole bar."""
    parts, drawn, counted = [], 0, 0
    for name, (block, colour) in _PARTS.items():
        counted += getattr(day, name)
        until = round(_SHORT_BAR * counted / most) if most else 0
        parts.append(f"[{colour}]{block * (until - drawn)}[/{colour}]")
        drawn = until
    return "".join(parts)


def _verdicts(day: Day) -> int:
    return day.approved + day.rejected + day.to_people


def _overturned(people: People) -> Share:
    """Of what people looked at that the machine had decided: how often they decided otherwise."""
    hits = people.restored + people.withdrawn
    return Share(hits, hits + people.confirmed)


def _length(report: Report) -> float:
    return max(1 / 24, (report.until - report.since).total_seconds() / 86_400)


def _seconds(spread: Spread) -> list[str]:
    def said(value: float | None) -> str:
        return _or_none(value, "{:.1f} s") if value is None or value < 10 else age(value)

    return [said(spread.p50), said(spread.p95)]


def _or_none(value: float | None, how: str) -> str:
    return "-" if value is None else how.format(value)


def _bytes(size: float) -> str:
    for unit in _UNITS[:-1]:
        if size < 1000:
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} {_UNITS[-1]}"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value.isoformat() if isinstance(value, date | datetime) else value
