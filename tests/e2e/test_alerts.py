"""Alerts of a running stack: raised, kept over a restart, over."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from photogate.adapters.postgres.pool import Pool
from tests.docs import ROOT, block
from tests.e2e.running import RunningStack, clean_environment
from tests.receivers import Answer, Receiver, Request
from tests.servers import eventually


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A chat program's incoming webhook."""
    receiver = Receiver()
    yield receiver
    receiver.stop()


def told(receiver: Receiver) -> list[tuple[str, str]]:
    return [_named(request) for request in receiver.taken]


def _named(request: Request) -> tuple[str, str]:
    body = json.loads(request.body)
    return body["name"], body["state"]


RAISED, RECOVERED = ("workers", "raised"), ("workers", "recovered")


@pytest.mark.slow
def test_an_incident_from_its_begin_to_its_end(
    start: Callable[..., RunningStack], receiver: Receiver
) -> None:
    """The receiver refuses at first and then hangs, the command fails: the sweep goes on."""
    receiver.answers += [Answer(status=500), Answer(then="drip")]
    stack = start(
        "--workers",
        "0",
        SWEEP_INTERVAL_S="0.5",
        ALERT_WEBHOOK_URL=receiver.url,
        ALERT_FREE_GB="0",
        ALERT_COMMAND="false",
    )
    environment = json.loads((stack.home / "environment.json").read_text())
    with closing(Pool(environment["DATABASE_URL"], size=1)) as pool:

        def rounds() -> object:
            (row,) = pool.transaction(lambda s: s.rows("SELECT ended_at FROM sweeps"))
            return row["ended_at"]

        eventually(lambda: len(receiver.requests) == 2)
        before = rounds()
        eventually(lambda: rounds() != before)
        before = rounds()
        eventually(lambda: rounds() != before)
    kept = stack.home / "alerts.json"

    def noted() -> list[str]:
        return list(json.loads(kept.read_text()).get("workers", {}).get("told", []))

    eventually(lambda: noted() == ["webhook"])
    assert told(receiver) == [RAISED]

    (sweep,) = stack.children("local.sweep")
    sweep.kill()
    eventually(lambda: stack.children("local.sweep") not in ([], [sweep]))
    looks = kept.stat().st_mtime_ns
    eventually(lambda: kept.stat().st_mtime_ns > looks)
    with stack.one_more_worker():
        eventually(lambda: noted() == [])
        assert told(receiver) == [RAISED, RECOVERED]
    assert "hook?of" not in (stack.home / "logs" / "sweep.log").read_text()


@pytest.mark.slow
def test_the_pages_commands(
    start: Callable[..., RunningStack], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = start()
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    monkeypatch.chdir(tmp_path)
    test, listed = block("docs/operate.md", holding="photogate alerts test").commands

    def run(command: str) -> str:
        done = subprocess.run(
            ["bash", "-euc", command],
            env={**clean_environment(), "PHOTOGATE_HOME": str(stack.home), "ALERT_FREE_GB": "0"},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, (done.stdout, done.stderr)
        return done.stdout

    said = run(test)
    assert said.startswith(f"command: told: status 0: Photogate, {stack.url}: ")
    assert "alerts arrive here" in (tmp_path / "alerts.txt").read_text()
    assert run(listed).count("well") == 10
