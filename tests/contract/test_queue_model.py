"""Memory, Redis and PostgreSQL do step by step what one small model does, whatever the steps are.

Time is the test's own on all, so that visibility ends and delays pass without waiting, also
to the millisecond. Hypothesis chooses the steps, the same ones in every run.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from photogate.adapters.memory.queue import MemoryQueue
from photogate.adapters.postgres.pool import Pool
from photogate.adapters.postgres.queue import PostgresQueue
from photogate.adapters.queue_redis import RedisQueue
from photogate.domain import DeadJob, Delivery, QueueStats
from photogate.ports.queue import Queue

VISIBILITY_MS = 100
#: Few, so that jobs die often.
MAX_RECEIVES = 2
BURIED_AFTER_MS = 14 * 24 * 3600 * 1000
LOST = "its worker did not answer in time"


@dataclass(kw_only=True)
class Clock:
    """A time that only moves when it is told to."""

    now_ms: int = 1_700_000_000_000

    def __call__(self) -> int:
        """Tell the time."""
        return self.now_ms


@dataclass(kw_only=True)
class ModelJob:
    """A job as the model sees it."""

    body: str
    sent_ms: int
    receives: int = 0
    token: str | None = None
    error: str | None = None


@dataclass(kw_only=True)
class Model:
    """The whole queue in plain Python: a list and three tables of times."""

    clock: Clock
    jobs: dict[str, ModelJob] = field(default_factory=dict)
    #: The next one first.
    visible: list[str] = field(default_factory=list)
    delayed: dict[str, int] = field(default_factory=dict)
    in_flight: dict[str, int] = field(default_factory=dict)
    dead: dict[str, int] = field(default_factory=dict)

    def send(self, job_id: str, body: str, delay_ms: int) -> None:
        self.jobs[job_id] = ModelJob(body=body, sent_ms=self.clock())
        self._show(job_id, delay_ms)

    def receive(self) -> str | None:
        self._reclaim()
        if not self.visible:
            return None
        job_id = self.visible.pop(0)
        self.jobs[job_id].receives += 1
        self.in_flight[job_id] = self.clock() + VISIBILITY_MS
        return job_id

    def extend(self, delivery: Delivery, visibility_ms: int) -> bool:
        if not self._current(delivery):
            return False
        self.in_flight[delivery.job_id] = self.clock() + visibility_ms
        return True

    def ack(self, delivery: Delivery) -> bool:
        if not self._current(delivery):
            return False
        del self.in_flight[delivery.job_id], self.jobs[delivery.job_id]
        return True

    def nack(self, delivery: Delivery, delay_ms: int, error: str) -> bool:
        if not self._current(delivery):
            return False
        self._put_back(delivery.job_id, delay_ms, error)
        return True

    def stats(self) -> QueueStats:
        self._reclaim()
        for job_id in [i for i, at in self.dead.items() if at <= self.clock() - BURIED_AFTER_MS]:
            del self.dead[job_id], self.jobs[job_id]
        return QueueStats(
            visible=len(self.visible),
            in_flight=len(self.in_flight),
            delayed=len(self.delayed),
            dead=len(self.dead),
        )

    def dead_jobs(self, limit: int) -> list[DeadJob]:
        return [
            DeadJob(job_id=i, body=job.body, receive_count=job.receives, last_error=job.error)
            for i, job in ((i, self.jobs[i]) for i in _by_time(self.dead)[:limit])
        ]

    def redrive(self, limit: int) -> int:
        chosen = _by_time(self.dead)[:limit]
        for job_id in chosen:
            del self.dead[job_id]
            self.jobs[job_id].receives = 0
            self._show(job_id, 0)
        return len(chosen)

    def purge(self, *, dead: bool) -> int:
        gone = [*self.dead] if dead else [*self.visible, *self.delayed]
        for job_id in gone:
            del self.jobs[job_id]
        for place in [self.dead] if dead else [self.visible, self.delayed]:
            place.clear()  # type: ignore[attr-defined]
        return len(gone)

    def _current(self, delivery: Delivery) -> bool:
        job = self.jobs.get(delivery.job_id)
        return job is not None and job.token == delivery.token

    def _show(self, job_id: str, delay_ms: int) -> None:
        if delay_ms > 0:
            self.delayed[job_id] = self.clock() + delay_ms
        else:
            self.visible.append(job_id)

    def _put_back(self, job_id: str, delay_ms: int, error: str) -> None:
        del self.in_flight[job_id]
        job = self.jobs[job_id]
        job.token, job.error = None, error
        if job.receives >= MAX_RECEIVES:
            self.dead[job_id] = self.clock()
        else:
            self._show(job_id, delay_ms)

    def _reclaim(self) -> None:
        for job_id in _by_time(self.delayed, until_ms=self.clock()):
            del self.delayed[job_id]
            self.visible.append(job_id)
        for job_id in _by_time(self.in_flight, until_ms=self.clock()):
            self._put_back(job_id, 0, LOST)


def _by_time(times: dict[str, int], until_ms: float = float("inf")) -> list[str]:
    return sorted((i for i, at in times.items() if at <= until_ms), key=lambda i: (times[i], i))


def numbers() -> Callable[[], str]:
    """Count: jobs that are due at once come in the order of their ids."""
    count = itertools.count(1)
    return lambda: f"{next(count):06}"


DELAYS_MS = st.sampled_from([0, 0, 1, 50, 100])
#: They add up to just before, at and after the ends of visibility and delays.
STEPS_MS = st.sampled_from([1, 49, 50, 99, 100, 100])


class Comparison(RuleBasedStateMachine):
    """Does every step twice, and compares the answers."""

    deliveries: Bundle[Delivery] = Bundle("deliveries")

    def __init__(self, queue: Queue, clock: Clock) -> None:
        super().__init__()
        self.queue = queue
        self.clock = clock
        self.model = Model(clock=clock)
        #: What names a delivery: a job and a token that it never had before.
        self.given: set[tuple[str, str]] = set()

    @initialize(count=st.integers(1, 4))
    def begin(self, count: int) -> None:
        for _ in range(count):
            self.send(0)

    @rule(delay_ms=DELAYS_MS)
    def send(self, delay_ms: int) -> None:
        body = f"sent at {self.clock.now_ms}"
        job_id = self.queue.send(body, delay_s=delay_ms / 1000)
        self.model.send(job_id, body, delay_ms)

    @rule(target=deliveries)
    def receive(self) -> Any:
        return self._receive() or multiple()

    @rule(target=deliveries, delay_ms=DELAYS_MS)
    def fail(self, delay_ms: int) -> Any:
        """A worker cannot, and says so; from then on its delivery is stale."""
        delivery = self._receive()
        if delivery is not None:
            self.nack(delivery, delay_ms)
        return delivery or multiple()

    @rule(target=deliveries, late_ms=st.sampled_from([-1, 0]))
    def lose(self, late_ms: int) -> Any:
        """A worker says nothing until its time is up, or nearly."""
        delivery = self._receive()
        self.clock.now_ms += VISIBILITY_MS + late_ms
        return delivery or multiple()

    def _receive(self) -> Delivery | None:
        delivery, expected = self.queue.receive(wait_s=0), self.model.receive()
        assert (delivery and delivery.job_id) == expected
        if delivery is None:
            return None
        job = self.model.jobs[delivery.job_id]
        assert (delivery.body, delivery.receive_count) == (job.body, job.receives)
        sent_at = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=job.sent_ms)
        assert delivery.sent_at == sent_at
        assert (delivery.job_id, delivery.token) not in self.given
        self.given.add((delivery.job_id, delivery.token))
        job.token = delivery.token
        return delivery

    @rule(delivery=deliveries)
    def ack(self, delivery: Delivery) -> None:
        assert self.queue.ack(delivery) == self.model.ack(delivery)

    @rule(delivery=deliveries, delay_ms=DELAYS_MS)
    def nack(self, delivery: Delivery, delay_ms: int) -> None:
        error = f"at {self.clock.now_ms}"
        done = self.queue.nack(delivery, delay_s=delay_ms / 1000, error=error)
        assert done == self.model.nack(delivery, delay_ms, error)

    @rule(delivery=deliveries, visibility_ms=st.sampled_from([1, 100, 150]))
    def extend(self, delivery: Delivery, visibility_ms: int) -> None:
        done = self.queue.extend(delivery, visibility_s=visibility_ms / 1000)
        assert done == self.model.extend(delivery, visibility_ms)

    @rule(delivery=consumes(deliveries))
    def crash(self, delivery: Delivery) -> None:
        """Nobody ever hears of this delivery again."""

    @rule(step_ms=STEPS_MS)
    def time_passes(self, step_ms: int) -> None:
        self.clock.now_ms += step_ms

    @precondition(lambda self: self.model.dead)
    @rule(step_ms=st.sampled_from([-1, 0]))
    def weeks_pass(self, step_ms: int) -> None:
        """The dead are buried, or just not yet."""
        died_ms = min(self.model.dead.values())
        self.clock.now_ms = max(self.clock.now_ms, died_ms + BURIED_AFTER_MS + step_ms)

    @rule()
    def stats(self) -> None:
        assert self.queue.stats() == self.model.stats()

    @precondition(lambda self: self.model.dead)
    @rule(limit=st.integers(1, 3))
    def dead(self, limit: int) -> None:
        assert self.queue.dead(limit=limit) == self.model.dead_jobs(limit)

    @precondition(lambda self: self.model.dead)
    @rule(limit=st.integers(1, 3))
    def redrive(self, limit: int) -> None:
        assert self.queue.redrive(limit=limit) == self.model.redrive(limit)

    @precondition(lambda self: len(self.model.jobs) > 3)
    @rule(dead=st.booleans())
    def purge(self, dead: bool) -> None:
        assert self.queue.purge(dead=dead) == self.model.purge(dead=dead)

    def teardown(self) -> None:
        """Whatever happened, what is left is the same."""
        self.stats()
        self.dead(100)


@pytest.fixture
def in_memory() -> type[Comparison]:
    """Compare with the queue in memory."""

    class InMemory(Comparison):
        def __init__(self) -> None:
            clock = Clock()
            queue = MemoryQueue(
                visibility_s=VISIBILITY_MS / 1000,
                max_receives=MAX_RECEIVES,
                clock=clock,
                new_id=numbers(),
            )
            super().__init__(queue, clock)

    return InMemory


@pytest.fixture
def on_redis(redis_client: redis.Redis) -> type[Comparison]:
    """Compare with Redis."""

    class OnRedis(Comparison):
        def __init__(self) -> None:
            redis_client.flushall()
            clock = Clock()
            queue = RedisQueue(
                redis_client,
                visibility_s=VISIBILITY_MS / 1000,
                max_receives=MAX_RECEIVES,
                clock=clock,
                new_id=numbers(),
            )
            super().__init__(queue, clock)

    return OnRedis


@pytest.fixture
def on_postgres(pool: Pool) -> type[Comparison]:
    """Compare with PostgreSQL."""

    class OnPostgres(Comparison):
        def __init__(self) -> None:
            pool.transaction(lambda s: s.rows("DELETE FROM jobs"))
            clock = Clock()
            queue = PostgresQueue(
                pool,
                visibility_s=VISIBILITY_MS / 1000,
                max_receives=MAX_RECEIVES,
                clock=clock,
                new_id=numbers(),
            )
            super().__init__(queue, clock)

    return OnPostgres


@pytest.mark.parametrize(
    "technology", [pytest.param("in_memory", marks=pytest.mark.quick), "on_redis", "on_postgres"]
)
def test_it_does_what_the_model_does(technology: str, request: pytest.FixtureRequest) -> None:
    run_state_machine_as_test(
        request.getfixturevalue(technology),
        settings=settings(
            max_examples=60,
            stateful_step_count=40,
            derandomize=True,
            deadline=None,
            database=None,
        ),
    )
