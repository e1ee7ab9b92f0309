"""Migrations that are killed, that wait, that take long and that fail."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from photogate.adapters.postgres.migrate import migrate, shipped
from photogate.adapters.postgres.migration_files import Migration
from photogate.adapters.postgres.pool import Pool, Session
from photogate.errors import ConfigError, DatabaseUnavailable, MigrationUnfinished
from tests.migrating import migrations_of, migrator
from tests.servers import eventually

ROOT = Path(__file__).parents[2]
ROWS = 3000
#: Slow enough to be killed in the middle, and counts how often each row was touched.
SLOW_BATCHES = """
-- step: a column
ALTER TABLE t ADD COLUMN touched integer NOT NULL DEFAULT 0;
-- step: every row (in batches over t)
UPDATE t SET touched = touched + 1 + length(CAST(pg_sleep(0.002) AS text))
WHERE ctid >= :from AND ctid < :until AND touched = 0;
-- step: afterwards
CREATE TABLE afterwards ();
"""
INDEX = """
-- step: by v (outside a transaction)
CREATE INDEX CONCURRENTLY IF NOT EXISTS t_v ON t (slow(v));
-- step: afterwards
CREATE TABLE afterwards ();
"""


@pytest.fixture
def database(fresh_url: str) -> Iterator[Pool]:
    """A database with a table ``t`` of many rows."""
    pool = Pool(fresh_url)
    run(
        pool,
        "CREATE TABLE t (id integer PRIMARY KEY, v integer NOT NULL, filler text NOT NULL);"
        "INSERT INTO t SELECT n, n, repeat('x', 1600) FROM generate_series(1, 3000) AS n;"
        "CREATE FUNCTION slow(v integer) RETURNS integer IMMUTABLE LANGUAGE plpgsql AS"
        " 'BEGIN PERFORM pg_sleep(0.01); RETURN v; END'",
    )
    yield pool
    pool.close()


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write migrations, numbered from 1; gives their folder."""

    def write(*sql: str) -> Path:
        for number, text in enumerate(sql, 1):
            (tmp_path / f"{number:04}_made_up.sql").write_text(text, "utf-8")
        return tmp_path

    return write


def one(sql: str) -> list[Migration]:
    return [Migration(number=1, name="0001_made_up.sql", sql=sql)]


def run(pool: Pool, sql: str) -> list[dict[str, Any]]:
    return pool.transaction(partial(Session.rows, sql=sql))


def value(pool: Pool, sql: str) -> Any:
    (row,) = run(pool, f"SELECT ({sql}) AS value")
    return row["value"]


def is_valid(pool: Pool, index: str) -> bool | None:
    return value(  # type: ignore[no-any-return]
        pool,
        f"SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('{index}')",  # noqa: S608 - a literal
    )


def exists(pool: Pool, table: str) -> bool:
    return value(pool, f"SELECT to_regclass('{table}')") is not None


def touched(pool: Pool) -> int:
    """Count the rows that a killed or running migrator has committed."""
    if not value(pool, "SELECT count(*) FROM pg_attribute WHERE attname = 'touched'"):
        return 0
    return int(value(pool, "SELECT count(*) FROM t WHERE touched > 0"))


class TestKilled:
    def test_between_batches_it_is_continued_there(
        self, database: Pool, fresh_url: str, write: Callable[..., Path]
    ) -> None:
        folder = write(SLOW_BATCHES)
        with migrator(fresh_url, folder) as process:
            eventually(lambda: touched(database) > 0)
            process.kill()
        before = touched(database)
        block = value(database, "SELECT block FROM migration_steps WHERE step = 'every row'")
        assert 0 < before < ROWS
        assert block > 0
        # The first step would fail if it were done again; a row, be touched twice.
        assert migrate(database, migrations=migrations_of(folder)) == ["0001_made_up.sql"]
        assert run(database, "SELECT touched, count(*) AS n FROM t GROUP BY 1") == [
            {"touched": 1, "n": ROWS}
        ]
        assert exists(database, "afterwards")
        assert migrate(database, migrations=migrations_of(folder)) == []

    def test_while_it_builds_an_index_it_is_built_anew(
        self, database: Pool, fresh_url: str, write: Callable[..., Path]
    ) -> None:
        folder = write(INDEX)
        with migrator(fresh_url, folder) as process:
            eventually(lambda: is_valid(database, "t_v") is False)
            process.kill()
        # PostgreSQL notices by itself that its client is gone, and ends the build.
        building = (
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND query LIKE 'CREATE INDEX%'"
        )
        eventually(lambda: value(database, building) == 0)
        assert is_valid(database, "t_v") is False
        run(
            database,
            "CREATE OR REPLACE FUNCTION slow(v integer) RETURNS integer IMMUTABLE"
            " LANGUAGE sql AS 'SELECT v'",
        )
        migrate(database, migrations=migrations_of(folder))
        assert is_valid(database, "t_v")
        assert exists(database, "afterwards")

    def test_in_a_transaction_nothing_of_the_step_stays(
        self, database: Pool, fresh_url: str, write: Callable[..., Path]
    ) -> None:
        write(
            "-- step: first\nCREATE TABLE first ();\n"
            "-- step: second\nCREATE TABLE second (); SELECT pg_sleep(600);"
        )
        folder = write()
        sleeping = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
        with migrator(fresh_url, folder) as process:
            eventually(lambda: value(database, sleeping) == 1)
            process.kill()
        assert exists(database, "first")
        assert not exists(database, "second")
        write("-- step: first\nCREATE TABLE first ();\n-- step: second\nCREATE TABLE second ();")
        migrate(database, migrations=migrations_of(folder))
        assert exists(database, "second")


