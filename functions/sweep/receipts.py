"""Records what became of notices: the notifier's receipts, by SQS."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from photogate import bootstrap
from photogate.errors import ConfigError
from photogate.notice_messages import handed_back

if TYPE_CHECKING:
    from photogate.service.handing_over import HandingOver

#: Kept for ending in order.
_SPARE_S = 10.0

processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)


@cache
def parts() -> HandingOver:
    """Build, once per process, what records receipts.

    Raises:
        ConfigError: nothing is handed over here.
    """
    built = bootstrap.handing_over()
    if built is None:
        raise ConfigError("NOTICE_QUEUE_URL is not set, and yet there are receipts")
    return built


def settle(record: SQSRecord) -> None:
    """Record one; raising hands the message back."""
    parts().settle(handed_back(record.body))


def handle(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """Record receipts, and hand over what can be told now; names those that have to come again."""
    answer = process_partial_response(
        event=event, record_handler=settle, processor=processor, context=context
    )
    parts().run(time_left_s=lambda: context.get_remaining_time_in_millis() / 1000 - _SPARE_S)
    return answer
