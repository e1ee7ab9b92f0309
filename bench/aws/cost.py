"""From milliseconds and megabytes to money and functions: arithmetic alone."""

from __future__ import annotations

import math
from dataclasses import dataclass

from bench.aws.prices import LIMITS, usd

#: Lambda gives one whole processor at so many MB, and our work uses one thread.
WHOLE_MB = 1769
SIZES_MB = (768, 1024, 1536, WHOLE_MB, 2048, 3008)
MONTH_S = 30 * 86_400
#: Requests and jobs of a photo: photos come three at a time.
BATCH = 3
_HTTP = 2.0
#: Writes: the upload, what is kept, three copies. Reads: HEAD at the hand-in, to judge, to copy.
_PUTS, _GETS, _COPIES = 5, 3, 3
#: A job is sent, received and deleted; a batch has one for verdicts and one for copies.
_SQS = 2 * 3 / BATCH
_LOG_BYTES = 5000.0
_TRACED = 0.05
#: A month's polling of three queues by Lambda: five pollers each, 20 s a poll.
_POLLS = 3 * 5 * 3 * 60 * 24 * 30
#: Metrics of ours, each with its dimensions, that an installation writes; an assumption.
_METRICS = 35
#: Functions that hold a connection besides upload and moderate: admin, sweep, migrate.
_OTHER_CONNECTIONS = 10 + 3 + 1


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What the reckoning starts from. Milliseconds are of one thread."""

    #: Processor time of one photo's verdict and of its copies.
    judge_ms: float
    copy_ms: float
    #: All copies of a photo together, and its original.
    copies_bytes: float
    original_bytes: float
    #: How many times slower Lambda's processor is; an assumption.
    slower: float = 1.3
    #: One GET, one PUT, one transaction, seen from a function; assumptions.
    get_ms: float = 25.0
    put_ms: float = 35.0
    transaction_ms: float = 6.0
    #: A request of upload, at 512 MB; an assumption.
    request_ms: float = 100.0
    #: The most that a function needs: a worker, and its decoder with the largest photo.
    peak_mb: float = 640.0
    #: Days after which the originals of approved photos go (ORIGINALS_DAYS).
    originals_days: float = 30.0

    @property
    def judge_wait_ms(self) -> float:
        """Waiting for others, one photo: to read it and to keep it, and its share of the job."""
        return self.get_ms + self.put_ms + 4 * self.transaction_ms / BATCH

    @property
    def copy_wait_ms(self) -> float:
        """The same for its copies."""
        return self.get_ms + _COPIES * self.put_ms + 2 * self.transaction_ms / BATCH


def duration_ms(work_ms: float, wait_ms: float, memory_mb: float, *, slower: float) -> float:
    """Give how long a function takes: less memory is less processor, and waiting stays the same."""
    share = min(1.0, memory_mb / WHOLE_MB)
    return work_ms * slower / share + wait_ms


def judge_ms(of: Inputs, memory_mb: float) -> float:
    """Give the milliseconds that a function is busy with one photo's verdict."""
    return duration_ms(of.judge_ms, of.judge_wait_ms, memory_mb, slower=of.slower)


def copy_ms(of: Inputs, memory_mb: float) -> float:
    """Give the milliseconds that a function is busy with one photo's copies."""
    return duration_ms(of.copy_ms, of.copy_wait_ms, memory_mb, slower=of.slower)


def compute_usd(milliseconds: float, memory_mb: float, photos: float) -> float:
    """Give the price of so many milliseconds a photo, without the invocations."""
    return usd("lambda", photos * milliseconds / 1000 * memory_mb / 1024)


def fitting(of: Inputs) -> list[int]:
    """Give the sizes that are large enough."""
    return [size for size in SIZES_MB if size >= of.peak_mb]


def cheapest_mb(of: Inputs) -> int:
    """Give the size at which verdicts and copies together cost least."""
    return min(fitting(of), key=lambda mb: compute_usd(judge_ms(of, mb) + copy_ms(of, mb), mb, 1))


def bill(of: Inputs, photos: float, memory_mb: float) -> dict[str, float]:
    """Give what so many photos of a month cost in USD, by part, without a database."""
    stored_months = min(1.0, of.originals_days / 30)
    return {
        "verdicts": compute_usd(judge_ms(of, memory_mb), memory_mb, photos),
        "copies": compute_usd(copy_ms(of, memory_mb), memory_mb, photos),
        "upload": compute_usd(_HTTP * of.request_ms, 512, photos),
        "invocations": usd("invocation", photos * (_HTTP + 2 / BATCH)),
        "HTTP API": usd("http", photos * _HTTP),
        "SQS": usd("sqs", photos * _SQS),
        "S3 requests": usd("s3 write", photos * _PUTS) + usd("s3 read", photos * _GETS),
        "originals, a month": usd("s3 storage", photos * of.original_bytes / 1e9 * stored_months),
        "copies, a month": usd("s3 storage", photos * of.copies_bytes / 1e9),
        "logs": usd("logs", photos * _LOG_BYTES / 1e9),
        "traces": usd("trace", photos * _HTTP * _TRACED),
    }


def fixed(alarm_metrics: int) -> dict[str, float]:
    """Give what a month costs before the first photo, in USD, without a database.

    Args:
        alarm_metrics: how many metrics all alarms watch together.
    """
    return {
        "metrics": usd("metric", _METRICS),
        "alarms": usd("alarm", alarm_metrics),
        "dashboard": usd("dashboard", 1),
        "polling of queues": usd("sqs", _POLLS),
    }


@dataclass(frozen=True, kw_only=True)
class Need:
    """What so many photos a second take."""

    moderate: int
    upload: int
    connections: int
    #: On the prefix that gets most.
    puts_per_s: float
    requests_per_s: float


def need(of: Inputs, per_s: float, memory_mb: float) -> Need:
    """Give what so many photos a second need at once, without any reserve (Little's law)."""
    busy_ms = judge_ms(of, memory_mb) + copy_ms(of, memory_mb)
    moderate = math.ceil(per_s * busy_ms / 1000)
    upload = math.ceil(per_s * _HTTP * of.request_ms / 1000)
    return Need(
        moderate=moderate,
        upload=upload,
        connections=moderate + upload + _OTHER_CONNECTIONS,
        puts_per_s=per_s * _COPIES,
        requests_per_s=per_s * _HTTP,
    )


def breaking(of: Inputs, memory_mb: float) -> list[tuple[str, float]]:
    """Give (limit, photos a second that reach it), the one that breaks first at the beginning."""
    one = need(of, 1e6, memory_mb)  # large, so that rounding up does not count
    needs = {
        "ThrottlingRate": one.requests_per_s,
        "UploadConcurrency": one.upload,
        "ModerateConcurrency": one.moderate,
        "account": one.moderate + one.upload,
        "copies/": one.puts_per_s,
        "connections": one.connections - _OTHER_CONNECTIONS,
    }
    reached = {name: LIMITS[name].value * 1e6 / needed for name, needed in needs.items()}
    return sorted(reached.items(), key=lambda found: found[1])
