"""The moderate function's images: as Lambda runs one, as docker compose runs the other.

``make image-test`` builds them as PHOTOGATE_IMAGE, tagged ``function``, ``worker`` and ``third``
(the worker with a third model), and names in PHOTOGATE_RIE the runtime interface emulator that the
SAM CLI carries.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from local.home import Home
from photogate.adapters.postgres.pool import Pool
from tests.emulator import Emulated, answers, sqs_event
from tests.functions.conftest import Installation, make_copies
from tests.servers import eventually

IMAGE, EMULATOR = os.environ.get("PHOTOGATE_IMAGE"), os.environ.get("PHOTOGATE_RIE")
pytestmark = pytest.mark.skipif(not (IMAGE and EMULATOR), reason="`make image-test` runs it")

EVENTS = Path(__file__).parents[2] / "events"

#: What the containers get of the installation's settings.
PASSED = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_REGION",
    "DATABASE_URL",
    "QUEUE_BACKEND",
    "QUEUE_URL",
    "QUEUE_ENDPOINT",
    "S3_BUCKET_PHOTOS",
    "S3_ENDPOINT",
)


def docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return (done.stdout + done.stderr).strip()


def next_job() -> dict[str, Any]:
    """Take the next job, as the event that SQS's event source makes of it."""
    with closing(boto3.client("sqs", endpoint_url=os.environ["QUEUE_ENDPOINT"])) as sqs:
        taken = sqs.receive_message(
            QueueUrl=os.environ["QUEUE_URL"],
            WaitTimeSeconds=5,
            VisibilityTimeout=360,
            MessageSystemAttributeNames=["All"],
        )
    (message,) = taken["Messages"]
    return sqs_event([message])


@contextmanager
def running(tag: str, *options: str, command: Sequence[str] = ()) -> Iterator[str]:
    """Run a container of one of the images, closed down; gives its id."""
    # The host's network, because the servers of this run are there.
    container = docker(
        "run", "--detach", "--network", "host", "--read-only", "--tmpfs=/tmp",
        "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--memory", "1769m",
        *(part for setting in PASSED for part in ("--env", setting)),
        *options, f"{IMAGE}:{tag}", *command,
    )  # fmt: skip
    try:
        yield container
    finally:
        docker("rm", "--force", container)


@dataclass(frozen=True, kw_only=True)
class Function(Emulated):
    """The image's function under the emulator."""

    container: str

    def logs(self) -> list[dict[str, Any]]:
        """Its JSON log events so far."""
        lines = docker("logs", self.container).splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]


@pytest.fixture
def function(on_aws: Installation, home: Home) -> Iterator[Function]:
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
    with running("function", *options, command=command) as container:
        eventually(lambda: answers(url), within_s=20)
        yield Function(container=container, url=url)


def sample(name: str) -> dict[str, Any]:
    found = json.loads((EVENTS / name).read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def states(installation: Installation) -> list[str]:
    make_copies()
    return [photo["moderation_status"] for photo in installation.client().photos()]


def test_photos_get_verdicts(on_aws: Installation, function: Function, portrait: bytes) -> None:
    on_aws.hand_in(portrait)
    assert function.invoke(next_job()) == {"batchItemFailures": []}
    assert states(on_aws) == ["approved"]
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


def test_onnxruntime_does_not_report() -> None:
    for tag in ("function", "worker"):
        found = json.loads(docker("image", "inspect", f"{IMAGE}:{tag}"))[0]["Config"]["Env"]
        assert "ORT_DISABLE_TELEMETRY=1" in found


@pytest.mark.parametrize(("tag", "third"), [("worker", "none"), ("third", "/opt/third")])
def test_compose_runs_it_as_a_worker(
    on_aws: Installation, pool: Pool, portrait: bytes, tag: str, third: str
) -> None:
    on_aws.hand_in(portrait)
    with running(tag, "--env", f"THIRD_MODEL={third}") as container:
        assert docker("exec", container, "id", "-u") == "65534"
        eventually(lambda: states(on_aws) == ["approved"], within_s=30)
        docker("stop", "--time", "10", container)
        code = docker("inspect", "--format", "{{.State.ExitCode}}", container)
    assert code == "0"
    scores = "SELECT moderation_scores->'third' IS NOT NULL AS looked FROM media"
    ((looked,),) = (row.values() for row in pool.transaction(lambda s: s.rows(scores)))
    assert looked is (tag == "third")
