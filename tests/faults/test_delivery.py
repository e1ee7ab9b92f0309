"""Messages that come too often, and jobs that can never succeed."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from photogate.messages import Job
from photogate.service.moderate import MAX_DELIVERIES
from tests.faults.client import Load, Moderator, User
from tests.faults.conftest import Close, Scale
from tests.faults.installation import Installation, fleet, steady
from tests.faults.ledger import Ledger
from tests.faults.photos import Album, Truth

PHOTOGATE = Path(sys.executable).with_name("photogate")
#: The true verdicts of what was lost.
EXPECTED = {Truth.GOOD: "approved", Truth.BLURRED: "rejected", Truth.UNMEASURED: "review"}


@dataclass(frozen=True, kw_only=True)
class _Gone:
    """A photo that was lost from the store after it was accepted."""

    batch_id: str
    key: str
    truth: Truth
    data: bytes


@pytest.mark.slow
def test_every_message_three_times_in_random_order(
    installation: Installation, ledger: Ledger, album: Album, scale: Scale, close: Close
) -> None:
    """Each job is sent three times, and each of these messages is delivered three times."""
    photos = scale.of(100, 2000)
    with Load(installation, ledger, album, photos=photos) as load:
        load.join(60)
    jobs = [Job(batch_id=batch_id, generation=1).encode() for batch_id in ledger.batch_ids * 2]
    random.Random(scale.seed).shuffle(jobs)
    for job in jobs:
        installation.queue.send(job)
    slot = steady(delay_factor=0.1, deliveries=3, seed=scale.seed)
    with fleet(installation, slot, slot, slot):
        installation.settle(hasten=True)
    close("delivery: each message three times, shuffled", injected=3 * 3 * len(ledger.batch_ids))


@pytest.mark.slow
def test_a_job_that_can_never_succeed(
    installation: Installation, ledger: Ledger, album: Album, scale: Scale, close: Close
) -> None:
    """Its photo is gone: five deliveries, then a person sees it, and everybody why.

    Once the photo is back, redriving gives what a person has not decided its true verdict.
    """
    gone = [_hand_in_and_lose_one(installation, ledger, album, n) for n in range(scale.of(4, 50))]
    batches, keys = [photo.batch_id for photo in gone], [photo.key for photo in gone]
    slot = steady(delay_factor=0.01)
    with fleet(installation, slot, slot):
        installation.settle()
    dead = installation.queue.dead(limit=100)
    assert {Job.decode(job.body).batch_id for job in dead} >= set(batches)
    for job in dead:
        assert job.receive_count == MAX_DELIVERIES
        assert "there is no object" in (job.last_error or "")
    assert _outcomes(installation, batches) == {
        ("approved", False, MAX_DELIVERIES): 4 * len(batches),
        ("review", True, MAX_DELIVERIES): len(batches),
    }
    told = _command(installation, "queue", "dead")
    assert [batch for batch in batches if batch not in told] == []
    assert told.count("there is no object") >= len(batches)

    for photo in gone:
        (installation.photos / photo.key).write_bytes(photo.data)
    ids = {key: row["id"] for key, row in _photos(installation, keys).items()}
    with Moderator(installation, ledger) as moderator:
        moderator.reject(ids[gone[0].key], "decided before the second chance")
        found = re.fullmatch(
            r"redriven: photos (\d+), .*\n", _command(installation, "queue", "redrive")
        )
        assert found
        assert int(found[1]) >= len(gone) - 1
        moderator.reject(ids[gone[1].key], "decided before the machine could")
    with fleet(installation, slot, slot):
        installation.settle()
    assert installation.queue.stats().dead == 0
    rows = _photos(installation, keys)
    assert [rows[photo.key]["status"] for photo in gone] == [
        *["rejected"] * 2,
        *[EXPECTED[photo.truth] for photo in gone[2:]],
    ]
    assert not [batch for batch in batches if batch in _command(installation, "queue", "dead")]
    close("delivery: a job that can never succeed, redriven", injected=len(batches))


def _hand_in_and_lose_one(
    installation: Installation, ledger: Ledger, album: Album, number: int
) -> _Gone:
    user = User(installation, ledger)
    kept = user.upload(album.take(4, truth=Truth.GOOD))
    lost = user.upload(album.take(1, truth=list(EXPECTED)[max(0, number - 1) % len(EXPECTED)]))
    batch_id = user.complete(kept | lost)
    user.close()
    ((key, photo),) = lost.items()
    (installation.photos / key).unlink()
    return _Gone(batch_id=batch_id, key=key, truth=photo.truth, data=photo.data)


def _command(installation: Installation, *words: str) -> str:
    """Run ``photogate`` as an operator would; gives what it prints."""
    done = subprocess.run(
        [PHOTOGATE, *words, "--limit", "10000"],
        env=os.environ
        | installation.environment()
        | {"COLUMNS": "200", "PHOTOGATE_HOME": str(installation.servers.home.path / "none")},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _photos(installation: Installation, keys: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Give ids and statuses of photos by their keys."""
    rows = installation.pool.transaction(
        lambda s: s.rows(
            "SELECT CAST(id AS text) AS id, upload_key, moderation_status AS status FROM media"
            " WHERE upload_key = ANY (CAST(:k AS text[]))",
            k=list(keys),
        )
    )
    return {row["upload_key"]: row for row in rows}


def _outcomes(
    installation: Installation, batch_ids: Sequence[str]
) -> dict[tuple[str, bool, int], int]:
    """Count photos by status, whether their error is told, and deliveries of their batch."""
    rows = installation.pool.transaction(
        lambda s: s.rows(
            "SELECT moderation_status AS status, deliveries, count(*) AS n,"
            " coalesce(moderation_error LIKE '%there is no object%', false) AS told"
            " FROM media JOIN batches ON batches.id = batch_id"
            " WHERE batch_id = ANY (CAST(:ids AS text[])) GROUP BY 1, 2, 4",
            ids=list(batch_ids),
        )
    )
    return {(row["status"], row["told"], row["deliveries"]): row["n"] for row in rows}
