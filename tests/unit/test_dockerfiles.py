"""Each file that a Dockerfile copies is there, and ``.dockerignore`` lets the builder have it."""

from __future__ import annotations

import ast
import json
import shlex
from pathlib import Path

import pytest

from tests.unit.dockerignore import DockerIgnore

ROOT = Path(__file__).parents[2]


def files_below(folder: Path) -> list[str]:
    """Paths of all files, relative to the root; hidden folders and Python's caches left out."""
    found = []
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.name.startswith((".", "__pycache__")):
            found += files_below(path)
        elif path.is_file():
            found.append(str(path.relative_to(ROOT)))
    return found


def sources(dockerfile: str) -> list[str]:
    """What its COPY and ADD lines take from the context."""
    text = (ROOT / dockerfile).read_text(encoding="utf-8").replace("\\\n", " ")
    found: list[str] = []
    for line in text.splitlines():
        word, _, rest = line.strip().partition(" ")
        if word.upper() not in ("COPY", "ADD"):
            continue
        words = json.loads(rest) if rest.lstrip().startswith("[") else shlex.split(rest)
        if not any(w.startswith("--from=") for w in words):
            found += [w for w in words if not w.startswith("--")][:-1]
    return found


DOCKERFILES = [name for name in files_below(ROOT) if name.endswith("Dockerfile")]
COPIED = [(name, source) for name in DOCKERFILES for source in sources(name)]


def test_both_dockerfiles_are_read() -> None:
    assert set(DOCKERFILES) >= {"local/Dockerfile", "functions/moderate/Dockerfile"}
    assert ("functions/moderate/Dockerfile", "requirements/heic.txt") in COPIED
    assert ("local/Dockerfile", "local/sweep.py") in COPIED  # of a line that goes on


@pytest.mark.parametrize(("dockerfile", "source"), COPIED)
def test_what_is_copied_reaches_the_builder(dockerfile: str, source: str) -> None:
    ignored = DockerIgnore((ROOT / ".dockerignore").read_text(encoding="utf-8"))
    place = ROOT / source
    assert place.exists(), f"{dockerfile} copies {source}, which is not there"
    files = [source] if place.is_file() else files_below(place)
    assert files
    kept_out = [name for name in files if not ignored.lets_in(name)]
    assert not kept_out, f"{dockerfile} copies {source}, and .dockerignore excludes {kept_out}"


@pytest.mark.parametrize(
    ("text", "path", "let_in"),
    [
        ("", "a/b.txt", True),
        ("*", "a/b.txt", False),
        ("*\n!a/b.txt", "a/b.txt", True),
        ("!a/b.txt\n*", "a/b.txt", False),  # the last line counts
        ("*\n!a", "a/b/c.txt", True),  # a folder lets in what it holds
        ("*\n!a/b", "a/c.txt", False),
        ("*\n!/a/", "a/c.txt", True),  # slashes around it mean nothing
        ("a/b", "a/b/c/d", False),
        ("b", "a/b", True),  # counted from the root
        ("**/b", "a/c/b/d", False),
        ("**/b", "b", False),
        ("*\n!a\n**/*.pyc", "a/b/c.pyc", False),
        ("*\n!a\n**/*.pyc", "a/b/c.py", True),
        ("a/*", "a/b/c", False),  # by the folder a/b
        ("*.txt", "a/b.txt", True),
        ("a/**", "a/b/c", False),
        ("a?c", "abc", False),
        ("a?c", "a/c", True),
        ("a.c", "abc", True),
        ("[ab].txt", "a.txt", False),
        ("# *\n\n  a  ", "b", True),
        ("# *\n\n  a  ", "a", False),
    ],
)
def test_the_rules_are_those_of_the_builder(text: str, path: str, *, let_in: bool) -> None:
    assert DockerIgnore(text).lets_in(path) is let_in


@pytest.mark.parametrize("dockerfile", ["local/Dockerfile", "functions/moderate/Dockerfile"])
def test_what_a_copied_module_imports_of_ours_is_copied_too(dockerfile: str) -> None:
    copied = [source for name, source in COPIED if name == dockerfile and source.endswith(".py")]
    lacking = set()
    for source in copied:
        for node in ast.walk(ast.parse((ROOT / source).read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("local."):
                wanted = str(node.module).replace(".", "/")
                lacking |= (
                    {f"{wanted}.py"} - {*copied} if (ROOT / f"{wanted}.py").exists() else set()
                )
    assert not lacking
