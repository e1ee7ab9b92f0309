"""``photogate doctor`` on installations that are broken in one way each."""

from __future__ import annotations

import shutil
from collections import namedtuple
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis

import local.doctor
from local.doctor import Finding, Level, examine
from local.home import free_port
from photogate import bootstrap
from photogate.adapters.postgres.pool import Pool
from photogate.adapters.postgres.rounds import PostgresRounds
from photogate.adapters.postgres.workers import PostgresWorkers
from photogate.adapters.queue_redis import RedisQueue
from photogate.domain import WorkerInfo
from photogate.settings import setting_names
from photogate_vision.faces.detector import EmbeddedFaces
from tests import oidc_provider
from tests.compreface import FOREIGN_KEY, Compreface
from tests.conftest import SECRET
from tests.servers import serve

WORKER = WorkerInfo(
    id="here:1",
    host="here",
    pid=1,
    model="3f9a",
    policy="community@4",
    gates=(),
    started_at=datetime(2026, 1, 1, tzinfo=UTC),
    seen_at=datetime(2026, 1, 1, tzinfo=UTC),
    last_photo_at=None,
)

Change = Callable[..., None]


async def _well(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"{}"})


@pytest.fixture
def change(
    monkeypatch: pytest.MonkeyPatch,
    migrated_url: str,
    pool: Pool,
    redis_client: redis.Redis,
    redis_url: str,
    bundle: Path,
    second_bundle: Path,
    tmp_path: Path,
) -> Iterator[Change]:
    """An installation in which all is well; gives what changes its settings, None for without."""
    for name in setting_names():
        monkeypatch.delenv(name, raising=False)

    def set_(**settings: str | None) -> None:
        for name, value in settings.items():
            if value is None:
                monkeypatch.delenv(name, raising=False)
            else:
                monkeypatch.setenv(name, value)

    PostgresWorkers(pool).announce(WORKER)
    rounds = PostgresRounds(pool)
    rounds.begin("here", lasts_s=60)
    rounds.end("here")
    with serve(_well, port=free_port()) as url:
        set_(
            DATABASE_URL=migrated_url,
            REDIS_URL=redis_url,
            PHOTOS_DIR=str(tmp_path / "photos"),
            PHOTOS_URL_SECRET=SECRET,
            JWT_SECRET=SECRET,
            PUBLIC_URL=url,
            POLICY="community",
            MODEL_DIR=str(bundle),
            SECOND_MODEL=str(second_bundle),
        )
        yield set_
    bootstrap.reset()


def found() -> list[Finding]:
    bootstrap.reset()
    return list(examine())


def assert_only(part: str, words: str, level: Level = Level.WRONG) -> Finding:
    """Nothing else is wrong; what needs the part is not known."""
    bad = [f for f in found() if f.level not in (Level.WELL, Level.UNKNOWN)]
    assert [(f.part, f.level) for f in bad] == [(part, level)], bad
    assert words in bad[0].says
    return bad[0]


def test_all_is_well(change: Change) -> None:
    findings = found()
    assert {finding.part for finding in findings} == {
        *("settings", "models", "database", "queue", "storage", "disk", "faces"),
        *("workers", "sweep", "review", "api"),
    }
    assert [finding for finding in findings if finding.level is not Level.WELL] == []


def test_no_settings(change: Change) -> None:
    change(DATABASE_URL=None, JWT_SECRET=None, MODEL_DIR=None)
    bad = [f for f in found() if f.level is Level.WRONG]
    assert {f.part for f in bad} == {"settings"}
    words = "\n".join(f.says for f in bad)
    for missing in ("DATABASE_URL (or DB_HOST …)", "JWT_SECRET or JWT_JWKS_URL", "MODEL_DIR"):
        assert missing in words


def test_test_mode(change: Change) -> None:
    change(PHOTOGATE_TEST_MODE="1")
    assert_only("settings", "test mode is on", Level.WARNING)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"JWT_SECRET": "short"}, "JWT_SECRET: must be 32 random bytes or more"),
        ({"DB_POOL_SIZE": "many"}, "DB_POOL_SIZE"),
        ({"POLICY": "lax"}, "there is no preset 'lax'"),
    ],
)
def test_a_setting_that_makes_no_sense(
    change: Change, settings: dict[str, str], words: str
) -> None:
    change(**settings)
    wrong = [f for f in found() if f.level is Level.WRONG]
    assert any(words in f.says for f in wrong)


def test_a_wrong_password(change: Change, migrated_url: str) -> None:
    parts = urlsplit(migrated_url)
    netloc = f"{parts.username}:wrong@{parts.hostname}:{parts.port}"
    change(DATABASE_URL=parts._replace(netloc=netloc).geturl())
    finding = assert_only("database", "password")
    assert "wrong@" not in finding.says


def test_no_database_there(change: Change) -> None:
    change(DATABASE_URL=f"postgresql://photogate:x@127.0.0.1:{free_port()}/photogate")
    assert_only("database", "does not answer")
    unknown = {f.part for f in found() if f.level is Level.UNKNOWN}
    assert unknown == {"workers", "sweep", "review"}


def test_an_old_schema(change: Change, fresh_url: str) -> None:
    change(DATABASE_URL=fresh_url)
    assert assert_only("database", "its schema is 0, and").mend == "photogate migrate"


