"""Figures as one page: tables and plots, no picture."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from local.evaluation.comparison import Flip
from local.evaluation.figures import Figures
from local.evaluation.sweep import Swept, Tried
from local.evaluation.tables import percent, summary
from local.pages import write_page
from photogate.domain.estimates import Share

#: Stands for the page's own colour of text, which is another one in the dark.
_INK = "#010203"


@dataclass(frozen=True)
class _Line:
    """How one share is drawn."""

    name: str
    share: Callable[[Tried], Share]
    colour: str
    width: float
    mark: str


#: Readable on white and on black; and apart from each other for people who see fewer colours.
_LINES = (
    _Line("recall", lambda tried: tried.recall, "#0a84c1", 2.2, "o"),
    _Line("false alarms", lambda tried: tried.false_alarms, "#d4542a", 1.6, "s"),
    _Line("to a person", lambda tried: tried.to_people, "#8a8f2a", 1.2, "^"),
)
#: From this ratio on between the largest and the smallest value of a bound its axis is logarithmic.
_WIDE = 100


def write_figures(
    path: Path,
    runs: Sequence[Figures],
    swept: Sequence[Sequence[Swept]],
    flips: Sequence[Flip],
    *,
    left_out: Sequence[str],
) -> None:
    """Write the page.

    Args:
        path: replaced when it is there.
        runs: one, or two that are compared.
        swept: the bounds of each run, at several values.
        flips: of which pictures two runs say different things.
        left_out: one line for each picture that was not counted.

    Raises:
        OSError: it cannot be written.
    """
    write_page(
        path,
        "evaluate.html",
        runs=[
            {"figures": run, "summary": summary(run), "plots": [_plot(one) for one in bounds]}
            for run, bounds in zip(runs, swept, strict=True)
        ],
        flips=flips,
        left_out=left_out,
        percent=percent,
    )


def _plot(swept: Swept) -> Markup:
    """Draw the three shares against the values of one bound, as inline SVG."""
    with mpl.rc_context(
        {
            "svg.fonttype": "none",  # text stays text
            "svg.hashsalt": swept.name,  # the same page for the same figures
            "font.family": "sans-serif",
            "font.size": 9,
            **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor"), _INK),
            **dict.fromkeys(("xtick.color", "ytick.color"), _INK),
        }
    ):
        figure = Figure(figsize=(4.6, 2.6), layout="constrained")
        axes = figure.add_subplot()
        axes.patch.set_alpha(0)
        for line in _LINES:
            points = [(t.value, line.share(t)) for t in swept.tried]
            drawn = [(x, s) for x, s in points if s.value is not None]
            if not drawn:
                continue
            xs = [x for x, _ in drawn]
            axes.fill_between(
                xs,
                [100 * s.interval[0] for _, s in drawn],
                [100 * s.interval[1] for _, s in drawn],
                color=line.colour,
                alpha=0.15,
                linewidth=0,
            )
            axes.plot(
                xs,
                [100 * (s.value or 0.0) for _, s in drawn],
                color=line.colour,
                marker=line.mark,
                markersize=3,
                linewidth=line.width,
                label=line.name,
            )
        own = next(t.value for t in swept.tried if t.own)
        axes.axvline(own, color=_INK, linestyle="--", linewidth=1)
        values = [t.value for t in swept.tried]
        if min(values) > 0 and max(values) > _WIDE * min(values):
            axes.set_xscale("log")
        axes.set_title(swept.name, fontsize=10)
        axes.set_ylabel("%")
        axes.set_ylim(-3, 103)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize=8)
        buffer = io.StringIO()
        FigureCanvasSVG(figure).print_svg(  # type: ignore[no-untyped-call]
            buffer, metadata={"Date": None, "Creator": None, "Title": f"{swept.name} swept"}
        )
    figure.clear()
    drawing = buffer.getvalue()
    drawing = drawing[drawing.index("<svg") :].replace(_INK, "currentColor")
    # The only names that are not the page's own.
    drawing = re.sub(r"<metadata>.*?</metadata>", "", drawing, flags=re.DOTALL)
    return Markup(drawing)  # noqa: S704 - drawn here; names of bounds are escaped by matplotlib
