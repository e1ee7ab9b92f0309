"""Secrets from Secrets Manager, as moto plays it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import boto3
import pytest

from photogate import bootstrap
from photogate.bootstrap import choose
from photogate.errors import ConfigError
from photogate.settings import AuthSettings, DatabaseSettings
from tests.conftest import SECRET

URL = "postgresql://photogate@db.example/photogate"


@pytest.fixture(autouse=True)
def manager(moto_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Both secrets of a stack, and an environment that names the one for all functions."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "of-no-worth",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL_SECRETS_MANAGER": moto_server,
        "DATABASE_URL": "",
        "JWT_SECRET": "",
    }.items():
        monkeypatch.setenv(name, value)
    manager = boto3.client("secretsmanager")
    for name, held in {"settings": {"DATABASE_URL": URL}, "tokens": {"JWT_SECRET": SECRET}}.items():
        manager.create_secret(Name=name, SecretString=json.dumps(held))
    monkeypatch.setenv("PHOTOGATE_SECRET_ARN", "settings")
    bootstrap.reset()
    yield
    bootstrap.reset()
    for name in ("settings", "tokens"):
        manager.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
    manager.close()


def test_who_is_not_told_of_tokens_knows_no_secret_of_theirs() -> None:
    assert choose.settings_of(DatabaseSettings).database == URL
    with pytest.raises(ConfigError, match="JWT_SECRET"):
        choose.settings_of(AuthSettings)


def test_who_checks_tokens_is_told_of_both(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKENS_SECRET_ARN", "tokens")
    assert choose.settings_of(DatabaseSettings).database == URL
    secret = choose.settings_of(AuthSettings).jwt_secret
    assert secret is not None
    assert secret.get_secret_value() == SECRET


def test_what_is_read_there_is_in_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKENS_SECRET_ARN", "tokens")
    choose.settings_of(AuthSettings)
    assert not {URL, SECRET} & set(os.environ.values())


def test_the_environment_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://other@db.example/photogate")
    assert "other" in choose.settings_of(DatabaseSettings).database
