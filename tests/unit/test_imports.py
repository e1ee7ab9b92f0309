"""Cold starts: no function imports what it does not use."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

HEAVY = {
    "numpy",
    "PIL",
    "onnxruntime",
    "boto3",
    "redis",
    "pg8000",
    "fastapi",
    "mangum",
    "jwt",
    "cryptography",
    "requests",
    "rich",
    "typer",
    "uvicorn",
}
HTTP = {"fastapi", "mangum", "jwt", "cryptography"}


@pytest.mark.parametrize(
    ("function", "needs"),
    [
        ("upload", HTTP),
        ("admin", HTTP),
        ("moderate", set()),
        ("sweep", set()),
        ("migrate", set()),
    ],
)
def test_a_function_imports_only_what_it_needs_to_start(function: str, needs: set[str]) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import functions.{function}.app, sys; print(*sys.modules, sep='\\n')",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {name.split(".")[0] for name in done.stdout.split()}
    assert imported & HEAVY <= needs
    assert not {"local", "tests"} & imported
