"""A large table migrated beside live traffic, killed on the way: ``python -m bench.migrations``.

The table is the predecessor's. The migrator is ``photogate migrate``; it is ended with SIGKILL in
the middle of its batches and in the middle of an index, and started again each time.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from local.home import Home
from local.servers.embedded_postgres import EmbeddedPostgres
from photogate.adapters.postgres.migrate import shipped
from photogate.adapters.postgres.pool import Pool, Session

#: Its own columns were enums and uuids in one system, varchars in another.
_TYPES = {
    "varchars": ("", "varchar(36)", "varchar(20)"),
    "enums": (
        "CREATE TYPE moderation AS ENUM ('pending', 'approved', 'rejected', 'failed');",
        "uuid",
        "moderation",
    ),
}
_MAKE = """
SET LOCAL statement_timeout = 0;
{prepare}
CREATE TABLE media (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id {id_type} NOT NULL,
    media_type varchar(10) NOT NULL DEFAULT 'photo',
    url varchar(500) NOT NULL,
    moderation_status {status_type} DEFAULT 'pending',
    moderation_reason varchar(50),
    moderation_scores jsonb,
    batch_id {id_type},
    created_at timestamptz DEFAULT now()
);
INSERT INTO media (user_id, url, moderation_status, moderation_scores, created_at)
SELECT CAST(md5(CAST(n % {users} AS text)) AS uuid)::{id_type}, 'users/photo/' || md5(n::text),
       (CASE n % 100 WHEN 0 THEN 'pending' WHEN 1 THEN 'failed' WHEN 2 THEN 'rejected'
             WHEN 3 THEN NULL ELSE 'approved' END)::{status_type},
       '{{"nsfw_scores": {{"porn": 0.01, "sexy": 0.02, "neutral": 0.97}}}}',
       now() - make_interval(secs => n)
