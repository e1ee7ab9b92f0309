"""How the end of a child process is told in one line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from local.process import how_it_ended, start_server, wait_until
from photogate.errors import ConfigError

METRICS = '{"_aws": {"Timestamp": 1}, "service": "moderate", "Photos": [1.0]}'
WARNING = '{"level": "WARNING", "message": "could not announce this worker"}'
ERROR = '{"level": "ERROR", "message": "no memory for the model"}'


def ended(log: Path, *lines: str, then: str = "exit 1", log_begins_at: int = 0) -> str:
    """Tell how a process ended that wrote ``lines`` into its log."""
    with log.open("a") as file:
        file.writelines(f"{line}\n" for line in lines)
    process = subprocess.Popen(["sh", "-c", then])
    process.wait()
    return how_it_ended(process, log, log_begins_at=log_begins_at)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "worker-1.log"


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (("photogate: MODEL_DIR: Field required",), "MODEL_DIR: Field required"),
        (("Traceback …", "MemoryError: no room", METRICS, WARNING, ""), "MemoryError: no room"),
        ((ERROR, METRICS), "no memory for the model"),
        (("x" * 9999, METRICS), "x" * 300),
        (("4711",), "4711"),
    ],
)
def test_the_last_error_is_quoted(log: Path, lines: tuple[str, ...], why: str) -> None:
    assert ended(log, *lines) == f"ended with status 1: {why}"


def test_who_said_nothing_is_not_quoted(log: Path) -> None:
    assert ended(log) == "ended with status 1"
    assert ended(log, METRICS, WARNING, then="exit 3") == "ended with status 3"
    log.unlink()
    process = subprocess.Popen(["true"])
    process.wait()
    assert how_it_ended(process, log) == "ended with status 0"


def test_what_others_wrote_before_is_not_quoted(log: Path) -> None:
    log.write_text(f"{ERROR}\nphotogate: of yesterday\n")
    begins_at = log.stat().st_size
    assert ended(log, log_begins_at=begins_at) == "ended with status 1"
    assert ended(log, "of today", log_begins_at=begins_at) == "ended with status 1: of today"


def test_a_signal_is_named(log: Path) -> None:
    said = "terminate called"
    assert ended(log, said, then="kill -ABRT $$") == f"was killed by SIGABRT: {said}"
    # Nobody can say a word about this one.
    assert ended(log, then="kill -KILL $$") == "was killed by SIGKILL"
    assert ended(log, then="kill -36 $$") == f"was killed by signal 36: {said}"


def test_whoever_waits_for_it_is_told(log: Path) -> None:
    script = "import sys; sys.exit('photogate: no room')"
    process = start_server([sys.executable, "-c", script], log=log)
    with pytest.raises(ConfigError) as raised:
        wait_until(lambda: False, process=process, what="the sweep", log=log)
    assert str(raised.value) == f"the sweep ended with status 1: no room (see {log})"
