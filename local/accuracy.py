"""How often the machine was right, as tables, lines and a page."""

from __future__ import annotations

from pathlib import Path

from rich.markup import escape
from rich.table import Table

from local.evaluation.tables import percent
from local.pages import write_page
from photogate.domain.accuracy import Accuracy, Counts, Machine
from photogate.domain.samples import SampleOutcome


def who(machine: Machine) -> str:
    """Name a policy and the first digits of its models."""
    models = "+".join(digest[:8] for digest in (machine.model or "").split("+"))
    return f"{machine.policy or 'no policy'}, {models or 'no model'}"


def lines(accuracy: Accuracy) -> list[str]:
    """Say the figures that people ask for first."""
    _, counts = accuracy.main
    samples, automated = counts.samples, accuracy.all.automated
    return [
        f"{accuracy.statement}.",
        f"Of the rejections that people looked at, changed: {percent(counts.wrong_rejections)}.",
        f"Decided without a person: {percent(automated)} of {automated.of}.",
        f"Samples: {samples.total()} drawn, {counts.wrong_approvals.of} decided,"
        f" {samples[None]} waiting, {samples[SampleOutcome.WITHDRAWN]} gone before anybody looked.",
    ]


def machine_table(accuracy: Accuracy) -> Table:
    """Show what each machine decided; fits 80 columns."""
    table = Table(header_style="bold")
    table.add_column("policy, models", overflow="fold")
    for title in ("judged", "alone", "wrong approvals", "wrong rejections"):
        table.add_column(title, justify="right")
    for machine, counts in accuracy.busiest:
        table.add_row(
            escape(who(machine)),
            str(counts.judged),
            "-" if counts.automated.value is None else f"{counts.automated.value:.1%}",
            percent(counts.wrong_approvals),
            percent(counts.wrong_rejections),
        )
    return table


def reasons(counts: Counts) -> list[tuple[str, int, str, int]]:
    """Give for each reason: rejected by it, changed with its interval, found in samples."""
    known = {*counts.rejected, *counts.confirmed, *counts.overturned, *counts.missed}
    return [
        (
            reason,
            counts.rejected[reason],
            percent(counts.wrong_rejections_for(reason)),
            counts.missed[reason],
        )
        for reason in sorted(known)
    ]


def reason_table(accuracy: Accuracy) -> Table:
    """Show each reason of all machines together."""
    table = Table(header_style="bold")
    table.add_column("reason")
    for title in ("rejected", "changed by people", "missed in samples"):
        table.add_column(title, justify="right")
    for reason, rejected, changed, missed in reasons(accuracy.all):
        table.add_row(escape(reason), str(rejected), changed, str(missed))
    return table


def write_card(path: Path, accuracy: Accuracy) -> None:
    """Write all of it as one page.

    Args:
        path: replaced when it is there.
        accuracy: what was counted.

    Raises:
        OSError: it cannot be written.
    """
    write_page(
        path,
        "accuracy.html",
        since=f"{accuracy.since:%Y-%m-%d %H:%M} UTC",
        until=f"{accuracy.until:%Y-%m-%d %H:%M} UTC",
        lines=lines(accuracy),
        machines=[(who(machine), counts) for machine, counts in accuracy.busiest],
        reasons=reasons(accuracy.all),
        percent=percent,
    )
