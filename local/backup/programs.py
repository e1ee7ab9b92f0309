"""PostgreSQL's own programs, ``pg_dump`` and ``pg_restore``: found, and called."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO
from urllib.parse import parse_qs, urlsplit

from local.servers.embedded_postgres import folders_of_programs
from photogate.adapters.postgres.pool import connect_arguments
from photogate.errors import ConfigError


def find(name: str, *, at_least: int) -> Path:
    """Find one of PostgreSQL's programs, of this major version or the next newer one.

    Raises:
        ConfigError: there is none that is new enough.
    """
    fitting: dict[int, Path] = {}
    for program in _candidates(name):
        version = version_of(program)
        if version >= at_least:
            fitting.setdefault(version, program)
    if not fitting:
        raise ConfigError(
            f"there is no {name} of PostgreSQL {at_least} or newer here: install it"
            f" (Debian: apt-get install postgresql-client-{at_least})"
        )
    return fitting[min(fitting)]


def version_of(program: Path) -> int:
    """Give the major version of one of PostgreSQL's programs."""
    return major_of(_said([program, "--version"]))


def major_of(version: str) -> int:
    """Give the major version that a server or a program tells: 17 of ``pg_dump … 17.6 (…)``."""
    found = re.search(r"\b(\d+)(?:\.\d+|devel|beta|rc|\b)", version)
    return int(found[1]) if found else 0


def run(
    program: Path,
    arguments: Sequence[str],
    url: str,
    *,
    stdin: IO[bytes] | None = None,
    stdout: IO[bytes] | None = None,
) -> None:
    """Run a program on the database of ``url``, whose password stands on no command line.

    Raises:
        ConfigError: it failed; says why.
    """
    process = subprocess.Popen(  # noqa: S603 - our own arguments, no shell
        [program, "--no-password", *arguments],
        stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
        stdout=stdout or subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=os.environ | environment(url),
    )
    assert process.stderr is not None  # noqa: S101 - it is a pipe
    try:
        if stdin is not None and process.stdin is not None:
            try:
                shutil.copyfileobj(stdin, process.stdin, 1 << 20)
                process.stdin.close()
            except BrokenPipeError:
                pass  # it ended before, and says why
        said = process.stderr.read().decode(errors="replace")
        if process.wait() != 0:
            raise ConfigError(f"{program.name} failed: {_first_error(said)}")
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def environment(url: str) -> dict[str, str]:
    """Give libpq's variables for a URL, as ``Pool`` understands it."""
    known = connect_arguments(url)
    options = {name: values[-1] for name, values in parse_qs(urlsplit(url).query).items()}
    socket = options.get("host", "")
    found = {
        "PGHOST": socket if socket.startswith("/") else known["host"],
        "PGPORT": str(known["port"]),
        "PGUSER": known["user"],
        "PGPASSWORD": known["password"],
        "PGDATABASE": known["database"],
        "PGSSLMODE": options.get("sslmode"),
        "PGSSLROOTCERT": options.get("sslrootcert"),
    }
    return {name: value for name, value in found.items() if value}


def _candidates(name: str) -> Iterator[Path]:
    for folder in folders_of_programs():
        if (folder / name).exists():
            yield folder / name
    if found := shutil.which(name):
        yield Path(found)


def _said(command: Sequence[str | Path]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - found above
    return done.stdout


def _first_error(said: str) -> str:
    """The first error is the cause; others follow from it."""
    lines = [line for line in said.splitlines() if line.strip()]
    wrong = [line for line in lines if "error:" in line or "FATAL" in line]
    return (wrong or lines or ["it says nothing"])[0].partition("error: ")[2] or lines[0]
