"""``photogate stack``: what ``make deploy`` and ``make destroy`` ask of a stack on AWS."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from local.console import errors_as_lines, out, step

stacks = typer.Typer(no_args_is_help=True, help="A stack on AWS; `make deploy` calls these.")

_Name = Annotated[str, typer.Argument(help="The stack's name.")]


@stacks.command()
def release(
    name: _Name,
    parameters: Annotated[list[str] | None, typer.Argument(help="Name=value of this one.")] = None,
    build: Annotated[Path, typer.Option(help="What `sam build` made.")] = Path(".aws-sam/build"),
) -> None:
    """Print the digest of what a deployment would consist of."""
    from local.release import overrides
    from local.release import release as digest
    from photogate.adapters.stack_aws import stack_parameters

    with errors_as_lines():
        given = overrides(parameters or [])
        out.print(digest(build, stack_parameters(name), given), highlight=False)


@stacks.command()
def protect(name: _Name) -> None:
    """Let AWS refuse to delete the stack's own database. Safe to repeat."""
    from photogate.adapters.stack_aws import set_parameters

    with errors_as_lines():
        if set_parameters(name, {"DatabaseProtection": "true"}):
            step("the database is protected from deletion")


@stacks.command()
def tidy(
    name: _Name,
    images: Annotated[int, typer.Option(min=2, help="How many images stay.")] = 10,
) -> None:
    """Let old images of the moderate function go. Safe to repeat."""
    from photogate.adapters.stack_aws import keep_images

    with errors_as_lines():
        step(f"of {keep_images(name, images)} the newest {images} images stay")


@stacks.command()
def destroy(
    name: _Name,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete a stack. Its photos, its secrets and a snapshot of its database are kept."""
    from photogate.adapters.stack_aws import delete_stack, kept_resources, set_parameters

    with errors_as_lines():
        kept = kept_resources(name)
        out.print("These are kept:" if kept else "Nothing is kept.", highlight=False)
        for line in kept:
            out.print(f"  {line}", highlight=False, markup=False, soft_wrap=True)
        if not yes:
            typed = typer.prompt(f"Type the stack's name ({name}) to delete everything else")
            if typed != name:
                raise typer.Abort
        set_parameters(name, {"DatabaseProtection": "false"})
        step(f"deleting {name}, which takes some minutes")
        delete_stack(name)
        out.print(f"{name} is deleted", highlight=False)
