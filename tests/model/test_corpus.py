"""Hostile and odd files, each of which must end as ``tests.model.corpus`` says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from local.models.build import ensure_faces
from tests.model.corpus import corpus

#: The largest files that are accepted: tens of seconds.
pytestmark = pytest.mark.slow

EXPECTED = {name: expected for name, _, expected in corpus()}


@pytest.fixture(scope="module")
def judged(bundle: Path) -> dict[str, Any]:
    """All of them, one after another, in one process; warnings end it."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.model.corpus", bundle, ensure_faces(print)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert (done.returncode, done.stderr) == (0, "")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("name", EXPECTED)
def test_each_file_ends_as_it_should(name: str, judged: dict[str, Any]) -> None:
    assert judged["endings"][name] == EXPECTED[name]


@pytest.mark.parametrize("name", EXPECTED)
def test_no_file_takes_long(name: str, judged: dict[str, Any]) -> None:
    assert judged["seconds"][name] < 10


def test_no_decoder_dies(judged: dict[str, Any]) -> None:
    assert judged["decoders"] == 1
