"""A worker that hangs ends itself, and does not look alive until then."""

from __future__ import annotations

import subprocess
import sys
import threading
from types import SimpleNamespace
from typing import Any, cast

import pytest

from local.worker import Worker
from photogate.adapters.memory.database import Database
from photogate.adapters.memory.queue import MemoryQueue
from photogate.adapters.memory.workers import MemoryWorkers
from photogate.bootstrap import ModerateParts
from photogate.domain import ANNOUNCE_EVERY_S, WorkerInfo
from tests.contract.test_workers import worker as a_worker
from tests.servers import eventually

START = """
import ctypes, threading, time
from local.watchdog import Progress, watch
progress = Progress()
"""


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", START + code],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_process_whose_step_hangs_ends_and_says_where() -> None:
    ended = run(
        """
def look_at_a_photo():
    threading.Event().wait()
watch(progress, overrun_s=0.2)
progress.step(0.2)
look_at_a_photo()
"""
    )
    assert ended.returncode == 1
    *stacks, last = ended.stderr.splitlines()
    assert any("in look_at_a_photo" in line for line in stacks)
    assert last.startswith("photogate: this worker hangs and ends itself: ")


def test_a_process_that_moves_lives() -> None:
    ended = run(
        """
watch(progress, overrun_s=0.5)
for _ in range(30):
    progress.step(0.5)
    time.sleep(0.05)
"""
    )
    assert (ended.returncode, ended.stderr) == (0, "")


def test_a_process_that_native_code_holds_ends_too() -> None:
    ended = run(
        """
watch(progress, no_turn_s=2)
progress.step(600)
ctypes.PyDLL(None).sleep(600)  # with the interpreter's lock
"""
    )
    assert ended.returncode == 1
    assert "Timeout" in ended.stderr


@pytest.mark.slow
def test_a_worker_announces_itself_only_while_its_loop_moves() -> None:
    class Announcements(MemoryWorkers):
        count = 0

        def announce(self, worker: WorkerInfo) -> None:
            self.count += 1
            super().announce(worker)

    workers, queue, go_on = Announcements(Database()), MemoryQueue(), threading.Event()
    parts = SimpleNamespace(
        queue=queue,
        workers=workers,
        introduce=lambda: a_worker("w"),
        settings=SimpleNamespace(job_deadline_s=0.0, queue_visibility_s=30.0),
    )

    def hang(event: dict[str, Any], context: Any) -> Any:
        go_on.wait()
        return {"batchItemFailures": []}

    queue.send("a job")
    worker = Worker(cast(ModerateParts, parts), hang)
    running = threading.Thread(target=worker.run)
    running.start()
    try:
        # By then it was time to announce itself twice more.
        eventually(lambda: 1e6 > worker.progress.late_s > 2.5 * ANNOUNCE_EVERY_S, within_s=20)
        assert workers.count <= 1
        go_on.set()
        eventually(lambda: workers.count == 2, within_s=20)
        assert [w.id for w in workers.alive()] == ["w"]
    finally:
        go_on.set()
        worker.stop()
        running.join(20)
    assert workers.alive() == []
