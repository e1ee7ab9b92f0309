"""A stack on one machine: functions under Lambda's emulator, PostgreSQL, and moto for the rest."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3

from local.client import PhotogateClient, Upload
from local.home import Home
from photogate.adapters.postgres.pool import Pool
from photogate.auth import issue_token
from photogate.domain import Role
from tests.emulator import Emulated, emulated, sqs_event
from tests.functions.answers import Answers
from tests.functions.test_migrate import properties, request
from tests.functions.versions import Code
from tests.gateway import Gateway
from tests.servers import serve

AWS = {
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "of-no-worth",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
}
#: What the runtime interface client consists of, beside Python's own library.
_CLIENT = ("awslambdaric", "simplejson", "snapshot_restore_py.py", "runtime_client*.so")


class _Api(Gateway):
    """The stack's HTTP API: the aliases share out requests over the versions that are live."""

    def __init__(self, stack: Stack) -> None:
        super().__init__()
        self._stack = stack

    def _invoke(self, event: dict[str, Any]) -> dict[str, Any]:
        function = "admin" if event["rawPath"].startswith(("/admin", "/api/v1/admin")) else "upload"
        answer: dict[str, Any] = self._stack.turn()[function].invoke(event)
        return answer


@dataclass(kw_only=True)
class Version:
    """The functions of one deployment, each started when it is first called."""

    code: Code
    stack: Stack
    number: int
    running: dict[str, Emulated] = field(default_factory=dict)

    def __getitem__(self, function: str) -> Emulated:
        if function not in self.running:
            folder, python, path = self.code.way(function, self.stack.client_folder)
            own = {"DB_SECRET_ARN": f"{self.stack.name}-{self.code.secret}", "PYTHONPATH": path}
            label = f"{self.stack.name}-{self.number}-{function}"
            self.running[function] = self.stack.opened.enter_context(
                emulated(
                    [*python, "-m", "awslambdaric", f"functions.{function}.app.handler"],
                    {**self.stack.environment, **self.code.models, **own},
                    folder=folder,
                    ports=(self.stack.home.port(label), self.stack.home.port(f"{label}-runtime")),
                    log=self.stack.folder / f"{label}.log",
                )
            )
        return self.running[function]


