"""The function that brings the database's schema up to date, from inside its network.

CloudFormation calls it in the middle of a deployment, as the resource ``Migration`` of
template.yaml and those that continue it. Called by hand, with any other event, it does the same
at once. What takes longer than a run may is done by several, one after the other.
"""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from photogate import bootstrap
from photogate.errors import MigrationUnfinished
from photogate.telemetry import make_logger

from .deployment import answer
from .time_limit import time_limit

logger = make_logger("migrate")


def handler(event: dict[str, Any], context: LambdaContext | None) -> dict[str, Any]:
    """Apply what is missing; answers with the names. Safe to repeat.

    By hand, ``unfinished`` says that the time was up, and where: call again, it goes on there.

    Args:
        event: from CloudFormation, or empty.
        context: None where nothing limits the time.
    """

    def migrate() -> list[str]:
        with time_limit(context) as until:
            return bootstrap.migrate(until=until)

    if "ResponseURL" in event:
        return answer(event, migrate)
    try:
        return {"applied": migrate()}
    except MigrationUnfinished as unfinished:
        return {"applied": list(unfinished.applied), "unfinished": str(unfinished)}
