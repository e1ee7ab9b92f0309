"""One contract for every queue: ``JobSender``, ``JobReceiver`` and ``JobMonitor``."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
import redis

from photogate.adapters import sqs_client as client_module
from photogate.adapters.memory.queue import MemoryQueue
from photogate.adapters.postgres.pool import Pool
from photogate.adapters.postgres.queue import PostgresQueue
from photogate.adapters.queue_redis import (
    PURGED_AT_ONCE,
    QUEUE_NAME,
    READ_TIMEOUT_S,
    RedisQueue,
    connect,
)
from photogate.adapters.queue_sqs import SqsQueue
from photogate.domain import Delivery
from photogate.errors import ConfigError, QueueUnavailable
from photogate.ports.queue import Queue
from tests.contract.conftest import Fault, FaultyServer, answer, aws_credentials, black_hole
from tests.servers import eventually

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

MAX_RECEIVES = 3


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What a technology can hold to, and how long the tests must give it."""

    name: str
    #: As short as it goes, so that the tests need not wait long for a job to come back.
    visibility_s: float
    #: The shortest delay that it keeps.
    delay_s: float
    #: Whether jobs come in the order in which they were sent.
    fifo: bool
    #: Whether a job is given once as long as nothing fails, however many workers ask.
    gives_once: bool
    #: Whether a stale delivery changes nothing.
    detects_stale: bool
    #: Whether a job that was handed back counts as delayed; in flight otherwise.
    tells_handed_back: bool
    #: Whether dead jobs keep why they died, their id and their deliveries.
    keeps_dead: bool
    #: Whether a job that is at work stays when the queue is emptied.
    spares_work: bool
    #: How many jobs the stand-in can carry in reasonable time.
    crowd: int


REDIS = Kind(
    name="redis",
    visibility_s=0.4,
    delay_s=0.3,
    fifo=True,
    gives_once=True,
    detects_stale=True,
    tells_handed_back=True,
    keeps_dead=True,
    spares_work=True,
    crowd=200,
)
POSTGRES = replace(REDIS, name="postgres")
MEMORY = replace(REDIS, name="memory")
#: moto, which deletes by a stale receipt; AWS does nothing, and says neither way.
SQS = Kind(
    name="sqs",
    visibility_s=1.0,
    delay_s=1.0,
    fifo=False,
    gives_once=False,
    detects_stale=False,
    tells_handed_back=False,
    keeps_dead=False,
    spares_work=False,
    crowd=40,
)


@pytest.fixture(
    params=[pytest.param(MEMORY, marks=pytest.mark.quick), REDIS, POSTGRES, SQS],
    ids=lambda kind: kind.name,
)
def kind(request: pytest.FixtureRequest) -> Kind:
    """Each technology."""
    chosen: Kind = request.param
    return chosen


@pytest.fixture
def queue(kind: Kind, request: pytest.FixtureRequest) -> Queue:
    """An empty queue of each kind."""
    made: Queue = request.getfixturevalue(f"{kind.name}_queue")
    return made


@pytest.fixture
def memory_queue() -> MemoryQueue:
    """An empty queue in memory."""
    return MemoryQueue(visibility_s=MEMORY.visibility_s, max_receives=MAX_RECEIVES)


@pytest.fixture
def redis_queue(redis_client: redis.Redis) -> RedisQueue:
    """An empty queue on Redis."""
    return RedisQueue(redis_client, visibility_s=REDIS.visibility_s, max_receives=MAX_RECEIVES)


@pytest.fixture
def postgres_queue(pool: Pool) -> PostgresQueue:
    """An empty queue in PostgreSQL."""
    return PostgresQueue(pool, visibility_s=POSTGRES.visibility_s, max_receives=MAX_RECEIVES)


@pytest.fixture(scope="module")
def sqs_client(moto_server: str) -> Iterator[SQSClient]:
    """A client of moto."""
    with closing(sqs(moto_server)) as client:
        yield client


