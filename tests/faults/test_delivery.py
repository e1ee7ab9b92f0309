"""Messages that come too often, and jobs that can never succeed."""

from __future__ import annotations

import random
from collections.abc import Sequence

from photogate.messages import Job
from photogate.service.moderate import MAX_DELIVERIES
from tests.faults.client import Load, User
from tests.faults.conftest import Close, Scale
from tests.faults.installation import Installation, fleet, steady
from tests.faults.ledger import Ledger
from tests.faults.photos import Album, Truth


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
    slot = steady(haste=0.1, deliveries=3, seed=scale.seed)
    with fleet(installation, slot, slot, slot):
        installation.settle(within_s=scale.of(60, 300), hasten=True)
    close("delivery: each message three times, shuffled", injected=3 * 3 * len(ledger.batch_ids))


def test_a_job_that_can_never_succeed(
    installation: Installation, ledger: Ledger, album: Album, scale: Scale, close: Close
) -> None:
    """Its photo is gone: five deliveries, then a person sees it, and everybody why."""
    batches = []
    for _ in range(scale.of(2, 50)):
        user = User(installation, ledger)
        good = user.upload(album.take(4, truth=Truth.GOOD))
        gone = user.upload(album.take(1, truth=Truth.UNMEASURED))
        batches.append(user.complete(good | gone))
        user.close()
        for key in gone:
            (installation.photos / key).unlink()

    slot = steady(haste=0.05)
    with fleet(installation, slot, slot):
        installation.settle(within_s=120)
        dead = installation.queue.dead(limit=100)
        assert {Job.decode(job.body).batch_id for job in dead} == set(batches)
        for job in dead:
            assert job.receive_count == MAX_DELIVERIES
            assert "there is no object" in (job.last_error or "")
        assert _outcomes(installation, batches) == {
            ("approved", False, MAX_DELIVERIES): 4 * len(batches),
            ("review", True, MAX_DELIVERIES): len(batches),
        }
        assert installation.queue.redrive(limit=100) == len(batches)
        installation.settle()
        assert installation.queue.stats().dead == 0
    close("delivery: a job that can never succeed", injected=len(batches))


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
