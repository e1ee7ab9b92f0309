"""The moderate function's images: as Lambda runs one, as docker compose runs the other.

``make image-test`` builds them as PHOTOGATE_IMAGE, tagged ``function`` and ``worker``, and
names in PHOTOGATE_RIE the runtime interface emulator that the SAM CLI carries.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import boto3
import pytest
import requests

from local.home import Home
from tests.contract.conftest import AWS_KEY, AWS_SECRET, aws_credentials, moto_server
from tests.functions.conftest import Installation, forget_bootstrap
from tests.servers import eventually

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

__all__ = ["moto_server"]

IMAGE, EMULATOR = os.environ.get("PHOTOGATE_IMAGE"), os.environ.get("PHOTOGATE_RIE")
pytestmark = pytest.mark.skipif(not (IMAGE and EMULATOR), reason="`make image-test` runs it")

EVENTS = Path(__file__).parents[2] / "events"
REGION: Final = "eu-central-1"


def docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return (done.stdout + done.stderr).strip()


@dataclass(frozen=True, kw_only=True)
class Aws:
    """SQS and S3 of this test's own, and the settings that lead there."""

    sqs: SQSClient
    queue_url: str
    settings: dict[str, str]

    def job(self) -> dict[str, Any]:
        """Take the next job, as the event that SQS's event source makes of it."""
        taken = self.sqs.receive_message(
            QueueUrl=self.queue_url,
            WaitTimeSeconds=5,
            VisibilityTimeout=360,
            MessageSystemAttributeNames=["All"],
        )
        (message,) = taken["Messages"]
        record = {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message["Attributes"],
            "messageAttributes": {},
            "md5OfBody": message["MD5OfBody"],
            "eventSource": "aws:sqs",
            "eventSourceARN": f"arn:aws:sqs:{REGION}:123456789012:jobs",
            "awsRegion": REGION,
        }
        return {"Records": [record]}


@pytest.fixture
def aws(
    installation: Installation,
    moto_server: str,
    migrated_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Aws]:
    """The installation with its queue on SQS and its photos in S3."""
    name = f"photogate-{uuid4().hex[:8]}"
    with aws_credentials():
        sqs = boto3.client("sqs", region_name=REGION, endpoint_url=moto_server)
        s3 = boto3.client("s3", region_name=REGION, endpoint_url=moto_server)
        queue_url = sqs.create_queue(QueueName=name)["QueueUrl"]
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
        settings = {
            "AWS_ACCESS_KEY_ID": AWS_KEY,
            "AWS_SECRET_ACCESS_KEY": AWS_SECRET,
            "AWS_REGION": REGION,
            "DATABASE_URL": migrated_url,
            "QUEUE_BACKEND": "sqs",
            "QUEUE_URL": queue_url,
            "S3_BUCKET_PHOTOS": name,
            "S3_ENDPOINT": moto_server,
            "S3_REGION": REGION,
        }
        for setting, value in settings.items():
            monkeypatch.setenv(setting, value)
        monkeypatch.delenv("PHOTOS_DIR")
        forget_bootstrap()
        yield Aws(sqs=sqs, queue_url=queue_url, settings=settings)
        forget_bootstrap()


@contextmanager
def running(aws: Aws, tag: str, *options: str, command: Sequence[str] = ()) -> Iterator[str]:
    """Run a container of one of the images, closed down; gives its id."""
    # The host's network, because the servers of this run are there.
    container = docker(
        "run", "--detach", "--network", "host", "--read-only", "--tmpfs=/tmp",
        "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--memory", "1769m",
        *(part for setting in aws.settings for part in ("--env", setting)),
        *options, f"{IMAGE}:{tag}", *command,
    )  # fmt: skip
    try:
        yield container
    finally:
        docker("rm", "--force", container)


@dataclass(frozen=True, kw_only=True)
class Function:
    """The image's function under the emulator."""

    container: str
    url: str

    def invoke(self, event: dict[str, Any]) -> dict[str, Any]:
        """Invoke it as the Lambda service does, and give its answer."""
        path = "2015-03-31/functions/function/invocations"
        found = requests.post(f"{self.url}/{path}", json=event, timeout=70).json()
        assert isinstance(found, dict)
        return found

    def logs(self) -> list[dict[str, Any]]:
        """Its JSON log events so far."""
        lines = docker("logs", self.container).splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]


@pytest.fixture
def function(aws: Aws, home: Home) -> Iterator[Function]:
    """The function, with the command that the image names by itself."""
    url = f"http://127.0.0.1:{home.port('emulator')}"
    inner = f"127.0.0.1:{home.port('runtime-api')}"
    found = json.loads(docker("image", "inspect", f"{IMAGE}:function"))[0]["Config"]
    # Lambda runs images under a user that they do not know.
    options = ["--user", "1993:1993", "--volume", f"{EMULATOR}:/emulator:ro"]
    options += ["--entrypoint", "/emulator"]
    addresses = ["--runtime-interface-emulator-address", url.removeprefix("http://")]
    addresses += ["--runtime-api-address", inner]
    command = [*addresses, *found["Entrypoint"], *found["Cmd"]]
    with running(aws, "function", *options, command=command) as container:
        eventually(lambda: _answers(url), within_s=20)
        yield Function(container=container, url=url)


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=2).status_code > 0
    except requests.ConnectionError:
        return False


def sample(name: str) -> dict[str, Any]:
    found = json.loads((EVENTS / name).read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def states(installation: Installation) -> list[str]:
    return [photo["moderation_status"] for photo in installation.client().photos()]


def test_photos_get_verdicts(
    installation: Installation, aws: Aws, function: Function, portrait: bytes
) -> None:
    installation.hand_in(portrait)
    assert function.invoke(aws.job()) == {"batchItemFailures": []}
    assert states(installation) == ["approved"]
    (event,) = [e for e in function.logs() if e.get("message") == "photo moderated"]
    assert event["service"] == "moderate"


@pytest.mark.parametrize(("event", "bad"), [("sqs-bad.json", 1), ("sqs-partial-failure.json", 2)])
def test_only_bad_jobs_come_again(function: Function, event: str, bad: int) -> None:
    answer = function.invoke(sample(event))
    failed = [item["itemIdentifier"] for item in answer["batchItemFailures"]]
    assert failed == [f"00000000-0000-4000-8000-{bad:012d}"]


def test_jobs_of_batches_that_are_gone_are_done(function: Function) -> None:
    assert function.invoke(sample("sqs-ten.json")) == {"batchItemFailures": []}


def test_it_writes_nothing(function: Function) -> None:
    function.invoke(sample("sqs-one.json"))
    # The mount point of the emulator is the test's own.
    assert docker("diff", function.container) in ("", "A /emulator")


def test_compose_runs_it_as_a_worker(installation: Installation, aws: Aws, portrait: bytes) -> None:
    installation.hand_in(portrait)
    with running(aws, "worker") as container:
        assert docker("exec", container, "id", "-u") == "65534"
        eventually(lambda: states(installation) == ["approved"], within_s=30)
        docker("stop", "--time", "10", container)
        code = docker("inspect", "--format", "{{.State.ExitCode}}", container)
    assert code == "0"