@pytest.fixture
def sqs_queue(sqs_client: SQSClient) -> SqsQueue:
    """An empty queue on SQS, with a dead-letter queue."""
    name = f"jobs-{uuid4()}"
    dead_url = sqs_client.create_queue(QueueName=f"{name}-dead")["QueueUrl"]
    dead = sqs_client.get_queue_attributes(QueueUrl=dead_url, AttributeNames=["QueueArn"])
    policy = {
        "deadLetterTargetArn": dead["Attributes"]["QueueArn"],
        "maxReceiveCount": MAX_RECEIVES,
    }
    url = sqs_client.create_queue(QueueName=name, Attributes={"RedrivePolicy": json.dumps(policy)})[
        "QueueUrl"
    ]
    return SqsQueue(sqs_client, url, dead_url=dead_url, visibility_s=SQS.visibility_s)


def sqs(url: str, endpoint: str | None = None, *, read_timeout_s: float = 8.0) -> SQSClient:
    with aws_credentials():
        return client_module.connect(url, endpoint, read_timeout_s=read_timeout_s)


def counts(queue: Queue) -> tuple[int, int, int, int]:
    stats = queue.stats()
    return stats.visible, stats.in_flight, stats.delayed, stats.dead


def test_an_empty_queue_gives_nothing_within_the_wait(queue: Queue) -> None:
    started = time.monotonic()
    assert queue.receive(wait_s=0) is None
    assert queue.receive(wait_s=0.2) is None
    # SQS would be waited for 5 s each time, unless it is told otherwise
    assert 0.15 < time.monotonic() - started < 8


def test_a_job_is_received_once_with_its_body(queue: Queue) -> None:
    job_id = queue.send('{"v":1}')
    delivery = queue.receive(wait_s=1)
    assert delivery is not None
    assert (delivery.job_id, delivery.body, delivery.receive_count) == (job_id, '{"v":1}', 1)
    assert abs((datetime.now(UTC) - delivery.sent_at).total_seconds()) < 5
    assert queue.extend(delivery, visibility_s=30)
    assert counts(queue) == (0, 1, 0, 0)
    assert queue.receive(wait_s=0) is None
    assert queue.ack(delivery)
    assert counts(queue) == (0, 0, 0, 0)


def test_jobs_come_in_the_order_in_which_they_were_sent(queue: Queue, kind: Kind) -> None:
    for number in range(5):
        queue.send(str(number))
    bodies = [d.body for d in (queue.receive(wait_s=0) for _ in range(5)) if d]
    assert (bodies if kind.fifo else sorted(bodies)) == ["0", "1", "2", "3", "4"]


def test_a_waiting_worker_wakes_at_once(queue: Queue) -> None:
    def waited_s() -> float:
        with ThreadPoolExecutor(1) as thread:
            received = thread.submit(lambda: (queue.receive(wait_s=20), time.monotonic()))
            time.sleep(0.1)  # lets it block; too short only makes the test easier
            sent = time.monotonic()
            queue.send("x")
            delivery, at = received.result()
        assert delivery is not None
        queue.ack(delivery)
        return at - sent

    # A busy machine is late now and then; who only looked once a second would be so each time.
    assert any(waited_s() < 0.5 for _ in range(10))


def test_an_unacknowledged_job_comes_back(queue: Queue) -> None:
    queue.send("x")
    first = queue.receive(wait_s=0)
    second = queue.receive(wait_s=3)
    assert first is not None
    assert second is not None
    assert (second.job_id, second.receive_count) == (first.job_id, 2)
    assert second.token != first.token


def test_a_lost_job_is_visible_again_by_counting_alone(queue: Queue) -> None:
    queue.send("x")
    assert queue.receive(wait_s=0) is not None
    eventually(lambda: counts(queue) == (1, 0, 0, 0))


def test_a_stale_delivery_changes_nothing(queue: Queue, kind: Kind) -> None:
    if not kind.detects_stale:
        pytest.skip("this technology does not always notice a stale delivery")
    queue.send("x")
    stale = queue.receive(wait_s=0)
    current = queue.receive(wait_s=3)
    assert stale is not None
    assert current is not None
    assert queue.extend(current, visibility_s=30)
    assert not queue.ack(stale)
    assert not queue.nack(stale, delay_s=0, error="stale")
    assert not queue.extend(stale, visibility_s=10)
    assert counts(queue) == (0, 1, 0, 0)
    assert queue.ack(current)
    assert not queue.ack(current)


