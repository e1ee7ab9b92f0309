"""Starts the whole stack in containers: ``python3 -m local.compose_up``, which ``make up`` runs.

Makes the settings, then builds, starts and waits; what does not start is said in one line. An
earlier version goes on while this one is built and the database migrated. Needs
Docker and Python alone, no environment and no package.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from local import compose_env

#: Between two looks at what has started.
_LOOK_S = 3.0
#: Who ended so often, and waits to be started again, will not work.
_ENDED_AT_MOST = 5
#: Of a log, for the reason of a failure.
_LAST_LINES = 5
_DEFAULT_PORT = "80"
_FILE = compose_env.ROOT / "local" / "compose.yaml"
#: Which has the health checks' ``start_interval``.
_ENGINE = 25

_TAKEN = (
    "port {port} of this machine is taken: end what listens there, or put another one into .env,"
    " such as HTTP_PORT=8080, then make up again"
)
_NOT_MIGRATED = "the database could not be migrated: {line}"
_NOT_ALLOWED = (
    "this Docker may not open port {port}: put one from 1024 on into .env, such as HTTP_PORT=8080,"
    " then make up again"
)


_TLS_PORT = (
    "the profile tls needs port {port} for itself: put another one for the API into .env, such as"
    " HTTP_PORT=8000, then make up again"
)
_TLS_NAME = (
    "SITE_ADDRESS must be a name such as photos.example.org, without https:// and without a path"
)


@dataclass(frozen=True, kw_only=True)
class Container:
    """One container of the stack, as the engine tells of it."""

    service: str
    #: created, running, restarting, exited …
    status: str
    #: healthy, unhealthy, starting, or empty where nothing is checked.
    health: str
    exit_code: int
    #: How often it was started again by itself.
    restarts: int
    #: Why the engine could not start it.
    error: str


def reason(containers: list[Container], last_lines: Mapping[str, str], port: str) -> str | None:
    """Say in one line why the stack does not start; None when these do not tell.

    Args:
        containers: all of the stack, also those that ended.
        last_lines: the last line of a service's log.
        port: where the API is to answer.
    """
    for one in containers:
        if one.service == "migrate" and one.status == "exited" and one.exit_code:
            return _NOT_MIGRATED.format(line=last_lines.get("migrate", ""))
    for one in containers:
        of_api = one.service == "api"
        if of_api and ("already in use" in one.error or "already allocated" in one.error):
            return _TAKEN.format(port=port)
        if of_api and ("privileged port" in one.error or "permission denied" in one.error):
            return _NOT_ALLOWED.format(port=port)
        if one.error:
            return f"{one.service} cannot be started: {one.error}"
    for one in containers:
        if _ends(one):
            return f"{one.service} ends again and again: {last_lines.get(one.service, '')}"
        if one.health == "unhealthy":
            return f"{one.service} does not work: docker compose logs {one.service}"
    return None


def _ends(one: Container) -> bool:
    """Tell whether this one ended by itself, and does not work yet if it was started again."""
    ended = one.exit_code != 0 and one.status in ("restarting", "exited")
    return ended or (one.restarts > 0 and one.health != "healthy")


def hopeless(one: Container) -> bool:
    """Tell whether this one will never work as it is set up."""
    return one.status == "restarting" and one.restarts >= _ENDED_AT_MOST


def holds_its_port(containers: list[Container]) -> bool:
    """Tell whether the API of this stack listens, or may again while it ends and comes back."""
    api = [one for one in containers if one.service == "api"]
    return any(one.status not in ("created", "exited", "dead") for one in api)


def works(containers: list[Container]) -> bool:
    """Tell whether this stack, perhaps of an earlier version, serves at present."""
    return {"postgres", "api"} <= {one.service for one in containers if one.status == "running"}


def settings_in(text: str) -> dict[str, str]:
    """Give what the file ``.env`` says, as docker compose reads it."""
    return {name: compose_env.plain(value) for name, value in compose_env.values(text).items()}


def contradiction(settings: Mapping[str, str]) -> str | None:
    """Say what cannot be right in these settings, before anything is built."""
    profiles = {name.strip() for name in settings.get("COMPOSE_PROFILES", "").split(",")}
    if {"/", ":"} & set(settings.get("SITE_ADDRESS", "")):
        return _TLS_NAME
    port = settings.get("SITE_HTTP_PORT") or _DEFAULT_PORT
    if {"tls", "*"} & profiles and (settings.get("HTTP_PORT") or _DEFAULT_PORT) == port:
        return _TLS_PORT.format(port=port)
    return None


def too_old(engine: str, file: str) -> str | None:
    """Say so when Compose will not give ``file`` to an engine of this version."""
    major = engine.partition(".")[0]
    if not major.isdigit() or int(major) >= _ENGINE or "start_interval" not in file:
        return None
    return (
        f"make up needs Docker Engine {_ENGINE} or newer, this is {engine}: take another"
        " (docs.docker.com/engine/install), or the lines start_interval out of local/compose.yaml"
    )


def line_of(log: str) -> str:
    """Give the last line of a log that tells something; of an event in JSON its message."""
    lines = [line for line in log.splitlines() if line.strip()]
    last = lines[-1] if lines else "its log is empty"
    try:
        event = json.loads(last)
    except ValueError:
        return last.removeprefix("photogate: ")
    return str(event.get("message", last)) if isinstance(event, dict) else last


def is_taken(port: str) -> bool:
    """Tell whether something listens on this port of the machine, whoever may open it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", int(port)))
        except OSError as error:
            return error.errno == errno.EADDRINUSE
        except (ValueError, OverflowError):
            return False  # compose says what is wrong with it
    return False


