"""The one place that reads settings and chooses adapters. Imports only what is used."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, TypeVar

from photogate import settings as s
from photogate.errors import ConfigError
from photogate.policy import PRESETS, Policy

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_s3 import S3Client

    from photogate.adapters.photos_files import FilePhotoStore
    from photogate.adapters.postgres.pool import Pool
    from photogate.auth import TokenVerifier
    from photogate.ports import PhotoAnalyzer, Probe, Queue, Store, Workers
    from photogate.service.moderate import Moderation, Watcher
    from photogate.service.review import Reviews
    from photogate.service.sweep import Sweep
    from photogate.service.upload import Uploads

S = TypeVar("S", bound=s.LogSettings)


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
    queue: Queue
    settings: s.ModerateSettings


#: What ``forget`` has to close.
_to_close: list[Callable[[], None]] = []


def forget() -> None:
    """Close every connection; whatever is built next reads its settings anew."""
    for built in (
        upload,
        admin,
        file_store,
        max_photo_bytes,
        _pool_of,
        _redis,
        _sqs,
        _load_secrets,
    ):
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

    settings = _read(s.UploadSettings)
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

    settings = _read(s.AdminSettings)
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


def moderate(watcher: Watcher) -> ModerateParts:
    """Build what a worker needs; loads and verifies the model."""
    from photogate.adapters.postgres.attempts import PostgresAttempts
    from photogate.adapters.postgres.workers import PostgresWorkers
    from photogate.service.moderate import Moderation

    settings = _read(s.ModerateSettings)
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
            watcher=watcher,
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

    settings = _read(s.SweepSettings)
    queue = _queue(settings)
    return Sweep(
        outbox=PostgresOutbox(_pool(settings)),
        sender=queue,
        monitor=queue,
        store=_store(settings),
    )


def check_settings() -> None:
    """Read the settings of every entry point.

    Raises:
        ConfigError: some entry point would not start.
    """
    for model in (s.UploadSettings, s.AdminSettings, s.SweepSettings):
        _read(model)
    preset(_read(s.ModerateSettings).policy)


def migrate() -> list[str]:
    """Bring the database's schema up to date; gives the names of what was applied."""
    from photogate.adapters.postgres.migrate import migrate as apply

    return apply(_pool(_read(s.DatabaseSettings)))


@cache
def file_store() -> FilePhotoStore:
    """Give the folder that the local app serves."""
    return _folder(_read(s.StorageSettings))


@cache
def max_photo_bytes() -> int:
    """Give the largest upload that the local app takes."""
    return _read(s.StorageSettings).max_photo_bytes


def analyzer(settings: s.ModelSettings) -> PhotoAnalyzer:
    """Load the model.

    Raises:
        ConfigError: a bundle is missing, damaged or not what its manifest says.
    """
    from photogate_vision.analyzer import VisionAnalyzer

    faces = None
    if needs_faces(settings.policy):
        from photogate_vision.faces import EmbeddedFaces

        if settings.faces_dir is None:
            raise ConfigError(
                f"POLICY={settings.policy} counts faces: set FACES_DIR to what"
                " `photogate model faces` prints"
            )
        faces = EmbeddedFaces(settings.faces_dir, threads=settings.model_threads)
    return VisionAnalyzer(settings.model_dir, faces=faces, threads=settings.model_threads)


def needs_faces(policy: str) -> bool:
    """Tell whether the preset asks for faces; otherwise nothing is spent on them."""
    return "face_count" in preset(policy).measures


def preset(name: str) -> Policy:
    """Give a shipped policy.

    Raises:
        ConfigError: there is none of this name.
    """
    if name not in PRESETS:
        raise ConfigError(f"POLICY: there is no preset {name!r}; choose {', '.join(PRESETS)}")
    return PRESETS[name]


def _read(model: type[S]) -> S:
    """Read settings from the environment, after the secrets that it names."""
    _load_secrets()
    return s.read(model)


