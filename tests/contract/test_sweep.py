"""The sweep while what it uses stalls."""

from __future__ import annotations

import time
from contextlib import closing

import redis

from photogate.adapters import photos_s3
from photogate.adapters.photos_s3 import S3PhotoStore
from photogate.adapters.postgres.changes import PostgresChanges
from photogate.adapters.postgres.copies import PostgresCopies
from photogate.adapters.postgres.outbox import PostgresOutbox
from photogate.adapters.postgres.pool import Pool
from photogate.adapters.postgres.rounds import PostgresRounds
from photogate.adapters.queue_redis import RedisQueue
from photogate.service.sweep import Sweep
from tests.contract.conftest import AWS_KEY, AWS_SECRET, Fault, FaultyServer


def test_deletions_in_a_store_that_stalls_do_not_keep_batches_waiting(
    pool: Pool, redis_client: redis.Redis, faulty: FaultyServer
) -> None:
    faulty.fault = Fault(then="stall")
    pool.transaction(
        lambda s: s.rows(
            "INSERT INTO object_deletions"
            " SELECT 'photo-' || n, n, 'u-1' FROM generate_series(1, 20) AS n"
        )
    )
    client = photos_s3.connect(
        region="us-east-1",
        endpoint=faulty.url,
        access_key=AWS_KEY,
        secret_key=AWS_SECRET,
        read_timeout_s=0.5,
    )
    outbox, queue = PostgresOutbox(pool), RedisQueue(redis_client)
    with closing(S3PhotoStore(client, "photos", presigner=client)) as store:
        sweep = Sweep(
            outbox=outbox,
            changes=PostgresChanges(pool),
            sender=queue,
            monitor=queue,
            store=store,
            rounds=PostgresRounds(pool),
            copies=PostgresCopies(pool),
            delete_within_s=1,
        )
        started = time.monotonic()
        sweep.run()
        # all of them would take 20 s
        assert time.monotonic() - started < 15
    assert faulty.bodies
    rows = pool.transaction(lambda s: s.rows("SELECT attempts, removed_at FROM object_deletions"))
    assert [row["removed_at"] for row in rows] == [None] * 20
    tried = sum(row["attempts"] for row in rows)
    assert tried >= 1
    assert len(outbox.take_deletions(limit=50)) == 20 - tried
