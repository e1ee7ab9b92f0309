"""A worker process as it is shipped, on ports that fail as a plan says."""

from __future__ import annotations

import sys

from functions.moderate import app
from local import worker
from photogate import bootstrap
from tests.faults.ports import Around, Plan


def make_worker() -> worker.Worker:
    """Build it; the plan is the first argument."""
    around = Around(Plan.decode(sys.argv[1]))
    parts = bootstrap.moderate(app.EventLog(), around=around)
    return worker.Worker(parts, app.make_handler(lambda: parts))


if __name__ == "__main__":
    worker.main(make_worker)
