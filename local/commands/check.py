"""``photogate check``: files moderated without any service."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from local.console import complain, errors_as_lines, out, step
from local.home import EMBEDDED_POLICY


def check(
    files: Annotated[list[Path], typer.Argument(help="Photos to moderate.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    model: Annotated[
        str | None,
        typer.Option(help="Which model looks; else MODEL_DIR's, or the small one."),
    ] = None,
    policy: Annotated[
        str, typer.Option(help="Which preset or file decides.", envvar="POLICY")
    ] = EMBEDDED_POLICY,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show what each rule says, and which one decided.")
    ] = False,
) -> None:
    """Moderate files directly, without any service.

    Exits with 0 whatever the verdicts are, with 2 when a file is not there.
    """
    from local.check import check_file
    from local.models.chosen import chosen_bundles
    from local.verdicts import coloured, explanation, score_columns, verdict_table
    from photogate import bootstrap
    from photogate.bootstrap import choose
    from photogate.settings import MAX_PHOTO_BYTES, ModelSettings, PolicySettings, read

    with errors_as_lines():
        rules = choose.policy(read(PolicySettings, policy=policy))
        bundles = chosen_bundles(rules, step, model=model)
        settings = read(ModelSettings, policy=policy, **bundles)
        analyzer = bootstrap.analyzer(settings, rules)
    table, missing = verdict_table(), False
    for path in files:
        try:
            checked = check_file(path, analyzer, rules, max_bytes=MAX_PHOTO_BYTES)
        except OSError as error:
            missing = True
            complain(f"{path}: {error.strerror}")
            continue
        if as_json:
            sys.stdout.write(json.dumps(checked.to_json()) + "\n")
        verdict = checked.finding.verdict
        if explain and not as_json:
            out.print(explanation(path.name, checked.finding, rules))
        table.add_row(
            escape(path.name),
            coloured(verdict.status),
            escape(verdict.reason or checked.finding.error or ""),
            *score_columns(checked.finding.scores()),
            f"{checked.duration_ms:.1f}",
        )
    if table.rows and not as_json:
        out.print(table)
    if missing:
        raise typer.Exit(2)
