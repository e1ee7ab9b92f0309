"""``photogate queue``: counting, emptying, and what becomes of the photos."""

from __future__ import annotations

import io
import json
import os
import pty
import sys
from collections.abc import Callable
from contextlib import closing

import pytest
from rich.console import Console
from typer.testing import CliRunner

from local.cli import app
from local.queue_tables import stats_tables
from photogate import bootstrap
from photogate.adapters.postgres.open_work import Work
from photogate.adapters.postgres.pool import Pool
from photogate.adapters.queue_redis import RedisQueue, connect
from photogate.domain import QueueStats, Total
from tests.functions.conftest import Installation


def run_cli(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["queue", *words])
    return done.exit_code, done.output


class Terminal:
    """Runs ``queue purge`` where somebody answers."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def __call__(self, answer: str) -> tuple[int, str]:
        ours, theirs = pty.openpty()
        os.write(ours, f"{answer}\n".encode())
        with os.fdopen(theirs) as stdin, self._monkeypatch.context() as patch:
            patch.setattr(sys, "stdin", stdin)
            self._capsys.readouterr()
            code = app(["queue", "purge"], standalone_mode=False)
        os.close(ours)
        return code or 0, "".join(self._capsys.readouterr())


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    """Somebody at a terminal."""
    return Terminal(monkeypatch, capsys)


def due_now(pool: Pool) -> None:
    pool.transaction(
        lambda s: s.rows(
            "UPDATE batches SET next_enqueue_at = now() WHERE finished_at IS NULL;"
            " UPDATE media SET copies_due_at = now() WHERE copies_due_at IS NOT NULL"
        )
    )


def statuses(installation: Installation) -> set[str]:
    return {photo["moderation_status"] for photo in installation.client().photos()}


def test_jobs_are_counted_and_what_they_are_for(
    installation: Installation, deliver: Callable[..., list[str]], portrait: bytes, pool: Pool
) -> None:
    code, said = run_cli("stats")
    assert code == 0
    assert "nothing" in said
    installation.hand_in(portrait)
    installation.hand_in(portrait, user="v")
    told = json.loads(run_cli("stats", "--json")[1])
    assert told["jobs"] == {"waiting": 2, "in_flight": 0, "delayed": 0, "dead": 0}
    (work,) = told["work"]
    assert (work["kind"], work["count"], work["count_is"]) == ("verdicts", 2, "exact")
    assert 0 <= work["oldest_s"] < 60
    assert "2 batches" in run_cli("stats")[1]
    assert len(deliver(1)) == 1
    kinds = {
        work["kind"]: work["count"] for work in json.loads(run_cli("stats", "--json")[1])["work"]
    }
    assert kinds == {"verdicts": 1, "copies": 1}
    pool.transaction(lambda s: s.rows("UPDATE batches SET waits_for = 'storage'"))
    assert "verdicts, while storage is down" in run_cli("stats")[1]


def test_an_emptied_queue_fills_again_by_itself(
    installation: Installation,
    deliver: Callable[..., list[str]],
    portrait: bytes,
    pool: Pool,
    asked: Terminal,
) -> None:
    assert run_cli("purge") == (0, "there are no waiting jobs: nothing is removed\n")
    installation.hand_in(portrait)
    code, said = run_cli("purge")
    assert (code, said.strip()) == (
        1,
        "photogate: nobody can be asked here: to remove 1 waiting job, say --yes",
    )
    code, said = asked("n")
    assert code == 1
    assert "Remove 1 waiting job?" in said
    assert "nothing is removed" in said
    assert bootstrap.job_monitor().stats().visible == 1
    code, said = run_cli("purge", "--yes")
    assert (code, said.splitlines()[:2]) == (
        0,
        ["removed: 1 waiting job", "still to be done, and not lost: 1 batch"],
    )
    assert "the sweep sends their jobs again by itself, the last of them in about 2 min" in said
    assert deliver() == []
    due_now(pool)
    assert bootstrap.sweep().run().resent == 1
    assert len(deliver(1)) == 1
    # Its copies wait for a job of their own by now, and nobody is told before.
    assert statuses(installation) == {"pending"}
    code, said = asked("y")
    assert code == 0
    assert "still to be done, and not lost: 1 photo\n" in said
    due_now(pool)
    assert bootstrap.sweep().run().copies == 1
    assert len(deliver()) == 0
    assert statuses(installation) == {"approved"}
    with closing(RedisQueue(connect(os.environ["REDIS_URL"]))) as queue:
        queue.send("of another installation")
    assert run_cli("purge", "--yes") == (
        0,
        "removed: 1 waiting job\nno photo waits for any of them\n",
    )


def test_given_up_ones_are_purged_by_themselves(
    installation: Installation, portrait: bytes, pool: Pool
) -> None:
    with closing(RedisQueue(connect(os.environ["REDIS_URL"]), max_receives=1)) as queue:

        def die() -> None:
            delivery = queue.receive(wait_s=1)
            assert delivery
            queue.nack(delivery, delay_s=0, error="no")

        queue.send("of another installation")
        die()
        assert run_cli("purge", "--yes") == (
            0,
            "there are no waiting jobs: nothing is removed\n",
        )
        code, said = run_cli("purge", "--dead", "--yes")
        assert (code, said) == (
            0,
            "removed: 1 given-up job\nno photo waits for a person because of them\n",
        )
        installation.hand_in(portrait)
        die()
    pool.transaction(
        lambda s: s.rows("UPDATE batches SET deliveries = 5, last_error = 'it is poison'")
    )
    assert bootstrap.sweep().run().concluded == 1
    code, said = run_cli("purge", "--dead", "--yes")
    assert code == 0
    assert "photos that wait for a person because moderation gave up: 1, as before" in said
    assert "it is poison" in run_cli("dead")[1]
    assert run_cli("redrive")[1].startswith("redriven: photos 1, batches 1, dead jobs 0")


def test_stats_fit_a_narrow_terminal() -> None:
    console = Console(width=80, record=True, file=io.StringIO())
    jobs = QueueStats(visible=1_234_567, in_flight=128, delayed=1_234_567, dead=1_234_567)
    work = [
        Work(kind="verdicts", count=Total.of(10_001), oldest_s=4e5, due_in_s=0.0),
        Work(kind="verdicts", count=Total.of(9), oldest_s=4e5, due_in_s=0, waits_for="storage"),
        Work(kind="copies", count=Total.of(1), oldest_s=None, due_in_s=0.0),
    ]
    console.print(*stats_tables(jobs, work), sep="\n")
    shown = console.export_text()
    assert "│ verdicts, while storage is down │" in shown
    assert "10000 or more batches" in shown
    assert "…" not in shown


@pytest.mark.parametrize("words", [("dead",), ("redrive",)])
def test_the_names_before_the_group_still_work(
    installation: Installation, words: tuple[str]
) -> None:
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0
    assert " dead " not in CliRunner().invoke(app, ["--help"]).output
