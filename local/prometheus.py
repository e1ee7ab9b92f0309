"""``GET /metrics`` of the local API, for Prometheus: what the installation is at now.

Read from the database and the queue at each scrape, so that every process tells the same.
"""

from __future__ import annotations

import hmac
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from photogate import bootstrap
from photogate.adapters.postgres.condition import Condition, condition
from photogate.bootstrap import choose
from photogate.errors import PhotogateError
from photogate.settings import DatabaseSettings, MetricsSettings, StorageSettings

if TYPE_CHECKING:
    from photogate.health import Health
    from photogate.service.review import QueueReport

PATH = "/metrics"


def create_app(token: Callable[[], str | None]) -> Starlette:
    """Serve ``PATH``.

    Args:
        token: gives what scrapers have to show as a bearer token; without one nothing is told.
    """

    def metrics(request: Request) -> Response:
        wanted = token()
        if wanted is None:
            return PlainTextResponse("METRICS_TOKEN is not set\n", 404)
        shown = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(shown.encode(), wanted.encode()):
            return PlainTextResponse(
                "show METRICS_TOKEN as a bearer token\n", 401, {"WWW-Authenticate": "Bearer"}
            )
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Installation())
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    # Starlette runs it in a thread: parts are asked over the network.
    return Starlette(routes=[Route(PATH, metrics)])


def metrics_token() -> str | None:
    """Give the setting ``METRICS_TOKEN``."""
    secret = choose.settings_of(MetricsSettings).metrics_token
    return secret.get_secret_value() if secret else None


class _Installation(Collector):
    """Asks all parts; what cannot be asked has no sample, and its part is down."""

    def collect(self) -> Iterator[Metric]:
        parts = bootstrap.admin()
        health = parts.health.report()
        yield _info(health)
        yield _by("part_up", "1 while this part answers.", "part", _ups(health))
        with suppress(PhotogateError):
            yield from _work(parts.reviews.queue_report())
        with suppress(PhotogateError):
            yield from _database(condition(choose.pool(choose.settings_of(DatabaseSettings))))
        folder = choose.settings_of(StorageSettings).photos_dir
        if folder is not None:
            with suppress(OSError):
                free = shutil.disk_usage(folder).free
                yield _one("photos_free_bytes", "Free where photos are kept.", free)


def _info(health: Health) -> Metric:
    info = {"version": health.version, "policy": health.policy or ""}
    return InfoMetricFamily("photogate", "What runs, and what decides.", value=info)


def _ups(health: Health) -> dict[str, float]:
    return {part: float(told["ok"]) for part, told in (health.parts or {}).items()}


def _work(report: QueueReport) -> Iterator[Metric]:
    queue, day = report.queue, report.last_day
    states = {
        "waiting": queue.visible,
        "in_flight": queue.in_flight,
        "delayed": queue.delayed,
        "dead": queue.dead,
    }
    yield _by("queue_jobs", "Jobs by state.", "state", states)
    yield _one("pending_photos", "Photos that wait for the machine.", day.pending_media.n)
    yield _one(
        "oldest_batch_seconds", "Age of the oldest unfinished batch.", day.oldest_age_s or 0.0
    )
    verdicts = {"approved": day.approved, "rejected": day.rejected, "review": day.in_review}
    yield _by("photos_last_day", "Photos by their state, of the last 24 hours.", "status", verdicts)
    yield _by(
        "rejected_last_day", "Of these the rejected, by reason.", "reason", day.rejection_reasons
    )
    yield _one("failed_last_day", "Of these: no verdict, so that a person looks.", day.failed)
    yield _one("workers", "Workers that announce themselves.", len(report.workers))
    copies = {"new": report.copies.waiting, "earlier": report.copies.earlier}
    yield _by("photos_without_copies", "Photos that wait for copies.", "kind", copies)


def _database(found: Condition) -> Iterator[Metric]:
    yield _one("database_bytes", "Size of the database.", found.size_bytes)
    yield _one("database_schema", "Newest migration applied.", found.schema)
    if found.swept_at is not None:
        age_s = (found.now - found.swept_at).total_seconds()
        yield _one("sweep_age_seconds", "Since a round of the sweep ended.", age_s)
    waits_s = 0.0
    if found.oldest_review_at is not None:
        waits_s = (found.now - found.oldest_review_at).total_seconds()
    yield _one("oldest_review_seconds", "Age of what waits longest for a person.", waits_s)


def _one(name: str, words: str, value: float) -> Metric:
    return GaugeMetricFamily(f"photogate_{name}", words, value=value)


def _by(name: str, words: str, label: str, values: dict[str, float] | dict[str, int]) -> Metric:
    family = GaugeMetricFamily(f"photogate_{name}", words, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family
