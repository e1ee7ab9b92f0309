"""Reads the structured logs and metrics that the stack's processes wrote."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from photogate.errors import ConfigError

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True, kw_only=True)
class LogFilter:
    """Which events are wanted; what is None does not matter."""

    #: The id or its beginning.
    batch: str | None = None
    user: str | None = None
    #: Of a photo (``rejected``) or of a request (``503``).
    status: str | None = None
    correlation: str | None = None
    since: datetime | None = None

    def wants(self, event: dict[str, Any]) -> bool:
        """Tell whether ``event`` fits."""
        if not str(event.get("batch_id", "")).startswith(self.batch or ""):
            return False
        pairs = (
            (self.user, event.get("user_id")),
            (self.status, event.get("status")),
            (self.correlation, event.get("correlation_id")),
        )
        if any(wanted is not None and wanted != str(found) for wanted, found in pairs):
            return False
        return self.since is None or event["time"] >= self.since


@dataclass(frozen=True, kw_only=True)
class MetricSummary:
    """All values of one metric under one set of dimensions."""

    name: str
    #: ``key=value`` pairs, joined.
    dimensions: str
    unit: str
    values: Sequence[float]

    def percentile(self, share: float) -> float:
        """Give the value below which ``share`` (0..1) of the values lie."""
        ordered = sorted(self.values)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def since(text: str | None) -> datetime | None:
    """Read ``90s``, ``15m``, ``2h``, ``1d`` or an ISO time.

    Raises:
        ConfigError: it is neither.
    """
    if text is None:
        return None
    if match := re.fullmatch(r"(\d+)([smhd])", text):
        return datetime.now(UTC) - timedelta(**{_UNITS[match[2]]: int(match[1])})
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(f"--since {text!r}: use 90s, 15m, 2h, 1d or an ISO time") from error
    return moment if moment.tzinfo else moment.astimezone()


def read_events(paths: Iterable[Path], wanted: LogFilter) -> list[dict[str, Any]]:
    """Give the log events that fit, oldest first, each with its ``time``."""
    events = (_event(line) for line in _json_lines(paths) if "_aws" not in line)
    return sorted(
        (event for event in events if event is not None and wanted.wants(event)),
        key=lambda event: event["time"],
    )


def read_metrics(paths: Iterable[Path], *, after: datetime | None) -> list[MetricSummary]:
    """Sum up the embedded metrics by name and dimensions, in order of their names."""
    found: dict[tuple[str, str, str], list[float]] = {}
    for line in _json_lines(paths):
        if "_aws" not in line:
            continue
        moment = datetime.fromtimestamp(line["_aws"]["Timestamp"] / 1000, UTC)
        if after is not None and moment < after:
            continue
        for directive in line["_aws"]["CloudWatchMetrics"]:
            keys = [key for group in directive["Dimensions"] for key in group]
            dimensions = ", ".join(f"{key}={line[key]}" for key in sorted(keys))
            for metric in directive["Metrics"]:
                values = line[metric["Name"]]
                place = found.setdefault((metric["Name"], dimensions, metric["Unit"]), [])
                place += values if isinstance(values, list) else [values]
    return [
        MetricSummary(name=name, dimensions=dimensions, unit=unit, values=values)
        for (name, dimensions, unit), values in sorted(found.items())
    ]


def _event(line: dict[str, Any]) -> dict[str, Any] | None:
    try:
        return {**line, "time": datetime.fromisoformat(str(line["timestamp"]))}
    except (KeyError, ValueError):
        return None


def _json_lines(paths: Iterable[Path]) -> Iterator[dict[str, Any]]:
    """Yield each line that is a JSON object; other programs wrote the other lines."""
    for path in paths:
        with path.open(encoding="utf-8", errors="replace") as lines:
            for text in lines:
                if text.startswith("{"):
                    try:
                        line = json.loads(text)
                    except ValueError:
                        continue
                    yield line
