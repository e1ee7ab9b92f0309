"""``photogate evaluate``: how good verdicts are on labelled pictures of one's own."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from local.console import complain, err, errors_as_lines, out, step
from local.home import EMBEDDED_POLICY, Home
from photogate.errors import ConfigError

if TYPE_CHECKING:
    from local.evaluation.figures import Figures
    from local.evaluation.labels import Labels
    from local.evaluation.measuring import Instrument, Measurements
    from photogate.domain.policy import Policy

#: More than this are not compared at a time.
_VARIANTS = 2


def evaluate(
    source: Annotated[
        Path, typer.Argument(help="A folder with a folder for each label, or a CSV: file,label.")
    ],
    expect: Annotated[
        list[str] | None,
        typer.Option(help="What should happen to a label: LABEL=approve, reject or either."),
    ] = None,
    policy: Annotated[
        list[str] | None, typer.Option(help="Which preset or file decides; twice compares two.")
    ] = None,
    model: Annotated[
        list[str] | None, typer.Option(help="Which model looks first; twice compares two.")
    ] = None,
    second: Annotated[
        list[str] | None, typer.Option(help="Which looks second, or none; twice compares two.")
    ] = None,
    sweep: Annotated[
        bool, typer.Option("--sweep", help="Show what other values of each bound would do.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
    html: Annotated[
        Path | None, typer.Option(help="Write one page with tables and plots there.")
    ] = None,
    processes: Annotated[
        int | None, typer.Option(min=1, max=256, help="How many look at once; all cores.")
    ] = None,
) -> None:
    """Count how often verdicts on labelled pictures are right.

    Each picture is looked at once: scores are kept, never pictures, so that another policy or a
    run that was stopped takes up where the last one was. Exits with 2 when a picture was left out.
    """
    from local.evaluation.comparison import flips
    from local.evaluation.figures import figures, unreadable
    from local.evaluation.labels import expectations, read_labels
    from local.evaluation.sweep import sweep as sweep_of
    from local.evaluation.tables import (
        flip_table,
        label_table,
        summary,
        sweep_table,
        worst_lines,
    )

    with errors_as_lines():
        if html is not None:
            _check_page()
        labels = read_labels(source, expectations(expect or []))
        variants = _variants(policy or [os.environ.get("POLICY") or EMBEDDED_POLICY], model, second)
        found: list[Figures] = []
        left_out = dict.fromkeys(labels.problems)
        for variant in variants:
            measured, panel = _measure(labels, variant, variants, processes)
            found.append(figures(labels.pictures, measured, variant.policy, panel))
            left_out |= dict.fromkeys(measured.problems + unreadable(labels.pictures, measured))
        problems = list(left_out)
        for line in problems:
            complain(line)
        if sweep or html:
            step("trying other bounds")
        swept = [list(sweep_of(one)) for one in found] if sweep or html else []
        differ = list(flips(*found)) if len(found) == _VARIANTS else []
        if html is not None:
            from local.evaluation.page import write_figures

            write_figures(html, found, swept, differ, left_out=problems)
            step(f"wrote {html}")
    if as_json:
        document: dict[str, Any] = {
            "left_out": problems,
            "runs": [
                one.to_json() | ({"sweep": [s.to_json() for s in swept[n]]} if sweep else {})
                for n, one in enumerate(found)
            ],
        }
        if len(found) == _VARIANTS:
            document["flips"] = [flip.to_json() for flip in differ]
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
    else:
        for number, one in enumerate(found):
            out.print(label_table(one))
            for line in summary(one):
                out.print(line, highlight=False)
            if lines := worst_lines(one):
                out.print("worst mistakes:", style="bold")
                for line in lines:
                    out.print(f"  {line}", markup=False, highlight=False, soft_wrap=True)
            for bound in swept[number] if sweep else ():
                out.print(sweep_table(bound))
        if len(found) == _VARIANTS:
            out.print(flip_table(differ))
        if problems:
            count = "1 picture was" if len(problems) == 1 else f"{len(problems)} pictures were"
            out.print(f"{count} left out, see above", highlight=False)
    if problems:
        raise typer.Exit(2)


@dataclass(frozen=True, kw_only=True)
class _Variant:
    """One policy and one panel."""

    policy: Policy
    model: str | None
    second: str | None


def _variants(
    policies: list[str], models: list[str] | None, seconds: list[str] | None
) -> list[_Variant]:
    """Give one, or the two that are to be compared.

    Raises:
        ConfigError: there would be more, or a policy is not sound.
    """
    from photogate.bootstrap import choose
    from photogate.settings import PolicySettings, read

    given: list[list[Any]] = [policies, models or [None], seconds or [None]]
    if max(map(len, given)) > _VARIANTS:
        raise ConfigError(
            "two are compared at a time: give --policy, --model, --second twice at most"
        )
    count = max(map(len, given))
    rows = [one if len(one) == count else one * count for one in given]
    return [
        _Variant(
            policy=choose.policy(read(PolicySettings, policy=policy)), model=model, second=second
        )
        for policy, model, second in zip(*rows, strict=True)
    ]


def _measure(
    labels: Labels, variant: _Variant, variants: list[_Variant], processes: int | None
) -> tuple[Measurements, str]:
    """Look at what was not looked at before, and say how far that is."""
    from local.evaluation.measuring import measure
    from local.evaluation.notebook import Notebook

    instrument = _instrument(variant, variants)
    analyzer = instrument.analyzer()
    key, panel = instrument.key(analyzer), analyzer.panel
    del analyzer
    path = Home().folder("evaluations") / f"{key}.jsonl"
    notebook = Notebook(path)
    columns = (TextColumn("looking"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    try:
        with Progress(*columns, console=err, transient=True) as progress:
            task = progress.add_task("looking", total=len(labels.pictures))
            found = measure(
                labels.pictures,
                instrument,
                notebook,
                processes=processes or os.cpu_count() or 1,
                progress=lambda: progress.advance(task),
            )
    except KeyboardInterrupt:
        complain("stopped; what was measured is kept: the same command goes on from there")
        raise typer.Exit(130) from None
    finally:
        notebook.close()
    return found, panel


def _instrument(variant: _Variant, variants: list[_Variant]) -> Instrument:
    """Give what measures all that policies of the same look need, so that one pass serves both."""
    from local.evaluation.measuring import Instrument, asking_for_all
    from local.models.chosen import chosen_bundles

    look = variant.policy.look
    asking = asking_for_all([v.policy for v in variants if v.policy.look == look], look)
    settings = chosen_bundles(asking, step, model=variant.model, second=variant.second)
    return Instrument(settings=settings, policy=asking)


def _check_page() -> None:
    try:
        import local.evaluation.page  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            "--html draws with packages that are optional: .venv/bin/pip install --no-deps"
            " --require-hashes -r requirements/plots.txt"
        ) from error
