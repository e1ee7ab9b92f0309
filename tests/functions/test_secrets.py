"""Secrets from Secrets Manager, as moto plays it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import boto3
import pytest
from pg8000.exceptions import DatabaseError

from local import api
from local.client import ApiRefused, PhotogateClient
from photogate import bootstrap
from photogate.adapters.postgres.pool import Pool
from photogate.auth import issue_token
from photogate.bootstrap import choose
from photogate.errors import ConfigError
from photogate.settings import AuthSettings, DatabaseSettings
from tests.conftest import SECRET
from tests.servers import serve

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


@pytest.fixture
def logins(fresh_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """The stack's own database: secrets of its owner and of a role that is not there yet.

    Gives what changes the latter's password in the secret.
    """
    place = urlsplit(fresh_url)
    role = f"app_{place.path.strip('/')}"
    for name, value in {
        "PHOTOGATE_SECRET_ARN": "",
        "DB_HOST": place.hostname,
        "DB_PORT": str(place.port),
        "DB_NAME": place.path.strip("/"),
        "DB_SECRET_ARN": "application",
        "MIGRATE_DB_SECRET_ARN": "owner",
        "MIGRATE_MAKES_ROLE": "true",
    }.items():
        monkeypatch.setenv(name, value or "")
    with closing(boto3.client("secretsmanager")) as manager:
        for secret, user, password in (
            ("owner", place.username, place.password),
            ("application", role, "first"),
        ):
            held = json.dumps({"username": user, "password": password})
            manager.create_secret(Name=secret, SecretString=held)

        def becomes(password: str) -> None:
            held = json.dumps({"username": role, "password": password})
            manager.put_secret_value(SecretId="application", SecretString=held)

        yield becomes
        bootstrap.reset()
        for name in ("owner", "application"):
            manager.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
    with closing(Pool(fresh_url)) as owner:
        owner.transaction(lambda s: s.rows(f"DROP OWNED BY {role}; DROP ROLE {role}"))


def test_the_owner_makes_the_role_that_the_functions_have(logins: Callable[..., None]) -> None:
    bootstrap.migrate()
    pool = choose.pool(choose.settings_of(DatabaseSettings))
    assert pool.check()["migration"]
    with pytest.raises(DatabaseError, match="permission denied"):
        pool.transaction(lambda s: s.rows("CREATE TABLE mine ()"))
    assert bootstrap.migrate() == []


def test_a_rotated_password_is_read_again_and_there_is_still_one_pool(
    logins: Callable[..., None],
) -> None:
    bootstrap.migrate()
    pool = choose.pool(choose.settings_of(DatabaseSettings))
    pool.close()
    logins("second")
    # Whoever rotates changes it in the database, too; here the migration does it.
    bootstrap.migrate()
    assert pool.check()["migration"]
    assert choose.pool(choose.settings_of(DatabaseSettings)) is pool


def test_a_function_that_starts_while_a_password_changes_asks_callers_to_come_again(
    logins: Callable[..., None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bootstrap.migrate()
    with serve(api.app) as url:
        for name, value in {
            "JWT_SECRET": SECRET,
            "PHOTOS_DIR": str(tmp_path),
            "PHOTOS_URL_SECRET": SECRET,
            "PUBLIC_URL": url,
            "QUEUE_BACKEND": "postgres",
        }.items():
            monkeypatch.setenv(name, value)
        logins("second")
        bootstrap.reset()
        with closing(PhotogateClient(url, issue_token("u-1", secret=SECRET))) as client:
            with pytest.raises(ApiRefused, match="the database does not answer") as refused:
                client.photos()
            assert (refused.value.status, refused.value.retry_after_s) == (503, 2)
            bootstrap.migrate()  # which gives it to the database
            assert client.photos() == []