class Stack:
    """What the template makes under one name: a bucket, a queue, secrets, two roles, functions."""

    def __init__(self, name: str, *, url: str, moto: str, home: Home, folder: Path) -> None:
        self.name, self.home, self.folder = name, home, folder
        self.opened = ExitStack()
        self.client_folder = _runtime_client(folder / "client")
        #: Those among which requests and jobs are shared out.
        self.live: list[Version] = []
        self._versions = self._turns = 0
        self._owner = self.opened.enter_context(closing(Pool(url)))
        self.secret = f"{name}-0123456789-0123456789-0123456789"
        place = urlsplit(url)
        self._role = f"app_{place.path.strip('/')}"
        self._make(moto, place.username or "", place.password or "")
        self.environment = {
            **{k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "LANG")},
            **AWS,
            "AWS_LAMBDA_FUNCTION_NAME": name,
            "AWS_ENDPOINT_URL_SECRETS_MANAGER": moto,
            # Not beside what was built.
            "PYTHONPYCACHEPREFIX": str(folder.parent / "bytecode"),
            "POWERTOOLS_TRACE_DISABLED": "1",
            "METRICS_STACK": name,
            "DB_HOST": str(place.hostname),
            "DB_PORT": str(place.port),
            "DB_NAME": place.path.strip("/"),
            "DB_POOL_SIZE": "1",
            "MIGRATE_DB_SECRET_ARN": f"{name}-owner",
            "MIGRATE_MAKES_ROLE": "true",
            "JWT_SECRET": self.secret,
            "QUEUE_BACKEND": "sqs",
            "QUEUE_URL": self.queue,
            "QUEUE_ENDPOINT": moto,
            "NOTICE_RECEIPTS_URL": f"{self.queue}-receipts",
            "S3_BUCKET_PHOTOS": name,
            "S3_ENDPOINT": moto,
            "POLICY": "community",
        }
        self.url = self.opened.enter_context(serve(_Api(self).app()))

    def _make(self, moto: str, owner: str, password: str) -> None:
        def client(service: str) -> Any:
            names = {name.lower(): value for name, value in AWS.items() if "REGION" not in name}
            made = boto3.client(service, endpoint_url=moto, region_name="us-east-1", **names)  # type: ignore[call-overload]
            return self.opened.enter_context(closing(made))

        self.s3, self.sqs, secrets = client("s3"), client("sqs"), client("secretsmanager")
        self.s3.create_bucket(Bucket=self.name)
        self.queue = str(self.sqs.create_queue(QueueName=self.name)["QueueUrl"])
        for secret, user, word in (
            ("owner", owner, password),
            ("application", self._role, self.secret),
        ):
            held = json.dumps({"username": user, "password": word})
            secrets.create_secret(Name=f"{self.name}-{secret}", SecretString=held)

    def close(self) -> None:
        """Stop everything, and take the role away, which all databases of a server share."""
        with self.opened:
            if self._role in {row["rolname"] for row in self.owner("SELECT rolname FROM pg_roles")}:
                self.owner(f"DROP OWNED BY {self._role}; DROP ROLE {self._role}")

    def version(self, code: Code) -> Version:
        """Make functions of this code, which get nothing to do yet."""
        self._versions += 1
        return Version(code=code, stack=self, number=self._versions)

    def turn(self) -> Version:
        """Give the version whose turn it is."""
        self._turns += 1
        return self.live[self._turns % len(self.live)]

    def migrate(self, version: Version, answers: Answers, *, old: Code | None) -> dict[str, Any]:
        """Let CloudFormation call this version's migrate function; gives what that told it."""
        given = {
            "ResourceProperties": properties(version.code.schema) | {"MayBeUnfinished": "true"}
        }
        if old is not None:
            before = properties(old.schema) | {"MayBeUnfinished": "true"}
            given["OldResourceProperties"] = before
        told = len(answers.got)
        version["migrate"].invoke(request("Update" if old else "Create", answers.url, **given))
        (answer,) = answers.got[told:]
        return answer

    def owner(self, statement: str) -> list[dict[str, Any]]:
        """Run a statement as the owner of the tables."""
        return self._owner.transaction(lambda s: s.rows(statement))

    def client(self, user: str, role: Role = Role.USER) -> PhotogateClient:
        """Give a caller."""
        token = issue_token(user, secret=self.secret, role=role, name="Ada")
        return self.opened.enter_context(closing(PhotogateClient(self.url, token)))

    def hand_in(self, user: str, photo: bytes) -> None:
        """Upload a photo and hand it in."""
        client = self.client(user)
        client.complete([client.put(Upload(name="x", data=photo))])

    def deliver(self) -> int:
        """Play SQS's event source until no job is visible; gives how many were done."""
        done = 0
        while messages := self._receive():
            failed = self.turn()["moderate"].invoke(sqs_event(messages))["batchItemFailures"]
            assert failed == []
            for message in messages:
                self.sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
            done += len(messages)
        return done

    def _receive(self) -> Sequence[Mapping[str, Any]]:
        taken = self.sqs.receive_message(
            QueueUrl=self.queue, VisibilityTimeout=360, MessageSystemAttributeNames=["All"]
        )
        messages: Sequence[Mapping[str, Any]] = taken.get("Messages", [])
        return messages

    def states(self, user: str) -> list[str]:
        """Give what the API tells of a user's photos."""
        return [photo["moderation_status"] for photo in self.client(user).photos()]

    def metrics(self) -> list[dict[str, Any]]:
        """Give what CloudWatch takes out of the functions' logs."""
        lines = [
            line
            for log in self.folder.glob(f"{self.name}-*.log")
            for line in log.read_text("utf-8").splitlines()
        ]
        return [json.loads(line) for line in lines if line.startswith("{") and '"_aws"' in line]


def _runtime_client(folder: Path) -> Path:
    """Make a folder of the runtime interface client alone."""
    if not folder.exists():
        folder.mkdir()
        site = Path(str(files("awslambdaric"))).parent
        for pattern in _CLIENT:
            for found in site.glob(pattern):
                copy = shutil.copytree if found.is_dir() else shutil.copy
                copy(found, folder / found.name)
    return folder
