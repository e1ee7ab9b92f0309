"""What answers and logs say of a fault: details stand in the log alone, secrets nowhere."""

from __future__ import annotations

import io
import logging
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis
import requests

from photogate.auth import issue_token
from photogate.domain import Role
from photogate.file_keys import FileKeys
from tests.conftest import SECRET
from tests.contract.conftest import Fault, misbehaving
from tests.functions.conftest import Installation, reset_bootstrap

#: Stand in addresses and logins that do not work: nobody may ever read them.
PASSWORD, AWS_SECRET, AWS_TOKEN = "Marker/Pass+word", "MarkerAwsSecret/x+y", "MarkerAwsToken"
FACES_KEY = str(uuid.UUID(int=0x4D41524B4552))
SECRETS = (PASSWORD, "Marker%2FPass%2Bword", AWS_SECRET, AWS_TOKEN, FACES_KEY, SECRET)
#: Stand there, too: for the log alone.
INNER = ("marker-user", "marker-db", "marker-bucket", "marker-queue", "127.0.0.1", "arn:aws", "iam")

_DENIED = (
    b"<Error><Code>AccessDenied</Code><Message>User: arn:aws:iam::1:user/marker-user is not"
    b" authorized</Message></Error>"
)
_QUOTED = "Marker%2FPass%2Bword"


@dataclass
class Broken:
    """An installation with a broken part, and all that it said."""

    url: str
    log: io.StringIO
    answers: list[requests.Response] = field(default_factory=list)

    def ask_everything(self, key: str) -> None:
        """Call each route, of both functions and of the folder."""
        body = {"photos": [{"file_key": key}]}
        for method, path, more in (
            ("GET", "/users/media/upload-url", {}),
            ("POST", "/users/media/upload-complete", {"json": body}),
            ("GET", "/users/media/moderation-status", {}),
            ("DELETE", f"/users/media/{uuid.uuid4()}", {}),
            ("GET", "/admin/queue-stats", {}),
            ("GET", "/admin/moderation/dashboard", {}),
            ("GET", "/admin/moderation/pending", {}),
            ("PUT", f"/admin/moderation/{uuid.uuid4()}/approve", {}),
            ("PUT", f"/admin/moderation/{uuid.uuid4()}/reject", {"json": {"reason": "words"}}),
            ("PUT", f"/admin/moderation/rejected/{uuid.uuid4()}/verify", {}),
            ("DELETE", f"/admin/moderation/rejected/{uuid.uuid4()}", {}),
            ("GET", "/health", {}),
            ("GET", "/openapi.json", {}),
        ):
            self.ask(method, f"/api/v1{path}", **more)

    def ask(self, method: str, path: str, **more: Any) -> requests.Response:
        """Make one call as an admin."""
        token = issue_token("u-1", secret=SECRET, role=Role.ADMIN)
        headers = {"Authorization": f"Bearer {token}"}
        answer = requests.request(method, self.url + path, headers=headers, timeout=30, **more)
        self.answers.append(answer)
        return answer

    @property
    def faults(self) -> list[requests.Response]:
        """The answers that tell of a fault."""
        return [answer for answer in self.answers if answer.status_code >= 500]


@pytest.fixture
def broken(installation: Installation) -> Iterator[Broken]:
    """An installation whose log is read here."""
    log = io.StringIO()
    handlers = {
        handler
        for name in ("upload", "admin", "photogate")
        for handler in logging.getLogger(name).handlers
        if isinstance(handler, logging.StreamHandler)
    }
    # Not by setStream, which flushes what another test may have left closed.
    before = {handler: handler.stream for handler in handlers}
    for handler in handlers:
        handler.stream = log
    yield Broken(url=installation.url, log=log)
    for handler, stream in before.items():
        handler.stream = stream


def postgres_gone(url: str) -> dict[str, str]:
    return {"DATABASE_URL": f"postgresql://marker-user:{_QUOTED}@127.0.0.1:1/marker-db"}


def postgres_refuses(url: str) -> dict[str, str]:
    right = urlsplit(url)
    return {
        "DATABASE_URL": f"postgresql://marker-user:{_QUOTED}@127.0.0.1:{right.port}/marker-db",
    }


def postgres_is_no_database(url: str) -> dict[str, str]:
    return {"DATABASE_URL": f"postgresql://marker-user:{PASSWORD}@127.0.0.1:1/marker-db"}


def redis_gone(url: str) -> dict[str, str]:
    return {"REDIS_URL": f"redis://marker-user:{_QUOTED}@127.0.0.1:1/0"}


def sqs_gone(url: str) -> dict[str, str]:
    return {
        "QUEUE_BACKEND": "sqs",
        "QUEUE_URL": "http://127.0.0.1:1/1/marker-queue",
        "AWS_ACCESS_KEY_ID": "marker-user",
        "AWS_SECRET_ACCESS_KEY": AWS_SECRET,
        "AWS_SESSION_TOKEN": AWS_TOKEN,
    }


def s3_gone(url: str) -> dict[str, str]:
    return {
        "PHOTOS_DIR": "",
        "S3_BUCKET_PHOTOS": "marker-bucket",
        "S3_ENDPOINT": "http://127.0.0.1:1",
        "S3_ACCESS_KEY": "marker-user",
        "S3_SECRET_KEY": AWS_SECRET,
    }


def folder_gone(url: str) -> dict[str, str]:
    return {"PHOTOS_DIR": "/proc/marker-bucket"}


def secrets_gone(url: str) -> dict[str, str]:
    return {
        "DATABASE_URL": "",
        "PHOTOGATE_SECRET_ARN": "arn:aws:secretsmanager:us-east-1:1:secret:marker-db",
        "AWS_ENDPOINT_URL_SECRETS_MANAGER": "http://127.0.0.1:1",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "marker-user",
        "AWS_SECRET_ACCESS_KEY": AWS_SECRET,
    }