def test_a_token_that_was_never_given_changes_nothing(queue: Queue) -> None:
    queue.send("x")
    delivery = queue.receive(wait_s=0)
    assert delivery is not None
    assert queue.extend(delivery, visibility_s=30)
    forged = replace(delivery, token="never given")
    assert not queue.ack(forged)
    assert not queue.nack(forged, delay_s=0, error="forged")
    assert not queue.extend(forged, visibility_s=0)
    assert counts(queue) == (0, 1, 0, 0)


def test_extending_keeps_a_job_away_from_others(queue: Queue, kind: Kind) -> None:
    queue.send("x")
    delivery = queue.receive(wait_s=0)
    assert delivery is not None
    assert queue.extend(delivery, visibility_s=5)
    assert queue.receive(wait_s=kind.visibility_s * 2) is None
    assert queue.ack(delivery)


def test_a_job_that_is_handed_back_comes_after_its_delay(queue: Queue, kind: Kind) -> None:
    queue.send("x")
    delivery = queue.receive(wait_s=0)
    assert delivery is not None
    assert queue.nack(delivery, delay_s=kind.delay_s, error="not now")
    assert counts(queue) == ((0, 0, 1, 0) if kind.tells_handed_back else (0, 1, 0, 0))
    assert queue.receive(wait_s=0) is None
    again = queue.receive(wait_s=3)
    assert again is not None
    assert again.receive_count == 2


def test_a_job_can_be_handed_back_for_now(queue: Queue) -> None:
    queue.send("x")
    delivery = queue.receive(wait_s=0)
    assert delivery is not None
    assert queue.extend(delivery, visibility_s=30)
    assert queue.nack(delivery, delay_s=0, error="somebody else")
    assert queue.receive(wait_s=1) is not None


def test_a_delayed_job_is_invisible_until_its_time(queue: Queue, kind: Kind) -> None:
    queue.send("later", delay_s=kind.delay_s)
    assert counts(queue) == (0, 0, 1, 0)
    assert queue.receive(wait_s=0) is None
    eventually(lambda: counts(queue) == (1, 0, 0, 0))


@pytest.mark.parametrize("how", ["handed back", "lost"])
def test_a_job_dies_after_its_last_delivery_and_can_be_redriven(
    queue: Queue, kind: Kind, how: str
) -> None:
    job_id = queue.send("poison")
    for _ in range(MAX_RECEIVES):
        delivery = queue.receive(wait_s=3)
        assert delivery is not None
        if how == "handed back":
            assert queue.nack(delivery, delay_s=0, error="it is poison")

    def died() -> bool:
        assert queue.receive(wait_s=0) is None
        return counts(queue) == (0, 0, 0, 1)

    eventually(died)
    (dead,) = queue.dead(limit=10)
    assert (dead.job_id, dead.body) == (job_id, "poison")
    if kind.keeps_dead:
        assert dead.receive_count == MAX_RECEIVES
        assert dead.last_error == (
            "it is poison" if how == "handed back" else "its worker did not answer in time"
        )
    assert queue.dead(limit=1)[0].job_id == job_id  # looking takes nothing away
    assert counts(queue) == (0, 0, 0, 1)
    assert queue.redrive(limit=1) == 1
    again = queue.receive(wait_s=1)
    assert again is not None
    assert again.receive_count == 1
    assert queue.ack(again)
    assert counts(queue) == (0, 0, 0, 0)


def test_purging_removes_what_waits_and_nothing_else(queue: Queue, kind: Kind) -> None:
    queue.send("at work")
    at_work = queue.receive(wait_s=1)
    assert at_work is not None
    assert queue.extend(at_work, visibility_s=30)
    for number in range(5):
        queue.send(str(number))
    queue.send("later", delay_s=900)
    assert queue.purge(dead=True) == 0
    assert counts(queue) == (5, 1, 1, 0)
    assert queue.purge(dead=False) == (6 if kind.spares_work else 7)
    assert counts(queue) == (0, 1 if kind.spares_work else 0, 0, 0)
    assert queue.receive(wait_s=0) is None
    queue.ack(at_work)
    assert counts(queue) == (0, 0, 0, 0)
    queue.send("and on")
    again = queue.receive(wait_s=1)
    assert again is not None
    assert again.body == "and on"


