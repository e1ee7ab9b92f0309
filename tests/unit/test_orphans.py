"""The command of docs/aws.md that marks orphans for deletion: a failure must mark nothing."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs" / "aws.md"
STORED = "users/u-1/photo/b.jpg\\tusers/u-1/photo/a b.jpg\\nusers/u-2/photo/known.jpg"


def command() -> str:
    """The block, without its prompts and comments."""
    (block,) = re.findall(
        r"^```console\n((?:(?!```).)*put-object-tagging.*?)^```",
        DOCS.read_text("utf-8"),
        re.M | re.S,
    )
    lines = [line for line in block.splitlines() if not line.startswith("#")]
    return "\n".join(line.removeprefix("$ ") for line in lines)


def run(folder: Path, **programs: str) -> list[str]:
    """Run it with these scripts as S3's listing and ``psql``; gives what it marks."""
    marked = folder / "marked"
    marked.touch()
    aws = f"""case "$2" in
        list-objects-v2) {programs["stored"]} ;;
        put-object-tagging) echo "$6" >> {marked} ;;
    esac"""
    for name, script in {"aws": aws, "psql": programs["known"]}.items():
        program = folder / name
        program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        program.chmod(0o755)
    environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "BUCKET": "photos"}
    subprocess.run(
        ["bash", "-c", command()],
        cwd=folder,
        env={**environment, "DATABASE_URL": "postgresql://", "LC_ALL": "C"},
        check=False,
        capture_output=True,
    )
    return marked.read_text("utf-8").splitlines()


def test_only_photos_that_the_database_does_not_know_are_marked(tmp_path: Path) -> None:
    known = "echo users/u-2/photo/known.jpg; echo users/u-3/photo/gone.jpg"
    marked = run(tmp_path, stored=f"printf '{STORED}\\n'", known=known)
    assert marked == ["users/u-1/photo/a b.jpg", "users/u-1/photo/b.jpg"]


@pytest.mark.parametrize("known", ["exit 2", "echo users/u-2/photo/known.jpg; exit 2", "true"])
def test_without_an_answer_of_the_database_nothing_is_marked(tmp_path: Path, known: str) -> None:
    assert run(tmp_path, stored=f"printf '{STORED}\\n'", known=known) == []


def test_without_an_answer_of_s3_nothing_is_marked(tmp_path: Path) -> None:
    assert run(tmp_path, stored="exit 255", known="echo users/x") == []
