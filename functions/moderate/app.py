"""The function that gives verdicts: a handler for batches of SQS messages.

On Lambda SQS feeds it; on one machine ``local.worker`` feeds it the same events.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Any, TypeAlias

from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from photogate.bootstrap import ModerateParts, moderate
from photogate.domain import Delivery, Finding, OpenBatch
from photogate.domain.markers import TEST_MODE_ON
from photogate.domain.measures import read
from photogate.errors import PartUnavailable, PhotogateError, RetryableError
from photogate.messages import CopyJob, Job, decode
from photogate.ports.queue import JobReceiver
from photogate.service.attempts import backoff_s
from photogate.service.handing_over import HandingOver
from photogate.telemetry import (
    correlation_id,
    emit,
    make_logger,
    make_tracer,
    report_cold_start,
)

from .presence import Presence

logger, tracer = make_logger("moderate"), make_tracer("moderate")

#: Kept for ending in order, when notices are handed over.
_TELL_SPARE_S = 5.0

Handler: TypeAlias = Callable[[dict[str, Any], LambdaContext], PartialItemFailureResponse]

#: With one job per invocation the default would count each retry as a function error.
processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)


@cache
def parts() -> ModerateParts:
    """Build, once per process, what this function needs; loads the model."""
    built = moderate(EventLog())
    logger.info(
        "policy in force",
        policy=built.policy.id,
        gates={gate.name: "on" if gate.on else gate.why for gate in built.gates},
    )
    if built.settings.test_mode:
        logger.warning(TEST_MODE_ON)
    return built


def make_handler(parts: Callable[[], ModerateParts]) -> Handler:
    """Make the function's handler; ``parts`` is called when the first message needs it."""
    presence = cache(lambda: Presence(parts()))

    def process(record: SQSRecord, lambda_context: LambdaContext) -> None:
        """Do one job: verdicts of a batch, or copies of photos; raising hands the message back."""
        delivery = _delivery(record)

        def time_left_s() -> float:
            return lambda_context.get_remaining_time_in_millis() / 1000

        logger.append_keys(job_id=delivery.job_id, delivery=delivery.receive_count)
        try:
            job = decode(delivery.body)
            if isinstance(job, CopyJob):
                parts().copying.run(job, time_left_s=time_left_s)
            elif isinstance(job, Job):
                parts().moderation.run(job, job_id=delivery.job_id, time_left_s=time_left_s)
            if (hand_over := parts().hand_over) is not None:
                _tell(hand_over, time_left_s)
        except Exception as error:
            _hand_back(parts().queue, delivery, error)
            raise
        finally:
            correlation_id.set(None)
            logger.remove_keys(["job_id", "delivery", "batch_id", "user_id"])

    def handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
        """Moderate each message; name those that have to come again."""
        report_cold_start("moderate")
        if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:  # elsewhere local.worker does it
            presence().seen()
        return process_partial_response(
            event=event, record_handler=process, processor=processor, context=context
        )

    traced: Handler = tracer.capture_lambda_handler(handler, capture_response=False)
    return traced


class EventLog:
    """Writes one structured event per verdict, and per photo of which copies were made.

    It says how long they took, and never holds a photo's bytes or URLs.
    """

    def batch_opened(self, batch: OpenBatch) -> None:
        correlation_id.set(batch.correlation_id)
        logger.append_keys(batch_id=batch.id, user_id=batch.user_id)

    def photo_settled(self, batch: OpenBatch, finding: Finding) -> None:
        signals, verdict = finding.signals, finding.verdict
        waited_ms = (datetime.now(UTC) - batch.accepted_at).total_seconds() * 1000
        logger.info(
            "photo moderated",
            photo_id=finding.photo_id,
            status=verdict.status,
            reason=verdict.reason,
            rule=verdict.rule.to_json() if verdict.rule else None,
            policy=verdict.policy,
            model=signals.model,
            measures={n: round(v, 6) for n, v in read(signals).items() if math.isfinite(v)},
            duration_ms=signals.processing_time_ms,
            waited_ms=round(waited_ms, 1),
            error=finding.error,
            marker=finding.marker,
        )
        if finding.marker is not None:
            return
        milliseconds = {"TimeToVerdict": waited_ms}
        if signals.processing_time_ms is not None:
            milliseconds["PhotoDuration"] = signals.processing_time_ms
        emit("moderate", milliseconds=milliseconds)

    def put_off(self, job: Job, outage: PartUnavailable, delay_s: float) -> None:
        logger.warning(
            "batch put off",
            batch_id=job.batch_id,
            part=outage.part,
            error=str(outage),
            delay_s=round(delay_s, 1),
        )
        emit("moderate", counts={"JobsPutOff": 1})

    def copies_made(self, photo_id: str, *, size_bytes: int, duration_ms: float) -> None:
        logger.info(
            "copies made",
            photo_id=photo_id,
            size_bytes=size_bytes,
            duration_ms=round(duration_ms, 2),
        )
        emit(
            "moderate",
            counts={"PhotosCopied": 1, "CopyBytes": size_bytes},
            milliseconds={"CopyDuration": duration_ms},
        )

    def copies_put_off(self, photo_id: str, why: str) -> None:
        logger.warning("copies put off", photo_id=photo_id, error=why)
        emit("moderate", counts={"CopiesPutOff": 1})

    def copies_impossible(self, photo_id: str, why: str) -> None:
        logger.warning("no copies can be made", photo_id=photo_id, error=why)
        emit("moderate", counts={"CopiesImpossible": 1})


def _tell(hand_over: HandingOver, time_left_s: Callable[[], float]) -> None:
    """Hand over what can be told by now; what fails is left to the sweep: the job is done."""
    try:
        hand_over.run(time_left_s=lambda: time_left_s() - _TELL_SPARE_S)
    except RetryableError as error:
        logger.warning("notices are left to the sweep", error=str(error))


def _hand_back(queue: JobReceiver, delivery: Delivery, error: Exception) -> None:
    """Make the message visible again after seconds, not after its whole visibility timeout."""
    foreseen = isinstance(error, PhotogateError)
    logger.warning("job handed back", error=str(error), exc_info=not foreseen)
    emit("moderate", counts={"JobsHandedBack": 1})
    delay_s = max(getattr(error, "retry_after_s", None) or 0.0, backoff_s(delivery.receive_count))
    try:
        queue.nack(delivery, delay_s=delay_s, error=str(error))
    except RetryableError as fault:
        logger.warning("its visibility timeout has to run out", error=str(fault))


def _delivery(record: SQSRecord) -> Delivery:
    sent_ms = int(record.attributes.sent_timestamp)
    return Delivery(
        job_id=record.message_id,
        token=record.receipt_handle,
        body=record.body,
        receive_count=int(record.attributes.approximate_receive_count),
        sent_at=datetime.fromtimestamp(sent_ms / 1000, UTC),
    )


handler = make_handler(parts)