def test_a_newer_schema(change: Change, pool: Pool) -> None:
    pool.transaction(
        lambda s: s.rows("INSERT INTO schema_migrations (number, name) VALUES (9999, 'later')")
    )
    try:
        assert_only("database", "its schema is 9999, newer than this version's", Level.WARNING)
    finally:
        pool.transaction(lambda s: s.rows("DELETE FROM schema_migrations WHERE number = 9999"))


def test_a_wrong_clock(change: Change, monkeypatch: pytest.MonkeyPatch) -> None:
    class Ahead(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Ahead:
            return super().now(tz) + timedelta(hours=2)

    monkeypatch.setattr(local.doctor, "datetime", Ahead)
    assert_only("database", "are 7200 s apart")


def test_a_wrong_password_of_redis(change: Change, redis_url: str) -> None:
    parts = urlsplit(redis_url)
    change(REDIS_URL=parts._replace(netloc=f":wrong@{parts.hostname}:{parts.port}").geturl())
    assert "REDIS_URL" in (assert_only("queue", "invalid username-password").mend or "")


def test_a_redis_that_drops_jobs(change: Change, redis_client: redis.Redis) -> None:
    before = redis_client.config_get("maxmemory-policy")["maxmemory-policy"]
    redis_client.config_set("maxmemory-policy", "allkeys-lru")
    try:
        assert_only("queue", "may drop jobs", Level.WARNING)
    finally:
        redis_client.config_set("maxmemory-policy", str(before))


def test_jobs_that_were_given_up(change: Change, redis_client: redis.Redis) -> None:
    queue = RedisQueue(redis_client, visibility_s=30, max_receives=1)
    queue.send("{}")
    delivery = queue.receive(wait_s=1)
    assert delivery is not None
    queue.nack(delivery, delay_s=0, error="broken")
    queue.receive(wait_s=0.2)
    assert_only("queue", "1 jobs were given up", Level.WARNING)


def test_a_bucket_that_is_not_there(change: Change, moto_server: str) -> None:
    change(
        PHOTOS_DIR=None,
        PHOTOS_URL_SECRET=None,
        S3_BUCKET_PHOTOS="nobodys",
        S3_ENDPOINT=moto_server,
        S3_ACCESS_KEY="AKIAIOSFODNN7EXAMPLE",
        S3_SECRET_KEY="of-no-worth",
    )
    assert_only("storage", "there is no such bucket: correct S3_BUCKET_PHOTOS")


def test_a_folder_that_cannot_be_written(change: Change, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    change(PHOTOS_DIR=str(tmp_path / "file" / "photos"))
    assert_only("storage", "cannot write to")


@pytest.mark.parametrize(
    ("free", "level"), [(1_000_000_000, Level.WARNING), (1_000_000, Level.WRONG)]
)
def test_a_full_disk(
    change: Change, monkeypatch: pytest.MonkeyPatch, free: int, level: Level
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**12, 10**12 - free, free))
    assert_only("disk", "are free where photos are kept", level)


def test_a_damaged_model(change: Change, bundle: Path, tmp_path: Path) -> None:
    damaged = shutil.copytree(bundle, tmp_path / "damaged")
    model = next(damaged.glob("*.onnx"))
    model.chmod(0o600)
    model.write_bytes(model.read_bytes()[:-1] + b"\0")
    change(MODEL_DIR=str(damaged))
    assert_only("models", "sha256")


def test_a_policy_that_nothing_here_can_serve(change: Change) -> None:
    change(POLICY="dating")
    assert_only("models", "POLICY=dating needs ages: set COMPREFACE_URL")


def test_a_key_of_another_service(change: Change, faces_bundle: Path) -> None:
    with Compreface(EmbeddedFaces(faces_bundle)).serve() as url:
        change(POLICY="dating", COMPREFACE_URL=url, COMPREFACE_API_KEY=FOREIGN_KEY)
        assert_only("faces", "DETECTION")


def test_a_provider_that_is_another_or_away(change: Change) -> None:
    with oidc_provider.running() as provider:
        change(OIDC_ISSUER=provider.issuer, OIDC_CLIENT_ID="photogate", OIDC_ADMINS="leads")
        assert [f.level for f in found() if f.part == "provider"] == [Level.WELL]
        change(OIDC_ISSUER=f"{provider.issuer}/")
        assert_only("provider", "set it to exactly this")
    assert_only("provider", "does not answer")


def test_no_worker(change: Change, pool: Pool) -> None:
    PostgresWorkers(pool).leave(WORKER.id)
    assert_only("workers", "none announced itself")


def test_workers_that_decide_otherwise(change: Change, pool: Pool) -> None:
    PostgresWorkers(pool).announce(replace(WORKER, id="here:2", policy="dating@3"))
    assert_only("workers", "community@4, dating@3", Level.WARNING)


def test_no_sweep(change: Change, pool: Pool) -> None:
    pool.transaction(lambda s: s.rows("DELETE FROM sweeps"))
    assert_only("sweep", "no round of it has ended lately")


def test_nobody_reviews(change: Change, pool: Pool) -> None:
    pool.transaction(
        lambda s: s.rows(
            "INSERT INTO review_items (photo_id, kind, created_at)"
            " VALUES ('p', 'doubt', now() - interval '3 days')"
        )
    )
    assert_only("review", "for 3 days", Level.WARNING)


def test_an_api_that_is_elsewhere(change: Change) -> None:
    change(PUBLIC_URL=f"http://127.0.0.1:{free_port()}")
    assert_only("api", "it does not answer: ConnectionError")
