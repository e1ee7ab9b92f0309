"""The folder in which a local installation keeps its data, secrets and ports."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from photogate.errors import ConfigError

#: What decides on one machine unless POLICY says otherwise.
EMBEDDED_POLICY = "profile"
#: Below the ports of outgoing connections on Linux (32768 up) and macOS (49152 up).
_SERVER_PORTS = range(20_000, 32_000)
#: One lock for each port that a living process has chosen, at the byte of the port's number.
_CHOSEN = Path(tempfile.gettempdir()) / f"photogate-ports-{os.getuid()}"
#: Each says the same in two ways: who says it in one way means not the other.
_EITHER = (
    {"DATABASE_URL", "DB_HOST"},
    {"REDIS_URL", "REDIS_HOST"},
    {"PHOTOS_DIR", "S3_BUCKET_PHOTOS"},
    {"JWT_SECRET", "JWT_JWKS_URL"},
)


#: What this process has chosen: its own locks do not keep itself out.
_chosen: set[int] = set()


class Home:
    """A folder that survives restarts; made when it is missing, readable by its owner.

    Args:
        path: the folder; from ``PHOTOGATE_HOME``, else ``.photogate`` in the current one.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = (path or Path(os.environ.get("PHOTOGATE_HOME") or ".photogate")).resolve()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other stacks out of this folder.

        Raises:
            ConfigError: one runs in it already.
        """
        with (self.folder(".") / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise ConfigError(
                    f"another Photogate runs in {self.path}: stop it, or choose another folder"
                    " with PHOTOGATE_HOME (and another port)"
                ) from error
            yield

    def folder(self, name: str) -> Path:
        """Give a folder inside, made when it is missing."""
        folder = self.path / name
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise ConfigError(
                f"cannot make {folder}: {error.strerror}; choose another with PHOTOGATE_HOME"
            ) from error
        return folder

    def secret(self, name: str) -> str:
        """Give a random secret of 64 hex digits, the same every time."""
        known = self._read("secrets.json")
        if name not in known:
            known[name] = secrets.token_hex(32)
            self._write("secrets.json", known)
        return str(known[name])

    def port(self, name: str) -> int:
        """Give a free port, the same every time as long as it stays free."""
        known = self._read("ports.json")
        if name not in known or not (_choose(known[name]) and port_is_free(known[name])):
            known[name] = free_port()
            self._write("ports.json", known)
        return int(known[name])

    def save_environment(self, settings: dict[str, str]) -> None:
        """Keep the running stack's settings for other commands of this command line."""
        self._write("environment.json", settings)

    def load_environment(self) -> bool:
        """Fill in, from the last stack here, whatever the environment does not say itself.

        Returns:
            whether there was a stack.
        """
        known = self._read("environment.json")
        said = {name for name in os.environ if os.environ[name]}
        for names in _EITHER:
            if names & said:
                said |= names
        os.environ.update({name: known[name] for name in known.keys() - said})
        return bool(known)

    def _read(self, name: str) -> dict[str, Any]:
        try:
            values: dict[str, Any] = json.loads((self.path / name).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"cannot read {self.path / name}: {error}; mend or remove it"
            ) from error
        return values

    def _write(self, name: str, values: dict[str, Any]) -> None:
        self.folder(".")
        part = self.path / f"{name}.{os.getpid()}.part"
        try:
            part.touch(mode=0o600)
            part.write_text(json.dumps(values, indent=1), encoding="utf-8")
            part.replace(self.path / name)
        except OSError as error:
            raise ConfigError(
                f"cannot write to {self.path}: {error.strerror}; choose another folder with"
                " PHOTOGATE_HOME"
            ) from error


def user_claim() -> str:
    """Give the claim in which this installation's tokens name the user."""
    return os.environ.get("JWT_USER_CLAIM") or "sub"


def free_port() -> int:
    """Choose a port on which nothing listens, and which no other process has just chosen.

    A port stays chosen as long as the process that asked lives, so that the server for which
    it was chosen may take its time to start.

    Not one of those that the system gives to outgoing connections, as binding to port 0
    would: such a connection could hold it when a server wants it back.
    """
    while True:
        port = secrets.choice(_SERVER_PORTS)
        if port not in _chosen and _choose(port) and port_is_free(port):
            return port


def _choose(port: int) -> bool:
    """Keep other processes from choosing this port; False where one has chosen it."""
    try:
        fcntl.lockf(_lock_file(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except BlockingIOError:
        return False
    _chosen.add(port)
    return True


@cache
def _lock_file() -> int:
    # Closing any descriptor of a file ends the process's locks on it: this one stays open.
    return os.open(_CHOSEN, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def port_is_free(port: int) -> bool:
    """Tell whether a server could listen on this port of the loopback address."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
