"""`photogate migrate --stack`: a deployed stack's own function, called once, its answer read."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest

from local.lambda_runtime import FunctionFailed
from photogate.adapters.postgres.migrate import shipped
from photogate.adapters.postgres.pool import Pool
from tests.functions.test_migrate import in_the_way, migrate_function, spoil

#: moto loads much of AWS for a stack, and Lambda's runtime starts for each test.
pytestmark = pytest.mark.slow

PHOTOGATE = Path(sys.executable).with_name("photogate")
AWS = {
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "of-no-worth",
    "AWS_DEFAULT_REGION": "eu-central-1",
}
#: As much of the template as the command asks for.
STACK = {
    "Resources": {
        "MigrateRole": {
            "Type": "AWS::IAM::Role",
            "Properties": {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": []}},
        },
        "MigrateFunction": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "FunctionName": "photogate-MigrateFunction-1A2B3C",
                "Runtime": "python3.11",
                "Handler": "functions.migrate.app.handler",
                "Role": {"Fn::GetAtt": ["MigrateRole", "Arn"]},
                "Code": {"ZipFile": "# runs elsewhere"},
            },
        },
    }
}


@contextmanager
def lambda_api(invoke: Callable[[dict[str, Any]], Any]) -> Iterator[tuple[str, list[str]]]:
    """Lambda's Invoke on loopback; gives its URL, and the paths that were called."""
    calls: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            calls.append(self.path)
            event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            try:
                answer = invoke(event)
            except FunctionFailed as error:
                answer = error.args[0]
                self.send_header("X-Amz-Function-Error", "Unhandled")
            body = json.dumps(answer).encode()
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", calls
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def cloudformation(moto_server: str) -> Iterator[str]:
    """The stack's name, in moto."""
    with closing(
        boto3.client(
            "cloudformation",
            endpoint_url=moto_server,
            region_name=AWS["AWS_DEFAULT_REGION"],
            aws_access_key_id=AWS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=AWS["AWS_SECRET_ACCESS_KEY"],
        )
    ) as client:
        client.create_stack(StackName="photogate", TemplateBody=json.dumps(STACK))
        yield "photogate"
        client.delete_stack(StackName="photogate")


@pytest.fixture
def command(moto_server: str, cloudformation: str) -> Callable[..., tuple[int, str]]:
    """Run the command line of the docs; gives its status and what it said."""

    def run(lambda_url: str, *, stack: str = cloudformation) -> tuple[int, str]:
        done = subprocess.run(
            [PHOTOGATE, "migrate", "--stack", stack],
            env={
                **os.environ,
                **AWS,
                "AWS_ENDPOINT_URL_CLOUDFORMATION": moto_server,
                "AWS_ENDPOINT_URL_LAMBDA": lambda_url,
            },
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    return run


def test_it_tells_what_the_function_applied(
    command: Callable[..., tuple[int, str]], fresh_url: str, tmp_path: Path
) -> None:
    with (
        migrate_function(fresh_url, tmp_path / "log") as function,
        lambda_api(function.invoke) as (url, calls),
    ):
        status, said = command(url)
        assert (status, said.split()) == (0, [m.name for m in shipped()])
        assert command(url) == (0, "the schema is up to date\n")
    path = "/2015-03-31/functions/photogate-MigrateFunction-1A2B3C/invocations"
    assert calls == [path, path]


def test_it_calls_again_until_it_is_finished(
    command: Callable[..., tuple[int, str]], fresh_url: str, tmp_path: Path
) -> None:
    with closing(Pool(fresh_url)) as pool, contextlib.ExitStack() as first:
        first.enter_context(in_the_way(pool, "jobs"))

        def invoke(event: dict[str, Any]) -> Any:
            with migrate_function(fresh_url, tmp_path / "log", timeout_s=8) as function:
                answer = function.invoke(event)
            first.close()
            return answer

        with lambda_api(invoke) as (url, calls):
            status, said = command(url)
    # A slow machine may need more calls after the one that was stopped.
    assert (status, len(calls) >= 2) == (0, True)
    names = [m.name for m in shipped()]
    *applied, line = said.splitlines()
    assert applied == names
    assert "0004_queue.sql" in line
    assert "the next run goes on there" in line


def test_it_fails_in_one_line_when_the_function_failed_and_calls_it_once(
    command: Callable[..., tuple[int, str]], fresh_url: str, tmp_path: Path
) -> None:
    spoil(fresh_url)
    with (
        migrate_function(fresh_url, tmp_path / "log") as function,
        lambda_api(function.invoke) as (url, calls),
    ):
        status, said = command(url)
    assert status == 1
    assert f"the migration of photogate failed: migration {shipped()[0].name} failed:" in said
    assert said.count("\n") == 1
    assert len(calls) == 1


def test_a_call_that_breaks_is_not_repeated(command: Callable[..., tuple[int, str]]) -> None:
    def broken(event: dict[str, Any]) -> Any:
        raise ConnectionResetError

    with lambda_api(broken) as (url, calls):
        status, said = command(url)
    assert (status, len(calls)) == (1, 1)
    assert "the stack photogate was not migrated" in said


def test_a_stack_that_is_none_is_said(command: Callable[..., tuple[int, str]]) -> None:
    status, said = command("http://127.0.0.1:1", stack="another")
    assert status == 1
    assert "the stack another was not migrated" in said