@pytest.mark.slow
class TestTwoAtOnce:
    def test_the_second_waits_and_finds_all_done(
        self, database: Pool, fresh_url: str, write: Callable[..., Path]
    ) -> None:
        folder = write(SLOW_BATCHES)
        with migrator(fresh_url, folder) as first:
            eventually(lambda: touched(database) > 0)
            assert migrate(database, migrations=migrations_of(folder)) == []
            assert first.communicate()[0] == "0001_made_up.sql\n"
        assert value(database, "SELECT max(touched) FROM t") == 1

    def test_who_was_stopped_for_too_long_commits_nothing(
        self, database: Pool, fresh_url: str
    ) -> None:
        other = Pool(fresh_url)
        taken = (
            "-- step: stopped\nCREATE TABLE stopped ();"
            # What the next one does when the lease is over.
            "UPDATE migration_lease SET holder = 'another', until = now() + interval '1 minute';"
        )
        with pytest.raises(DatabaseUnavailable, match="another migration has taken over"):
            migrate(database, migrations=one(taken))
        assert not exists(database, "stopped")
        other.close()


class TestLongOnes:
    def test_a_statement_outlasts_the_pools_timeout_and_runs_once(
        self, database: Pool, fresh_url: str
    ) -> None:
        run(database, "CREATE SEQUENCE runs")
        hasty = Pool(fresh_url, timeout_s=0.5)
        migrate(hasty, migrations=one("SELECT nextval('runs'), pg_sleep(2);"))
        # A sequence keeps count of what was rolled back, too.
        assert value(database, "SELECT last_value FROM runs") == 1
        hasty.close()

    def test_a_peer_that_is_gone_is_noticed(self, database: Pool) -> None:
        with database.patient() as connection:
            peer: socket.socket = connection._usock
            assert peer.gettimeout() is None
            assert peer.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            assert peer.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) <= 30

    def test_a_connection_that_breaks_ends_the_run_and_nothing_is_repeated(
        self, database: Pool, fresh_url: str
    ) -> None:
        run(database, "CREATE SEQUENCE runs")
        sql = "-- step: all\nSELECT nextval('runs'), pg_sleep(600);"
        own = Pool(fresh_url)
        with ThreadPoolExecutor(1) as thread:
            migrating = thread.submit(migrate, own, migrations=one(sql))
            ended = (
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                " WHERE wait_event = 'PgSleep' AND datname = current_database()"
            )
            eventually(lambda: value(database, ended) == 1)
            with pytest.raises(DatabaseUnavailable, match=r'step "all".*run it again'):
                migrating.result()
        assert value(database, "SELECT last_value FROM runs") == 1
        own.close()

    def test_who_waits_for_a_table_lets_others_pass(self, database: Pool) -> None:
        """A reader that came first, the migration, and a reader that comes after it."""
        sql = "-- step: all\nALTER TABLE t ADD COLUMN w integer;"
        first = database._take()
        first.run("BEGIN")
        first.run("SELECT count(*) FROM t")
        waiting = (
            "SELECT count(*) FROM pg_locks WHERE relation = to_regclass('t') AND NOT granted"
            " AND mode = 'AccessExclusiveLock'"
        )
        with ThreadPoolExecutor(1) as thread:
            migrating = thread.submit(migrate, database, migrations=one(sql))
            eventually(lambda: value(database, waiting) == 1)
            assert value(database, "SELECT count(*) FROM t") == ROWS
            assert not migrating.done()
            first.run("COMMIT")
            assert migrating.result() == ["0001_made_up.sql"]
        first.close()


