"""Logs and metrics as tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.markup import escape
from rich.table import Table

from local.logs import MetricSummary
from local.verdicts import coloured

#: The rest is worth a look only when something went wrong.
_TOLD = ("photo_id", "rule", "error", "waited_ms", "delivery", "exception_name", "marker")


def event_table(events: Sequence[dict[str, Any]]) -> Table:
    """Make a table of log events."""
    table = Table(header_style="bold")
    for title in ("time", "service", "event", "status", "reason", "user", "batch", "ms", "more"):
        table.add_column(title, overflow="fold", justify="right" if title == "ms" else "left")
    for event in events:
        duration = event.get("duration_ms")
        table.add_row(
            f"{event['time']:%H:%M:%S.%f}"[:-3],
            str(event.get("service", "")),
            _marked(event),
            coloured(str(event.get("status", ""))) if "status" in event else "",
            escape(str(event.get("reason") or "")),
            escape(str(event.get("user_id") or "")),
            str(event.get("batch_id") or "")[:8],
            f"{duration:.1f}" if isinstance(duration, int | float) else "",
            escape(" ".join(f"{n}={event[n]}" for n in _TOLD if event.get(n) is not None)),
        )
    return table


def metric_table(metrics: Sequence[MetricSummary]) -> Table:
    """Make a table of metrics: counts are summed, durations have percentiles."""
    table = Table(header_style="bold")
    table.add_column("metric")
    table.add_column("dimensions", overflow="fold")
    for title in ("count", "sum", "p50", "p95", "max"):
        table.add_column(title, justify="right")
    for metric in metrics:
        values, timed = metric.values, metric.unit == "Milliseconds"
        spread = (
            (f"{v:.1f} ms" for v in (metric.percentile(0.5), metric.percentile(0.95), max(values)))
            if timed
            else ("", "", "")
        )
        total = "" if timed else f"{sum(values):g}"
        table.add_row(metric.name, metric.dimensions, str(len(values)), total, *spread)
    return table


def _marked(event: dict[str, Any]) -> str:
    words = str(event.get("message", ""))
    if words == "request":
        words = f"{event['method']} {str(event['route']).removeprefix('/api/v1')}"
    words = escape(words)
    return f"[red]{words}[/red]" if event.get("level") in ("ERROR", "WARNING") else words
