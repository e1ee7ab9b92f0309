"""Secrets stand in no environment that another process could read or inherit."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.process import start_module, start_server, stop
from photogate import settings
from photogate.settings import ModerateSettings, SweepSettings, UploadSettings, secret_names
from tests.servers import eventually

pytestmark = pytest.mark.quick
ROOT = Path(__file__).parents[2]
URL = "postgresql://photogate:of-the-database@127.0.0.1:1/photogate"
TOKENS = "of-the-tokens"


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("DATABASE_URL", URL)
    monkeypatch.setenv("JWT_SECRET", TOKENS)
    yield
    settings.forget()


def told(log: Path, **how: Any) -> dict[str, Any]:
    """Start a module of ours and give what it tells."""
    process = start_module("tests.unit.told_secrets", "DATABASE_URL=", log=log, **how)
    try:
        eventually(lambda: log.read_text().endswith("\n"))
    finally:
        stop(process)
    found: dict[str, Any] = json.loads(log.read_text())
    return found


class TestModules:
    def test_secrets_are_in_no_environment(self, tmp_path: Path) -> None:
        found = told(tmp_path / "log")
        assert found["database"] == URL
        assert found["began with"] == found["environment"] == []
        assert found["dumpable"] == 0
        assert {"DATABASE_URL", "JWT_SECRET"} <= set(found["kept"])

    def test_each_gets_what_it_needs(self, tmp_path: Path) -> None:
        found = told(tmp_path / "log", secrets=secret_names(ModerateSettings))
        assert found["database"] == URL
        assert "JWT_SECRET" not in found["kept"]

    def test_settings_of_the_caller_win(self, tmp_path: Path) -> None:
        other = URL.replace("photogate:", "other:")
        assert told(tmp_path / "log", settings={"DATABASE_URL": other})["database"] == other

    def test_what_was_started_by_hand_takes_them_away(self) -> None:
        module = [sys.executable, "-m", "tests.unit.told_secrets", "DATABASE_URL="]
        done = subprocess.run(module, input=b"", stdout=subprocess.PIPE, check=True, cwd=ROOT)
        found = json.loads(done.stdout)
        assert (found["environment"], found["database"]) == ([], URL)
        assert found["dumpable"] == 0


def test_servers_of_others_get_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of-no-worth")
    log = tmp_path / "log"
    script = "import os; print(*os.environ, sep=' ')"
    process = start_server([sys.executable, "-c", script], log=log)
    assert process.wait(30) == 0
    names = set(log.read_text().split())
    assert "PATH" in names
    assert not names & (secret_names() | {"AWS_SECRET_ACCESS_KEY"})


def test_who_moderates_needs_no_secret_of_tokens_or_urls() -> None:
    of_clients = {"JWT_SECRET", "FILE_KEY_SECRET", "PHOTOS_URL_SECRET"}
    assert of_clients <= secret_names(UploadSettings)
    assert not of_clients & (secret_names(ModerateSettings) | secret_names(SweepSettings))
    assert "MIGRATE_DATABASE_URL" not in secret_names(UploadSettings, ModerateSettings)


def test_the_environment_wins_over_what_was_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    settings.keep({"DATABASE_URL": "postgresql://kept@h/d", "DB_POOL_SIZE": "3"})
    found = settings.read(settings.DatabaseSettings)
    assert (found.database, found.db_pool_size) == (URL, 3)
    monkeypatch.setenv("DATABASE_URL", "")
    assert settings.read(settings.DatabaseSettings).database == "postgresql://kept@h/d"
