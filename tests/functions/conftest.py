"""The functions behind real HTTP, on real PostgreSQL, Redis and files."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import boto3
import pytest
import redis

from functions.moderate import app as moderate_module
from local import api
from local.client import PhotogateClient, Upload
from photogate import bootstrap
from photogate.adapters.postgres.pool import Pool
from photogate.auth import issue_token
from photogate.bootstrap import for_moderate
from photogate.domain import Role
from photogate.messages import CopyJob, Job, decode
from photogate_vision.classifier.panel import Panel
from photogate_vision.decoding.sandbox import Sandbox
from tests.conftest import SECRET
from tests.functions.answers import answers
from tests.servers import serve

__all__ = ["answers"]


@dataclass(frozen=True, kw_only=True)
class Installation:
    """Both functions under one address, as ``local.api`` serves them."""

    url: str
    clients: dict[tuple[str, Role], PhotogateClient] = field(default_factory=dict)

    def client(self, user: str = "u-1", role: Role = Role.USER) -> PhotogateClient:
        """Give a caller of this role."""
        if (user, role) not in self.clients:
            token = issue_token(user, secret=SECRET, role=role, name="Ada")
            self.clients[user, role] = PhotogateClient(self.url, token)
        return self.clients[user, role]

    def hand_in(self, *photos: bytes, user: str = "u-1") -> list[str]:
        """Upload photos, complete the batch, and give their keys."""
        client = self.client(user)
        keys = [client.put(Upload(name="x", data=data)) for data in photos]
        client.complete(keys)
        return keys


def make_copies() -> None:
    """Do what jobs for copies do, for all photos that want copies."""
    with closing(Pool(os.environ["DATABASE_URL"], size=1)) as pool:
        rows = pool.transaction(
            lambda s: s.rows(
                "SELECT CAST(id AS text) AS id FROM media WHERE copies_due_at IS NOT NULL"
            )
        )
    job = CopyJob(photo_ids=tuple(row["id"] for row in rows))
    moderate_module.parts().copying.run(job, time_left_s=lambda: 60.0)


def reset_bootstrap() -> None:
    """Make the functions read their settings anew."""
    bootstrap.reset()
    moderate_module.parts.cache_clear()


@pytest.fixture
def installation(
    migrated_url: str,
    redis_url: str,
    bundle: Path,
    second_bundle: Path,
    pool: Pool,
    redis_client: redis.Redis,
    tmp_path: Path,
    warm_models: Callable[..., Panel],
    warm_sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Installation]:
    """An empty installation without a worker."""
    monkeypatch.setattr("photogate_vision.analyzer.Panel", warm_models)
    monkeypatch.setattr(for_moderate, "_sandbox", lambda: warm_sandbox)
    with serve(api.app) as url:
        for name, value in {
            "DATABASE_URL": migrated_url,
            "REDIS_URL": redis_url,
            "PHOTOS_DIR": str(tmp_path / "photos"),
            "PHOTOS_URL_SECRET": SECRET,
            "PUBLIC_URL": url,
            "JWT_SECRET": SECRET,
            "MODEL_DIR": str(bundle),
            "SECOND_MODEL": str(second_bundle),
        }.items():
            monkeypatch.setenv(name, value)
        reset_bootstrap()
        installation = Installation(url=url)
        yield installation
        for client in installation.clients.values():
            client.close()
    # Not before: a request that is under way would give its connection back to nobody.
    reset_bootstrap()


@pytest.fixture
def deliver(installation: Installation) -> Callable[..., list[str]]:
    """Give a worker's turn: each visible job, ``most`` at most, goes through the function once.

    The turn gives the jobs for verdicts; those for copies are done with them.
    """
    from local.worker import Worker

    worker = Worker(moderate_module.parts())

    def turn(most: int = 1_000) -> list[str]:
        bodies: list[str] = []
        while len(bodies) < most and (delivery := worker._queue.receive(wait_s=0)) is not None:
            worker._work(delivery)
            if isinstance(decode(delivery.body), Job):
                bodies.append(delivery.body)
        return bodies

    return turn


@pytest.fixture
def on_aws(
    installation: Installation,
    moto_server: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Installation]:
    """The same installation, with photos in S3 and jobs in SQS."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "of-no-worth",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    s3 = boto3.client("s3", endpoint_url=moto_server)
    s3.create_bucket(Bucket="photogate")
    sqs = boto3.client("sqs", endpoint_url=moto_server)
    queue_url = sqs.create_queue(QueueName="photogate")["QueueUrl"]
    for name, value in {
        "QUEUE_BACKEND": "sqs",
        "QUEUE_URL": queue_url,
        "QUEUE_ENDPOINT": moto_server,
        "NOTICE_RECEIPTS_URL": f"{queue_url}-receipts",
        "S3_BUCKET_PHOTOS": "photogate",
        "S3_ENDPOINT": moto_server,
        "PHOTOS_DIR": "",
    }.items():
        monkeypatch.setenv(name, value)
    reset_bootstrap()
    yield installation
    sqs.delete_queue(QueueUrl=queue_url)
    s3.close()
    sqs.close()
