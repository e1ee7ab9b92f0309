"""A migrator in a process of its own, for tests that kill it: ``python -m tests.migrating``."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from photogate.adapters.postgres import migration_lease
from photogate.adapters.postgres.migrate import migrate
from photogate.adapters.postgres.migration_files import Migration
from photogate.adapters.postgres.pool import Pool

#: So that the one who follows a killed migrator waits no longer than this.
LEASE_S = 2.0


def migrations_of(folder: Path) -> list[Migration]:
    """Read the migrations of a folder."""
    return [
        Migration(number=int(f.name[:4]), name=f.name, sql=f.read_text("utf-8"))
        for f in sorted(folder.glob("*.sql"))
    ]


@contextmanager
def migrator(url: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Start one; it is killed at the end."""
    command = [sys.executable, "-m", "tests.migrating", url, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def main() -> None:
    """Migrate a database with the files of a folder, and print the names of what was applied."""
    url, folder = sys.argv[1:]
    migration_lease.LEASE_S = LEASE_S
    migration_lease._RENEW_EVERY_S = LEASE_S / 4
    with closing(Pool(url)) as pool:
        applied = migrate(pool, migrations=migrations_of(Path(folder)))
        sys.stdout.write(" ".join(applied) + "\n")


if __name__ == "__main__":
    main()
