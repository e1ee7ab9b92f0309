"""Figures as tables for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from local.evaluation.comparison import Flip
from local.evaluation.figures import Figures
from local.evaluation.labels import Expected
from local.evaluation.sweep import Swept
from local.verdicts import coloured
from photogate.domain.estimates import Share

#: How many flips are named.
_FLIPS = 20


def percent(share: Share) -> str:
    """Say a share with its interval, such as ``3.0 % (1.1-6.4)``; ``-`` of nothing."""
    if share.value is None:
        return "-"
    low, high = share.interval
    return f"{_short(share.value)} % ({_short(low)}-{_short(high)})"


def label_table(figures: Figures) -> Table:
    """Show what happened to each label."""
    table = Table(
        title=f"{escape(figures.policy.id)}, {escape(figures.panel)}",
        title_justify="left",
        header_style="bold",
    )
    table.add_column("label", overflow="fold")
    table.add_column("should be")
    for title in ("pictures", "approved", "to a person", "rejected"):
        table.add_column(title, justify="right")
    for label, (expected, counted) in figures.by_label().items():
        table.add_row(
            escape(label),
            {"approve": "approved", "reject": "rejected"}.get(expected, "either"),
            str(counted.pictures),
            *(percent(s) for s in (counted.approved, counted.to_people, counted.rejected)),
        )
    return table


def summary(figures: Figures) -> list[str]:
    """Say the figures that people ask for first, each with what it counts."""
    lines = []
    if figures.recall.of:
        missed = figures.of(Expected.REJECT).approved
        lines.append(
            f"recall {percent(figures.recall)}: {missed.hits} of {missed.of} that should be"
            f" rejected were approved; at 95 %, at most {_short(missed.at_most)} % are"
        )
    if figures.false_alarms.of:
        lines.append(
            f"false alarms {percent(figures.false_alarms)}: {figures.false_alarms.hits} of"
            f" {figures.false_alarms.of} that should be approved were rejected"
        )
    lines.append(f"left to people {percent(figures.to_people)} of all")
    return lines


def worst_lines(figures: Figures) -> list[str]:
    """Name the worst mistakes."""
    return [
        f"{j.picture.name}: {j.verdict.status.value}"
        f"{f' ({j.verdict.reason})' if j.verdict.reason else ''},"
        f" should be {'rejected' if j.picture.expected is Expected.REJECT else 'approved'}"
        for j in figures.worst()
    ]


def sweep_table(swept: Swept) -> Table:
    """Show one bound at several values."""
    table = Table(title=escape(swept.name), title_justify="left", header_style="bold")
    for title in ("bound", "recall", "false alarms", "to a person"):
        table.add_column(title, justify="right")
    for tried in swept.tried:
        table.add_row(
            f"{'▶ ' if tried.own else ''}{tried.value:g}",
            *(percent(s) for s in (tried.recall, tried.false_alarms, tried.to_people)),
        )
    return table


def flip_table(flips: Sequence[Flip]) -> RenderableType:
    """Show of which pictures two policies or panels say different things."""
    better = sum(flip.gain > 0 for flip in flips)
    worse = sum(flip.gain < 0 for flip in flips)
    title = f"{len(flips)} verdicts differ: the second is right {better} times, wrong {worse} times"
    table = Table(title=title, title_justify="left", header_style="bold")
    for column in ("photo", "label", "first", "second"):
        table.add_column(column, overflow="fold")
    for flip in flips[:_FLIPS]:
        table.add_row(
            escape(flip.first.picture.name),
            escape(flip.first.picture.label),
            coloured(flip.first.verdict.status),
            coloured(flip.second.verdict.status),
        )
    return table if flips else "no verdict differs"


def _short(share: float) -> str:
    """Give per cent with three digits that say something."""
    percent = 100 * share
    return f"{percent:.1f}" if percent >= 1 or percent == 0 else f"{percent:.2g}"