@cache
def _load_secrets() -> None:
    """Put what Secrets Manager holds beside the environment, which wins.

    ``PHOTOGATE_SECRET_ARN`` names an object of settings by their names;
    ``DB_SECRET_ARN`` one as RDS keeps it, with ``username`` and ``password``.
    """
    found: dict[str, str] = {}
    if arn := os.environ.get("PHOTOGATE_SECRET_ARN"):
        from photogate.adapters.secrets_aws import fetch

        found |= fetch(arn)
    if arn := os.environ.get("DB_SECRET_ARN"):
        from photogate.adapters.secrets_aws import fetch

        login = fetch(arn)
        found |= {"DB_USER": login.get("username", ""), "DB_PASSWORD": login.get("password", "")}
    for name, value in found.items():
        os.environ.setdefault(name, value)


def _pool(settings: s.DatabaseSettings) -> Pool:
    return _pool_of(settings.database, settings.db_pool_size)


@cache
def _pool_of(url: str, size: int) -> Pool:
    """Give the one pool of this process, however many functions it runs."""
    from photogate.adapters.postgres.pool import Pool

    pool = Pool(url, size=size)
    _to_close.append(pool.close)
    return pool


def _queue(settings: s.QueueSettings) -> Queue:
    if settings.queue_backend == "sqs":
        assert settings.queue_url is not None  # noqa: S101 - held by the settings
        return _sqs(
            settings.queue_url,
            settings.queue_dead_url,
            settings.queue_endpoint,
            settings.queue_visibility_s,
        )
    return _redis(settings.redis, settings.queue_visibility_s)


@cache
def _redis(url: str, visibility_s: float) -> Queue:
    from photogate.adapters.queue_redis import RedisQueue, connect
    from photogate.service.moderate import MAX_DELIVERIES

    queue = RedisQueue(connect(url), visibility_s=visibility_s, max_receives=MAX_DELIVERIES)
    _to_close.append(queue.close)
    return queue


@cache
def _sqs(url: str, dead_url: str | None, endpoint: str | None, visibility_s: float) -> Queue:
    from photogate.adapters.queue_sqs import SqsQueue, connect

    queue = SqsQueue(connect(url, endpoint), url, dead_url=dead_url, visibility_s=visibility_s)
    _to_close.append(queue.close)
    return queue


def _store(settings: s.StorageSettings) -> Store:
    if settings.s3_bucket_photos is not None:
        return _s3_store(settings)
    return _folder(settings)


def _folder(settings: s.StorageSettings) -> FilePhotoStore:
    from photogate.adapters.photos_files import FilePhotoStore

    if settings.photos_dir is None or settings.photos_url_secret is None:
        raise ConfigError("PHOTOS_DIR is not set: these photos are in a bucket")
    return FilePhotoStore(
        settings.photos_dir,
        public_url=settings.public_url,
        secret=settings.photos_url_secret.get_secret_value(),
    )


def _s3_store(settings: s.StorageSettings) -> Store:
    from photogate.adapters.photos_s3 import S3PhotoStore, connect

    assert settings.s3_bucket_photos is not None  # noqa: S101 - asked by the caller
    secret = settings.s3_secret_key.get_secret_value() if settings.s3_secret_key else None

    def client(endpoint: str | None) -> S3Client:
        return connect(
            region=settings.s3_region,
            endpoint=endpoint,
            access_key=settings.s3_access_key,
            secret_key=secret,
        )

    inner = client(settings.s3_endpoint)
    public = settings.s3_public_endpoint
    store = S3PhotoStore(
        inner,
        settings.s3_bucket_photos,
        presigner=client(public) if public else inner,
        write_once=settings.s3_write_once,
    )
    _to_close.append(store.close)
    return store


def _verifier(settings: s.AuthSettings) -> TokenVerifier:
    from photogate.auth import TokenVerifier

    secret = settings.jwt_secret
    return TokenVerifier(
        secret=secret.get_secret_value() if secret else None,
        jwks_url=settings.jwt_jwks_url,
        issuer=settings.jwt_issuer,
        audience=settings.jwt_audience,
    )
