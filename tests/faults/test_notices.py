"""``kill -9`` of who tells people and backends: nothing is lost, nothing recorded comes again."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from photogate.adapters.postgres.pool import Pool
from photogate.domain import Finding, NewBatch, NewPhoto, Signals, Status, Verdict
from photogate.domain.changes import judged
from tests.faults.conftest import Scale
from tests.faults.ledger import untold
from tests.faults.sender import STAGES
from tests.receivers import Receiver
from tests.records import PostgresRecords

ROOT = Path(__file__).parents[2]
SECRET = f"whsec_{'A' * 43}="


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.stop()


class Senders:
    """Starts one sender after the other, and holds what was recorded against what came."""

    def __init__(self, url: str, pool: Pool, receiver: Receiver) -> None:
        self._pool = pool
        self._receiver = receiver
        self._environment = {
            **os.environ,
            "DATABASE_URL": url,
            "WEBHOOK_URL": receiver.url,
            "WEBHOOK_SECRET": SECRET,
            "WEBHOOK_PRIVATE": "1",
            "LOG_LEVEL": "ERROR",
        }
        #: Of each id: how often it had come when its 2xx was recorded.
        self._recorded: dict[str, int] = {}

    def start(self, stage: str, nth: int = 1) -> subprocess.Popen[bytes]:
        """Start one, which perhaps ends by itself."""
        return subprocess.Popen(
            [sys.executable, "-m", "tests.faults.sender", stage, str(nth)],
            cwd=ROOT,
            env=self._environment,
        )

    def note(self) -> None:
        """Look at what is recorded now, while no sender lives; then let the leases run out."""
        came = [request.id for request in self._receiver.requests]
        for row in self._pool.transaction(
            lambda s: s.rows(
                "SELECT photo_id || '.' || n AS id FROM notice_deliveries"
                " JOIN notices ON notices.id = notice WHERE told_at IS NOT NULL"
            )
        ):
            self._recorded.setdefault(row["id"], came.count(row["id"]))
        self._pool.transaction(lambda s: s.rows("UPDATE notice_lines SET next_at = now()"))

    def finish(self) -> None:
        """Tell the rest, and hold all of it."""
        assert self.start("never").wait(timeout=120) == 0
        self.note()
        came = [request.id for request in self._receiver.requests]
        for id_, times in self._recorded.items():
            assert came.count(id_) == times, f"{id_} was told again after its 2xx was recorded"
        decided = self._pool.transaction(
            lambda s: s.rows(
                "SELECT user_id, photo_id || '.' || n AS id FROM notices ORDER BY notices.id"
            )
        )
        for user in {row["user_id"] for row in decided}:
            first_seen = list(dict.fromkeys(self._receiver.of_user(user)))
            assert first_seen == [row["id"] for row in decided if row["user_id"] == user]
        assert set(self._recorded) == {row["id"] for row in decided}
        assert untold(self._pool) == []


@pytest.fixture
def senders(migrated_url: str, pool: Pool, receiver: Receiver) -> Senders:
    return Senders(migrated_url, pool, receiver)


def decide(pool: Pool, *users: str, count: int = 3) -> None:
    """Let the machine reject photos of each user, one batch each."""
    records = PostgresRecords(pool)
    for user in users:
        keys = [f"{user}/{time.monotonic_ns()}-{n}" for n in range(count)]
        photos = tuple(NewPhoto(file_key=key, stored=None) for key in keys)
        batch = NewBatch(user_id=user, user_name=None, photos=photos)
        batch_id = records.intake.accept(batch, photos_per_day=10_000).id
        ids = [p.id for p in records.views.of_user(user) if p.batch_id == batch_id]
        verdict = Verdict(status=Status.REJECTED, reason="nsfw")
        findings = [Finding(photo_id=id_, verdict=verdict, signals=Signals()) for id_ in ids]
        records.changes.make([judged(finding, generation=1) for finding in findings])


@pytest.mark.slow
def test_a_sender_that_is_killed_at_each_stage_loses_nothing(
    senders: Senders, pool: Pool, scale: Scale
) -> None:
    stages = [*STAGES] * scale.of(1, 6)
    random.Random(scale.seed).shuffle(stages)
    for round_, stage in enumerate(stages):
        decide(pool, "anna", "ben", "chris")
        # Some of those that come often are killed after a few.
        nth = 1 + round_ % 3 if stage.endswith(("post", "settle")) else 1
        assert senders.start(stage, nth).wait(timeout=60) == -signal.SIGKILL
        senders.note()
    senders.finish()


@pytest.mark.long
def test_senders_that_are_killed_at_any_moment_lose_nothing(
    senders: Senders, pool: Pool, scale: Scale, receiver: Receiver
) -> None:
    chance = random.Random(scale.seed)
    for _ in range(60):
        decide(pool, *(f"u{n}" for n in range(10)))
        sender = senders.start("never")
        began = len(receiver.requests)
        target, ends = chance.randrange(1, 40), time.monotonic() + 20
        while len(receiver.requests) - began < target and time.monotonic() < ends:
            if sender.poll() is not None:
                break
            time.sleep(0.001)
        sender.kill()
        sender.wait(timeout=20)
        time.sleep(0.2)  # what the killed one had sent is being taken
        senders.note()
    senders.finish()
