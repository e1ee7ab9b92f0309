"""The table that ``python -m bench`` prints."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.table import Table

from bench.figures import Figure


def table(figures: Sequence[Figure]) -> Table:
    """Lay the figures out, in order, with bounds, the predecessor's and ratios."""
    result = Table(header_style="bold")
    result.add_column("measure", overflow="fold")
    for title in ("measured", "bound", "predecessor", "ratio"):
        result.add_column(title, justify="right", no_wrap=True)
    result.add_column("")
    for figure in figures:
        mark = "" if figure.bound is None else "[green]ok" if figure.met else "[red]MISSED"
        ratio = "" if figure.ratio is None else f"{figure.ratio:.1f} ×"
        result.add_row(
            figure.name,
            _quantity(figure, figure.value),
            "" if figure.bound is None else f"{figure.better.value} {_plain(figure.bound, figure)}",
            "" if figure.predecessor is None else _plain(figure.predecessor, figure),
            ratio,
            mark,
        )
    return result


def _quantity(figure: Figure, value: float) -> str:
    if not math.isfinite(value):
        return "–"
    return f"{value:,.{figure.digits}f} {figure.unit}".rstrip()


def _plain(value: float, figure: Figure) -> str:
    return f"{value:,g} {figure.unit}".rstrip()