FROM generate_series(1, {rows}) AS n;
CREATE INDEX ON media (user_id);
ANALYZE media
"""


class Traffic:
    """What uploads and workers do, one photo after another, until it is stopped."""

    def __init__(self, url: str) -> None:
        # Longer than any statement: a stall is measured, not cut off.
        self._pool = Pool(url, timeout_s=600)
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(n,)) for n in range(2)]
        self.photos, self.errors = 0, list[str]()
        self.longest_s = 0.0

    def __enter__(self) -> Traffic:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()
        self._pool.close()

    def so_far(self) -> str:
        """Say how it went since this was asked last."""
        said = f"longest stall {self.longest_s * 1000:.0f} ms"
        self.longest_s = 0.0
        return f"{said}, {self.photos:,} photos, {len(self.errors)} errors {self.errors[:1]}"

    def _run(self, thread: int) -> None:
        number = 0
        while not self._over.wait(0.005):
            number += 1
            user = f"{thread:08}-0000-4000-8000-{number:012}"
            try:
                self._timed("INSERT INTO media (user_id, url) VALUES (:user, 'live')", user=user)
                self._timed("SELECT id, moderation_status FROM media WHERE user_id = :u", u=user)
                self._timed(
                    "UPDATE media SET moderation_status = 'approved' WHERE user_id = :u", u=user
                )
                self.photos += 1
            except Exception as error:
                self.errors.append(str(error))

    def _timed(self, sql: str, **values: str) -> None:
        started = time.monotonic()
        self._pool.transaction(lambda session: session.rows(sql, **values))
        self.longest_s = max(self.longest_s, time.monotonic() - started)


def main() -> None:
    """Make the table, migrate it, and print what was seen."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rows", type=int, default=5_000_000)
    arguments.add_argument("--columns", choices=_TYPES, default="varchars")
    asked = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = EmbeddedPostgres(Home(Path(folder)))
        try:
            url = server.start()
            with closing(Pool(url, timeout_s=3600)) as pool:
                _measure(pool, url, asked.rows // 100 * 100, asked.columns)
        finally:
            server.stop()


def _measure(pool: Pool, url: str, rows: int, columns: str) -> None:
    prepare, id_type, status_type = _TYPES[columns]
    values = {"prepare": prepare, "id_type": id_type, "status_type": status_type}
    _run(pool, _MAKE.format(rows=rows, users=max(1, rows // 5), **values))
    size = _value(pool, "SELECT pg_size_pretty(pg_total_relation_size('media'))")
    print(f"{rows:,} rows with {columns}, {size}", flush=True)
    with Traffic(url) as traffic:
        time.sleep(10)
        print(f"traffic alone, 10 s: {traffic.so_far()}", flush=True)
        started = time.monotonic()
        for what, reached in {
            "its batches": "SELECT EXISTS (SELECT FROM migration_steps WHERE block > 500)",
            "an index": "SELECT EXISTS (SELECT FROM pg_index WHERE NOT indisvalid)",
        }.items():
            _killed(pool, url, reached)
            passed_s = time.monotonic() - started
            print(f"{passed_s:6.1f} s: killed in {what}; {traffic.so_far()}", flush=True)
        with _migrator(url) as process:
            seen = set[str]()
            while process.poll() is None:
                _tell_steps(pool, seen, started, traffic)
                time.sleep(0.5)
        assert process.returncode == 0
        print(f"{time.monotonic() - started:6.1f} s: finished; {traffic.so_far()}", flush=True)
    _check(pool, rows, traffic.photos)
    assert not traffic.errors, traffic.errors[:3]
    print("every row is there and as it should be")


def _migrator(url: str) -> subprocess.Popen[bytes]:
    command = [str(Path(sys.executable).with_name("photogate")), "migrate"]
    return subprocess.Popen(command, env={**os.environ, "DATABASE_URL": url})


def _killed(pool: Pool, url: str, reached: str) -> None:
    there = "SELECT to_regclass('migration_steps') IS NOT NULL"
    with _migrator(url) as process:
        while not (_value(pool, there) and _value(pool, reached)):
            assert process.poll() is None, "it ended before it was killed: give it more rows"
            time.sleep(0.05)
        process.kill()


def _tell_steps(pool: Pool, seen: set[str], started: float, traffic: Traffic) -> None:
    done = _run(
        pool,
        "SELECT number || ' ' || step AS step FROM migration_steps WHERE done_at IS NOT NULL"
        " ORDER BY done_at",
    )
    for row in done:
        if row["step"] not in seen:
            seen.add(row["step"])
            passed_s = time.monotonic() - started
            print(f"{passed_s:6.1f} s: {row['step']}; {traffic.so_far()}", flush=True)


def _check(pool: Pool, rows: int, live: int) -> None:
    wrong: dict[str, Callable[[], bool]] = {
        "rows": lambda: _value(pool, "SELECT count(*) FROM media") != rows + live,
        # What was pending, failed or null.
        "statuses": lambda: (
            _value(
                pool,
                "SELECT count(*) FROM media WHERE url <> 'live' AND moderation_status = 'pending'"
                " AND batch_id IS NOT NULL",
            )
            != rows // 100 * 3
        ),
        "batches": lambda: _value(
            pool,
            "SELECT EXISTS (SELECT FROM media WHERE moderation_status = 'pending'"
            " AND NOT EXISTS (SELECT FROM batches WHERE batches.id = CAST(batch_id AS text)))",
        ),
        "indexes": lambda: _value(
            pool, "SELECT EXISTS (SELECT FROM pg_index WHERE NOT indisvalid)"
        ),
        "migrations": lambda: (
            _value(pool, "SELECT count(*) FROM schema_migrations") != len(shipped())
        ),
    }
    assert [what for what, is_wrong in wrong.items() if is_wrong()] == []


def _run(pool: Pool, sql: str) -> list[dict[str, Any]]:
    return pool.transaction(partial(Session.rows, sql=sql))


def _value(pool: Pool, sql: str) -> Any:
    (row,) = _run(pool, sql)
    (value,) = row.values()
    return value


if __name__ == "__main__":
    main()