def test_dead_jobs_are_purged_by_themselves(queue: Queue) -> None:
    queue.send("poison")
    for _ in range(MAX_RECEIVES):
        delivery = queue.receive(wait_s=3)
        assert delivery is not None
        queue.nack(delivery, delay_s=0, error="it is poison")

    def died() -> bool:
        assert queue.receive(wait_s=0) is None
        return counts(queue) == (0, 0, 0, 1)

    eventually(died)
    queue.send("sound")
    assert queue.purge(dead=False) == 1
    assert counts(queue) == (0, 0, 0, 1)
    queue.send("sound")
    assert queue.purge(dead=True) == 1
    assert counts(queue) == (1, 0, 0, 0)
    assert (queue.dead(limit=5), queue.redrive(limit=5)) == ([], 0)


def test_many_workers_share_without_doubling(queue: Queue, kind: Kind) -> None:
    taken: list[str] = []
    lock = threading.Lock()
    for number in range(kind.crowd):
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
    given = taken if kind.gives_once else set(taken)
    assert sorted(given, key=int) == [str(number) for number in range(kind.crowd)]


class TestRedis:
    """What only Redis promises."""

    def test_llen_answers_the_visible_jobs(
        self, redis_queue: RedisQueue, redis_client: redis.Redis
    ) -> None:
        for _ in range(3):
            redis_queue.send("x")
        redis_queue.receive(wait_s=0)
        assert redis_client.llen("photo_moderation_queue") == 2
        redis_queue.send("later", delay_s=REDIS.delay_s)

        def all_visible() -> bool:
            redis_queue.stats()  # as the sweep does, with no worker alive
            return redis_client.llen("photo_moderation_queue") == 4

        eventually(all_visible)

    def test_all_keys_share_a_hash_slot_and_none_is_left_behind(
        self, redis_queue: RedisQueue, redis_client: redis.Redis
    ) -> None:
        for _ in range(100):
            redis_queue.send("x")
        while (delivery := redis_queue.receive(wait_s=0)) is not None:
            redis_queue.ack(delivery)
        self.nothing_is_left(redis_client)

    def nothing_is_left(self, redis_client: redis.Redis) -> None:
        left = {str(key) for key in redis_client.scan_iter()}
        assert left <= {f"{{{QUEUE_NAME}}}:wake"}
        assert int(redis_client.llen(f"{{{QUEUE_NAME}}}:wake")) <= 64

    def test_more_than_a_portion_is_purged_and_none_is_left_behind(
        self, redis_queue: RedisQueue, redis_client: redis.Redis
    ) -> None:
        for number in range(2 * PURGED_AT_ONCE + 10):
            redis_queue.send("x", delay_s=900 if number < PURGED_AT_ONCE + 5 else 0)
        assert redis_queue.purge(dead=False) == 2 * PURGED_AT_ONCE + 10
        self.nothing_is_left(redis_client)

    def test_a_dead_job_that_was_evicted_is_no_job(
        self, redis_client: redis.Redis, redis_queue: RedisQueue
    ) -> None:
        evicted, kept = redis_queue.send("evicted"), redis_queue.send("kept")
        for _ in range(2 * MAX_RECEIVES):
            delivery = redis_queue.receive(wait_s=0)
            assert delivery is not None
            redis_queue.nack(delivery, delay_s=0, error="no luck")
        redis_client.delete(f"{{{QUEUE_NAME}}}:job:{evicted}")
        assert [job.job_id for job in redis_queue.dead(limit=5)] == [kept]
        assert redis_queue.redrive(limit=5) == 1
        received = [redis_queue.receive(wait_s=0), redis_queue.receive(wait_s=0)]
        assert [delivery and delivery.body for delivery in received] == ["kept", None]

    def test_a_dead_server_is_a_retryable_fault(self) -> None:
        queue = RedisQueue(connect("redis://127.0.0.1:1/0"))
        for call in (
            lambda: queue.send("x"),
            lambda: queue.receive(wait_s=0),
            lambda: queue.stats(),
        ):
            with pytest.raises(QueueUnavailable):
                call()

    def test_a_frozen_server_is_waited_for_twice(
        self, redis_client: redis.Redis, redis_url: str
    ) -> None:
        patient = RedisQueue(redis_client)
        pid = int(redis_client.info()["process_id"])
        with (
            closing(RedisQueue(connect(redis_url, read_timeout_s=0.3))) as hasty,
            closing(RedisQueue(connect(redis_url, read_timeout_s=0.3))) as unconnected,
        ):
            hasty.send("x")
            os.kill(pid, signal.SIGSTOP)
            try:
                for queue in (hasty, hasty, unconnected):
                    started = time.monotonic()
                    with pytest.raises(QueueUnavailable):
                        queue.send("y")
                    assert time.monotonic() - started < READ_TIMEOUT_S
            finally:
                os.kill(pid, signal.SIGCONT)
            # What it had taken before it stood still it may yet do: at least once.
            hasty.send("z")
            bodies = [patient.receive(wait_s=1) for _ in range(hasty.stats().visible)]
            assert {delivery.body for delivery in bodies if delivery} >= {"x", "z"}

    def test_an_address_that_swallows_everything_is_waited_for_twice(self) -> None:
        with black_hole() as port:
            queue = RedisQueue(connect(f"redis://127.0.0.1:{port}/0", read_timeout_s=0.3))
            started = time.monotonic()
            with pytest.raises(QueueUnavailable):
                queue.send("x")
            assert time.monotonic() - started < READ_TIMEOUT_S

    def test_jobs_outlive_a_restart_of_the_client(
        self, redis_queue: RedisQueue, redis_url: str
    ) -> None:
        redis_queue.send("x")
        redis_queue.receive(wait_s=0)
        other = RedisQueue(connect(redis_url), visibility_s=REDIS.visibility_s)
        eventually(lambda: other.stats().visible == 1)


