"""The function that a schedule calls once a minute: what was lost is sent again."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from photogate import bootstrap
from photogate.errors import PhotogateError
from photogate.telemetry import emit, make_logger, make_tracer

from . import receipts

if TYPE_CHECKING:
    from photogate.domain import Backlog
    from photogate.service.sweep import Sweep, Swept


logger, tracer = make_logger("sweep"), make_tracer("sweep")

#: Kept for what was begun just before the time is up.
_SPARE_S = 10.0


@cache
def parts() -> Sweep:
    """Build, once per process, what this function needs."""
    return bootstrap.sweep()


def report_backlog(waiting: Backlog) -> None:
    """Tell that a round ended, and what waits: alarms watch both."""
    emit(
        "sweep",
        counts={"SweepRounds": 1, "ReviewsWaiting": waiting.reviews},
        seconds={
            "OldestReviewAge": waiting.oldest_review_s,
            "OldestBatchAge": waiting.oldest_batch_s,
        },
    )


def report(swept: Swept) -> None:
    """Count the parts of a round that failed.

    Raises:
        PhotogateError: one did. Lambda then counts an error, which an alarm watches, and tries
            nothing again: the next round does.
    """
    for part in swept.failed:
        emit("sweep", dimensions={"part": part}, counts={"SweepFailures": 1})
    if swept.failed:
        raise PhotogateError(
            f"parts of the sweep failed, and the others were done: {', '.join(swept.failed)};"
            " the lines above say why"
        )


@tracer.capture_lambda_handler
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Do one round; answers with what it did. With the notifier's receipts: record them."""
    if "Records" in event:
        return dict(receipts.handle(event, context))
    swept = parts().run(
        time_left_s=lambda: context.get_remaining_time_in_millis() / 1000 - _SPARE_S
    )
    report_backlog(bootstrap.backlog())
    report(swept)
    return {"resent": swept.resent, "concluded": swept.concluded}
