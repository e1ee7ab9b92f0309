"""The function that brings the database's schema up to date, from inside its network.

CloudFormation calls it in the middle of a deployment, as the resource ``Migration`` of
template.yaml. Called by hand, with any other event, it does the same at once.
"""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from photogate import bootstrap
from photogate.telemetry import make_logger

from .deployment import answer
from .time_limit import time_limit

logger = make_logger("migrate")


def handler(event: dict[str, Any], context: LambdaContext | None) -> dict[str, Any]:
    """Apply what is missing; answers with the names. Safe to repeat.

    Args:
        event: from CloudFormation, or empty.
        context: None where nothing limits the time.
    """

    def migrate() -> list[str]:
        with time_limit(context):
            return bootstrap.migrate()

    if "ResponseURL" in event:
        return answer(event, migrate)
    return {"applied": migrate()}
