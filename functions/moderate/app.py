"""The function that gives verdicts: a handler for batches of SQS messages.

On Lambda SQS feeds it; on one machine ``local.worker`` feeds it the same events.
"""

from __future__ import annotations

from dataclasses import asdict
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from photogate.bootstrap import ModerateParts, moderate
from photogate.domain import Finding
from photogate.errors import PhotogateError
from photogate.messages import Job

logger = Logger(service="moderate")
metrics = Metrics(namespace="Photogate", service="moderate")

#: With one job per invocation the default would count each retry as a function error.
processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)


@cache
def parts() -> ModerateParts:
    """Build, once per process, what this function needs; loads the model."""
    return moderate(_report)


def process(record: SQSRecord, lambda_context: LambdaContext) -> None:
    """Moderate one batch of photos; raising hands the message back."""
    metrics.add_metric(name="Deliveries", unit=MetricUnit.Count, value=1)
    logger.append_keys(
        job_id=record.message_id, delivery=record.attributes.approximate_receive_count
    )
    try:
        job = Job.decode(record.body)
        logger.append_keys(batch_id=job.batch_id)
        parts().moderation.run(
            job,
            job_id=record.message_id,
            time_left_s=lambda: lambda_context.get_remaining_time_in_millis() / 1000,
        )
    except Exception as error:
        logger.warning(
            "job handed back", error=str(error), exc_info=not isinstance(error, PhotogateError)
        )
        metrics.add_metric(name="JobsHandedBack", unit=MetricUnit.Count, value=1)
        raise
    finally:
        logger.remove_keys(["job_id", "delivery", "batch_id"])


@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """Moderate each message; name those that have to come again."""
    return process_partial_response(
        event=event, record_handler=process, processor=processor, context=context
    )


def _report(finding: Finding) -> None:
    """Leave one structured event per photo; never its bytes or URLs."""
    signals, verdict = finding.signals, finding.verdict
    logger.info(
        "photo moderated",
        photo_id=finding.photo_id,
        status=verdict.status,
        reason=verdict.reason,
        rule=asdict(verdict.rule) if verdict.rule else None,
        policy=verdict.policy,
        model=signals.model,
        scores=signals.nsfw_scores,
        blur_variance=signals.blur_variance,
        duration_ms=signals.processing_time_ms,
        error=finding.error,
    )
    metrics.add_metric(name=f"Photos{verdict.status.capitalize()}", unit=MetricUnit.Count, value=1)
    if signals.processing_time_ms is not None:
        metrics.add_metric(
            name="PhotoDuration", unit=MetricUnit.Milliseconds, value=signals.processing_time_ms
        )
