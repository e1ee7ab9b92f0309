"""The migrate function as CloudFormation calls it: a process that answers to a signed URL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from functions.migrate.app import handler
from local.lambda_runtime import FunctionFailed, LambdaRuntime, run_function
from photogate import bootstrap
from photogate.adapters.postgres.migrate import migrate, shipped
from photogate.adapters.postgres.pool import Pool
from photogate.errors import ConfigError
from tests.functions.answers import SIGNATURE, Answers
from tests.servers import eventually
from tests.unit.test_deployment_order import RESOURCES, RUNS, SERVING, order

pytest.importorskip("awslambdaric", reason="the runtime interface client has wheels for Linux only")

ALL = [migration.name for migration in shipped()]
Run = Callable[..., Any]
OWN_TABLES = ("schema_migrations", "migration_lease", "migration_steps")


def request(kind: str, url: str, **more: Any) -> dict[str, Any]:
    """What CloudFormation sends for the template's ``Migration``."""
    return {
        "RequestType": kind,
        "ResponseURL": url,
        "StackId": "arn:aws:cloudformation:eu-central-1:123456789012:stack/photogate/1",
        "RequestId": "33333333-3333-4333-8333-333333333333",
        "ResourceType": "Custom::Migration",
        "LogicalResourceId": "Migration",
        "ResourceProperties": properties(RESOURCES["Migration"]["Properties"]["Schema"]),
        **({} if kind == "Create" else {"PhysicalResourceId": "photogate-schema"}),
        **more,
    }


def call_for(name: str, function: LambdaRuntime, answers: Answers) -> dict[str, Any]:
    """Call the function for a resource, whose values may come from the answer before; gives its."""
    given = dict(RESOURCES[name]["Properties"])
    if "Unfinished" in given:
        assert given["Unfinished"]["Fn::GetAtt"] == f"{RUNS[RUNS.index(name) - 1]}.Unfinished"
        given["Unfinished"] = answers.got[-1]["Data"]["Unfinished"]
    else:
        given |= properties(given["Schema"])
    function.invoke(request("Create", answers.url, ResourceProperties=given))
    return answers.got[-1]


@contextmanager
def in_the_way(pool: Pool, table: str) -> Iterator[None]:
    """Keep a migration that makes this table waiting."""
    blocker = pool._take()
    blocker.run("BEGIN")
    blocker.run(f"CREATE TABLE {table} ()")
    try:
        yield
    finally:
        blocker.close()


def properties(schema: int, database: str = "arn") -> dict[str, Any]:
    """The resource's values, as texts, which is how CloudFormation passes them on."""
    return {"ServiceToken": "arn", "Schema": str(schema), "Database": database, "Network": []}


@contextmanager
def migrate_function(url: str, log: Path, *, timeout_s: float = 120) -> Iterator[LambdaRuntime]:
    environment = {"DATABASE_URL": url, "PHOTOGATE_SECRET_ARN": "", "DB_SECRET_ARN": ""}
    name = "functions.migrate.app.handler"
    with run_function(name, environment, log=log, timeout_s=timeout_s) as function:
        yield function


def tables(url: str) -> set[str]:
    with closing(Pool(url)) as pool:
        rows = pool.transaction(
            lambda s: s.rows(
                "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
                " AND relkind <> 'i'"
            )
        )
    return {row["relname"] for row in rows}


def spoil(url: str) -> None:
    """Put something in the way of the first migration."""
    with closing(Pool(url)) as pool:
        pool.transaction(lambda s: s.rows("CREATE VIEW media AS SELECT 1 AS id"))


