"""The one place that reads settings and chooses adapters. Imports only what is used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from photogate import settings as s
from photogate.errors import ConfigError
from photogate.policy import PRESETS, Policy

if TYPE_CHECKING:
    from collections.abc import Callable

    from photogate.adapters.photos_files import FilePhotoStore
    from photogate.adapters.postgres.pool import Pool
    from photogate.adapters.queue_redis import RedisQueue
    from photogate.auth import TokenVerifier
    from photogate.domain import Finding
    from photogate.ports import PhotoAnalyzer, Probe, Workers
    from photogate.service.moderate import Moderation
    from photogate.service.review import Reviews
    from photogate.service.sweep import Sweep
    from photogate.service.upload import Uploads


@dataclass(frozen=True, kw_only=True)
class UploadParts:
    """What ``functions/upload`` translates HTTP into."""

    uploads: Uploads
    verifier: TokenVerifier
    workers: Workers
    #: By name: database, queue, storage.
    probes: Mapping[str, Probe]
    min_approved_photos: int


@dataclass(frozen=True, kw_only=True)
class AdminParts:
    """What ``functions/admin`` translates HTTP into."""

    reviews: Reviews
    verifier: TokenVerifier


@dataclass(frozen=True, kw_only=True)
class ModerateParts:
    """What ``functions/moderate`` and the local worker run."""

    moderation: Moderation
    analyzer: PhotoAnalyzer
    workers: Workers
    queue: RedisQueue
    settings: s.ModerateSettings


#: What ``forget`` has to close.
_to_close: list[Callable[[], None]] = []


def forget() -> None:
    """Close every connection; whatever is built next reads its settings anew."""
    for built in (upload, admin, file_store, max_photo_bytes, _pool_of, _queue_of):
        built.cache_clear()
    while _to_close:
        _to_close.pop()()


@cache
def upload() -> UploadParts:
    """Build, once per process, what the upload function needs."""
    from photogate.adapters.postgres.batches import PostgresBatches
    from photogate.adapters.postgres.decisions import PostgresDecisions
    from photogate.adapters.postgres.media import PostgresMediaViews
    from photogate.adapters.postgres.outbox import PostgresOutbox
    from photogate.adapters.postgres.workers import PostgresWorkers
    from photogate.file_keys import FileKeys
    from photogate.service.upload import UploadLimits, Uploads

    settings = s.read(s.UploadSettings)
    pool, queue, store = _pool(settings), _queue(settings), _store(settings)
    return UploadParts(
        uploads=Uploads(
            keys=FileKeys(settings.key_secret),
            store=store,
            batches=PostgresBatches(pool),
            views=PostgresMediaViews(pool),
            decisions=PostgresDecisions(pool),
            outbox=PostgresOutbox(pool),
            sender=queue,
            limits=UploadLimits(
                max_bytes=settings.max_photo_bytes,
                photos_per_day=settings.photos_per_day,
                upload_url_s=settings.upload_url_s,
                view_url_s=settings.view_url_s,
            ),
        ),
        verifier=_verifier(settings),
        workers=PostgresWorkers(pool),
        probes={"database": pool, "queue": queue, "storage": store},
        min_approved_photos=settings.min_approved_photos,
    )


@cache
def admin() -> AdminParts:
    """Build, once per process, what the admin function needs."""
    from photogate.adapters.postgres.decisions import PostgresDecisions
    from photogate.adapters.postgres.media import PostgresMediaViews
    from photogate.adapters.postgres.outbox import PostgresOutbox
    from photogate.adapters.postgres.workers import PostgresWorkers
    from photogate.service.review import Reviews

    settings = s.read(s.AdminSettings)
    pool = _pool(settings)
    return AdminParts(
        reviews=Reviews(
            store=_store(settings),
            views=PostgresMediaViews(pool),
            decisions=PostgresDecisions(pool),
            outbox=PostgresOutbox(pool),
            monitor=_queue(settings),
            workers=PostgresWorkers(pool),
            view_url_s=settings.view_url_s,
        ),
        verifier=_verifier(settings),
    )


def moderate(on_photo: Callable[[Finding], None]) -> ModerateParts:
    """Build what a worker needs; loads and verifies the model."""
    from photogate.adapters.postgres.attempts import PostgresAttempts
    from photogate.adapters.postgres.workers import PostgresWorkers
    from photogate.service.moderate import Moderation

    settings = s.read(s.ModerateSettings)
    pool = _pool(settings)
    seeing = analyzer(settings)
    return ModerateParts(
        moderation=Moderation(
            attempts=PostgresAttempts(pool),
            store=_store(settings),
            analyzer=seeing,
            policy=preset(settings.policy),
            lease_s=settings.job_deadline_s,
            max_bytes=settings.max_photo_bytes,
            on_photo=on_photo,
        ),
        analyzer=seeing,
        workers=PostgresWorkers(pool),
        queue=_queue(settings),
        settings=settings,
    )


def sweep() -> Sweep:
    """Build the sweep."""
    from photogate.adapters.postgres.outbox import PostgresOutbox
    from photogate.service.sweep import Sweep

    settings = s.read(s.SweepSettings)
    queue = _queue(settings)
    return Sweep(
        outbox=PostgresOutbox(_pool(settings)),
        sender=queue,
        monitor=queue,
        store=_store(settings),
    )


def database() -> Pool:
    """Give a pool for ``photogate migrate``."""
    return _pool(s.read(s.DatabaseSettings))


@cache
def file_store() -> FilePhotoStore:
    """Give the folder that the local app serves."""
    return _store(s.read(s.StorageSettings))


@cache
def max_photo_bytes() -> int:
    """Give the largest upload that the local app takes."""
    return s.read(s.StorageSettings).max_photo_bytes


def analyzer(settings: s.ModelSettings) -> PhotoAnalyzer:
    """Load the model.

    Raises:
        ConfigError: the bundle is missing, damaged or not what its manifest says.
    """
    from photogate_vision.analyzer import VisionAnalyzer

    return VisionAnalyzer(settings.model_dir, threads=settings.model_threads)


def preset(name: str) -> Policy:
    """Give a shipped policy.

    Raises:
        ConfigError: there is none of this name.
    """
    if name not in PRESETS:
        raise ConfigError(f"POLICY: there is no preset {name!r}; choose {', '.join(PRESETS)}")
    return PRESETS[name]


def _pool(settings: s.DatabaseSettings) -> Pool:
    return _pool_of(settings.database, settings.db_pool_size)


@cache
def _pool_of(url: str, size: int) -> Pool:
    """Give the one pool of this process, however many functions it runs."""
    from photogate.adapters.postgres.pool import Pool

    pool = Pool(url, size=size)
    _to_close.append(pool.close)
    return pool


def _queue(settings: s.QueueSettings) -> RedisQueue:
    return _queue_of(settings.redis, settings.queue_visibility_s)


@cache
def _queue_of(url: str, visibility_s: float) -> RedisQueue:
    from photogate.adapters.queue_redis import RedisQueue, connect
    from photogate.service.moderate import MAX_DELIVERIES

    queue = RedisQueue(connect(url), visibility_s=visibility_s, max_receives=MAX_DELIVERIES)
    _to_close.append(queue.close)
    return queue


def _store(settings: s.StorageSettings) -> FilePhotoStore:
    from photogate.adapters.photos_files import FilePhotoStore

    return FilePhotoStore(
        settings.photos_dir,
        public_url=settings.public_url,
        secret=settings.photos_url_secret.get_secret_value(),
    )


def _verifier(settings: s.AuthSettings) -> TokenVerifier:
    from photogate.auth import TokenVerifier

    secret = settings.jwt_secret
    return TokenVerifier(
        secret=secret.get_secret_value() if secret else None,
        jwks_url=settings.jwt_jwks_url,
        issuer=settings.jwt_issuer,
        audience=settings.jwt_audience,
    )
