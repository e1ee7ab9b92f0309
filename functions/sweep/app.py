"""The function that a schedule calls once a minute: what was lost is sent again."""

from __future__ import annotations

from dataclasses import asdict
from functools import cache
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from photogate import bootstrap
from photogate.telemetry import make_logger, make_tracer

if TYPE_CHECKING:
    from photogate.service.sweep import Sweep


logger, tracer = make_logger("sweep"), make_tracer("sweep")


@cache
def parts() -> Sweep:
    """Build, once per process, what this function needs."""
    return bootstrap.sweep()


@tracer.capture_lambda_handler
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001 - Lambda's shape
    """Do one round; answers with what it did."""
    return asdict(parts().run())
