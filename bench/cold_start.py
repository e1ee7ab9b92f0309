"""``python -m bench.cold_start``: how long a function's first answer takes.

Each function is a fresh process under the runtime interface client, against a real
PostgreSQL and Redis: interpreter, imports, settings, connections, model, first request.
What Lambda adds, fetching the code and starting the micro-VM, cannot be measured here.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.figures import percentile
from bench.installation import Installation, running
from bench.photos import TWO_MEGAPIXELS, photos
from local.lambda_runtime import run_function
from photogate.auth import issue_token
from photogate.domain import Role

_TIMES = 7


def main() -> None:
    """Measure and print."""
    console = Console(width=100, highlight=False)
    table = Table(title=f"first answer of a fresh process, {_TIMES} each")
    for title in ("function", "event", "median, ms", "worst, ms", "next answer, ms"):
        table.add_column(title, justify="left" if title in ("function", "event") else "right")
    with running(workers=0, progress=console.print) as installation:
        for function, name, make in (
            ("upload", "GET health", lambda: _request(installation, "/api/v1/health")),
            ("upload", "GET moderation-status", lambda: _request(installation, _STATUS)),
            ("admin", "GET queue-stats", lambda: _request(installation, _QUEUE_STATS)),
            ("moderate", "one 2-megapixel photo", lambda: _job(installation)),
        ):
            firsts, seconds = zip(*(_cold(function, make) for _ in range(_TIMES)), strict=True)
            table.add_row(
                function,
                name,
                f"{percentile(firsts, 50):.0f}",
                f"{max(firsts):.0f}",
                f"{percentile(seconds, 50):.1f}",
            )
    console.print(table)


_STATUS = "/api/v1/users/media/moderation-status"
_QUEUE_STATS = "/api/v1/admin/queue-stats"


def _cold(function: str, make: Callable[[], dict[str, Any]]) -> tuple[float, float]:
    """Give the milliseconds from starting the process to its first answer, and of the next."""
    events = [make(), make()]
    taken = []
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        log = Path(folder) / "log"
        with run_function(f"functions.{function}.app.handler", {}, log=log) as runtime:
            for event in events:
                answer = runtime.invoke(event)
                assert answer.get("statusCode", 200) == 200
                assert not answer.get("batchItemFailures")
                taken.append((time.perf_counter() - started) * 1000)
                started = time.perf_counter()
    return taken[0], taken[1]


def _request(installation: Installation, path: str) -> dict[str, Any]:
    token = issue_token("bench", secret=installation.address.secret, role=Role.ADMIN)
    return {
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"host": "api.example", "authorization": f"Bearer {token}"},
        "requestContext": {
            "http": {"method": "GET", "path": path, "sourceIp": "192.0.2.1", "protocol": "HTTP/1.1"}
        },
        "isBase64Encoded": False,
    }


def _job(installation: Installation) -> dict[str, Any]:
    """Hand a photo in; no worker is there to take it."""
    client = installation.address.client(installation.new_user())
    batch_id = client.complete([client.put(photos(TWO_MEGAPIXELS, 1)[0])])
    body = json.dumps({"v": 1, "batch_id": batch_id, "generation": 1})
    record = {
        "messageId": f"bench-{batch_id}",
        "receiptHandle": "none",
        "body": body,
        "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "0"},
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:eu-central-1:123456789012:photos",
        "awsRegion": "eu-central-1",
    }
    return {"Records": [record]}


if __name__ == "__main__":
    main()
