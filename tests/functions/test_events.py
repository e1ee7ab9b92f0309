"""The table "Try it locally" of docs/aws.md: each command's event, through its function.

`sam local invoke` needs Docker and AWS's images. Here each function runs under the same
runtime interface client, from the source; test_artefacts.py does the same with what
`sam build` packed.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from local.lambda_runtime import run_function
from photogate.adapters.postgres.pool import Pool
from tests.functions.conftest import Installation
from tests.unit.test_template import FUNCTIONS, ROOT

pytest.importorskip("awslambdaric", reason="the runtime interface client has wheels for Linux only")

SECTION = (ROOT / "docs" / "aws.md").read_text("utf-8").partition("\n## Try it locally\n")[2]
TABLE = [
    tuple(cell.replace("\\|", "|").strip() for cell in row)
    for row in re.findall(r"^\| `(.+?)` \| (.+) \|$", SECTION.partition("\n## ")[0], re.MULTILINE)
]
Invoke = Callable[[str, dict[str, Any]], Any]


def event_of(command: str, **environment: str) -> dict[str, Any]:
    """The event that a command of the table sends, made by the shell function of the docs."""
    if "--event" not in command:
        return {}
    (functions,) = re.findall(r"^\$ (token\(\) .*)$", SECTION, re.MULTILINE)
    makes, _, _ = command.rpartition(" | invoke ")
    makes = makes or f"cat {command.partition('--event ')[2]}"
    done = subprocess.run(
        ["bash", "-ec", f"{functions}\n{makes}"],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


def function_of(command: str) -> str:
    """The function that a command of the table invokes."""
    name = re.search(r"\binvoke (\w+)", command)
    assert name
    return name[1]


def under_the_client(log: Path) -> Invoke:
    """Invoke a function from the source, as Lambda's runtime does."""

    def invoke(name: str, event: dict[str, Any]) -> Any:
        handler = FUNCTIONS[name].get("Handler", "functions.moderate.app.handler")
        with run_function(handler, dict(os.environ), log=log) as function:
            return function.invoke(event)

    return invoke


def hand_in(invoke: Invoke, portrait: bytes) -> tuple[Any, Any]:
    """Get a place, put a photo there, hand it in, and try a stranger's key as well."""
    (place,) = [c for c, _ in TABLE if "upload-url.json" in c]
    (complete,) = [c for c, _ in TABLE if "upload-complete.json" in c]
    ticket = json.loads(invoke(function_of(place), event_of(place))["body"])
    put = requests.put(
        ticket["upload_url"], data=portrait, headers={"Content-Type": "image/jpeg"}, timeout=10
    )
    assert put.ok

    def hand(key: str) -> Any:
        command = complete.replace("FILE_KEY=incoming/… ", "")
        return invoke(function_of(command), event_of(command, FILE_KEY=key))

    return hand(ticket["file_key"]), hand(ticket["file_key"].replace("user-1", "user-2"))


@pytest.mark.slow
@pytest.mark.parametrize(("command", "answer"), TABLE, ids=[command for command, _ in TABLE])
def test_a_command_answers_what_the_docs_say(
    command: str, answer: str, on_aws: Installation, pool: Pool, portrait: bytes, tmp_path: Path
) -> None:
    says_so(command, answer, under_the_client(tmp_path / "log"), portrait)


def says_so(command: str, answer: str, invoke: Invoke, portrait: bytes) -> None:
    """Invoke what ``command`` invokes, and hold the answer against the table's words."""
    if "upload-complete.json" in command:
        mine, strangers = hand_in(invoke, portrait)
        assert answer == "200 with `batch_id`; 404 for a key of another user"
        assert (mine["statusCode"], strangers["statusCode"]) == (200, 404)
        assert json.loads(mine["body"])["batch_id"]
        return
    got = invoke(function_of(command), event_of(command))
    if answer.startswith("200"):
        body = json.loads(got["body"])
        assert got["statusCode"] == 200
        assert set(re.findall(r"[a-z]+_[a-z_]+", answer)) <= set(body)
        assert body.get("status", "ok") == "ok"
    elif "batchItemFailures" in answer or answer.startswith("ten jobs"):
        assert got == {"batchItemFailures": []}
    elif answer.startswith("names the"):
        which = 2 if "second" in answer else 1
        failed = [item["itemIdentifier"] for item in got["batchItemFailures"]]
        assert failed == [f"00000000-0000-4000-8000-{which:012d}"]
    else:
        # The answer itself.
        assert got == json.loads(answer.strip("`").replace("[...]", "[]"))
