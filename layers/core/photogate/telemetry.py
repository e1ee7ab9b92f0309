"""Structured logs, metrics and traces, the same on Lambda and on one machine.

Logs are JSON, one object a line. Metrics are CloudWatch's embedded format: JSON lines
among the logs, which CloudWatch turns into metrics by itself and ``photogate metrics``
reads from a file. One correlation id runs from the upload request to the verdict.
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Mapping
from contextvars import ContextVar
from functools import cache
from uuid import uuid4

from aws_lambda_powertools import Logger, Tracer
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from photogate.domain import Reason
from photogate.domain.changes import By, Outcome
from photogate.domain.notices import Failure, Parcel
from photogate.redaction import redact

NAMESPACE = "Photogate"
#: What writes through a service's logger.
LOGGERS = ("photogate", "functions", "local", "uvicorn.error")
_REASONS = {"none", *Reason}
_logger = logging.getLogger(__name__)

#: Of the request or job that is being worked on in this context.
correlation_id: ContextVar[str | None] = ContextVar("correlation_id", default=None)

_ACCEPTABLE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:=/-]{7,127}")


def correlate(*offered: str | None) -> str:
    """Take the first id that a caller offered and that is fit for a log, or make one."""
    chosen = next((o for o in offered if o and _ACCEPTABLE.fullmatch(o)), None) or str(uuid4())
    correlation_id.set(chosen)
    return chosen


def make_logger(service: str, *, level: str | None = None) -> Logger:
    """Make a service's logger; the package's own loggers write through it from now on.

    Args:
        service: upload, admin, moderate, sweep.
        level: else ``LOG_LEVEL``, else INFO.
    """
    logger = Logger(
        service=service, level=level, utc=True, use_rfc3339=True, json_serializer=_serialized
    )
    for handler in logger.handlers:
        handler.addFilter(_add_correlation)
    for name in LOGGERS:
        library = logging.getLogger(name)
        library.handlers = list(logger.handlers)
        library.setLevel(logger.log_level)
        library.propagate = False
    return logger


def make_tracer(service: str) -> Tracer:
    """Make a service's tracer; outside of Lambda it does nothing."""
    return Tracer(service=service)


@cache
def report_cold_start(service: str) -> None:
    """Count this process's first invocation; later calls do nothing."""
    emit(service, counts={"ColdStarts": 1})


def emit(
    service: str,
    *,
    dimensions: Mapping[str, str] | None = None,
    counts: Mapping[str, float] | None = None,
    milliseconds: Mapping[str, float] | None = None,
    seconds: Mapping[str, float] | None = None,
) -> None:
    """Write one line of metrics. May be called from any thread.

    ``METRICS_STACK``, where it is set, is a dimension of all, so that two installations that write
    to one place keep theirs apart.

    Args:
        service: as for ``make_logger``; a dimension of every metric.
        dimensions: more of them; each combination is a metric of its own, and costs.
        counts: values by metric name.
        milliseconds: durations by metric name.
        seconds: ages by metric name.
    """
    metrics = EphemeralMetrics(namespace=NAMESPACE, service=service)
    if stack := os.environ.get("METRICS_STACK"):
        metrics.add_dimension(name="stack", value=stack)
    for name, value in (dimensions or {}).items():
        metrics.add_dimension(name=name, value=value)
    for name, number in (counts or {}).items():
        metrics.add_metric(name=name, unit=MetricUnit.Count, value=number)
    for name, number in (milliseconds or {}).items():
        metrics.add_metric(name=name, unit=MetricUnit.Milliseconds, value=number)
    for name, number in (seconds or {}).items():
        metrics.add_metric(name=name, unit=MetricUnit.Seconds, value=number)
    metrics.flush_metrics()


def report_change(service: str, outcome: Outcome) -> None:
    """Count a change of a photo that was committed, and log it unless it is a machine's verdict.

    Those of test photos are not counted.
    """
    change, after = outcome.change, outcome.after
    status = after.status.value if after else "deleted"
    reason = (after.reason if after else None) or "none"
    if not outcome.test:
        emit(
            service,
            dimensions={
                "status": status,
                # A person's words would each be a metric of their own.
                "reason": reason if reason in _REASONS else "other",
                "by": change.by.value,
            },
            counts={"Photos": 1},
        )
    if change.by is not By.MACHINE:
        _logger.info(
            "photo changed",
            extra={
                "photo_id": change.photo_id,
                "action": change.action.value,
                "by": change.by.value,
                "status": status,
                "reason": reason,
            }
            | ({"test": True} if outcome.test else {}),
        )


class NoticeLog:
    """Counts notices, and logs those that were not taken; never what they say."""

    def __init__(self, service: str) -> None:
        self._service = service

    def notices_told(self, parcel: Parcel, count: int) -> None:
        """Some were taken."""
        emit(
            self._service,
            dimensions={"channel": parcel.channel},
            counts={"NoticesTold": count},
        )

    def notice_failed(self, parcel: Parcel, failure: Failure, *, dead: bool) -> None:
        """One was not taken."""
        _logger.log(
            logging.ERROR if dead else logging.WARNING,
            "a notice was given up" if dead else "a notice was not taken",
            extra={
                "channel": parcel.channel,
                "user_id": parcel.user_id,
                "failures": parcel.failures + 1,
                "error": failure.error,
            },
        )
        emit(
            self._service,
            dimensions={"channel": parcel.channel},
            counts={"NoticesFailed": 1},
        )
        if dead:
            # Of all channels together, for the alarm.
            emit(self._service, counts={"NoticesDead": 1})


def _serialized(event: object) -> str:
    """Write an event as JSON without secrets, also where a traceback quotes one."""
    return redact(json.dumps(event, default=str, separators=(",", ":"), ensure_ascii=False))


def _add_correlation(record: logging.LogRecord) -> bool:
    current = correlation_id.get()
    if current is not None:
        record.correlation_id = current
    return True
