"""One contract for every queue: ``JobSender``, ``JobReceiver`` and ``JobMonitor``."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime

import pytest
import redis

from photogate.adapters.queue_redis import QUEUE_NAME, RedisQueue, connect
from photogate.errors import QueueUnavailable
from tests.servers import eventually

#: Short, so that the tests need not wait long for a job to come back.
VISIBILITY_S = 0.4
MAX_RECEIVES = 3


@pytest.fixture(params=["redis"])
def queue(request: pytest.FixtureRequest) -> RedisQueue:
    """An empty queue of each kind."""
    client: redis.Redis = request.getfixturevalue("redis_client")
    return RedisQueue(client, visibility_s=VISIBILITY_S, max_receives=MAX_RECEIVES)


def counts(queue: RedisQueue) -> tuple[int, int, int, int]:
    stats = queue.stats()
    return stats.visible, stats.in_flight, stats.delayed, stats.dead


def test_an_empty_queue_gives_nothing_within_the_wait(queue: RedisQueue) -> None:
    started = time.monotonic()
    assert queue.receive(wait_s=0) is None
    assert queue.receive(wait_s=0.2) is None
    assert 0.15 < time.monotonic() - started < 2


def test_a_job_is_received_once_with_its_body(queue: RedisQueue) -> None:
    job_id = queue.send('{"v":1}')
    delivery = queue.receive(wait_s=1)
    assert delivery is not None
    assert (delivery.job_id, delivery.body, delivery.receive_count) == (job_id, '{"v":1}', 1)
    assert abs((datetime.now(UTC) - delivery.sent_at).total_seconds()) < 5
    assert counts(queue) == (0, 1, 0, 0)
    assert queue.receive(wait_s=0) is None
    assert queue.ack(delivery)
    assert counts(queue) == (0, 0, 0, 0)


def test_jobs_come_in_the_order_in_which_they_were_sent(queue: RedisQueue) -> None:
    for number in range(5):
        queue.send(str(number))
    bodies = [d.body for d in (queue.receive(wait_s=0) for _ in range(5)) if d]
    assert bodies == ["0", "1", "2", "3", "4"]


def test_a_waiting_worker_wakes_at_once(queue: RedisQueue) -> None:
    got: list[float] = []

    def wait() -> None:
        assert queue.receive(wait_s=5) is not None
        got.append(time.monotonic())

    thread = threading.Thread(target=wait)
    thread.start()
    time.sleep(0.1)  # lets it block; too short only makes the test easier
    sent = time.monotonic()
    queue.send("x")
    thread.join(6)
    assert got
    assert got[0] - sent < 0.5


def test_an_unacknowledged_job_comes_back(queue: RedisQueue) -> None:
    queue.send("x")
    first = queue.receive(wait_s=0)
    second = queue.receive(wait_s=3)
    assert first is not None
    assert second is not None
    assert (second.job_id, second.receive_count) == (first.job_id, 2)
    assert second.token != first.token


def test_a_stale_delivery_changes_nothing(queue: RedisQueue) -> None:
    queue.send("x")
    stale = queue.receive(wait_s=0)
    current = queue.receive(wait_s=3)
    assert stale is not None
    assert current is not None
    assert not queue.ack(stale)
    assert not queue.nack(stale, delay_s=0, error="stale")
    assert not queue.extend(stale, visibility_s=10)
    assert counts(queue) == (0, 1, 0, 0)
    assert queue.ack(current)
    assert not queue.ack(current)


def test_extending_keeps_a_job_away_from_others(queue: RedisQueue) -> None:
    queue.send("x")
    delivery = queue.receive(wait_s=0)
    assert delivery is not None
    assert queue.extend(delivery, visibility_s=5)
    assert queue.receive(wait_s=VISIBILITY_S * 2) is None
    assert queue.ack(delivery)


def test_a_job_that_is_handed_back_comes_after_its_delay(queue: RedisQueue) -> None:
    queue.send("x")
    delivery = queue.receive(wait_s=0)
    assert delivery is not None
    assert queue.nack(delivery, delay_s=0.3, error="not now")
    assert counts(queue) == (0, 0, 1, 0)
    assert queue.receive(wait_s=0) is None
    again = queue.receive(wait_s=3)
    assert again is not None
    assert again.receive_count == 2


def test_a_delayed_job_is_invisible_until_its_time(queue: RedisQueue) -> None:
    queue.send("later", delay_s=0.3)
    assert counts(queue) == (0, 0, 1, 0)
    assert queue.receive(wait_s=0) is None
    eventually(lambda: counts(queue) == (1, 0, 0, 0))


@pytest.mark.parametrize("how", ["handed back", "lost"])
def test_a_job_dies_after_its_last_delivery_and_can_be_redriven(
    queue: RedisQueue, how: str
) -> None:
    job_id = queue.send("poison")
    for _ in range(MAX_RECEIVES):
        delivery = queue.receive(wait_s=3)
        assert delivery is not None
        if how == "handed back":
            assert queue.nack(delivery, delay_s=0, error="it is poison")
    eventually(lambda: counts(queue) == (0, 0, 0, 1))
    (dead,) = queue.dead(limit=10)
    assert (dead.job_id, dead.body, dead.receive_count) == (job_id, "poison", MAX_RECEIVES)
    assert dead.last_error == (
        "it is poison" if how == "handed back" else "its worker did not answer in time"
    )
    assert queue.redrive(limit=10) == 1
    again = queue.receive(wait_s=1)
    assert again is not None
    assert again.receive_count == 1
    assert queue.ack(again)
    assert counts(queue) == (0, 0, 0, 0)


def test_many_workers_share_without_doubling(queue: RedisQueue) -> None:
    total, taken, lock = 200, [], threading.Lock()
    for number in range(total):
        queue.send(str(number))

    def work() -> None:
        while (delivery := queue.receive(wait_s=0)) is not None:
            assert queue.ack(delivery)
            with lock:
                taken.append(delivery.body)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(taken, key=int) == [str(number) for number in range(total)]


class TestRedis:
    """What only Redis promises."""

    def test_llen_answers_the_visible_jobs(
        self, queue: RedisQueue, redis_client: redis.Redis
    ) -> None:
        for _ in range(3):
            queue.send("x")
        queue.receive(wait_s=0)
        assert redis_client.llen("photo_moderation_queue") == 2

    def test_all_keys_share_a_hash_slot_and_none_is_left_behind(
        self, queue: RedisQueue, redis_client: redis.Redis
    ) -> None:
        for _ in range(100):
            queue.send("x")
        while (delivery := queue.receive(wait_s=0)) is not None:
            queue.ack(delivery)
        left = {str(key) for key in redis_client.scan_iter()}
        assert left <= {f"{{{QUEUE_NAME}}}:wake"}
        assert int(redis_client.llen(f"{{{QUEUE_NAME}}}:wake")) <= 64

    def test_a_dead_server_is_a_retryable_fault(self) -> None:
        queue = RedisQueue(connect("redis://127.0.0.1:1/0"))
        for call in (
            lambda: queue.send("x"),
            lambda: queue.receive(wait_s=0),
            lambda: queue.stats(),
        ):
            with pytest.raises(QueueUnavailable):
                call()

    def test_jobs_outlive_a_restart_of_the_client(self, queue: RedisQueue, redis_url: str) -> None:
        queue.send("x")
        queue.receive(wait_s=0)
        other = RedisQueue(connect(redis_url), visibility_s=VISIBILITY_S)
        eventually(lambda: other.stats().visible == 1)
