"""What somebody reads who does something wrong in the first hour: one line, with the way out."""

from __future__ import annotations

import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from photogate.adapters.postgres.pool import Pool
from tests import predecessor
from tests.e2e.running import PHOTOGATE, clean_environment
from tests.predecessor import ask, value


@pytest.fixture
def say(stack_home: Path) -> Say:
    """Run commands in a home of their own."""
    return Say(stack_home)


class Say:
    """Runs a command, and gives its status and what it said on both outputs."""

    def __init__(self, home: Path) -> None:
        self._home = home

    def __call__(self, *arguments: str, **environment: str) -> tuple[int, str]:
        done = subprocess.run(
            [PHOTOGATE, *arguments],
            env={**clean_environment(), "PHOTOGATE_HOME": str(self._home), **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout + done.stderr


class TestADatabaseOfSomebodyElse:
    def test_is_not_migrated_unasked(self, say: Say, fresh_url: str) -> None:
        with closing(Pool(fresh_url)) as pool:
            predecessor.create(pool, rows=30)
            status, said = say(
                "up", "--workers", "0", DATABASE_URL=fresh_url, QUEUE_BACKEND="postgres"
            )
            assert status == 1
            last = said.splitlines()[-1]
            assert "the database of DATABASE_URL holds tables, and would be migrated" in last
            assert "`photogate migrate --dry-run`" in last
            assert "`photogate up --migrate`" in last
            assert "media has 30 rows" in said
            assert value(pool, "SELECT to_regclass('batches') IS NULL")

    def test_dry_run_tells_and_migrate_does(self, say: Say, fresh_url: str) -> None:
        with closing(Pool(fresh_url)) as pool:
            predecessor.create(pool, rows=30)
            status, said = say("migrate", "--dry-run", DATABASE_URL=fresh_url)
            assert (status, said.splitlines()[0][:12]) == (0, "would apply ")
            assert value(pool, "SELECT to_regclass('batches') IS NULL")
            ask(pool, "CREATE TABLE batches ()")
            status, said = say("migrate", "--dry-run", DATABASE_URL=fresh_url)
            assert status == 1
            assert "IN THE WAY: tables or views of these names are there already: batches" in said
            status, said = say("migrate", DATABASE_URL=fresh_url)
            assert (status, len(said.splitlines())) == (1, 1)
            assert 'relation "batches" already exists' in said
            assert "`photogate migrate --dry-run` says what is in the way" in said
            ask(pool, "DROP TABLE batches")
            status, said = say("migrate", DATABASE_URL=fresh_url)
            assert (status, said.splitlines()[0]) == (0, "0001_core.sql")

    def test_without_its_tables_a_command_says_what_to_run(self, say: Say, fresh_url: str) -> None:
        status, said = say(
            "queue", "dead", DATABASE_URL=fresh_url, PHOTOS_DIR="x", QUEUE_BACKEND="postgres"
        )
        assert (status, len(said.splitlines())) == (1, 1)
        assert "does not exist; run `photogate migrate`" in said


@pytest.mark.parametrize(
    "command", ["worker", "dead", "queue redrive", "queue stats", "queue purge", "migrate"]
)
def test_where_no_stack_ran(say: Say, command: str) -> None:
    status, said = say(*command.split())
    assert (status, len(said.splitlines())) == (1, 1)
    assert said.startswith("photogate: no stack has run in ")
    assert "start one with `photogate up`" in said


def test_a_port_that_is_none(say: Say) -> None:
    status, said = say("up", "--port", "99999")
    assert status == 2
    assert "--port" in said
    assert "less than or equal to 65535" in " ".join(said.replace("│", " ").split())


def test_an_address_that_is_none(say: Say) -> None:
    status, said = say("up", PUBLIC_URL="foo")
    assert (status, said) == (
        1,
        "photogate: PUBLIC_URL: must be like https://photos.example.com, not 'foo'\n",
    )


def test_nothing_was_logged_yet(say: Say, tmp_path: Path) -> None:
    log = tmp_path / "api.log"
    log.touch()
    assert say("logs", str(log)) == (0, "nothing of that was logged yet\n")
    assert say("metrics", str(log)) == (0, "no metrics were written yet\n")


def test_a_redis_that_cannot_run(
    stack_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from local.home import Home
    from local.servers import embedded_redis
    from photogate.errors import ConfigError

    broken = tmp_path / "redis-server"
    broken.write_text(
        "#!/bin/sh\necho 'libssl.so.9: cannot open shared object file' >&2\nexit 127\n"
    )
    broken.chmod(0o755)
    monkeypatch.setattr(embedded_redis, "find_server", lambda: broken)
    server = embedded_redis.EmbeddedRedis(Home(stack_home))
    with pytest.raises(ConfigError, match=r"libssl\.so\.9: cannot open shared object file"):
        server.start()
    assert (stack_home / "logs" / "redis.log").exists()
