"""Versions between which a deployment moves: this checkout, and a commit before it."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from photogate.adapters.postgres.migrate import shipped
from tests.docs import ROOT

MIGRATIONS = "layers/core/photogate/migrations"


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


def _git(*arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=True).stdout


def _migrations_of(commit: str) -> set[tuple[str, str]]:
    """Give the migrations of a commit, each with the hash of what it holds."""
    lines = _git("ls-tree", commit, f"{MIGRATIONS}/").decode().splitlines()
    return {(*line.split()[2:],) for line in lines if line.endswith(".sql")}  # type: ignore[misc]


def commit_before() -> str | None:
    """Find the last commit that has fewer migrations, and these as they are now; None without.

    A migration that was no version's yet may have had another number, or other contents.
    """
    try:
        now = _migrations_of("HEAD")
        for commit in _git("rev-list", "--first-parent", "HEAD", "--", MIGRATIONS).split():
            before = f"{commit.decode()}^"
            if (then := _migrations_of(before)) and then < now:
                return before
    except (OSError, subprocess.CalledProcessError):
        pass
    return None


def unpacked(commit: str, folder: Path) -> Code:
    """Give the code of a commit, with the models that it builds for itself."""
    with tarfile.open(fileobj=io.BytesIO(_git("archive", commit))) as archive:
        archive.extractall(folder, filter="data")
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