class TestPostgres:
    """What only PostgreSQL promises."""

    def test_nothing_is_left_behind(self, postgres_queue: PostgresQueue) -> None:
        for _ in range(20):
            postgres_queue.send("x")
        while (delivery := postgres_queue.receive(wait_s=0)) is not None:
            postgres_queue.ack(delivery)
        assert postgres_queue.check() == {"jobs": 0}

    def test_a_waiting_worker_holds_no_connection(self, migrated_url: str) -> None:
        with closing(Pool(migrated_url, size=1, wait_s=2.5)) as pool:
            queue = PostgresQueue(pool)
            with ThreadPoolExecutor(3) as threads:
                waiting = [threads.submit(queue.receive, wait_s=3) for _ in range(3)]
                while not all(one.done() for one in waiting):
                    queue.send("x", delay_s=900)
                    time.sleep(0.02)
                assert [one.result() for one in waiting] == [None] * 3

    def test_a_dead_server_is_a_retryable_fault(self) -> None:
        queue = PostgresQueue(Pool("postgresql://u:p@127.0.0.1:1/d"))
        calls: list[Callable[[], object]] = [
            lambda: queue.send("x"),
            lambda: queue.receive(wait_s=0),
            lambda: queue.extend(DELIVERY, visibility_s=1),
            lambda: queue.ack(DELIVERY),
            lambda: queue.nack(DELIVERY, delay_s=1, error="x"),
            queue.stats,
            lambda: queue.dead(limit=1),
            lambda: queue.redrive(limit=1),
            lambda: queue.purge(dead=False),
            queue.check,
        ]
        for call in calls:
            with pytest.raises(QueueUnavailable) as caught:
                call()
            assert caught.value.retry_after_s


QUEUE_URL = "https://sqs.eu-west-1.amazonaws.com/123456789012/jobs"
DELIVERY = Delivery(job_id="j", token="t", body="x", receive_count=1, sent_at=datetime.now(UTC))


MESSAGE = {
    "MessageId": "j",
    "ReceiptHandle": "t",
    "Body": "x",
    "Attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1700000000000"},
}


def accepted(**members: object) -> Fault:
    """Spell an answer as SQS does."""
    return Fault(writes=answer(HTTPStatus.OK, json.dumps(members).encode()))


def refusal(code: str) -> Fault:
    """Spell an error as SQS does."""
    body = json.dumps({"__type": f"com.amazonaws.sqs#{code}", "message": "no"}).encode()
    return Fault(
        writes=answer(HTTPStatus.BAD_REQUEST, body, Content_Type="application/x-amz-json-1.0")
    )


