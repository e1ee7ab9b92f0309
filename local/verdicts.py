"""Verdicts and their reasons as tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rich import box
from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from photogate.domain import Finding, Gate, Signals, Verdict
from photogate.domain.measures import read
from photogate.domain.policy import Policy, RuleResult, evaluate
from photogate.texts import rule_text

_COLOURS = {"approved": "green", "rejected": "red", "review": "yellow", "refused": "red"}

#: Title of a column -> the measure that it shows, and with how many digits.
_SHOWN = {
    "explicit": ("nsfw.explicit", ".3f"),
    "second": ("nsfw.second", ".3f"),
    "faces": ("face_count", ".0f"),
    "sharpness": ("blur_variance", ".0f"),
}


#: From so many characters on a terminal has room for all columns.
_WIDE = 100


def coloured(status: str) -> str:
    """Mark a status with its colour, for rich."""
    colour = _COLOURS.get(status, "white")
    return f"[{colour}]{status}[/{colour}]"


def verdict_table(rows: Iterable[Sequence[str]], *, width: int) -> Table:
    """Make the table that verdicts are shown in.

    Args:
        rows: photo, verdict, reason, ``score_columns``, milliseconds.
        width: of the terminal, in characters; a narrow one gets neither pixels nor milliseconds.
    """
    narrow = width < _WIDE
    table = Table(
        header_style="bold",
        box=box.SIMPLE_HEAD if narrow else box.HEAVY_HEAD,
        collapse_padding=narrow,
        pad_edge=not narrow,
    )
    table.add_column("photo", overflow="fold")
    table.add_column("verdict", no_wrap=True)
    table.add_column("reason", overflow="fold")
    titles = (*_SHOWN,) if narrow else (*_SHOWN, "pixels", "ms")
    for title in titles:
        table.add_column(title, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*row[: len(table.columns)])
    return table


def reason_column(reason: str | None, error: str | None, scores: dict[str, Any]) -> str:
    """Say why: the reason, else what went wrong, else which measure a person should look at."""
    rule = scores.get("rule") or {}
    return escape(reason or error or rule.get("name") or "")


def score_columns(scores: dict[str, Any]) -> list[str]:
    """Give what ``verdict_table`` shows of a ``moderation_scores`` document; "" where unknown."""
    signals = Signals.from_json(scores)
    measured = read(signals)
    shown = [
        format(measured[name], digits) if name in measured else ""
        for name, digits in _SHOWN.values()
    ]
    return [*shown, f"{signals.width}×{signals.height}" if signals.width else ""]


def explanation(name: str, finding: Finding, policy: Policy) -> RenderableType:
    """Show what each rule of the policy says of one photo, and which one decided."""
    verdict, signals = finding.verdict, finding.signals
    rule = verdict.rule and rule_text(verdict.rule)
    why = rule or verdict.detail or finding.error or "no rule has anything against it"
    frame = "" if signals.frame is None else f" (frame {signals.frame} of {signals.frames})"
    title = f"{escape(name)}: {coloured(verdict.status)}: {escape(why)}{frame}"
    if verdict.policy is None:
        return title
    table = Table(title=title, title_justify="left", title_style="", header_style="bold")
    table.add_column("rule")
    for column in ("value", "to a person", "rejected"):
        table.add_column(column, justify="right")
    for column in ("says", "reason"):
        table.add_column(column)
    for result in evaluate(signals, policy):
        table.add_row(*_explained(result, verdict))
    return table


def gate_lines(policy_id: str, gates: tuple[Gate, ...]) -> list[str]:
    """Say what photos are rejected for, and why something is not looked for."""
    on = [g.name if g.why is None else f"{g.name} ({g.why})" for g in gates if g.on]
    off = [f"{g.name} is off: {g.why}" for g in gates if not g.on]
    return [f"policy {policy_id} looks for {', '.join(on)}", *off]


def _explained(result: RuleResult, verdict: Verdict) -> list[str]:
    threshold, rule = result.threshold, verdict.rule
    decided = (
        rule is not None
        and rule.name == threshold.measure
        and result.outcome == verdict.status
        and rule.bound in (threshold.reject, threshold.review, None)
    )
    name = f"[bold]{threshold.measure}[/bold] ◀ decided" if decided else threshold.measure
    return [
        name,
        "not measured" if result.value is None else f"{round(result.value, 4):g}",
        _bound(threshold.worse, threshold.review),
        _bound(threshold.worse, threshold.reject),
        "" if result.outcome is None else coloured(result.outcome),
        threshold.reason.value,
    ]


def _bound(worse: str, bound: float | None) -> str:
    return "" if bound is None else f"{worse} {bound:g}"
