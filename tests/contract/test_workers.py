"""The ``Workers`` port: who lives, and whose policy is in force."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from photogate.domain import Gate, WorkerInfo
from photogate.ports.records import Workers
from tests.records import Records

NOW = datetime.now(UTC)


@pytest.fixture
def workers(records: Records) -> Workers:
    """Nobody was seen yet."""
    return records.workers


def worker(name: str, *, started_h_ago: float = 1.0) -> WorkerInfo:
    return WorkerInfo(
        id=name,
        host="host",
        pid=1,
        model="m",
        policy=f"{name}@1",
        gates=(Gate(name="nsfw", on=True),),
        started_at=NOW - timedelta(hours=started_h_ago),
        seen_at=NOW,
        last_photo_at=None,
    )


def newest(workers: Workers) -> str | None:
    found = workers.newest()
    return None if found is None else found.id


def test_nobody_is_nobody(workers: Workers) -> None:
    assert (workers.alive(), workers.newest()) == ([], None)


def test_of_those_that_live_the_one_that_started_last_is_in_force(
    workers: Workers,
) -> None:
    workers.announce(worker("new", started_h_ago=1))
    workers.announce(worker("old", started_h_ago=2))
    assert [w.id for w in workers.alive()] == ["old", "new"]
    assert newest(workers) == "new"


def test_a_worker_that_is_gone_is_not_in_force_while_another_lives(
    workers: Workers, records: Records
) -> None:
    workers.announce(worker("living", started_h_ago=2))
    workers.announce(worker("gone", started_h_ago=1))
    records.age_worker("gone", minutes=5)
    assert [w.id for w in workers.alive()] == ["living"]
    assert newest(workers) == "living"


def test_between_photos_the_last_one_of_the_day_is_told(workers: Workers, records: Records) -> None:
    workers.announce(worker("new", started_h_ago=1))
    workers.announce(worker("old", started_h_ago=2))
    records.age_worker("new", minutes=50)
    records.age_worker("old", minutes=40)
    assert workers.alive() == []
    assert newest(workers) == "new"


def test_a_worker_that_is_long_gone_is_not_told(workers: Workers, records: Records) -> None:
    workers.announce(worker("gone"))
    records.age_worker("gone", hours=25)
    assert newest(workers) is None


def test_who_leaves_is_gone_at_once(workers: Workers) -> None:
    workers.announce(worker("new", started_h_ago=1))
    workers.announce(worker("old", started_h_ago=2))
    workers.leave("new")
    assert newest(workers) == "old"
