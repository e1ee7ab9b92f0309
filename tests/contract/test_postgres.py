"""The pool when connections break, and the migrations."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from urllib.parse import urlsplit

import pytest
from pg8000.exceptions import DatabaseError

from photogate.adapters.postgres.deliveries import PostgresDeliveries
from photogate.adapters.postgres.intake import PostgresIntake
from photogate.adapters.postgres.migrate import migrate, set_timeouts, shipped
from photogate.adapters.postgres.outbox import PostgresOutbox
from photogate.adapters.postgres.pool import Pool, Session, connect_arguments
from photogate.adapters.postgres.views import PostgresViews
from photogate.domain import Finding, Status, Verdict
from photogate.errors import ConfigError, DatabaseUnavailable, NotFound
from photogate.messages import Job
from tests.authors import finish
from tests.contract.test_intake import new_batch
from tests.records import PostgresRecords


def backend(session: Session) -> int:
    return int(session.rows("SELECT pg_backend_pid() AS pid")[0]["pid"])


def terminate(pool: Pool, pid: int) -> None:
    pool.transaction(lambda s: s.rows("SELECT pg_terminate_backend(:pid)", pid=pid))


def test_connections_are_used_again(pool: Pool) -> None:
    assert pool.transaction(backend) == pool.transaction(backend)


def test_a_killed_idle_connection_is_replaced(pool: Pool, migrated_url: str) -> None:
    other = Pool(migrated_url)
    pid = pool.transaction(backend)
    terminate(other, pid)
    assert pool.transaction(backend) != pid
    other.close()


def test_a_transaction_whose_connection_breaks_runs_again(pool: Pool, migrated_url: str) -> None:
    other, runs = Pool(migrated_url), []

    def work(session: Session) -> str:
        runs.append(1)
        session.rows("INSERT INTO object_deletions VALUES ('k', 'm', 'u')")
        if len(runs) == 1:
            terminate(other, backend(session))
        return str(session.rows("SELECT count(*) AS n FROM object_deletions")[0]["n"])

    assert pool.transaction(work) == "1"
    assert len(runs) == 2
    other.close()


def test_a_connection_to_what_is_read_only_since_a_failover_is_replaced(pool: Pool) -> None:
    pool.transaction(lambda s: s.rows("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"))
    pool.transaction(lambda s: s.rows("INSERT INTO object_deletions VALUES ('k', 'm', 'u')"))
    assert PostgresOutbox(pool).take_deletions(limit=5) == ["k"]


def test_a_server_that_stays_read_only_is_an_outage(pool: Pool) -> None:
    def work(session: Session) -> None:
        session.rows("SET TRANSACTION READ ONLY")
        session.rows("INSERT INTO object_deletions VALUES ('k', 'm', 'u')")

    with pytest.raises(DatabaseUnavailable, match="read-only"):
        pool.transaction(work)


def test_an_error_of_ours_rolls_back_and_keeps_the_connection(pool: Pool) -> None:
    pid = pool.transaction(backend)

    def work(session: Session) -> None:
        session.rows("INSERT INTO object_deletions VALUES ('k', 'm', 'u')")
        raise NotFound("no")

    with pytest.raises(NotFound):
        pool.transaction(work)
    assert pool.transaction(backend) == pid
    assert PostgresOutbox(pool).take_deletions(limit=5) == []


def test_a_mistake_in_a_statement_is_no_outage(pool: Pool) -> None:
    with pytest.raises(DatabaseError):
        pool.transaction(lambda s: s.rows("SELECT nonsense"))
    assert pool.transaction(backend)


def test_a_deadlock_is_resolved_by_repeating(pool: Pool) -> None:
    pool.transaction(
        lambda s: s.rows("INSERT INTO object_deletions VALUES ('a', 'm', 'u'), ('b', 'm', 'u')")
    )
    both = threading.Barrier(2, timeout=5)
    first_time = threading.local()

    def work(session: Session, order: str) -> None:
        for key in order:
            session.rows("UPDATE object_deletions SET user_id = 'v' WHERE file_key = :k", k=key)
            if key == order[0] and not hasattr(first_time, "met"):
                first_time.met = True
                both.wait()

    with ThreadPoolExecutor(2) as threads:
        tasks = [
            threads.submit(pool.transaction, lambda s, o=order: work(s, o))
            for order in ("ab", "ba")
        ]
        for task in tasks:
            task.result(timeout=20)


def test_a_server_that_is_not_there_is_a_retryable_fault() -> None:
    with pytest.raises(DatabaseUnavailable) as caught:
        Pool("postgresql://u:p@127.0.0.1:1/d").transaction(backend)
    assert caught.value.retry_after_s


def test_waiting_for_a_connection_ends(migrated_url: str) -> None:
    pool = Pool(migrated_url, size=1, wait_s=0.1)

    def work(_: Session) -> None:
        with pytest.raises(DatabaseUnavailable, match="in use"):
            pool.transaction(backend)

    pool.transaction(work)
    pool.close()


@pytest.mark.parametrize(
    ("change", "words"),
    [("password", "password authentication failed"), ("database", "does not exist")],
)
def test_a_wrong_setting_is_told_as_such(migrated_url: str, change: str, words: str) -> None:
    parts = urlsplit(migrated_url)
    url = (
        migrated_url.replace(str(parts.password), "wrong")
        if change == "password"
        else parts._replace(path="/nowhere").geturl()
    )
    with pytest.raises(ConfigError, match=words):
        Pool(url).transaction(backend)


@pytest.mark.parametrize(
    "url", ["", "mysql://u:p@h/d", "postgresql://h", "postgresql://u:p@h/d?sslmode=maybe"]
)
def test_a_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="DATABASE_URL"):
        connect_arguments(url)


def test_a_url_may_ask_for_tls_and_sockets() -> None:
    assert connect_arguments("postgresql://u:p%40@h/d?sslmode=require")["ssl_context"]
    arguments = connect_arguments("postgresql://u@/d?host=/run/pg")
    assert arguments["unix_sock"] == "/run/pg/.s.PGSQL.5432"


def test_the_audit_log_only_grows(pool: Pool) -> None:
    for statement in ("DELETE FROM audit_log", "UPDATE audit_log SET actor = 'x'"):
        with pytest.raises(DatabaseError, match="append-only"):
            pool.transaction(partial(Session.rows, sql=statement))


class TestMigrations:
    @pytest.fixture
    def empty(self, fresh_url: str) -> Iterator[Pool]:
        """A pool on a database without any table."""
        pool = Pool(fresh_url)
        yield pool
        pool.close()

    def test_a_database_that_holds_no_unicode_is_refused(self, empty: Pool, fresh_url: str) -> None:
        place, name = urlsplit(fresh_url), f"ascii_{time.time_ns()}"
        with empty.patient() as connection:
            connection.run(
                f"CREATE DATABASE {name} ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0"
            )
        ascii_only = Pool(place._replace(path=f"/{name}").geturl())
        with pytest.raises(ConfigError, match="encoding is SQL_ASCII, and Photogate needs UTF8"):
            migrate(ascii_only)
        ascii_only.close()

    def test_they_are_numbered_without_gaps(self) -> None:
        assert [m.number for m in shipped()] == list(range(1, len(shipped()) + 1))

    def test_they_run_once_however_many_start_them(self, empty: Pool) -> None:
        with ThreadPoolExecutor(4) as threads:
            applied = [
                name for names in threads.map(lambda _: migrate(empty), range(4)) for name in names
            ]
        assert sorted(applied) == [m.name for m in shipped()]
        assert migrate(empty) == []

    def test_the_audit_log_of_an_older_version_moves_into_the_history(self, empty: Pool) -> None:
        migrate(empty, migrations=shipped()[:4])
        empty.transaction(
            lambda s: s.rows(
                "INSERT INTO media (user_id, url, moderation_status, decided_by)"
                " VALUES ('u', 'a', 'rejected', 'mod'), ('u', 'b', 'review', NULL);"
                "INSERT INTO audit_log (actor, actor_role, action, media_id, user_id, before,"
                " after) SELECT 'mod', 'moderator', action, CAST(id AS text), 'u',"
                "   jsonb_build_object('status', 'review'), after FROM media,"
                "   (VALUES ('approve', '{\"status\": \"approved\"}'::jsonb), ('reject',"
                '   \'{"status": "rejected", "reason": "rude"}\')) AS a (action, after)'
                " WHERE url = 'a'"
            )
        )
        migrate(empty)
        rows = empty.transaction(
            lambda s: s.rows(
                "SELECT history.n, action, by, role, before, after, words, user_id, changes"
                " FROM history LEFT JOIN history_words USING (photo_id, n)"
                " JOIN subjects ON subjects.id = person"
                " JOIN (SELECT CAST(id AS text) AS photo_id, changes FROM media) AS photos"
                "   USING (photo_id) ORDER BY history.n"
            )
        )
        told = ("n", "action", "by", "role", "after", "words", "user_id", "changes")
        assert [tuple(row[name] for name in told) for row in rows] == [
            (1, "decide", "person", "moderator", "approved", None, "mod", 2),
            (2, "decide", "person", "moderator", "rejected", "rude", "mod", 2),
        ]
        waiting = empty.transaction(lambda s: s.rows("SELECT kind FROM review_items"))
        assert waiting == [{"kind": "doubt"}]

    def test_the_application_may_have_a_role_that_cannot_change_history(
        self, empty: Pool, migrated_url: str
    ) -> None:
        role = f"app_{time.time_ns()}"
        empty.transaction(lambda s: s.rows(f"CREATE ROLE {role} LOGIN PASSWORD 'x'"))
        database = str(empty._arguments["database"])
        place = urlsplit(migrated_url)
        url = f"postgresql://{role}:x@{place.hostname}:{place.port}/{database}"
        application = Pool(url)
        try:
            migrate(empty, history_days=40, application=role)
            set_timeouts(application)
            application.close()
            assert application.transaction(lambda s: s.row("SHOW statement_timeout")) == {
                "statement_timeout": "8s"
            }
            batch = PostgresIntake(application).accept(new_batch("a"), photos_per_day=30)
            job = Job(batch_id=batch.id, generation=1)
            opened = PostgresDeliveries(application).begin(job, job_id="m", lease_s=60)
            assert opened
            approved = Verdict(status=Status.APPROVED)
            assert finish(
                PostgresRecords(application),
                job,
                [Finding(photo_id=opened.photos[0].id, verdict=approved)],
            )
            empty.transaction(
                lambda s: s.rows(
                    "INSERT INTO history (photo_id, n, at, action, by, owner, before)"
                    " SELECT photo_id, 0, now() - interval '41 days', 'set', 'other', owner, 'x'"
                    " FROM history"
                )
            )
            for statement in (
                "DELETE FROM history",
                "UPDATE history SET role = 'x'",
                "UPDATE history_retention SET days = 30",
            ):
                with pytest.raises(DatabaseError, match="permission denied"):
                    application.transaction(partial(Session.rows, sql=statement))
            assert PostgresOutbox(application).prune(limit=10) == 1
        finally:
            application.close()
            empty.transaction(lambda s: s.rows(f"DROP OWNED BY {role}; DROP ROLE {role}"))

    @pytest.mark.parametrize("id_type", ["uuid DEFAULT gen_random_uuid()", "bigserial"])
    def test_the_predecessors_table_is_adopted(self, empty: Pool, id_type: str) -> None:
        empty.transaction(
            lambda s: s.rows(f"""
                CREATE TYPE moderation AS ENUM ('pending', 'approved', 'rejected', 'failed');
                CREATE TABLE users (id uuid PRIMARY KEY);
                CREATE TABLE media (
                    id {id_type} PRIMARY KEY,
                    user_id uuid NOT NULL REFERENCES users (id),
                    media_type varchar(10) NOT NULL,
                    url varchar(500) NOT NULL,
                    moderation_status moderation DEFAULT 'pending',
                    moderation_reason varchar(50) CHECK (moderation_reason <> 'review'),
                    batch_id uuid,
                    created_at timestamptz DEFAULT now()
                );
                INSERT INTO users VALUES ('11111111-1111-1111-1111-111111111111');
                INSERT INTO media (user_id, media_type, url, moderation_status)
                SELECT id, 'photo', 'users/old/' || status, status::moderation
                FROM users, unnest(ARRAY['pending', 'approved', 'rejected', 'failed']) status
            """)  # noqa: S608 - a literal
        )
        migrate(empty)
        user = "11111111-1111-1111-1111-111111111111"
        media = {m.file_key: m for m in PostgresViews(empty).of_user(user)}
        assert {key: m.status.value for key, m in media.items()} == {
            "users/old/pending": "pending",
            "users/old/approved": "approved",
            "users/old/rejected": "rejected",
            "users/old/failed": "pending",
        }
        waiting = {job.batch_id for job in PostgresOutbox(empty).take_due(limit=10)}
        assert waiting == {media["users/old/pending"].batch_id, media["users/old/failed"].batch_id}
