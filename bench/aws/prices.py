"""AWS's prices and limits, each with its source, its date, and whether somebody looked it up."""

from __future__ import annotations

from dataclasses import dataclass

#: None of them was looked up: no network. All are from memory, for us-east-1, without a free tier.
_DATE = "2026-11"


@dataclass(frozen=True, kw_only=True)
class Price:
    """What one unit costs."""

    #: For one of ``unit``.
    usd: float
    unit: str
    #: The page that tells it.
    source: str
    #: When it was known to be so.
    date: str = _DATE
    #: Whether it was read there, on that date.
    verified: bool = False


def _of(usd: float, unit: str, page: str) -> Price:
    return Price(usd=usd, unit=unit, source=f"aws.amazon.com/{page}/pricing")


PRICES = {
    "lambda": _of(0.0000166667, "GB-second, x86", "lambda"),
    "invocation": _of(0.20 / 1e6, "invocation", "lambda"),
    "http": _of(1.00 / 1e6, "request of an HTTP API", "api-gateway"),
    "sqs": _of(0.40 / 1e6, "request", "sqs"),
    "s3 write": _of(5.00 / 1e6, "PUT", "s3"),
    "s3 read": _of(0.40 / 1e6, "GET or HEAD", "s3"),
    "s3 storage": _of(0.023, "GB-month", "s3"),
    "logs": _of(0.50, "GB of logs", "cloudwatch"),
    "trace": _of(5.00 / 1e6, "trace", "xray"),
    "metric": _of(0.30, "metric-month", "cloudwatch"),
    "alarm": _of(0.10, "metric of an alarm, month", "cloudwatch"),
    "dashboard": _of(3.00, "dashboard-month", "cloudwatch"),
    "rekognition": _of(1.00 / 1e3, "image, of the first million in a month", "rekognition"),
}


@dataclass(frozen=True, kw_only=True)
class Limit:
    """What AWS grants at most, or what template.yaml sets."""

    value: float
    unit: str
    #: Where it is written; "template.yaml" is checked by a test, AWS's own are from memory.
    source: str


LIMITS = {
    "ThrottlingRate": Limit(value=50, unit="requests/s", source="template.yaml"),
    "UploadConcurrency": Limit(value=40, unit="functions at once", source="template.yaml"),
    "ModerateConcurrency": Limit(value=10, unit="functions at once", source="template.yaml"),
    "account": Limit(value=1000, unit="functions at once", source="Lambda, quotas (unverified)"),
    "copies/": Limit(value=3500, unit="PUT/s", source="S3, per prefix (unverified)"),
    "connections": Limit(value=823, unit="connections", source="Aurora, 4 units (unverified)"),
    "growth": Limit(
        value=300, unit="functions more each minute", source="Lambda with SQS (unverified)"
    ),
}


def usd(name: str, units: float) -> float:
    """Give what so many units cost."""
    return PRICES[name].usd * units
