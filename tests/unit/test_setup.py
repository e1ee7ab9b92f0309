"""Two runs of make in one checkout."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SAYS_AND_WAITS = "print('in', flush=True); input(); print('out', flush=True)"


@pytest.fixture
def locked(tmp_path: Path) -> Path:
    """The script in a checkout of its own."""
    script = tmp_path / "requirements" / "locked.py"
    script.parent.mkdir()
    script.write_bytes((ROOT / "requirements" / "locked.py").read_bytes())
    return script


def start(script: Path, code: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, script, sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("killed", [False, True])
def test_the_second_says_so_and_waits(locked: Path, killed: bool) -> None:
    with start(locked, SAYS_AND_WAITS) as first:
        assert first.stdin is not None
        assert first.stdout is not None
        assert first.stdout.readline() == "in\n"
        with start(locked, "print('second')") as second:
            assert second.stderr is not None
            assert second.stderr.readline() == (
                "· another make sets up this checkout: waiting until it is done\n"
            )
            if killed:  # what it runs goes on, and keeps the lock
                first.kill()
                first.wait()
            assert second.poll() is None
            first.stdin.write("\n")
            first.stdin.flush()
            assert first.stdout.readline() == "out\n"
            out, _ = second.communicate(timeout=30)
            assert (out, second.returncode) == ("second\n", 0)


def test_the_exit_status_is_the_commands(locked: Path) -> None:
    with start(locked, "raise SystemExit(3)") as process:
        process.communicate(timeout=30)
        assert process.returncode == 3


def test_every_install_is_behind_the_lock() -> None:
    lines = (ROOT / "Makefile").read_text().splitlines()
    stamps = [line for line in lines if line.startswith(("$(VENV)/", "$(SAM)"))]
    assert len(stamps) == 4
    # What a person calls reaches them through the lock only.
    callers = [line for line in lines if line[:1].isalpha() and ".stamp" in line.partition("##")[0]]
    assert callers == []


def test_who_stops_it_reads_one_line(locked: Path) -> None:
    with start(locked, "import time; print('in', flush=True); time.sleep(60)") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "in\n"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
        assert process.returncode == 130
        assert err == "\n· stopped while setting up; the same command goes on with it\n"
