"""``kill -9`` of workers, at each stage of a job and at any moment; and workers that freeze."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

import psutil
import pytest

from local.process import start_module, stop
from tests.faults.client import Load, Moderator, User
from tests.faults.conftest import Close, Scale
from tests.faults.installation import VISIBILITY_S, Fleet, Installation, Servers, fleet, steady
from tests.faults.ledger import Ledger
from tests.faults.notes import recoveries_s
from tests.faults.photos import Album, Truth
from tests.faults.ports import HANGS, STAGES, Plan
from tests.faults.worker import OVERRUN_S
from tests.proxy import Break, Cut, scripted
from tests.servers import eventually

pytestmark = pytest.mark.slow

#: What the project promises: the visibility timeout and 2 s more.
RECOVERED_WITHIN_S = VISIBILITY_S + 2.0
#: A hung worker may take 30 s to receive a job, or 5 s for it, and what ``tests.faults.worker``
#: adds; and has time to end.
HUNG_WITHIN_S = 30.0 + OVERRUN_S + 5.0


def test_killed_at_each_stage(
    installation: Installation, ledger: Ledger, album: Album, scale: Scale, close: Close
) -> None:
    """One worker after the other dies where the plan says; two that live take over."""
    stages = list(STAGES) * scale.of(1, 8)
    random.Random(scale.seed).shuffle(stages)
    plans = iter([Plan(notes="", stops_at=stage) for stage in stages])
    with fleet(installation, steady(), steady(), lambda: next(plans, None)) as workers:
        while len(workers.notes.kills({})) < len(stages):
            workers.wait_until_ready()
            _hand_in_nine(installation, ledger, album)
        installation.settle()

    kills = workers.notes.kills({})
    assert sorted(kill.stage for kill in kills) == sorted(stages)
    recoveries = recoveries_s(installation.pool, kills)
    repeated, unexplained = workers.notes.repeated_beyond(kills, ledger.marks())
    close(
        "workers: kill -9 at five stages",
        injected=len(kills),
        recovery_s=max(recoveries),
        note=f"{repeated} inferences repeated",
    )
    assert unexplained == []
    assert max(recoveries) < RECOVERED_WITHIN_S + scale.busy_s


def test_killed_all_the_time(
    installation: Installation, ledger: Ledger, album: Album, scale: Scale, close: Close
) -> None:
    """The long run: workers die by plan and by chance, while people decide and users repeat."""
    photos, kills = scale.of(100, 10_000), scale.of(6, 500)
    plans, moments = random.Random(f"{scale.seed}/plans"), random.Random(f"{scale.seed}/moments")

    def doomed() -> Plan:
        return Plan(notes="", stops_at=plans.choice(STAGES), occurrence=plans.randint(1, 4))

    outside: dict[int, float] = {}
    with fleet(installation, steady(), *[doomed] * 4) as workers:
        endless = Load(
            installation,
            ledger,
            album,
            photos=100 * photos,
            users_at_once=3,
            most_open=8,
            seed=scale.seed,
        )
        deadline = time.monotonic() + scale.of(60, 1800)
        with endless, _moderating(installation, ledger):
            while ledger.photos < photos or _kills(workers, outside) < kills:
                assert time.monotonic() < deadline, "too slow for so many kills"
                time.sleep(moments.uniform(0.0, 1.5))
                # One is spared: recovery is a matter of those that live.
                pid = workers.kill(moments.randrange(1, len(workers.slots)))
                outside |= {pid: time.time()} if pid else {}
        installation.settle(hasten=True)

    hits = workers.notes.kills(outside)
    recoveries = recoveries_s(installation.pool, hits)
    repeated, unexplained = workers.notes.repeated_beyond(hits, ledger.marks())
    late = sum(recovery > RECOVERED_WITHIN_S for recovery in recoveries)
    account = close(
        "workers: kill -9 all the time",
        injected=len(hits),
        recovery_s=max(recoveries),
        note=f"{late} above {RECOVERED_WITHIN_S:.0f} s, {repeated} inferences repeated",
    )
    assert unexplained == []
    assert account.statuses["approved"] > account.photos / 2


def _kills(workers: Fleet, outside: dict[int, float]) -> int:
    """Count those that hit a job."""
    return len(workers.notes.kills(outside))


@contextmanager
def _moderating(installation: Installation, ledger: Ledger) -> Iterator[None]:
    """Let a person reject any photo now and then, also one that waits for its verdict."""
    ending = threading.Event()

    def moderate(moderator: Moderator) -> None:
        while not ending.wait(0.3):
            found = installation.pool.transaction(
                lambda s: s.row(
                    "SELECT CAST(id AS text) AS id FROM media WHERE batch_id = ANY"
                    " (CAST(:ids AS text[])) ORDER BY random() LIMIT 1",
                    ids=ledger.batch_ids[-20:],
                )
            )
            if found is not None:
                moderator.reject(found["id"], "not our kind of photo")

    with Moderator(installation, ledger) as moderator, ThreadPoolExecutor(1) as pool:
        working = pool.submit(moderate, moderator)
        try:
            yield
        finally:
            ending.set()
        working.result()


@pytest.mark.long
def test_frozen_workers_come_too_late(
    installation: Installation, ledger: Ledger, album: Album, scale: Scale, close: Close
) -> None:
    """A worker that stands still past its time finds its verdicts written by another."""
    stages = list(STAGES) * scale.of(1, 2)
    plans = iter([Plan(notes="", stops_at=stage, by=signal.SIGSTOP) for stage in stages])
    with fleet(installation, steady(), lambda: next(plans, None)) as workers:
        for number in range(1, len(stages) + 1):
            while len(frozen := workers.notes.kills({})) < number:
                workers.wait_until_ready()
                _hand_in_nine(installation, ledger, album)
            recovered = partial(_is_finished, installation, frozen[-1].batch_id)
            eventually(recovered, within_s=RECOVERED_WITHIN_S + scale.busy_s)
            workers.send(1, signal.SIGCONT)
            _hand_in_nine(installation, ledger, album)
            installation.settle()
            workers.kill(1)
    close("workers: frozen past the visibility timeout", injected=len(stages))


# Each is waited for until it ends itself.
@pytest.mark.slow
def test_hung_workers_end_themselves(
    installation: Installation, ledger: Ledger, album: Album, scale: Scale, close: Close
) -> None:
    """The loop of a worker waits for ever, while its other threads go on: no other worker lives."""
    stages = list(STAGES) * scale.of(1, 2)
    random.Random(scale.seed).shuffle(stages)
    plans = iter([Plan(notes="", stops_at=stage, by=HANGS) for stage in stages])
    ended_before = _ended_by_themselves(installation)
    with fleet(installation, lambda: next(plans, Plan(notes=""))) as workers:
        for number in range(1, len(stages) + 1):
            while len(hung := workers.notes.kills({})) < number:
                workers.wait_until_ready()
                _hand_in_nine(installation, ledger, album)
            eventually(partial(_is_gone, hung[-1].pid), within_s=HUNG_WITHIN_S)
        installation.settle()
    recoveries = recoveries_s(installation.pool, hung)
    assert _ended_by_themselves(installation) - ended_before == len(stages)
    close("workers: hang", injected=len(stages), recovery_s=max(recoveries))


def test_a_photo_on_which_every_worker_hangs_goes_to_a_person(
    installation: Installation, ledger: Ledger, album: Album, close: Close
) -> None:
    """It costs three workers; the eight photos beside it get their verdicts."""
    ended_before = _ended_by_themselves(installation)
    user = User(installation, ledger)
    with fleet(installation, steady(), steady()):
        photos = [*album.take(8, truth=Truth.GOOD), *album.take(1, truth=Truth.HANGS)]
        user.hand_in(photos)
        installation.settle()
        # The last of them may still be at it when another has sent the photo to a person.
        eventually(
            lambda: _ended_by_themselves(installation) == ended_before + 3, within_s=HUNG_WITHIN_S
        )
    user.close()
    account = close("workers: a photo on which they hang", injected=1)
    assert account.statuses == {"approved": 8, "review": 1}


@pytest.mark.long
def test_stopped_while_the_database_is_stuck(
    installation: Installation, servers: Servers, ledger: Ledger, album: Album, close: Close
) -> None:
    """SIGTERM finds a worker in the middle of a job, in a call that nobody answers."""
    with scripted(servers.database_url) as (script, url):
        worker = start_module(
            "local.worker",
            log=installation.log("worker-stuck"),
            settings=installation.environment() | {"DATABASE_URL": url},
        )
        try:
            eventually(lambda: worker.pid in installation.workers(), within_s=60)
            script.cuts.append(Cut(at=b"FOR UPDATE", how=Break.SILENCE))
            _hand_in_nine(installation, ledger, album)
            eventually(lambda: script.done)
            worker.terminate()
            worker.wait(timeout=10)
        finally:
            stop(worker)
    with fleet(installation, steady()):
        installation.settle()
    close("workers: SIGTERM while the database is stuck", injected=1)


def _hand_in_nine(installation: Installation, ledger: Ledger, album: Album) -> None:
    user = User(installation, ledger)
    user.hand_in(album.take(9))
    user.close()


def _is_finished(installation: Installation, batch_id: str) -> bool:
    found = installation.pool.transaction(
        lambda s: s.row("SELECT finished_at FROM batches WHERE id = :id", id=batch_id)
    )
    return found is not None and found["finished_at"] is not None


def _is_gone(pid: int) -> bool:
    return not psutil.pid_exists(pid)


def _ended_by_themselves(installation: Installation) -> int:
    """Count the workers whose logs say so."""
    logs = installation.log("worker-0").parent.glob("worker-*.log")
    return sum(log.read_text().count("this worker hangs and ends itself") for log in logs)
