"""How fast the sweep sends what a queue has lost: ``python -m bench.sweep``."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from local.home import Home
from local.servers.embedded_postgres import EmbeddedPostgres
from local.servers.embedded_redis import EmbeddedRedis
from photogate.adapters.photos_files import FilePhotoStore
from photogate.adapters.postgres.changes import PostgresChanges
from photogate.adapters.postgres.copies import PostgresCopies
from photogate.adapters.postgres.migrate import migrate
from photogate.adapters.postgres.outbox import PostgresOutbox
from photogate.adapters.postgres.pool import Pool
from photogate.adapters.postgres.rounds import PostgresRounds
from photogate.adapters.queue_redis import RedisQueue, connect
from photogate.messages import Job
from photogate.service.sweep import Sweep

_BATCHES = 50_000
_SECRET = "only the folder of this run, which holds no photo"  # noqa: S105


def main() -> None:
    """Fill the outbox and Redis, sweep, empty Redis, and sweep until all jobs are there again."""
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder))
        postgres, redis = EmbeddedPostgres(home), EmbeddedRedis(home)
        try:
            with closing(Pool(postgres.start())) as pool:
                client = connect(redis.start())
                with closing(client):
                    _measure(pool, RedisQueue(client), Path(folder), client.flushall)
        finally:
            redis.stop()
            postgres.stop()


def _measure(pool: Pool, queue: RedisQueue, folder: Path, empty: Callable[[], object]) -> None:
    migrate(pool)
    for job in _accept(pool):
        queue.send(job.encode())
    sweep = Sweep(
        outbox=PostgresOutbox(pool),
        changes=PostgresChanges(pool),
        sender=queue,
        monitor=queue,
        store=FilePhotoStore(folder, public_url="http://127.0.0.1", secret=_SECRET),
        rounds=PostgresRounds(pool),
        copies=PostgresCopies(pool),
    )
    started = time.perf_counter()
    resent = sweep.run().resent
    print(
        f"{_BATCHES:,} jobs wait, all due:"
        f" {resent} sent again, {time.perf_counter() - started:.2f} s"
    )
    empty()
    started, rounds = time.perf_counter(), 0
    while queue.stats().visible < _BATCHES:
        sweep.run()
        rounds += 1
    print(
        f"Redis emptied: {_BATCHES:,} sent again in {time.perf_counter() - started:.1f} s,"
        f" rounds: {rounds}"
    )


def _accept(pool: Pool) -> list[Job]:
    """Write batches of one photo that were sent and are due."""

    rows = pool.transaction(
        lambda s: s.rows(
            "INSERT INTO batches (id, user_id, file_keys, queued, next_enqueue_at)"
            " SELECT gen_random_uuid(), 'u-' || n, ARRAY['photo-' || n], true, now()"
            " FROM generate_series(1, :n) AS n RETURNING id",
            n=_BATCHES,
        )
    )
    pool.transaction(
        lambda s: s.rows(
            "INSERT INTO media (user_id, url, batch_id)"
            " SELECT user_id, file_keys[1], id FROM batches"
        )
    )
    return [Job(batch_id=row["id"], generation=1) for row in rows]


if __name__ == "__main__":
    main()
