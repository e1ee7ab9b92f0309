"""A worker process as it is shipped, on ports that fail as a plan says."""

from __future__ import annotations

from functions.moderate import app
from local import worker
from photogate import bootstrap
from tests.faults.ports import FaultyPorts, Plan

#: Beyond its deadline a job has so long here before its worker ends itself.
OVERRUN_S = 2.0


def run(plan: Plan) -> None:
    """Work until SIGTERM, or until the plan ends it."""

    def make_worker() -> worker.Worker:
        parts = bootstrap.moderate(app.EventLog(), wrap=FaultyPorts(plan))
        return worker.Worker(parts, app.make_handler(lambda: parts))

    worker.main(make_worker, overrun_s=OVERRUN_S)
