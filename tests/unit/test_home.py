"""What other commands know of the last stack in a folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from local.home import Home, free_port
from photogate.settings import setting_names

STACK = {
    "DATABASE_URL": "postgresql://stack",
    "REDIS_URL": "redis://stack",
    "PHOTOS_DIR": "/stack/photos",
    "JWT_SECRET": "stack",
    "POLICY": "profile",
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A folder in which a stack ran, and an environment without settings."""
    for name in setting_names():
        # Not just removed: so what is loaded is removed again afterwards.
        monkeypatch.setenv(name, "")
    home = Home(tmp_path / "home")
    home.save_environment(STACK)
    return home


def loaded(home: Home) -> dict[str, str]:
    """Give the settings that are there afterwards."""
    assert home.load_environment() is True
    return {name: os.environ[name] for name in setting_names() if os.environ.get(name)}


def test_what_the_environment_does_not_say_comes_from_the_stack(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POLICY", "dating")
    assert loaded(home) == {**STACK, "POLICY": "dating"}


@pytest.mark.parametrize(
    ("said", "instead_of"),
    [
        ("DB_HOST", "DATABASE_URL"),
        ("REDIS_HOST", "REDIS_URL"),
        ("S3_BUCKET_PHOTOS", "PHOTOS_DIR"),
        ("JWT_JWKS_URL", "JWT_SECRET"),
    ],
)
def test_who_says_it_in_one_way_means_not_the_other(
    home: Home, monkeypatch: pytest.MonkeyPatch, said: str, instead_of: str
) -> None:
    monkeypatch.setenv(said, "of one's own")
    known = loaded(home)
    assert known[said] == "of one's own"
    assert known.keys() == {said, *STACK} - {instead_of}


def test_the_next_stack_forgets_the_last_ones_settings(home: Home) -> None:
    home.save_environment({"S3_BUCKET_PHOTOS": "photos"})
    assert loaded(home) == {"S3_BUCKET_PHOTOS": "photos"}
    assert (home.path / "environment.json").stat().st_mode & 0o077 == 0


def test_where_no_stack_was_nothing_is_known(tmp_path: Path) -> None:
    assert Home(tmp_path).load_environment() is False


_CHOOSE = "from local.home import free_port; print(free_port(), flush=True); input()"


def test_no_two_processes_choose_the_same_port(monkeypatch: pytest.MonkeyPatch) -> None:
    here = free_port()
    with subprocess.Popen(
        [sys.executable, "-c", _CHOOSE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout
        there = int(other.stdout.readline())
        offered = iter([here, there, *range(20_000, 32_000)])
        monkeypatch.setattr("local.home.secrets.choice", lambda _: next(offered))
        assert free_port() not in {here, there}
        other.communicate("\n")
