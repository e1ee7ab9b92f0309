"""Versions between which a deployment moves: this checkout, and an earlier commit."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from photogate.adapters.postgres.migrate import shipped
from tests.docs import ROOT
from tests.earlier import MIGRATIONS, unpack


@dataclass(frozen=True, kw_only=True)
class Code:
    """One version of the program."""

    root: Path
    #: Number of its newest migration.
    schema: int
    models: Mapping[str, str]
    #: The zip functions as ``sam build`` packed them for this Python; None runs the sources.
    packed: tuple[Path, str] | None = None

    @property
    def secret(self) -> str:
        """Whose secret its template gives to the functions that serve: once the owner's, too."""
        template = (self.root / "template.yaml").read_text("utf-8")
        return "application" if "ApplicationSecret:" in template else "owner"

    def way(self, function: str, client: Path) -> tuple[Path, list[str], str]:
        """Give the folder of a function, what runs it, and where its modules are."""
        if self.packed is None or function == "moderate":
            path = (self.root, self.root / "layers/core", self.root / "layers/model")
            return self.root, [sys.executable], ":".join(map(str, path))
        built, python = self.packed
        folder = built / f"{function.capitalize()}Function"
        # Without site-packages: its artefact, the layer, and what Lambda brings.
        path = (folder, built / "CoreLayer/python", client)
        return folder, [python, "-S"], ":".join(map(str, path))


def of_commit(commit: str, folder: Path) -> Code:
    """Unpack a commit, and give its code with the models that it builds for itself."""
    unpack(commit, folder)
    return Code(
        root=folder,
        schema=max(int(file.name[:4]) for file in (folder / MIGRATIONS).glob("*.sql")),
        models=_models(folder),
    )


def present(artefacts: str | None, runtime: str) -> Code:
    """Give the code of this checkout; as packed, where it was packed for our Python."""
    ours = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packed = (Path(artefacts), sys.executable) if artefacts and runtime == ours else None
    return Code(root=ROOT, schema=shipped()[-1].number, models=_models(ROOT), packed=packed)


def _models(root: Path) -> dict[str, str]:
    find = (
        "import sys; from local.models.build import SECOND, ensure_bundle\n"
        "for name in ('mobilenet_v2', SECOND): print(ensure_bundle(name, lambda *_: None))"
    )
    path = ":".join(str(root / part) for part in ("", "layers/core", "layers/model"))
    done = subprocess.run(
        [sys.executable, "-c", find],
        cwd=root,
        env=os.environ | {"PYTHONPATH": path},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    first, second = done.stdout.split()[-2:]
    return {"MODEL_DIR": first, "SECOND_MODEL": second}
