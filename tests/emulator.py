"""Lambda's own runtime interface emulator, which the SAM CLI carries: a process behind Invoke."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from local.lambda_runtime import FunctionFailed
from tests.servers import eventually

#: Where it is; `make sam-build` and `make image-test` say so.
PROGRAM = os.environ.get("PHOTOGATE_RIE")


@dataclass(frozen=True, kw_only=True)
class Emulated:
    """A function under the emulator; one invocation at a time."""

    url: str

    def invoke(self, event: Mapping[str, Any]) -> Any:
        """Give the function's answer to ``event``.

        Raises:
            FunctionFailed: it answered with an error.
        """
        path = "2015-03-31/functions/function/invocations"
        answer = requests.post(f"{self.url}/{path}", json=event, timeout=120).json()
        if isinstance(answer, dict) and "errorType" in answer:
            raise FunctionFailed(answer)
        return answer


def answers(url: str) -> bool:
    """Tell whether anybody answers there."""
    try:
        return requests.get(url, timeout=2).status_code > 0
    except requests.ConnectionError:
        return False


@contextmanager
def emulated(
    command: Sequence[str | Path],
    environment: Mapping[str, str],
    *,
    folder: Path,
    ports: tuple[int, int],
    log: Path,
) -> Iterator[Emulated]:
    """Run a runtime with its handler, in ``folder``; its output goes to ``log``."""
    assert PROGRAM
    outer, inner = (f"127.0.0.1:{port}" for port in ports)
    addresses = ["--runtime-interface-emulator-address", outer, "--runtime-api-address", inner]
    with log.open("a") as output:
        process = subprocess.Popen(
            [PROGRAM, *addresses, *command],
            cwd=folder,
            env={"LAMBDA_TASK_ROOT": str(folder), **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
            # It starts the runtime, which would outlive it.
            start_new_session=True,
        )
    try:
        eventually(lambda: process.poll() is None and answers(f"http://{outer}"), within_s=20)
        yield Emulated(url=f"http://{outer}")
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def sqs_event(messages: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What SQS's event source makes of received messages."""
    return {
        "Records": [
            {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": message["Attributes"],
                "messageAttributes": {},
                "md5OfBody": message["MD5OfBody"],
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:photogate",
                "awsRegion": "us-east-1",
            }
            for message in messages
        ]
    }
