"""``photogate model``: what looks at the photos."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from local.console import err, errors_as_lines, out, step
from photogate.errors import ConfigError

models = typer.Typer(no_args_is_help=True, help="Build, add, list and remove models.")


class Output(StrEnum):
    """What a graph gives."""

    LOGITS = "logits"
    PROBABILITIES = "probabilities"


@models.command()
def build(
    name: Annotated[
        str | None,
        typer.Argument(help="Which model, or `faces` for the face detector; else both that look."),
    ] = None,
) -> None:
    """Build the bundles of models when they are missing, verify them, and print their folders."""
    from local.models.build import DEFAULT, SECOND, ensure_bundles, ensure_faces
    from local.models.own import bundle_folder

    with errors_as_lines():
        if name is None:
            folders = ensure_bundles([DEFAULT, SECOND], step)
        else:
            folders = [ensure_faces(step) if name == "faces" else bundle_folder(name, step)]
        sys.stdout.write("".join(f"{folder}\n" for folder in folders))


@models.command()
def add(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR", help="With config.json, preprocessor_config.json and onnx/model.onnx."
        ),
    ],
    pairs: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="LABEL=CATEGORY",
            help="What a label means, one each: explicit, porn, hentai, sexy, gore, neutral or"
            " drawing.",
        ),
    ] = None,
    name: Annotated[str | None, typer.Option(help="What to call it; else the folder's.")] = None,
    file: Annotated[str | None, typer.Option(help="Which ONNX file, below DIR.")] = None,
    output: Annotated[
        Output | None, typer.Option(help="What the graph gives, where that cannot be told.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Accept it without being asked.")] = False,
) -> None:
    """Add a classifier of your own, in the layout of Hugging Face, after a trial run."""
    from local.models.huggingface import read_model
    from local.models.own import accept, own_name, staged
    from local.models.tables import facts_table, remarks, trial_table
    from local.models.trial import try_model

    with errors_as_lines():
        model = read_model(folder, file)
        categories = model.map(pairs or [])
        chosen = own_name(name, folder)
        with staged(chosen) as part:
            trial = try_model(model, categories, folder=part, name=chosen, stated=output)
            out.print(facts_table(model, trial))
            out.print(trial_table(trial))
            for remark in remarks(model, trial):
                out.print(f"! {remark}", markup=False, highlight=False, soft_wrap=True)
            if not (yes or _accepted()):
                raise ConfigError(f"{chosen} was not accepted, and nothing was added")
            path = accept(part, chosen)
    out.print(
        f"\nadded {chosen}: photogate check --model {chosen} photo.jpg, make run MODEL={chosen},"
        f"\nor elsewhere MODEL_DIR={path}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


@models.command("list")
def list_models() -> None:
    """List the models that are there, and what they tell."""
    from rich.table import Table

    from local.models.build import SHIPPED, THIRD, bundle_path, third_path
    from local.models.own import own_folder, own_models
    from photogate_vision.classifier.bundle import load_bundle

    with errors_as_lines():
        table = Table("model", "tells", "pixels", "MB", "licence", "sha256", "added")
        folders = {name: bundle_path(name) for name in SHIPPED} | {THIRD: third_path()}
        built_here = frozenset(folders)
        folders |= {name: own_folder(name) for name in own_models()}
        for name, folder in folders.items():
            if name in built_here and not folder.exists():
                table.add_row(name, "not built", "", "", "", "", "")
                continue
            try:
                bundle = load_bundle(folder)
            except ConfigError as error:
                err.print(f"{name}: {error}", style="red", markup=False, soft_wrap=True)
                table.add_row(name, "damaged", "", "", "", "", "")
                continue
            table.add_row(
                name,
                ", ".join(dict.fromkeys(bundle.categories)),
                str(bundle.input.size),
                f"{bundle.model_path.stat().st_size / 1e6:.1f}",
                bundle.license,
                bundle.digest[:12],
                "" if name in built_here else "yes",
            )
        out.print(table)


@models.command()
def remove(name: Annotated[str, typer.Argument(help="A model that was added.")]) -> None:
    """Remove a model that was added; shipped ones stay."""
    from local.models import own

    with errors_as_lines():
        own.remove(name)
        out.print(f"removed {name}", markup=False, highlight=False)


def _accepted() -> bool:
    if not sys.stdin.isatty():
        raise ConfigError(
            "nobody is here to accept it, and nothing was added: read the above and run it again"
            " with --yes"
        )
    return typer.confirm("\naccept?", default=False)
