"""How long reads take on a large installation: ``python -m bench.reads [--rows N]``.

By default 5,000,000 photos, 200,000 of them moderated within the last day; about 5 GB of disk.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from local.home import Home
from local.servers.embedded_postgres import EmbeddedPostgres
from photogate.adapters.postgres.migrate import migrate
from photogate.adapters.postgres.pool import Pool, Session, connect, connect_arguments
from photogate.adapters.postgres.report import report
from photogate.adapters.postgres.views import PostgresViews
from photogate.domain import Place, Status

_LAST_DAY = 200_000
_HEAVY_USER = "user-with-2000"
_TIMES = 200

#: Three photos a batch. The newest 200,000 came within a day, the others in 400 days before; 20,000
#: wait for the machine, and of 200 photos 12 are rejected and one is in review.
_MEDIA = f"""
INSERT INTO media (user_id, user_name, url, batch_id, display_order, created_at, updated_at,
    moderated_at, moderation_status, moderation_reason, moderation_error, moderation_scores)
SELECT owner, 'Ada', 'users/' || owner || '/photo/' || md5(n::text) || '-' || md5(owner) || '.jpg',
    'batch-' || n / 3, n % 3, at, at,
    CASE WHEN n >= 20000 THEN at + interval '3 seconds' END,
    CASE WHEN n < 20000 THEN 'pending' WHEN n % 200 < 12 THEN 'rejected'
         WHEN n % 200 = 12 THEN 'review' ELSE 'approved' END,
    CASE WHEN n >= 20000 AND n % 200 < 12 THEN (ARRAY['nsfw', 'blurry', 'no_face'])[n % 3 + 1] END,
    CASE WHEN n >= 20000 AND n % 1000 = 12 THEN 'the photo store does not answer' END,
    '{{"nsfw_scores": {{"porn": 0.0012, "sexy": 0.0311, "hentai": 0.0004, "neutral": 0.9553,
      "drawing": 0.012}}, "blur_variance": 181.25, "face_count": 1, "width": 1600, "height": 1200,
      "policy": "profile@2", "model": "3f9a52c1d6e84b07"}}'
FROM (SELECT n, CASE WHEN n % 2500 = 7 THEN '{_HEAVY_USER}' ELSE 'user-' || (n / 3) % 250000 END
             AS owner,
             now() - CASE WHEN n < {_LAST_DAY} THEN n / 3 * interval '1.296 seconds'
                ELSE interval '1 day'
                    + (n / 3 * 3 - {_LAST_DAY}) * (interval '400 days' / :rows) END AS at
      FROM generate_series(:rows - 1, 0, -1) AS n) AS photo
"""  # noqa: S608 - constants of this file
_BATCHES = """
INSERT INTO batches (id, user_id, file_keys, created_at, finished_at, deliveries)
SELECT batch_id, min(user_id), array_agg(url), min(created_at), max(moderated_at), 1
FROM media GROUP BY batch_id
"""
#: As the machine writes it; of the days that a report reads, and one more.
_HISTORY = """
INSERT INTO history (photo_id, n, at, action, by, owner, before, after, reason, failed, policy)
SELECT CAST(id AS text), 1, moderated_at, 'judge', 'machine', 1, 'pending', moderation_status,
    moderation_reason, moderation_error IS NOT NULL, 'profile@2'
FROM media WHERE moderated_at > now() - interval '8 days'
"""
_REPORTS = 10


def main() -> None:
    """Fill a database of its own, and time every read."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=5_000_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = EmbeddedPostgres(Home(Path(folder)))
        try:
            url = server.start()
            with closing(Pool(url, timeout_s=3600)) as pool:
                migrate(pool)
                pool.transaction(lambda s: _fill(s, arguments.rows))
            _vacuum(url)
            with closing(Pool(url)) as pool:
                _measure(pool, arguments.rows)
        finally:
            server.stop()


def _fill(session: Session, rows: int) -> None:
    """Insert without triggers and indexes, and make those afterwards: hours become minutes."""
    session.rows("SET LOCAL statement_timeout = 0; SET LOCAL synchronous_commit = off")
    indexes = session.rows(
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'media'"
        " AND indexname <> 'media_pkey'"
    )
    for index in indexes:
        session.rows(f"DROP INDEX {index['indexname']}")
    session.rows("ALTER TABLE media DISABLE TRIGGER USER")
    session.rows(_MEDIA, rows=rows)
    session.rows("ALTER TABLE media ENABLE TRIGGER USER")
    session.rows(_BATCHES)
    session.rows(_HISTORY)
    for index in indexes:
        session.rows(index["indexdef"])
    # As its trigger would have it, by 16 connections.
    session.rows(
        "INSERT INTO hourly_counts (hour, shard, status, reason, failed, n)"
        " SELECT date_trunc('hour', moderated_at, 'UTC'), shard, moderation_status,"
        "   counted_reason(moderation_reason), moderation_error IS NOT NULL, count(*)"
        " FROM (SELECT *, hashtext(batch_id) & 15 AS shard FROM media"
        "   WHERE moderated_at > now() - interval '2 days') AS recent GROUP BY 1, 2, 3, 4, 5"
    )


def _vacuum(url: str) -> None:
    connection = connect(connect_arguments(url) | {"timeout": 3600})
    connection.run("SET statement_timeout = 0")
    connection.run("VACUUM ANALYZE")
    connection.close()


def _measure(pool: Pool, rows: int) -> None:
    views = PostgresViews(pool)
    approved = Status.APPROVED
    newest, _ = views.page(status=None, skip=rows // 10, limit=100)
    far = Place.of(newest[-1])
    first = views.of_user(_HEAVY_USER)
    reads: dict[str, Callable[[], object]] = {
        "dashboard, page 1 of 20": lambda: views.page(status=None, limit=21),
        "dashboard, page 50 of 20": lambda: views.page(status=None, skip=49 * 20, limit=21),
        "dashboard, page 100 of 100": lambda: views.page(status=None, skip=9_900, limit=101),
        "dashboard, approved, page 100 of 100": lambda: views.page(
            status=approved, skip=9_900, limit=101
        ),
        "dashboard, by cursor": lambda: views.page(status=None, after=far, limit=101),
        "dashboard, approved, by cursor": lambda: views.page(status=approved, after=far, limit=101),
        "dashboard, rejected, page 1": lambda: views.page(status=Status.REJECTED, limit=21),
        "pending, 100 photos": lambda: views.waiting(limit=100),
        "queue-stats, the last day": views.last_day,
        "moderation-status, summary of 2,000": lambda: views.summary(_HEAVY_USER),
        "moderation-status, first page of 2,000": lambda: views.of_user(_HEAVY_USER, limit=101),
        "moderation-status, by cursor": lambda: views.of_user(
            _HEAVY_USER, limit=101, after=Place.of(first[-1])
        ),
    }
    print(f"{rows:,} photos; milliseconds of {_TIMES} calls each, {_REPORTS} of the report")
    for name, read in reads.items():
        _print(name, _time(read, _TIMES))
    _print("report of a week", _time(lambda: report(pool, days=7), _REPORTS))


def _print(name: str, took: tuple[float, float]) -> None:
    print(f"{name:40} p50 {took[0]:7.1f}  p95 {took[1]:7.1f}", flush=True)


def _time(read: Callable[[], object], times: int) -> tuple[float, float]:
    read()
    took = []
    for _ in range(times):
        started = time.perf_counter()
        read()
        took.append((time.perf_counter() - started) * 1000)
    return statistics.median(took), statistics.quantiles(took, n=20)[-1]


if __name__ == "__main__":
    main()