class TestDeployment:
    def test_a_new_stack_gets_its_tables(
        self, fresh_url: str, answers: Answers, tmp_path: Path
    ) -> None:
        with migrate_function(fresh_url, tmp_path / "log") as function:
            function.invoke(request("Create", answers.url))
            # Lambda delivers at least once.
            function.invoke(request("Create", answers.url))
        sent = request("Create", answers.url)
        copied = {name: sent[name] for name in ("StackId", "RequestId", "LogicalResourceId")}
        for applied, answer in zip([", ".join(ALL), "nothing"], answers.got, strict=True):
            assert answer == {
                "Status": "SUCCESS",
                "PhysicalResourceId": "photogate-schema",
                "Data": {"Applied": applied, "Unfinished": "no"},
                **copied,
            }
        assert answers.headers[0].get("Content-Type", "") == ""
        assert {"media", "batches", "schema_migrations"} <= tables(fresh_url)

    def test_a_failed_migration_fails_the_deployment(
        self, fresh_url: str, answers: Answers, tmp_path: Path
    ) -> None:
        spoil(fresh_url)
        with migrate_function(fresh_url, tmp_path / "log") as function:
            function.invoke(request("Create", answers.url))
        (answer,) = answers.got
        assert answer["Status"] == "FAILED"
        assert answer["Reason"].startswith(f"migration {ALL[0]} failed: ")
        assert "\n" not in answer["Reason"]
        # What is in the way, and the migrator's own notes.
        assert tables(fresh_url) == {"media", *OWN_TABLES}

    def test_no_code_that_serves_is_deployed_before_the_schema(
        self, fresh_url: str, answers: Answers, tmp_path: Path
    ) -> None:
        """CloudFormation's walk through the template, once with a failure and once without."""

        def deploy(function: LambdaRuntime) -> set[str]:
            done = set[str]()
            for name in order():
                if name in RUNS:
                    call_for(name, function, answers)
                    if answers.got[-1]["Status"] != "SUCCESS":
                        break
                done.add(name)
            return done

        spoil(fresh_url)
        with migrate_function(fresh_url, tmp_path / "log") as function:
            assert not deploy(function) & set(SERVING)
            with closing(Pool(fresh_url)) as pool:
                pool.transaction(lambda s: s.rows("DROP VIEW media"))
            assert deploy(function) == set(RESOURCES)

    def test_nothing_is_deleted_and_a_database_that_is_gone_does_not_matter(
        self, answers: Answers, tmp_path: Path
    ) -> None:
        with migrate_function("postgresql://u:p@127.0.0.1:1/d", tmp_path / "log") as function:
            function.invoke(request("Delete", answers.url))
        assert [answer["Status"] for answer in answers.got] == ["SUCCESS"]


@pytest.mark.slow
class TestManyRuns:
    def test_what_a_run_cannot_finish_the_next_one_continues(
        self, fresh_url: str, answers: Answers, tmp_path: Path
    ) -> None:
        first, second, *others = RUNS
        with closing(Pool(fresh_url)) as pool:
            with (
                in_the_way(pool, "batches"),
                migrate_function(fresh_url, tmp_path / "log", timeout_s=8) as function,
            ):
                answer = call_for(first, function, answers)
                assert answer["Status"] == "SUCCESS"
                assert "the next run goes on there" in answer["Data"]["Unfinished"]
            with migrate_function(fresh_url, tmp_path / "log") as function:
                assert call_for(second, function, answers)["Data"] == {
                    "Applied": ", ".join(ALL),
                    "Unfinished": "no",
                }
        # Nothing is left to do, so that the database is not asked either.
        with migrate_function("postgresql://u:p@127.0.0.1:1/d", tmp_path / "log") as function:
            for name in others:
                assert call_for(name, function, answers)["Status"] == "SUCCESS"

    def test_the_last_one_has_to_finish(
        self, fresh_url: str, answers: Answers, tmp_path: Path
    ) -> None:
        with (
            closing(Pool(fresh_url)) as pool,
            in_the_way(pool, "batches"),
            migrate_function(fresh_url, tmp_path / "log", timeout_s=8) as function,
        ):
            call_for(RUNS[0], function, answers)
            answers.got[-1]["Data"]["Unfinished"] += " or not"
            # It gets nothing done, and would not the next time.
            answer = call_for(RUNS[-1], function, answers)
        assert answer["Status"] == "FAILED"
        assert 'step "tables beside media"' in answer["Reason"]

    def test_two_runs_that_end_at_the_same_place_are_told_apart(
        self, fresh_url: str, answers: Answers, tmp_path: Path
    ) -> None:
        """CloudFormation calls the next resource only when its values have changed."""
        with closing(Pool(fresh_url)) as pool, in_the_way(pool, "batches"):
            for id_of_request in "ab":
                sent = request("Create", answers.url, RequestId=id_of_request)
                sent["ResourceProperties"]["MayBeUnfinished"] = "true"
                with migrate_function(fresh_url, tmp_path / "log", timeout_s=8) as function:
                    function.invoke(sent)
                pool.transaction(lambda s: s.rows("DROP TABLE media; DELETE FROM migration_steps"))
        first, second = (answer["Data"]["Unfinished"] for answer in answers.got)
        assert first != second


