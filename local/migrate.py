"""Brings the database's schema up to date: ``python -m local.migrate``, in a container.

Ends with 1 and one line when it is refused or fails.
"""

from __future__ import annotations

import sys

from local.process import begin, run_main
from photogate import bootstrap


def main() -> None:
    """Apply what is missing. Safe to repeat."""
    begin()
    applied = bootstrap.migrate()
    sys.stdout.write(
        f"migrated: {', '.join(applied)}\n" if applied else "the schema is up to date\n"
    )


if __name__ == "__main__":
    run_main(main)