def _asked(*command: str) -> str:
    """Give what a command of docker says, and nothing when it fails."""
    done = subprocess.run(  # noqa: S603 - our own arguments, no shell
        ["docker", *command],  # noqa: S607 - the user's own
        cwd=compose_env.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout if done.returncode == 0 else ""


def _containers() -> list[Container]:
    ids = _asked("compose", "ps", "--all", "--quiet").split()
    found = json.loads((_asked("inspect", *ids) if ids else "") or "[]")
    return [
        Container(
            service=one["Config"]["Labels"]["com.docker.compose.service"],
            status=one["State"]["Status"],
            health=one["State"].get("Health", {}).get("Status", ""),
            exit_code=one["State"]["ExitCode"],
            restarts=one["RestartCount"],
            error=one["State"]["Error"],
        )
        for one in found
    ]


def _why(port: str) -> str:
    containers = _containers()
    lines = {
        service: line_of(
            _asked("compose", "logs", "--no-log-prefix", "--tail", str(_LAST_LINES), service)
        )
        for service in {c.service for c in containers if _ends(c)}
    }
    return reason(containers, lines, port) or "not everything started: docker compose ps --all"


def _build() -> None:
    built = subprocess.Popen(
        ["docker", "compose", "build"],  # noqa: S607 - the user's own
        cwd=compose_env.ROOT,
    )
    try:
        if built.wait():
            sys.exit("make up: the images could not be built: see above")
    except KeyboardInterrupt:
        built.wait()
        sys.exit(130)


def _migrate() -> None:
    """Migrate beside what works, which `up` would end first, and leave down if this fails.

    Its log is passed on: nothing keeps it, and a large table takes minutes.
    """
    migrating = subprocess.Popen(
        ["docker", "compose", "run", "--rm", "--no-deps", "--no-TTY", "migrate"],  # noqa: S607 - the user's own
        cwd=compose_env.ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    assert migrating.stdout is not None  # noqa: S101 - it is a pipe
    said: deque[str] = deque(maxlen=_LAST_LINES)
    try:
        for line in migrating.stdout:
            sys.stdout.write(line)
            sys.stdout.flush()
            said.append(line)
        failed = migrating.wait()
    except KeyboardInterrupt:
        migrating.wait()
        sys.exit(130)
    if failed:
        line = line_of("".join(said))
        sys.exit(f"make up: {_NOT_MIGRATED.format(line=line)}; the earlier version goes on")


def _start() -> bool:
    """Start and wait; ends early when something will never work."""
    up = subprocess.Popen(
        ["docker", "compose", "up", "--detach", "--wait"],  # noqa: S607 - the user's own
        cwd=compose_env.ROOT,
    )
    while True:
        try:
            return up.wait(_LOOK_S) == 0
        except subprocess.TimeoutExpired:
            if any(hopeless(one) for one in _containers()):
                up.send_signal(signal.SIGINT)
                up.wait()
                return False
        except KeyboardInterrupt:
            up.wait()
            sys.exit(130)


def main() -> None:
    """Start everything, or end with 1 and the reason."""
    if shutil.which("docker") is None or not _asked("compose", "version"):
        sys.exit("make up needs Docker with Compose 2.24 or newer: docs.docker.com/engine/install")
    engine = _asked("version", "--format", "{{.Server.Version}}").strip()
    if not engine:
        sys.exit("the Docker engine does not answer: start it, or see whether you may use it")
    if problem := too_old(engine, _FILE.read_text(encoding="utf-8")):
        sys.exit(problem)
    compose_env.main()
    settings = settings_in(compose_env.FILE.read_text(encoding="utf-8")) | os.environ
    port = settings.get("HTTP_PORT") or _DEFAULT_PORT
    if problem := contradiction(settings):
        sys.exit(problem)
    if not holds_its_port(_containers()) and is_taken(port):
        sys.exit(_TAKEN.format(port=port))
    _build()
    if works(_containers()):
        _migrate()
    if not _start():
        sys.exit(f"make up: {_why(port)}")
    where = "http://localhost" if port == _DEFAULT_PORT else f"http://localhost:{port}"
    sys.stdout.write(f"· Photogate answers: {where}/api/v1/health, {where}/api/v1/docs\n")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
