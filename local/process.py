"""Child processes that end with their parent, and are ended in order."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from photogate.errors import ConfigError, PhotogateError
from photogate.secrecy import take_secrets
from photogate.settings import keep, secret_names

#: Set for children that read their parent's end from standard input.
SUPERVISED = "PHOTOGATE_SUPERVISED"
#: Set where their first line there holds their secrets.
_SECRETS_COME = "PHOTOGATE_SECRETS_COME"
_PR_SET_PDEATHSIG = 1
#: Of the AWS SDK, and of servers beside ours in ``.env``.
_SECRETS_OF_OTHERS = {
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "POSTGRES_PASSWORD",
    "COMPREFACE_DB_PASSWORD",
    "GRAFANA_PASSWORD",
}
#: Below the 10 s after which docker compose, and ``stop`` here, send SIGKILL.
_GONE_WITHIN_S = 9.5
#: An error stands at the end of a log, if it stands there at all.
_END_OF_LOG_BYTES = 65_536
#: What a line begins with that tells of an error of ours.
_OURS = "photogate: "


def start_server(
    command: Sequence[str | Path], *, log: Path, user: int | None = None
) -> subprocess.Popen[bytes]:
    """Start a program that is not ours; on Linux the kernel ends it with this process.

    It gets no secrets of ours, and none of the AWS SDK's: it does not hide its environment.
    """

    def end_with_parent() -> None:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)

    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603 - our own arguments, no shell
            [str(part) for part in command],
            env={n: v for n, v in without_secrets(os.environ).items() if not n.startswith("AWS_")},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            user=user,
            group=user,
            extra_groups=[] if user is not None else None,
            # Runs after the change of user, which would clear it.
            preexec_fn=end_with_parent if sys.platform == "linux" else None,
        )


def start_module(
    module: str,
    *arguments: str,
    log: Path,
    settings: Mapping[str, str] | None = None,
    secrets: Collection[str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start one of our own modules; its standard input closes when this process ends.

    Args:
        settings: over those that stand in our environment.
        secrets: names of the secret ones that it gets; None for all. They come on its standard
            input, for ``/proc`` shows what an environment began with.
    """
    given = {**os.environ, **(settings or {})}
    wanted = secret_names() if secrets is None else secrets
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 - our own arguments, no shell
            [sys.executable, "-m", module, *arguments],
            env={**without_secrets(given), SUPERVISED: "1", _SECRETS_COME: "1"},
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            bufsize=0,
        )
    assert process.stdin is not None  # noqa: S101 - it is a pipe
    handed_over = {name: given[name] for name in wanted if name in given}
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(json.dumps(handed_over).encode() + b"\n")
    return process


def without_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """Leave out what is secret."""
    hidden = secret_names()
    return {name: value for name, value in environment.items() if name not in hidden}


def for_strangers(environment: Mapping[str, str]) -> dict[str, str]:
    """Leave out as well what is secret and no setting of ours: for a program of somebody else."""
    return {n: v for n, v in without_secrets(environment).items() if n not in _SECRETS_OF_OTHERS}


def begin() -> None:
    """Called first by our own modules: keep secrets to ourselves, and end with the parent.

    The latter where ``start_module`` started this process.
    """
    take_secrets()
    if os.environ.pop(_SECRETS_COME, "") == "1":
        keep(json.loads(_line_of(0)))
    if os.environ.get(SUPERVISED) != "1":
        return

    def watch() -> None:
        while os.read(0, 1024):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent", daemon=True).start()


def _line_of(fd: int) -> bytes:
    """Read one line and nothing of what follows; nothing is an empty object."""
    line = b""
    while not line.endswith(b"\n") and (byte := os.read(fd, 1)):
        line += byte
    return line or b"{}"


def on_termination(stop: Callable[[], None]) -> None:
    """Call ``stop`` at the first SIGTERM or Ctrl-C; the process is gone 10 s later, come what may.

    The kernel ends what is stuck by then, in a server that does not answer, say. The job that it
    held becomes visible to others by itself.
    """

    def begin(*_: object) -> None:
        if signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0):
            signal.setitimer(signal.ITIMER_REAL, _GONE_WITHIN_S)
            stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, begin)


def stop(
    process: subprocess.Popen[bytes], *, with_signal: int = signal.SIGTERM, within_s: float = 10.0
) -> None:
    """Ask a child to end, and end it when it does not; nothing happens to a dead one."""
    if process.poll() is None:
        process.send_signal(with_signal)
        try:
            process.wait(within_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.stdin is not None:
        process.stdin.close()


def wait_until(
    ready: Callable[[], bool],
    *,
    process: subprocess.Popen[bytes],
    what: str,
    log: Path,
    log_begins_at: int = 0,
    within_s: float = 30.0,
) -> None:
    """Wait until ``ready`` holds.

    Raises:
        ConfigError: the process ended or time ran out; quotes its log.
    """
    deadline = time.monotonic() + within_s
    while not ready():
        if process.poll() is not None:
            how = how_it_ended(process, log, log_begins_at=log_begins_at)
            raise ConfigError(f"{what} {how} (see {log})")
        if time.monotonic() > deadline:
            raise ConfigError(f"{what} did not answer within {within_s:.0f} s (see {log})")
        time.sleep(0.02)


def how_it_ended(process: subprocess.Popen[bytes], log: Path, *, log_begins_at: int = 0) -> str:
    """Say with what status a process ended, and why, as far as its log tells.

    Args:
        log_begins_at: how many bytes of the log others had written before.
    """
    code = process.returncode
    how = f"ended with status {code}" if code >= 0 else f"was killed by {_signal_name(-code)}"
    # A process that SIGKILL ended has written nothing about it.
    why = _last_error(log, log_begins_at) if code != -signal.SIGKILL else None
    return f"{how}: {why}" if why else how


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"signal {number}"


def _last_error(log: Path, begins_at: int) -> str | None:
    """Give the last line that is plain text, or a JSON event of an error; metrics are neither."""
    try:
        with log.open("rb") as file:
            file.seek(max(begins_at, log.stat().st_size - _END_OF_LOG_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return None
    said = (_error_in(line.strip()) for line in reversed(lines))
    return next((text[:300] for text in said if text), None)


def _error_in(line: str) -> str | None:
    try:
        event = json.loads(line)
    except ValueError:
        return line.removeprefix(_OURS)
    if not isinstance(event, dict):
        return line
    return str(event.get("message")) if event.get("level") in ("ERROR", "CRITICAL") else None


def run_main(main: Callable[[], None]) -> None:
    """Run a module's ``main``; an error of ours ends it with 1 and one plain line."""
    try:
        main()
    except PhotogateError as error:
        sys.exit(f"{_OURS}{error}")
