"""What ``make up`` says of a stack that does not start: one line, with the way out."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from local import compose_up
from local.compose_up import Container
from tests.docs import ROOT


def container(service: str, **told: str | int) -> Container:
    usual = {"status": "running", "health": "healthy", "exit_code": 0, "restarts": 0, "error": ""}
    return Container(service=service, **(usual | told))  # type: ignore[arg-type]  # of two types


#: As engines 20.10 and 28 word it, the last two without root.
TAKEN = (
    "driver failed programming external connectivity on endpoint photogate-api-1: Error starting"
    " userland proxy: listen tcp4 127.0.0.1:80: bind: address already in use",
    "Bind for 127.0.0.1:80 failed: port is already allocated",
)
NOT_ALLOWED = (
    "error while calling PortManager.AddPort(): cannot expose privileged port 80, you can add"
    " 'net.ipv4.ip_unprivileged_port_start=80' to /etc/sysctl.conf",
    "listen tcp4 127.0.0.1:80: bind: permission denied",
)


def test_what_works_is_migrated_beside() -> None:
    postgres, api = container("postgres", status="running"), container("api", status="running")
    assert compose_up.works([postgres, api])
    assert not compose_up.works([postgres, container("api", status="exited")])
    assert not compose_up.works([api])
    assert not compose_up.works([])


@pytest.mark.parametrize("error", TAKEN)
def test_a_taken_port(error: str) -> None:
    stack = [container("migrate", status="exited"), container("api", status="created", error=error)]
    said = compose_up.reason(stack, {}, "80")
    assert said is not None
    assert said.startswith("port 80 of this machine is taken: ")
    assert "HTTP_PORT=8080" in said


@pytest.mark.parametrize(
    ("status", "holds"),
    [("running", True), ("restarting", True), ("paused", True), ("exited", False)],
)
def test_an_api_that_ends_again_and_again_keeps_its_port(status: str, holds: bool) -> None:
    stack = [container("migrate", status="exited"), container("api", status=status)]
    assert compose_up.holds_its_port(stack) is holds


@pytest.mark.parametrize("error", NOT_ALLOWED)
def test_a_port_that_docker_may_not_open(error: str) -> None:
    said = compose_up.reason([container("api", status="created", error=error)], {}, "80")
    assert said is not None
    assert said.startswith("this Docker may not open port 80: ")
    assert "HTTP_PORT=8080" in said


def test_a_migration_that_failed_comes_before_all_else() -> None:
    stack = [
        container("api", status="created", health=""),
        container("moderator-worker", health="unhealthy"),
        container("migrate", status="exited", exit_code=1),
    ]
    said = compose_up.reason(stack, {"migrate": "the encoding is LATIN1"}, "80")
    assert said == "the database could not be migrated: the encoding is LATIN1"


def test_what_ends_again_and_again() -> None:
    api = container("api", status="restarting", exit_code=1, restarts=5)
    assert compose_up.hopeless(api)
    assert not compose_up.hopeless(container("api", status="restarting", restarts=1))
    assert not compose_up.hopeless(container("api", restarts=9)), "it ended earlier, and works now"
    said = compose_up.reason([api], {"api": "POLICY: there is no such file"}, "80")
    assert said == "api ends again and again: POLICY: there is no such file"
    # Compose itself has given up, and looked at another moment.
    again = container("api", health="starting", restarts=1)
    assert compose_up.reason([again], {"api": "POLICY"}, "80") == "api ends again and again: POLICY"


def test_what_runs_and_does_not_work() -> None:
    said = compose_up.reason([container("sweep", health="unhealthy")], {}, "80")
    assert said == "sweep does not work: docker compose logs sweep"
    assert compose_up.reason([container("api")], {}, "80") is None


@pytest.mark.parametrize(
    ("settings", "begins"),
    [
        ({}, None),
        ({"COMPOSE_PROFILES": "aws", "SITE_ADDRESS": "photos.example.org"}, None),
        ({"COMPOSE_PROFILES": "tls"}, "the profile tls needs port 80 "),
        ({"COMPOSE_PROFILES": "aws,tls", "HTTP_PORT": "80"}, "the profile tls needs port 80 "),
        ({"COMPOSE_PROFILES": "tls", "HTTP_PORT": "8000"}, None),
        ({"COMPOSE_PROFILES": "tls", "SITE_HTTP_PORT": "8080"}, None),
        ({"SITE_ADDRESS": "https://photos.example.org"}, "SITE_ADDRESS must be a name "),
    ],
)
def test_settings_that_cannot_be_right(settings: dict[str, str], begins: str | None) -> None:
    said = compose_up.contradiction(settings)
    assert said is None if begins is None else (said or "").startswith(begins)


@pytest.mark.parametrize(
    "line",
    [
        'COMPOSE_PROFILES="tls,monitoring"',
        "COMPOSE_PROFILES='tls'",
        "COMPOSE_PROFILES=monitoring, tls # https",
        'COMPOSE_PROFILES="tls" # https\nHTTP_PORT="80"',
        "COMPOSE_PROFILES=aws\nCOMPOSE_PROFILES=tls",
    ],
)
def test_settings_are_read_as_compose_reads_them(line: str) -> None:
    settings = compose_up.settings_in(f"{line}\n")
    assert "the profile tls needs port 80" in (compose_up.contradiction(settings) or "")
    room = compose_up.settings_in(f"{line}\nHTTP_PORT='8000'\n")
    assert compose_up.contradiction(room) is None


@pytest.mark.parametrize(
    ("log", "line"),
    [
        ("begin\nphotogate: POLICY: wrong\n\n", "POLICY: wrong"),
        ('{"level": "ERROR", "message": "no database"}\n', "no database"),
        ("12\n", "12"),
        ("", "its log is empty"),
    ],
)
def test_the_last_line_of_a_log(log: str, line: str) -> None:
    assert compose_up.line_of(log) == line


def test_a_port_is_taken_while_something_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        assert compose_up.is_taken(port)
    assert not compose_up.is_taken(port)
    assert not compose_up.is_taken("eighty")


def test_an_engine_that_is_too_old() -> None:
    file = (ROOT / "local" / "compose.yaml").read_text(encoding="utf-8")
    said = compose_up.too_old("20.10.24+dfsg1", file)
    assert said is not None
    assert said.startswith("make up needs Docker Engine 25 or newer, this is 20.10.24+dfsg1: ")
    assert compose_up.too_old("20.10.24+dfsg1", file.replace("start_interval", "")) is None
    assert compose_up.too_old("25.0.0", file) is None
    assert compose_up.too_old("28.2.2", file) is None


def test_without_docker_it_says_what_is_needed(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-S", "-m", "local.compose_up"],
        cwd=ROOT,
        env={**os.environ, "PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("make up needs Docker with Compose 2.24 or newer: ")
    assert done.stderr.count("\n") == 1


#: Whoever starts tests in the background ignores the signal for all that they start.
MIGRATE = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
    " from local import compose_up; compose_up._migrate()"
)


def migrating(docker: str, folder: Path) -> subprocess.Popen[str]:
    """Migrate beside an earlier version, with this script as the engine's command."""
    command = folder / "docker"
    command.write_text(f"#!/bin/sh\n{docker}\n", encoding="utf-8")
    command.chmod(0o755)
    return subprocess.Popen(
        [sys.executable, "-c", MIGRATE],
        cwd=ROOT,
        env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_migration_shows_its_log_and_why_it_failed(tmp_path: Path) -> None:
    failing = "echo one step is done; echo 'photogate: no room' >&2; exit 1"
    with migrating(failing, tmp_path) as process:
        assert process.communicate() == (
            "one step is done\nphotogate: no room\n",
            "make up: the database could not be migrated: no room; the earlier version goes on\n",
        )
    assert process.returncode == 1
    with migrating("echo migrated", tmp_path) as process:
        assert process.communicate() == ("migrated\n", "")
    assert process.returncode == 0


def test_a_migration_that_is_ended_by_hand_is_waited_for(tmp_path: Path) -> None:
    """Docker gets the same signal from the terminal, and ends the container."""
    go, ended = tmp_path / "go", tmp_path / "ended"
    until_told = f"echo begun; until [ -e {go} ]; do sleep 0.05; done; touch {ended}"
    with migrating(until_told, tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        process.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.3)
        go.touch()
        assert process.communicate() == ("", "")
    assert process.returncode == 130
    assert ended.exists()
