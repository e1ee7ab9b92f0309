"""An earlier version of this checkout, out of git's history: what upgrades begin with."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.docs import ROOT

MIGRATIONS = "layers/core/photogate/migrations"


def earlier_schema() -> str | None:
    """Give the newest commit whose migrations are a part of this one's, and not all of them.

    A migration that was no version's yet may have had another number or other contents, so that
    not every commit before the newest one serves. None where history ends before such a commit.
    """
    parents = (
        parent
        for commit in (_git("rev-list", "--first-parent", "HEAD", "--", MIGRATIONS) or "").split()
        if (parent := _commit(f"{commit}^1"))
    )
    here = _migrations("HEAD")
    return next((p for p in parents if _migrations(p) < here), None)


def earlier() -> str | None:
    """Give the same, or else the parent; None where there is no history at all."""
    return earlier_schema() or _commit("HEAD^1")


def unpack(commit: str, folder: Path) -> None:
    """Put the files of a commit into a folder."""
    archive = f'git archive "{commit}" | tar --extract --directory "{folder}"'
    subprocess.run(["bash", "-c", f"set -o pipefail; {archive}"], cwd=ROOT, check=True)


def _migrations(commit: str) -> set[str]:
    """Give a line for each file: its name, and the id of its content."""
    lines = (_git("ls-tree", "-r", commit, "--", MIGRATIONS) or "").splitlines()
    return {line for line in lines if line.endswith(".sql")}


def _commit(name: str) -> str | None:
    return _git("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")


def _git(*arguments: str) -> str | None:
    done = subprocess.run(
        ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or None if done.returncode == 0 else None
