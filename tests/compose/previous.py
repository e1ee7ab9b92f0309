"""The version before this one, out of git's history: what an upgrade begins with."""

from __future__ import annotations

import subprocess

from tests.docs import ROOT

_MIGRATIONS = "layers/core/photogate/migrations"


def previous() -> str | None:
    """Give the newest commit whose database lacks a migration of this one's.

    Its other migrations are this one's, so that a database of it can be brought up to date. Where
    history ends before such a commit it is the parent; None where there is no history at all.
    """
    parents = (
        parent
        for commit in (_git("rev-list", "--first-parent", "HEAD", "--", _MIGRATIONS) or "").split()
        if (parent := _commit(f"{commit}^1"))
    )
    here = _migrations("HEAD")
    return next((p for p in parents if _migrations(p) < here), None) or _commit("HEAD^1")


def _migrations(commit: str) -> set[str]:
    """Give a line for each file: its name, and the id of its content."""
    return set((_git("ls-tree", "-r", commit, "--", _MIGRATIONS) or "").splitlines())


def _commit(name: str) -> str | None:
    return _git("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")


def _git(*arguments: str) -> str | None:
    done = subprocess.run(
        ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or None if done.returncode == 0 else None
