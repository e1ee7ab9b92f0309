"""``photogate check``: files moderated without any service."""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from local.console import complain, err, errors_as_lines, out, step
from local.home import EMBEDDED_POLICY
from photogate.errors import ConfigError

if TYPE_CHECKING:
    from local.check import Checked

#: From so many photos on a bar says how far it is.
_BAR_FROM = 20
_CSV = ("file", "status", "reason", "why", "explicit", "second", "faces", "sharpness", "pixels")


def check(
    files: Annotated[
        list[str], typer.Argument(help="Photos and folders of photos; - reads one from stdin.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="One row a photo.")] = False,
    html: Annotated[
        Path | None, typer.Option(help="Write one page with pictures and verdicts there.")
    ] = None,
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

    Exits with 0 whatever the verdicts are, with 2 when a file cannot be read.
    """
    from local.check import check_photo, photos, summary
    from local.models.chosen import chosen_bundles
    from local.verdicts import explanation, verdict_table
    from photogate import bootstrap
    from photogate.bootstrap import choose
    from photogate.settings import (
        MAX_PHOTO_BYTES,
        CopySettings,
        ModelSettings,
        PolicySettings,
        read,
    )

    with errors_as_lines():
        if as_json + as_csv + explain > 1:
            raise ConfigError("--json, --csv and --explain are three ways to print: choose one")
        wanted = photos(files)
        rules = choose.policy(read(PolicySettings, policy=policy))
        bundles = chosen_bundles(rules, step, model=model)
        settings = read(ModelSettings, policy=policy, **bundles)
        analyzer = bootstrap.analyzer(settings, rules)
        maker = bootstrap.copy_maker(read(CopySettings)) if html else None
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Names of files need not be UTF-8: they come out as they came in.
        sys.stdout.reconfigure(errors="surrogateescape")
    found: list[Checked] = []
    rows = csv.writer(sys.stdout, lineterminator="\n")
    prints_each = as_json or as_csv or explain
    if as_csv:
        rows.writerow(_CSV)
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=err,
        # A bar would mix with what is printed to the same terminal for each photo.
        disable=len(wanted) < _BAR_FROM or (prints_each and sys.stdout.isatty()),
        # Else what is printed into a file would go where the bar is.
        redirect_stdout=False,
    )
    with progress:
        for photo in progress.track(wanted, description="looking"):
            try:
                checked = check_photo(
                    photo, analyzer, rules, max_bytes=MAX_PHOTO_BYTES, maker=maker
                )
            except OSError as error:
                complain(f"{photo.name}: {error.strerror}")
                continue
            found.append(checked)
            if as_json:
                sys.stdout.write(json.dumps(checked.to_json()) + "\n")
            elif as_csv:
                rows.writerow(_row(checked))
            elif explain:
                out.print(explanation(photo.short, checked.finding, rules))
    if found and not (as_json or as_csv):
        out.print(verdict_table(map(_shown, found), width=out.width))
    if len(found) > 1 and not as_json:
        step(summary(found))
    if html is not None:
        from local.check_page import write_verdicts

        with errors_as_lines():
            try:
                write_verdicts(html, found, policy=rules.id, panel=analyzer.panel)
            except OSError as error:
                raise ConfigError(f"{html}: {error.strerror}") from error
        step(f"wrote {html}")
    if len(found) < len(wanted):
        raise typer.Exit(2)


def _shown(checked: Checked) -> list[str]:
    from local.verdicts import coloured, reason_column, score_columns

    verdict, scores = checked.finding.verdict, checked.finding.scores()
    return [
        escape(checked.photo.short),
        coloured(verdict.status),
        reason_column(verdict.reason, checked.error, scores),
        *score_columns(scores),
        f"{checked.duration_ms:.1f}",
    ]


def _row(checked: Checked) -> list[str]:
    from local.verdicts import score_columns

    verdict = checked.finding.verdict
    scores = score_columns(checked.finding.scores())
    return [checked.photo.name, verdict.status.value, verdict.reason or "", checked.why, *scores]