def faces_gone(url: str) -> dict[str, str]:
    return {
        "POLICY": "dating",
        "COMPREFACE_URL": "http://127.0.0.1:1",
        "COMPREFACE_API_KEY": FACES_KEY,
    }


#: What breaks -> how, and what the log says of it.
WAYS = {
    "PostgreSQL is gone": (postgres_gone, "port 1"),
    "PostgreSQL refuses": (postgres_refuses, "marker-user"),
    "PostgreSQL's URL is wrong": (postgres_is_no_database, "DATABASE_URL"),
    "Redis is gone": (redis_gone, "127.0.0.1:1"),
    "SQS is gone": (sqs_gone, "127.0.0.1:1"),
    "S3 is gone": (s3_gone, None),
    "the folder is gone": (folder_gone, None),
    "Secrets Manager is gone": (secrets_gone, "marker-db"),
    "CompreFace is gone": (faces_gone, None),
}


@pytest.mark.parametrize("what", WAYS)
def test_a_fault_is_told_in_general_words(
    broken: Broken, migrated_url: str, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    breaks, details = WAYS[what]
    for name, value in breaks(migrated_url).items():
        monkeypatch.setenv(name, value)
    reset_bootstrap()
    broken.ask_everything(FileKeys(SECRET).new("u-1", "image/jpeg"))
    check(broken, details)
    health = broken.ask("GET", "/api/v1/admin/health")
    assert health.status_code in (500, 503)
    nowhere(health.text + broken.log.getvalue())


def test_redis_refuses_the_password(
    broken: Broken, redis_client: redis.Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = urlsplit(redis_url).port
    password = urlsplit(redis_url).password
    assert password, "the tests' Redis has a password"
    monkeypatch.setenv("REDIS_URL", f"redis://:{_QUOTED}@127.0.0.1:{port}/0")
    reset_bootstrap()
    broken.ask_everything(FileKeys(SECRET).new("u-1", "image/jpeg"))
    check(broken, "password")


@pytest.mark.parametrize("part", ["s3", "sqs"])
def test_aws_denies_access(broken: Broken, part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with misbehaving() as server:
        head = f"HTTP/1.1 403 Forbidden\r\nContent-Length: {len(_DENIED)}\r\n\r\n"
        server.fault = Fault(writes=head.encode() + _DENIED)
        settings = sqs_gone("") if part == "sqs" else s3_gone("")
        address = "QUEUE_ENDPOINT" if part == "sqs" else "S3_ENDPOINT"
        for name, value in {**settings, address: server.url}.items():
            monkeypatch.setenv(name, value)
        reset_bootstrap()
        broken.ask_everything(FileKeys(SECRET).new("u-1", "image/jpeg"))
        if part == "sqs":
            check(broken, "403")
        health = broken.ask("GET", "/api/v1/admin/health")
        assert health.status_code == 503
        nowhere(health.text + broken.log.getvalue())


def test_compreface_repeats_its_key(broken: Broken, monkeypatch: pytest.MonkeyPatch) -> None:
    said = f'{{"message": "model with api key {FACES_KEY} not found", "code": 41}}'
    with misbehaving() as server:
        head = (
            f"HTTP/1.1 500 X\r\nContent-Type: application/json\r\nContent-Length: {len(said)}\r\n"
        )
        server.fault = Fault(writes=f"{head}\r\n{said}".encode())
        for name, value in {**faces_gone(""), "COMPREFACE_URL": server.url}.items():
            monkeypatch.setenv(name, value)
        reset_bootstrap()
        health = broken.ask("GET", "/api/v1/admin/health")
    assert "not found" in health.json()["parts"]["faces"]["error"] or health.status_code == 503
    nowhere(health.text + broken.log.getvalue())


def test_an_upload_to_a_folder_that_is_gone(
    broken: Broken, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PHOTOS_DIR", "/proc/marker-bucket")
    reset_bootstrap()
    ticket = broken.ask("GET", "/api/v1/users/media/upload-url").json()
    answer = requests.put(
        ticket["upload_url"], data=b"x", headers={"Content-Type": "image/jpeg"}, timeout=5
    )
    broken.answers = [answer]
    check(broken, "cannot store the photo")
    signature = re.search(r"signature=(\w+)", ticket["upload_url"])
    assert signature
    assert signature[1] not in broken.log.getvalue()


def test_a_traceback_holds_no_secret(broken: Broken, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JWT_SECRET", "short-marker-secret")
    reset_bootstrap()
    broken.ask("GET", "/api/v1/users/media/moderation-status")
    check(broken, "JWT_SECRET")
    try:
        from photogate import settings

        settings.read(settings.UploadSettings)
    except Exception:
        logging.getLogger("photogate").exception("as Lambda writes it")
    assert "Traceback" in broken.log.getvalue() or "exception" in broken.log.getvalue()
    assert "short-marker-secret" not in broken.log.getvalue()


def check(broken: Broken, details: str | None) -> None:
    """Hold faults to general words, an id that leads to the log, and a time to come back."""
    log = broken.log.getvalue()
    if details is not None:
        assert broken.faults
        assert details in log
    for answer in broken.faults:
        said = f"{answer.text} {answer.headers}".lower()
        assert not [word for word in INNER if word in said], said
        document = answer.json()
        assert document["correlation_id"] in log
        assert answer.status_code == 500 or int(answer.headers["Retry-After"]) >= 1
    nowhere(log + "".join(f"{answer.text} {answer.headers}" for answer in broken.answers))


def nowhere(said: str) -> None:
    """Find no secret."""
    assert not [secret for secret in SECRETS if secret in said], said