class TestRollback:
    def test_older_code_leaves_a_newer_schema_alone(self, fresh_url: str) -> None:
        with closing(Pool(fresh_url)) as pool:
            later = "INSERT INTO schema_migrations VALUES (9999, '9999_later.sql')"
            migrate(pool)
            pool.transaction(lambda s: s.rows(later))
            assert migrate(pool) == []

    def test_going_back_needs_no_database(self, answers: Answers, tmp_path: Path) -> None:
        back = {"ResourceProperties": properties(3), "OldResourceProperties": properties(4)}
        with migrate_function("postgresql://u:p@127.0.0.1:1/d", tmp_path / "log") as function:
            function.invoke(request("Update", answers.url, **back))
        assert [answer["Status"] for answer in answers.got] == ["SUCCESS"]

    @pytest.mark.parametrize(
        ("new", "old"),
        [(properties(4), properties(3)), (properties(3, "new"), properties(4))],
        ids=["a new version", "another database"],
    )
    def test_anything_else_asks_the_database(
        self,
        fresh_url: str,
        answers: Answers,
        tmp_path: Path,
        new: dict[str, Any],
        old: dict[str, Any],
    ) -> None:
        update = {"ResourceProperties": new, "OldResourceProperties": old}
        with migrate_function(fresh_url, tmp_path / "log") as function:
            function.invoke(request("Update", answers.url, **update))
        assert answers.got[0]["Data"] == {"Applied": ", ".join(ALL), "Unfinished": "no"}


class TestFailures:
    def test_a_request_that_is_none_is_answered(self, answers: Answers, tmp_path: Path) -> None:
        with migrate_function("postgresql://u:p@127.0.0.1:1/d", tmp_path / "log") as function:
            function.invoke(request("Create", answers.url, ResourceProperties={"Schema": "four"}))
            function.invoke(
                request(
                    "Update", answers.url, ResourceProperties={}, OldResourceProperties={"x": "y"}
                )
            )
        assert [a["Status"] for a in answers.got] == ["FAILED", "FAILED"]

    @pytest.mark.parametrize("password", ["hunter2-is-wrong", "hunter2/is?half#read"])
    def test_what_is_told_holds_no_secret(
        self, fresh_url: str, answers: Answers, tmp_path: Path, password: str
    ) -> None:
        parts = urlsplit(fresh_url)
        url = fresh_url.replace(f":{parts.password}@", f":{password}@")
        with migrate_function(url, tmp_path / "log") as function:
            function.invoke(request("Create", answers.url))
        (answer,) = answers.got
        assert answer["Status"] == "FAILED"
        assert "DATABASE_URL" in answer["Reason"]
        log = (tmp_path / "log").read_text("utf-8")
        assert "hunter2" not in answer["Reason"] + log

    @pytest.mark.slow
    def test_time_that_ends_is_told_and_the_database_is_let_go(
        self, fresh_url: str, answers: Answers, tmp_path: Path
    ) -> None:
        with (
            closing(Pool(fresh_url)) as pool,
            in_the_way(pool, "media"),
            migrate_function(fresh_url, tmp_path / "log", timeout_s=4) as function,
        ):
            # The first run does the step before the one that waits; the second gets nothing done.
            function.invoke(request("Create", answers.url))
            function.invoke(request("Create", answers.url))
            first, answer = answers.got
            assert first["Status"] == answer["Status"] == "FAILED"
            assert "the time is up; the next run goes on there" in first["Reason"]
            assert "took longer than the function may run" in answer["Reason"]
            # It would make the table, and keep its locks, if it were still there.
            eventually(lambda: waiting(pool) == 0)
        with migrate_function(fresh_url, tmp_path / "log") as function:
            function.invoke(request("Create", answers.url))
        assert answers.got[2]["Status"] == "SUCCESS"

    def test_a_bucket_that_has_trouble_is_asked_again(
        self, migrated_url: str, answers: Answers, tmp_path: Path
    ) -> None:
        answers.refusals = [503, 500]
        with migrate_function(migrated_url, tmp_path / "log") as function:
            function.invoke(request("Create", answers.url))
        assert [answer["Status"] for answer in answers.got] == ["SUCCESS"]

    @pytest.mark.parametrize("fault", ["refused", "unreachable"])
    def test_an_answer_that_cannot_be_given_is_an_error_of_the_function(
        self, migrated_url: str, answers: Answers, tmp_path: Path, fault: str
    ) -> None:
        answers.refusals = [403]
        url = answers.url if fault == "refused" else f"http://127.0.0.1:1/answer?{SIGNATURE}"
        with (
            migrate_function(migrated_url, tmp_path / "log") as function,
            pytest.raises(FunctionFailed, match="CloudFormation"),
        ):
            function.invoke(request("Create", url))
        assert SIGNATURE not in (tmp_path / "log").read_text("utf-8")


