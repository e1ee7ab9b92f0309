"""What 1, 100 and 1,000 photos a second need and cost on AWS, and where it breaks first.

    python -m bench.aws [--look fast] [--inputs measured.json] [--seed 1]

Reckoned, not run: no account was at hand. Prices and AWS's limits are from memory and marked so;
what a photo takes is measured here, or read from a file that somebody measured on Lambda.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.aws import burst, cost, measure
from bench.aws.prices import LIMITS, PRICES, usd

_MILLION = 1e6
#: What a million photos' verdicts may cost in compute, USD; Rekognition takes 1,000.
TARGET_USD = 2.0
_RATES = (1, 100, 1000)
_BURST = 1_000_000
_BURST_S = 3600


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(prog="bench.aws", description="Cost and limits on AWS.")
    parser.add_argument("--inputs", type=Path, help="JSON with what was measured elsewhere")
    parser.add_argument("--seed", type=int, default=1, help="of the burst")
    parser.add_argument("--look", choices=measure.LOOKS, default="normal", help="as LOOK")
    given = parser.parse_args()
    inputs = measure.read(given.inputs) if given.inputs else measure.measured(given.look)
    best = cost.cheapest_mb(inputs)
    console = Console(width=140, highlight=False)
    for table in (
        _inputs(inputs),
        _sizes(inputs, best),
        _bill(inputs, best),
        _needs(inputs, best),
        _breaking(inputs, best),
        _burst(inputs, best, given.seed),
        _prices(),
    ):
        console.print(table)


def alarm_metrics() -> int:
    """Count what the alarms of template.yaml watch, as it is charged: but for the database's."""
    text = (Path(__file__).parents[2] / "template.yaml").read_text("utf-8")
    alarms = [part for part in text.split("\n\n") if "Type: AWS::CloudWatch::Alarm" in part]
    return sum(part.count("MetricName:") for part in alarms if "Condition:" not in part)


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", min_width=len(title) + 1)
    table.add_column(columns[0])
    for name in columns[1:]:
        table.add_column(name, justify="right", overflow="fold")
    return table


def _inputs(inputs: cost.Inputs) -> Table:
    table = _table(
        "inputs; from `slower` to `peak_mb` assumed, ms are those of one thread", "input", "value"
    )
    for name, value in asdict(inputs).items():
        table.add_row(name, f"{value:,.1f}")
    return table


def _sizes(inputs: cost.Inputs, best: int) -> Table:
    table = _table(
        "a million photos' compute by memory, USD",
        *("MB", "ms a verdict", "verdicts", "ms of copies", "copies", "both", ""),
    )
    for size in cost.fitting(inputs):
        judged_ms, copied_ms = cost.judge_ms(inputs, size), cost.copy_ms(inputs, size)
        judged = cost.compute_usd(judged_ms, size, _MILLION)
        copied = cost.compute_usd(copied_ms, size, _MILLION)
        table.add_row(
            f"{size:,}",
            *(f"{judged_ms:.0f}", f"{judged:.2f}", f"{copied_ms:.0f}", f"{copied:.2f}"),
            f"{judged + copied:.2f}",
            " ".join(
                [*(["cheapest"] if size == best else []), f"{judged / TARGET_USD:.1f} × target"]
            ),
        )
    return table


def _bill(inputs: cost.Inputs, best: int) -> Table:
    table = _table(f"a million photos in a month, at {best:,} MB, without a database", "for", "USD")
    parts = cost.bill(inputs, _MILLION, best)
    for name, amount in parts.items():
        table.add_row(name, f"{amount:.2f}")
    table.add_row("[bold]together", f"[bold]{sum(parts.values()):.2f}")
    for name, amount in cost.fixed(alarm_metrics()).items():
        table.add_row(f"each month: {name}", f"{amount:.2f}")
    table.add_row(
        "Amazon Rekognition, for its verdicts alone", f"{usd('rekognition', _MILLION):,.2f}"
    )
    return table


def _needs(inputs: cost.Inputs, best: int) -> Table:
    table = _table(
        f"photos a second, all day, at {best:,} MB",
        *("photos/s", "moderate at once", "upload at once", "connections", "PUT/s on copies/"),
        *("requests/s", "USD a month", "raise"),
    )
    reached = cost.breaking(inputs, best)
    for rate in _RATES:
        found = cost.need(inputs, rate, best)
        month = sum(cost.bill(inputs, rate * cost.MONTH_S, best).values())
        low = [name for name, at in reached if at < rate]
        table.add_row(
            f"{rate:,}",
            *(f"{found.moderate:,}", f"{found.upload:,}", f"{found.connections:,}"),
            *(f"{found.puts_per_s:,.0f}", f"{found.requests_per_s:,.0f}", f"{month:,.0f}"),
            ", ".join(low) or "nothing",
        )
    return table


def _breaking(inputs: cost.Inputs, best: int) -> Table:
    table = _table("where it breaks first", "limit", "value", "reached at photos/s", "source")
    for name, at in cost.breaking(inputs, best):
        limit = LIMITS[name]
        table.add_row(name, f"{limit.value:,.0f} {limit.unit}", f"{at:,.0f}", limit.source)
    return table


def _burst(inputs: cost.Inputs, best: int, seed: int) -> Table:
    each_ms = cost.judge_ms(inputs, best) + cost.copy_ms(inputs, best)
    table = _table(
        f"a burst of {_BURST:,} photos within {_BURST_S // 60} minutes, seed {seed}",
        *("ModerateConcurrency", "minute", "waiting", "age of the oldest, s", "functions"),
    )
    for at_most in (10, 100, 500):
        moments = burst.simulate(
            photos=_BURST, within_s=_BURST_S, each_ms=each_ms, at_most=at_most, seed=seed
        )
        for at in burst.shown(moments, 6):
            table.add_row(
                f"{at_most}",
                f"{at.second / 60:,.0f}",
                f"{at.waiting:,}",
                f"{at.age_s:,.0f}",
                f"{at.functions}",
            )
        table.add_section()
    return table


def _prices() -> Table:
    table = _table("prices, us-east-1", "for one", "USD", "known", "source")
    for price in PRICES.values():
        known = f"{price.date}, {'read there' if price.verified else 'unverified'}"
        table.add_row(price.unit, f"{price.usd:.10f}".rstrip("0").rstrip("."), known, price.source)
    return table


if __name__ == "__main__":
    main()