class TestSqs:
    """What only SQS promises."""

    @pytest.mark.parametrize(
        ("url", "region"),
        [
            (QUEUE_URL, "eu-west-1"),
            ("https://sqs.cn-north-1.amazonaws.com.cn/1/jobs", "cn-north-1"),
            ("https://sqs-fips.us-gov-west-1.amazonaws.com/1/jobs", "us-gov-west-1"),
            ("https://vpce-0a1b-2c.sqs.us-east-2.vpce.amazonaws.com/1/jobs", "us-east-2"),
            ("https://ap-southeast-2.queue.amazonaws.com/1/jobs", "ap-southeast-2"),
            ("http://sqs:9324/1/jobs", "ca-central-1"),
        ],
    )
    def test_the_url_tells_region_and_address(
        self, monkeypatch: pytest.MonkeyPatch, url: str, region: str
    ) -> None:
        monkeypatch.setenv("AWS_REGION", "ca-central-1")
        with closing(sqs(url)) as client:
            assert client.meta.region_name == region
            assert client.meta.endpoint_url == url.rpartition("/1")[0]
        with closing(sqs(url, "http://127.0.0.1:9")) as client:
            assert client.meta.endpoint_url == "http://127.0.0.1:9"

    @pytest.mark.parametrize("url", ["jobs", "https://", "ftp://x/jobs"])
    def test_what_is_no_url_is_refused(self, url: str) -> None:
        with pytest.raises(ConfigError, match="QUEUE_URL"):
            client_module.connect(url)

    def test_times_are_whole_seconds_within_limits(self, faulty: FaultyServer) -> None:
        faulty.fault = accepted(MessageId="j", Messages=[MESSAGE])
        client = sqs(QUEUE_URL, faulty.url)
        with closing(SqsQueue(client, QUEUE_URL, visibility_s=29.2)) as queue:
            for wait_s, expected in ((0, 0), (0.4, 0), (1, 1), (2.7, 2), (20, 5)):
                assert queue.receive(wait_s=wait_s) is not None
                asked = json.loads(faulty.bodies[-1])
                assert (asked["WaitTimeSeconds"], asked["VisibilityTimeout"]) == (expected, 30)
            for time_s, expected in ((0, 0), (0.01, 1), (5, 5), (100_000, 43_200)):
                queue.extend(DELIVERY, visibility_s=time_s)
                assert json.loads(faulty.bodies[-1])["VisibilityTimeout"] == expected
                queue.nack(DELIVERY, delay_s=time_s, error="x")
                assert json.loads(faulty.bodies[-1])["VisibilityTimeout"] == expected
                queue.send("x", delay_s=time_s)
                assert json.loads(faulty.bodies[-1])["DelaySeconds"] == min(expected, 900)

    def test_a_server_that_does_not_wait_is_not_pestered(self, faulty: FaultyServer) -> None:
        faulty.fault = accepted()
        with closing(SqsQueue(sqs(QUEUE_URL, faulty.url), QUEUE_URL, visibility_s=30)) as queue:
            assert queue.receive(wait_s=1) is None
        assert len(faulty.bodies) <= 6

    def test_without_a_dead_letter_queue_nothing_is_dead(
        self, sqs_queue: SqsQueue, sqs_client: SQSClient
    ) -> None:
        url = sqs_client.create_queue(QueueName=f"jobs-{uuid4()}")["QueueUrl"]
        queue = SqsQueue(sqs_client, url, visibility_s=SQS.visibility_s)
        assert (queue.dead(limit=10), queue.redrive(limit=10)) == ([], 0)
        assert queue.purge(dead=True) == 0
        assert counts(queue) == (0, 0, 0, 0)
        assert queue.check()["max_receives"] is None
        assert sqs_queue.check()["max_receives"] == MAX_RECEIVES

    def test_many_dead_jobs_are_listed_oldest_first_and_redriven(
        self, sqs_client: SQSClient
    ) -> None:
        url, dead_url = (
            sqs_client.create_queue(QueueName=f"jobs-{uuid4()}")["QueueUrl"] for _ in range(2)
        )
        for number in range(23):
            sqs_client.send_message(QueueUrl=dead_url, MessageBody=str(number))
        queue = SqsQueue(sqs_client, url, dead_url=dead_url, visibility_s=SQS.visibility_s)
        everything = [str(number) for number in range(23)]
        assert [job.body for job in queue.dead(limit=100)] == everything
        assert len(queue.dead(limit=12)) == 12
        assert queue.redrive(limit=12) == 12
        assert counts(queue) == (12, 0, 0, 11)

    def test_sqs_empties_a_queue_once_a_minute(self, sqs_queue: SqsQueue) -> None:
        assert sqs_queue.purge(dead=False) == 0
        with pytest.raises(QueueUnavailable, match="try again in a minute") as caught:
            sqs_queue.purge(dead=False)
        assert caught.value.retry_after_s == 60

    def test_a_queue_that_is_not_there(self, sqs_client: SQSClient, moto_server: str) -> None:
        queue = SqsQueue(sqs_client, f"{moto_server}/1/none", visibility_s=1)
        with pytest.raises(ConfigError, match="QUEUE_URL"):
            queue.check()
        # What was accepted must wait until somebody mends it.
        with pytest.raises(QueueUnavailable, match="QUEUE_URL"):
            queue.send("x")

    @pytest.mark.parametrize(
        "fault",
        [
            Fault(writes=answer(HTTPStatus.INTERNAL_SERVER_ERROR)),
            Fault(writes=answer(HTTPStatus.OK, b"{", length=90)),
            Fault(writes=answer(HTTPStatus.OK, b"\xff\xfe<html>")),
            Fault(writes=b"SSH-2.0-OpenSSH\r\n"),
            Fault(then="reset"),
            Fault(then="stall"),
        ],
        ids=["500", "cut short", "no text", "no HTTP", "reset", "stalled"],
    )
    def test_a_faulty_server_is_a_retryable_fault(self, faulty: FaultyServer, fault: Fault) -> None:
        faulty.fault = fault
        client = sqs(QUEUE_URL, faulty.url, read_timeout_s=0.2)
        with closing(SqsQueue(client, QUEUE_URL, visibility_s=30)) as queue:
            started = time.monotonic()
            with pytest.raises(QueueUnavailable):
                queue.send("x")
            # the server stalls for 30 s
            assert time.monotonic() - started < 15
            assert len(faulty.bodies) <= 2

    def test_an_address_that_swallows_everything_is_waited_for_twice(self) -> None:
        with black_hole() as port:
            client = sqs(QUEUE_URL, f"http://127.0.0.1:{port}", read_timeout_s=0.2)
            with closing(SqsQueue(client, QUEUE_URL, visibility_s=30)) as queue:
                started = time.monotonic()
                with pytest.raises(QueueUnavailable):
                    queue.send("x")
                assert time.monotonic() - started < 8

    def test_every_call_translates_faults(self, faulty: FaultyServer) -> None:
        faulty.fault = refusal("AccessDeniedException")
        client = sqs(QUEUE_URL, faulty.url)
        queue = SqsQueue(client, QUEUE_URL, dead_url=QUEUE_URL, visibility_s=30)
        calls: list[Callable[[], object]] = [
            lambda: queue.receive(wait_s=1),
            lambda: queue.extend(DELIVERY, visibility_s=1),
            lambda: queue.ack(DELIVERY),
            lambda: queue.nack(DELIVERY, delay_s=1, error="x"),
            queue.stats,
            lambda: queue.dead(limit=1),
            lambda: queue.redrive(limit=1),
            lambda: queue.purge(dead=True),
        ]
        with closing(queue):
            for call in calls:
                with pytest.raises(QueueUnavailable, match="IAM policy"):
                    call()
            with pytest.raises(ConfigError, match="IAM policy"):
                queue.check()

    @pytest.mark.parametrize(
        "code", ["ReceiptHandleIsInvalid", "InvalidParameterValue", "MessageNotInflight"]
    )
    def test_what_sqs_calls_stale_is_stale(self, faulty: FaultyServer, code: str) -> None:
        faulty.fault = refusal(code)
        client = sqs(QUEUE_URL, faulty.url)
        with closing(SqsQueue(client, QUEUE_URL, visibility_s=30)) as queue:
            assert not queue.ack(DELIVERY)
            assert not queue.extend(DELIVERY, visibility_s=1)
            assert not queue.nack(DELIVERY, delay_s=1, error="x")