class TestByHand:
    def test_it_answers_with_what_it_applied(self, fresh_url: str, tmp_path: Path) -> None:
        with migrate_function(fresh_url, tmp_path / "log") as function:
            assert function.invoke({}) == {"applied": ALL}
            assert function.invoke({}) == {"applied": []}

    @pytest.mark.slow
    def test_it_says_that_the_time_was_up(self, fresh_url: str, tmp_path: Path) -> None:
        with (
            closing(Pool(fresh_url)) as pool,
            in_the_way(pool, "jobs"),
            migrate_function(fresh_url, tmp_path / "log", timeout_s=8) as function,
        ):
            answer = function.invoke({})
        assert answer["applied"] == ALL[:3]
        assert "0004_queue.sql" in answer["unfinished"]

    def test_a_failure_is_an_error_of_the_function(self, fresh_url: str, tmp_path: Path) -> None:
        spoil(fresh_url)
        with (
            migrate_function(fresh_url, tmp_path / "log") as function,
            pytest.raises(FunctionFailed, match=f"migration {ALL[0]} failed"),
        ):
            function.invoke({})

    def test_a_failure_in_a_container_is_raised(
        self, fresh_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        spoil(fresh_url)
        monkeypatch.setenv("DATABASE_URL", fresh_url)
        bootstrap.reset()
        with pytest.raises(ConfigError, match=f"migration {ALL[0]} failed"):
            handler({}, None)
        bootstrap.reset()

    def test_a_migration_may_take_longer_than_any_other_statement(
        self, fresh_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("DATABASE_URL", fresh_url)
        defaults = Pool.__init__.__kwdefaults__
        assert defaults
        monkeypatch.setitem(defaults, "timeout_s", 0.3)
        bootstrap.reset()
        with closing(Pool(fresh_url, timeout_s=10)) as pool, ThreadPoolExecutor(1) as thread:
            blocker = pool._take()
            # An index is built beside others only when no one is left who reads older rows.
            blocker.run("BEGIN ISOLATION LEVEL REPEATABLE READ")
            blocker.run("SELECT 1")
            migrating = thread.submit(bootstrap.migrate)
            eventually(lambda: waiting(pool, longer_than_s=2) == 1)
            blocker.close()
            assert migrating.result() == ALL
        bootstrap.reset()


def waiting(pool: Pool, *, longer_than_s: float = 0) -> int:
    """Count the migrations that wait for somebody."""
    row = pool.transaction(
        lambda s: s.row(
            "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database()"
            " AND wait_event_type = 'Lock' AND now() - query_start > make_interval(secs => :s)",
            s=longer_than_s,
        )
    )
    return int(row["n"]) if row else 0
