"""``photogate up`` on servers of one's own, and other commands beside it, which find them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import boto3
import pytest

from local.home import Home
from local.servers.embedded_postgres import EmbeddedPostgres
from local.servers.embedded_redis import EmbeddedRedis
from tests.e2e.running import RunningStack

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

#: The SDK's own; whoever needs them says them in each terminal.
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "of-no-worth",
}


def remembered(stack: RunningStack) -> dict[str, str]:
    saved = stack.home / "environment.json"
    assert saved.stat().st_mode & 0o077 == 0
    settings: dict[str, str] = json.loads(saved.read_text())
    return settings


def uploads(s3: S3Client) -> list[str]:
    """Give the keys of what clients put into the bucket."""
    listed = s3.list_objects_v2(Bucket="own-photos", Prefix="incoming/")
    return [found["Key"] for found in listed["Contents"]]


@pytest.mark.slow
def test_photos_in_a_bucket_and_jobs_in_sqs(
    start: Callable[..., RunningStack], moto_server: str
) -> None:
    aws = boto3.Session(
        CREDENTIALS["AWS_ACCESS_KEY_ID"], CREDENTIALS["AWS_SECRET_ACCESS_KEY"], None, "us-east-1"
    )
    with (
        closing(aws.client("s3", endpoint_url=moto_server)) as s3,
        closing(aws.client("sqs", endpoint_url=moto_server)) as sqs,
    ):
        s3.create_bucket(Bucket="own-photos")
        queue, dead = (sqs.create_queue(QueueName=n)["QueueUrl"] for n in ("own", "own-dead"))
        stack = start(
            "--workers=0",
            S3_BUCKET_PHOTOS="own-photos",
            S3_ENDPOINT=moto_server,
            S3_ACCESS_KEY="AKIAIOSFODNN7EXAMPLE",
            S3_SECRET_KEY="of-no-worth",
            QUEUE_BACKEND="sqs",
            QUEUE_URL=queue,
            QUEUE_DEAD_URL=dead,
            QUEUE_ENDPOINT=moto_server,
            **CREDENTIALS,
        )
        assert stack.children("redis-server") == []
        with stack.one_more_worker(**CREDENTIALS):
            assert "5 photos" in stack.run("smoke", "5")
        assert len(uploads(s3)) == 5
        assert not (stack.home / "photos").exists()
        assert stack.run("queue", "dead", **CREDENTIALS) == "nothing was given up\n"
        assert not remembered(stack).keys() & {"PHOTOS_DIR", "REDIS_URL", *CREDENTIALS}
        assert stack.stop() == 0

        # The next stack is told nothing of it, and so uses a folder and Redis again.
        again = start()
        assert "5 photos" in again.run("smoke", "5")
        assert len(uploads(s3)) == 5
        assert len(list((again.home / "photos" / "incoming").rglob("*.jpg"))) == 5
        left = remembered(again)
        assert [name for name in left if name.startswith(("S3_", "QUEUE_"))] == []


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """A PostgreSQL and a Redis outside of the stack's folder; gives their URLs."""
    elsewhere = Home(tmp_path / "elsewhere")
    postgres, redis = EmbeddedPostgres(elsewhere), EmbeddedRedis(elsewhere)
    try:
        yield postgres.start(), redis.start()
    finally:
        redis.stop()
        postgres.stop()


@pytest.mark.slow
def test_rows_and_jobs_elsewhere(
    start: Callable[..., RunningStack], servers: tuple[str, str]
) -> None:
    database, redis = (urlsplit(url) for url in servers)
    stack = start(
        "--workers=0",
        DB_HOST="127.0.0.1",
        DB_PORT=str(database.port),
        DB_PASSWORD=str(database.password),
        REDIS_HOST="127.0.0.1",
        REDIS_PORT=str(redis.port),
        REDIS_PASSWORD=str(redis.password),
    )
    assert (stack.children("redis-server"), stack.children("bin/postgres")) == ([], [])
    assert not remembered(stack).keys() & {"DATABASE_URL", "REDIS_URL"}
    with stack.one_more_worker():
        assert "5 photos" in stack.run("smoke", "5")
        assert stack.run("doctor").endswith("nothing is wrong\n")
    assert stack.run("queue", "dead") == "nothing was given up\n"
    assert stack.run("migrate") == "the schema is up to date\n"
    assert not (stack.home / "postgres").exists()
