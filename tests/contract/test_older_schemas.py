"""From the schema of each earlier version, and from the predecessor's table, to the newest one."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from local.servers.embedded_postgres import _binaries
from photogate.adapters.postgres.migrate import migrate, shipped
from photogate.adapters.postgres.pool import Pool, Session, connect, connect_arguments
from tests.migrating import migrations_of

#: The files as they were before their steps were parted: a transaction each.
RELEASED = migrations_of(Path(__file__).with_name("released_migrations"))
#: Only what the migrator itself needs.
OWN_TABLES = ("migration_lease", "migration_steps")

PREDECESSOR = """
    CREATE TYPE moderation AS ENUM ('pending', 'approved', 'rejected', 'failed');
    CREATE TABLE users (id uuid PRIMARY KEY);
    CREATE TABLE media (
        id bigserial PRIMARY KEY,
        user_id uuid NOT NULL REFERENCES users (id),
        media_type varchar(10),
        url varchar(500) NOT NULL,
        moderation_status moderation DEFAULT 'pending',
        moderation_reason varchar(50) CHECK (moderation_reason <> 'review'),
        retry_count integer,
        batch_id uuid,
        created_at timestamptz
    );
    INSERT INTO users VALUES ('11111111-1111-1111-1111-111111111111');
    INSERT INTO media (user_id, media_type, url, moderation_status, retry_count, batch_id,
                       created_at)
    SELECT id, kind, concat_ws('-', status, kind, retries, batch), NULLIF(status, '')::moderation,
           retries, NULLIF(batch, '')::uuid, at
    FROM users, unnest(ARRAY['pending', 'approved', 'rejected', 'failed', '']) status,
         unnest(ARRAY['photo', 'video', NULL]) kind, unnest(ARRAY[0, 2, NULL]) retries,
         unnest(ARRAY['', '22222222-2222-2222-2222-222222222222']) batch,
         unnest(ARRAY['2026-01-01'::timestamptz, NULL]) at
"""
#: As the first version of Photogate wrote them.
PHOTOS = """
    INSERT INTO media (user_id, url, moderation_status, decided_by, created_at)
    SELECT 'u-' || n % 3, 'photo-' || n,
           (ARRAY['pending', 'approved', 'rejected', 'review'])[1 + n % 4],
           CASE WHEN n % 5 = 0 THEN 'mod' END, timestamptz '2026-01-01' + make_interval(mins => n)
    FROM generate_series(1, 300) AS n;
    INSERT INTO audit_log (at, actor, actor_role, action, media_id, user_id, before, after)
    SELECT timestamptz '2026-02-01' + make_interval(mins => turn), 'mod', 'moderator',
           CASE WHEN moderation_status = 'approved' THEN 'approve' ELSE 'reject' END,
           CAST(id AS text), user_id, '{"status": "review"}',
           jsonb_build_object('status', moderation_status,
                              'reason', (ARRAY['nsfw', 'rude'])[turn])
    FROM media, generate_series(1, 2) AS turn
    WHERE decided_by IS NOT NULL AND moderation_status IN ('approved', 'rejected')
    ORDER BY url, turn
"""
#: What must not depend on the way. Ids that are made anew are left out.
CONTENTS = {
    "media": "SELECT CAST(user_id AS text) AS user_id, media_type, url, display_order,"
    " CAST(moderation_status AS text) AS moderation_status, retry_count,"
    " batch_id IS NULL AS alone, decided_by, changes, created_at < '2026-06-01' AS old"
    " FROM media WHERE media_type = 'photo' ORDER BY url, 1, 2, 4, 5, 6, 7, 10",
    # Which nine of many photos share a batch depends on where their rows lie, which autovacuum
    # may change.
    "batches": "SELECT user_id, cardinality(file_keys) AS photos, count(*) AS n FROM batches"
    " GROUP BY 1, 2 ORDER BY 1, 2",
    "keys of batches": "SELECT user_id, unnest(file_keys) AS key FROM batches ORDER BY 1, 2",
    "review_items": "SELECT url, kind, closed_at FROM review_items"
    " JOIN media ON photo_id = CAST(media.id AS text) ORDER BY url",
    "history": "SELECT url, n, at, action, by, role, before, after, reason, words, owner.user_id"
    " FROM history JOIN media ON photo_id = CAST(media.id AS text)"
    " LEFT JOIN history_words USING (photo_id, n)"
    " JOIN subjects AS owner ON owner.id = history.owner ORDER BY url, n",
}
Database = Callable[[], str]


@pytest.fixture
def database(postgres_url: str) -> Iterator[Database]:
    """Make empty databases; gives their URLs."""
    with closing(connect(connect_arguments(postgres_url))) as connection:
        made: list[str] = []

        def make() -> str:
            name = f"older_{len(made)}"
            connection.run(f"CREATE DATABASE {name}")
            made.append(name)
            return urlsplit(postgres_url)._replace(path=f"/{name}").geturl()

        yield make
        for name in made:
            connection.run(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def at(url: str, number: int, rows: str = "") -> Iterator[Pool]:
    """Give a database as the version with this many migrations left it."""
    with closing(Pool(url)) as pool:
        if rows == PREDECESSOR:
            run(pool, rows)
        migrate(pool, migrations=RELEASED[: min(number, 1)])
        if rows == PHOTOS and number:
            run(pool, rows)
        migrate(pool, migrations=RELEASED[:number])
        yield pool


def run(pool: Pool, sql: str) -> list[dict[str, object]]:
    return pool.transaction(partial(Session.rows, sql=sql))


def schema(url: str) -> str:
    """Give the schema as statements."""
    dumped = subprocess.run(
        [
            _binaries() / "pg_dump",
            *("--schema-only", "--no-owner", "--no-privileges"),
            *(f"--exclude-table={table}" for table in OWN_TABLES),
            url,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert dumped.returncode == 0, dumped.stderr
    # \restrict and \unrestrict name a new secret each time.
    return "\n".join(line for line in dumped.stdout.splitlines() if not line.startswith("\\"))


def contents(pool: Pool) -> dict[str, list[dict[str, object]]]:
    return {table: run(pool, query) for table, query in CONTENTS.items()}


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(RELEASED) + 1))
@pytest.mark.parametrize("rows", ["", PHOTOS, PREDECESSOR], ids=["empty", "photos", "predecessor"])
def test_schema_and_rows_are_the_same_from_each_older_one(
    database: Database, number: int, rows: str
) -> None:
    if rows == PHOTOS and number == 0:
        number = 1
    one_way, other_way = database(), database()
    with at(one_way, len(RELEASED), rows) as pool:
        migrate(pool)
        expected = contents(pool)
    with at(other_way, number, rows) as pool:
        applied = migrate(pool)
        assert applied == [m.name for m in shipped()[number:]]
        assert contents(pool) == expected
        left = run(pool, "SELECT * FROM migration_steps")
        assert left == []
        invalid = "SELECT conname FROM pg_constraint WHERE NOT convalidated"
        assert run(pool, invalid) == []
    if rows:
        assert expected["media"]
        assert expected["batches"] or rows == PHOTOS
    if rows == PREDECESSOR and number == 0:
        # Since then a table is adopted with its own types and foreign keys.
        assert "REFERENCES public.users" in schema(other_way)
    else:
        assert schema(other_way) == schema(one_way)


def test_the_released_files_are_those_that_are_shipped() -> None:
    """Which numbers are applied says the same in both."""
    assert [m.name for m in RELEASED] == [m.name for m in shipped()][: len(RELEASED)]
