"""The function that tells people and backends: outside the VPC, fed with parcels by SQS.

It knows neither database nor photos, and no secrets but the channels'.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from aws_lambda_powertools.utilities.batch import SqsFifoPartialProcessor, process_partial_response
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from photogate import bootstrap
from photogate.notice_messages import handed_over
from photogate.telemetry import make_logger, make_tracer, report_cold_start

if TYPE_CHECKING:
    from typing import Any

    from photogate.service.handing_over import Notifying

logger, tracer = make_logger("notify"), make_tracer("notify")

#: Kept for the receipt, and for ending in order.
_SPARE_S = 15.0

#: After one that failed the others of its user come again as well, so that order is kept.
processor = SqsFifoPartialProcessor()


@cache
def parts() -> Notifying:
    """Build, once per process, what this function needs."""
    return bootstrap.notifying()


def tell(record: SQSRecord, lambda_context: LambdaContext) -> None:
    """Tell one parcel; raising hands the message back."""
    left_s = lambda_context.get_remaining_time_in_millis() / 1000 - _SPARE_S
    parts().tell(handed_over(record.body), time_left_s=left_s)


@tracer.capture_lambda_handler(capture_response=False)
def handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """Tell each parcel; name those that have to come again."""
    report_cold_start("notify")
    return process_partial_response(
        event=event, record_handler=tell, processor=processor, context=context
    )