@pytest.mark.slow
class TestTimeThatEnds:
    def test_batches_go_on_in_the_next_run(self, database: Pool) -> None:
        def a_run() -> list[str] | None:
            with suppress(MigrationUnfinished):
                return migrate(database, migrations=one(SLOW_BATCHES), until=time.monotonic() + 4)
            return None

        runs = [a_run()]
        after_one = touched(database)
        assert 0 < after_one < ROWS
        while runs[-1] is None:
            runs.append(a_run())
        assert runs[-1] == ["0001_made_up.sql"]
        assert run(database, "SELECT touched, count(*) AS n FROM t GROUP BY 1") == [
            {"touched": 1, "n": ROWS}
        ]

    def test_files_that_were_finished_are_told(self, database: Pool) -> None:
        two = [*one("CREATE TABLE a ();"), Migration(number=2, name="0002", sql=INDEX)]
        with pytest.raises(MigrationUnfinished) as caught:
            migrate(database, migrations=two, until=time.monotonic() + 8)
        assert caught.value.applied == ("0001_made_up.sql",)
        # The build was ended by PostgreSQL, in order.
        assert is_valid(database, "t_v") is False

    def test_a_step_that_no_run_can_finish_is_an_error(self, database: Pool) -> None:
        with pytest.raises(ConfigError, match='step "by v" took longer than') as caught:
            migrate(database, migrations=one(INDEX), until=time.monotonic() + 1)
        assert "photogate migrate" in str(caught.value)

    def test_waiting_for_another_one_ends(
        self, database: Pool, fresh_url: str, write: Callable[..., Path]
    ) -> None:
        with migrator(fresh_url, write(SLOW_BATCHES)):
            eventually(lambda: touched(database) > 0)
            with pytest.raises(MigrationUnfinished, match="another migration"):
                migrate(database, migrations=[], until=time.monotonic())


class TestFailures:
    STEPS = (
        "-- step: first\nCREATE TABLE first ();\n"
        "-- step: second\nCREATE TABLE second (); SELECT 1/v FROM numbers;\n"
        "-- step: third\nCREATE TABLE third ();"
    )

    def test_steps_before_stay_done_and_later_ones_are_not_begun(self, database: Pool) -> None:
        run(database, "CREATE TABLE numbers AS SELECT 0 AS v")
        with pytest.raises(ConfigError) as caught:
            migrate(database, migrations=one(self.STEPS))
        assert str(caught.value) == (
            "migration 0001_made_up.sql failed: division by zero"
            ' (step "second"; the steps before it stay done)'
        )
        assert [exists(database, t) for t in ("first", "second", "third")] == [True, False, False]
        run(database, "UPDATE numbers SET v = 1")
        assert migrate(database, migrations=one(self.STEPS)) == ["0001_made_up.sql"]
        assert exists(database, "third")

    def test_an_index_that_was_left_invalid_is_built_anew(self, database: Pool) -> None:
        unique = (
            "-- step: u (outside a transaction)\n"
            "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS t_u ON t (filler);"
        )
        with pytest.raises(ConfigError, match="could not create unique index"):
            migrate(database, migrations=one(unique))
        assert is_valid(database, "t_u") is False
        run(database, "DELETE FROM t WHERE id > 1")
        migrate(database, migrations=one(unique))
        assert is_valid(database, "t_u")

    @pytest.mark.parametrize(
        ("sql", "words"),
        [
            ("-- step: a (in pieces)\nSELECT 1;", "cannot read"),
            ("SELECT 1;\n-- step: a\nSELECT 2;", "before the first step"),
            ("-- step: a\nSELECT 1;\n-- step: a\nSELECT 2;", "the same name"),
        ],
    )
    def test_a_file_that_is_not_understood_is_refused(self, sql: str, words: str) -> None:
        with pytest.raises(ConfigError, match=words):
            one(sql)[0].steps  # noqa: B018


@pytest.mark.slow
def test_no_change_that_is_made_meanwhile_is_lost(database: Pool) -> None:
    """Each of many changes of rows comes through while the batches run."""
    over = threading.Event()

    def change() -> int:
        changes = 0
        while not over.is_set():
            update = "UPDATE t SET v = v + 1 WHERE id = :id"
            database.transaction(partial(Session.rows, sql=update, id=1 + changes * 37 % ROWS))
            changes += 1
        return changes

    with ThreadPoolExecutor(1) as thread:
        changing = thread.submit(change)
        try:
            migrate(database, migrations=one(SLOW_BATCHES))
        finally:
            over.set()
        changes = changing.result()
    assert value(database, "SELECT sum(v - id) FROM t") == changes > 0
    assert value(database, "SELECT min(touched) FROM t") == 1


def test_every_shipped_file_can_be_read() -> None:
    assert all(step.sql.strip() for migration in shipped() for step in migration.steps)


def test_the_example_of_the_page_does_what_it_says(fresh_url: str) -> None:
    page = (ROOT / "docs" / "develop.md").read_text("utf-8")
    example = page.partition("```sql\n")[2].partition("```")[0]
    with closing(Pool(fresh_url)) as pool:
        migrate(pool)
        run(
            pool,
            "INSERT INTO media (user_id, url, display_order)"
            " SELECT 'u', 'p-' || n, n FROM generate_series(0, 4) AS n",
        )
        migrate(pool, migrations=[Migration(number=9999, name="9999_example.sql", sql=example)])
        assert run(pool, "SELECT url FROM media WHERE newest") == [{"url": "p-0"}]
        assert is_valid(pool, "media_newest")
