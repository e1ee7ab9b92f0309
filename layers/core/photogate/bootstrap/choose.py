"""From settings to what is used: database, queue, photo store, policy, token check."""

from __future__ import annotations

import math
import os
from functools import cache, partial
from typing import TYPE_CHECKING, TypeVar

from photogate import settings as s
from photogate.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_s3 import S3Client

    from photogate.adapters.faces_compreface import ComprefaceFaces
    from photogate.adapters.oidc import OidcProvider
    from photogate.adapters.photos_files import FilePhotoStore
    from photogate.adapters.postgres.pool import Pool
    from photogate.auth import TokenVerifier
    from photogate.domain.policy import Policy
    from photogate.health import DeepHealth
    from photogate.ports.photos import Store
    from photogate.ports.probe import Probe
    from photogate.ports.queue import Queue
    from photogate.ports.records import Changes
    from photogate.ports.vision import FaceDetector
    from photogate.service.outages import Guard
    from photogate_vision.copies.encoding import CopyForm

S = TypeVar("S", bound=s.LogSettings)

#: Lambda gives upload and admin 20 s, and upload-complete goes on without the store; a call is
#: made twice.
LOOK_UP_WITHIN_S = 3.0
#: It goes on without the queue as well; the sweep sends what was not sent.
SEND_WITHIN_S = 1.0
#: Deep health has the same 20 s; it asks CompreFace two things, connecting has 2 s beside each.
_PROBE_WITHIN_S = 6.0

#: By URL and size; a pool whose password was changed is there under both.
_pools: dict[tuple[str, int], Pool] = {}
#: What ``reset`` has to close.
_to_close: list[Callable[[], None]] = []


def reset() -> None:
    """Close every connection; what is chosen next reads its settings anew."""
    _pools.clear()
    for cached in (_redis, _sqs, _policy_of, _compreface, _guard_of, _load_secrets):
        cached.cache_clear()
    s.forget()
    while _to_close:
        _to_close.pop()()


def close_later(close: Callable[[], None]) -> None:
    """Let ``reset`` close something that is kept open."""
    _to_close.append(close)


def settings_of(model: type[S]) -> S:
    """Read settings from the environment, after the secrets that it names."""
    _load_secrets()
    return s.read(model)


@cache
def _load_secrets() -> None:
    """Put what Secrets Manager holds beside the environment, which wins and does not show it.

    ``PHOTOGATE_SECRET_ARN`` and ``TOKENS_SECRET_ARN`` name objects of settings by their names;
    the former wins where both tell one. ``DB_SECRET_ARN`` names one as RDS keeps it, with
    ``username`` and ``password``, and ``MIGRATE_DB_SECRET_ARN`` another one of the same database.
    """
    found: dict[str, str] = {}
    for name in ("TOKENS_SECRET_ARN", "PHOTOGATE_SECRET_ARN"):
        if arn := os.environ.get(name):
            from photogate.adapters.secrets_aws import fetch

            found |= fetch(arn)
    if arn := os.environ.get("DB_SECRET_ARN"):
        from photogate.adapters.secrets_aws import fetch

        login = fetch(arn)
        found |= {"DB_USER": login.get("username", ""), "DB_PASSWORD": login.get("password", "")}
    s.keep(found)
    if arn := os.environ.get("MIGRATE_DB_SECRET_ARN"):
        from photogate.adapters.secrets_aws import fetch

        owner = fetch(arn)
        database = s.read(s.DatabaseSettings)
        url = database.database_of(owner.get("username", ""), owner.get("password", ""))
        s.keep({"MIGRATE_DATABASE_URL": url})


def pool(settings: s.DatabaseSettings) -> Pool:
    """Give the one pool of this process, however many functions it runs.

    Where Secrets Manager holds the password, it is read again when the server refuses it.
    """
    from photogate.adapters.postgres.pool import Pool

    url, size = settings.database, settings.db_pool_size
    if (url, size) in _pools:
        return _pools[url, size]

    def again() -> str:
        now = read_again(s.DatabaseSettings).database
        # Whoever asks for a pool from now on gets this one.
        _pools[now, size] = made
        return now

    made = Pool(url, size=size, renew=again if reads_secrets() else None)
    _pools[url, size] = made
    _to_close.append(made.close)
    return made


def reads_secrets() -> bool:
    """Whether settings come from Secrets Manager."""
    return any(os.environ.get(name) for name in s.SECRET_NAMES)


def read_again(model: type[S]) -> S:
    """Read settings with the secrets as they are now."""
    _load_secrets.cache_clear()
    return settings_of(model)


def changes(pool: Pool, service: str) -> Changes:
    """Give the door for changes; each that is made through it is counted."""
    from photogate.adapters.postgres.changes import PostgresChanges
    from photogate.service.changes import ReportedChanges
    from photogate.telemetry import report_change

    return ReportedChanges(PostgresChanges(pool), partial(report_change, service))


def queue(settings: s.ServiceSettings, *, read_timeout_s: float | None = None) -> Queue:
    """Give the queue: Redis, PostgreSQL or SQS, by ``QUEUE_BACKEND``.

    Args:
        read_timeout_s: for callers who only send, and would rather leave it to the sweep
            than wait; PostgreSQL keeps its own times.
    """
    if settings.queue_backend == "postgres":
        return _postgres(pool(settings), settings.queue_visibility_s)
    if settings.queue_backend == "sqs":
        assert settings.queue_url is not None  # noqa: S101 - held by the settings
        return _sqs(
            settings.queue_url,
            settings.queue_dead_url,
            settings.queue_endpoint,
            settings.queue_visibility_s,
            read_timeout_s,
        )
    return _redis(settings.redis, settings.queue_visibility_s, read_timeout_s)


@cache
def _redis(url: str, visibility_s: float, read_timeout_s: float | None) -> Queue:
    from photogate.adapters.queue_redis import READ_TIMEOUT_S, RedisQueue, connect
    from photogate.service.moderate import MAX_DELIVERIES

    client = connect(url, read_timeout_s=read_timeout_s or READ_TIMEOUT_S)
    queue = RedisQueue(client, visibility_s=visibility_s, max_receives=MAX_DELIVERIES)
    _to_close.append(queue.close)
    return queue


def _postgres(pool: Pool, visibility_s: float) -> Queue:
    from photogate.adapters.postgres.queue import PostgresQueue
    from photogate.service.moderate import MAX_DELIVERIES

    return PostgresQueue(pool, visibility_s=visibility_s, max_receives=MAX_DELIVERIES)


@cache
def _sqs(
    url: str,
    dead_url: str | None,
    endpoint: str | None,
    visibility_s: float,
    read_timeout_s: float | None,
) -> Queue:
    from photogate.adapters.queue_sqs import SqsQueue
    from photogate.adapters.sqs_client import READ_TIMEOUT_S, connect

    client = connect(url, endpoint, read_timeout_s=read_timeout_s or READ_TIMEOUT_S)
    queue = SqsQueue(client, url, dead_url=dead_url, visibility_s=visibility_s)
    _to_close.append(queue.close)
    return queue


def store(settings: s.StorageSettings, *, read_timeout_s: float | None = None) -> Store:
    """Give the photo store: a bucket, or a folder.

    Args:
        read_timeout_s: for callers who would rather have no answer than a late one.
    """
    if settings.s3_bucket_photos is not None:
        return _s3_store(settings, read_timeout_s)
    return folder(settings)


def folder(settings: s.StorageSettings) -> FilePhotoStore:
    """Give the folder that the local app serves; only some processes sign URLs of it.

    Raises:
        ConfigError: photos are in a bucket.
    """
    from photogate.adapters.photos_files import FilePhotoStore

    if settings.photos_dir is None:
        raise ConfigError("PHOTOS_DIR is not set: these photos are in a bucket")
    secret = settings.photos_url_secret if isinstance(settings, s.UrlSettings) else None
    return FilePhotoStore(
        settings.photos_dir,
        public_url=settings.public_url,
        secret=secret.get_secret_value() if secret else None,
    )


def _s3_store(settings: s.StorageSettings, read_timeout_s: float | None) -> Store:
    from photogate.adapters.photos_s3 import READ_TIMEOUT_S, S3PhotoStore, connect

    assert settings.s3_bucket_photos is not None  # noqa: S101 - asked by the caller
    secret = settings.s3_secret_key.get_secret_value() if settings.s3_secret_key else None

    def client(endpoint: str | None) -> S3Client:
        return connect(
            region=settings.s3_region,
            endpoint=endpoint,
            access_key=settings.s3_access_key,
            secret_key=secret,
            read_timeout_s=read_timeout_s or READ_TIMEOUT_S,
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


def copy_form(settings: s.CopySettings) -> CopyForm:
    """Give what copies of photos look like."""
    from photogate_vision.copies.encoding import CopyForm

    return CopyForm(
        format="WEBP" if settings.copy_format == "webp" else "JPEG",
        quality=settings.copy_quality,
        display_px=settings.copy_display_px,
        thumb_px=settings.copy_thumb_px,
    )


def policy(settings: s.PolicySettings) -> Policy:
    """Give the policy that decides in this process: a preset or a file, by ``POLICY``.

    Raises:
        ConfigError: there is none, or it is not sound.
    """
    return _policy_of(settings.policy, serves_originals=settings.serves_originals)


@cache
def _policy_of(choice: str, *, serves_originals: bool) -> Policy:
    """Read it once, so that all of a process decide alike, also when the file changes."""
    from photogate.domain.policy import for_originals
    from photogate.policies import load

    return for_originals(load(choice)) if serves_originals else load(choice)


def faces(settings: s.ModelSettings) -> FaceDetector | None:
    """Give what looks for faces: CompreFace, or the embedded detector, or None.

    Raises:
        ConfigError: the bundle of the embedded detector is missing or damaged.
    """
    from photogate.service.outages import GuardedFaces

    if (service := compreface(settings)) is not None:
        return GuardedFaces(service, _guard_of(service))
    if settings.faces_dir is None:
        return None
    from photogate_vision.faces.detector import EmbeddedFaces

    return EmbeddedFaces(settings.faces_dir, threads=settings.model_threads)


def compreface(
    settings: s.PolicySettings, *, at_most_s: float = math.inf
) -> ComprefaceFaces | None:
    """Give this process's CompreFace, or None; it is contacted when first asked.

    Args:
        at_most_s: bounds an answer's time where ``COMPREFACE_TIMEOUT_S`` is longer.
    """
    if settings.compreface_url is None or settings.compreface_api_key is None:
        return None
    key = settings.compreface_api_key.get_secret_value()
    timeout_s = min(settings.compreface_timeout_s, at_most_s)
    return _compreface(settings.compreface_url, key, timeout_s)


@cache
def _compreface(url: str, key: str, timeout_s: float) -> ComprefaceFaces:
    from photogate.adapters.faces_compreface import ComprefaceFaces

    service = ComprefaceFaces(url, key, timeout_s=timeout_s)
    _to_close.append(service.close)
    return service


def faces_guard(settings: s.PolicySettings) -> Guard | None:
    """Give what keeps calls away from CompreFace while it is down; None where it is not used."""
    service = compreface(settings)
    return None if service is None else _guard_of(service)


@cache
def _guard_of(service: ComprefaceFaces) -> Guard:
    from photogate.service.outages import Guard

    return Guard("faces", service)


def deep_health(settings: s.UploadSettings | s.AdminSettings, store: Probe) -> DeepHealth:
    """Give what asks every part: database, queue, storage, and CompreFace where it is used."""
    from photogate.adapters.postgres.workers import PostgresWorkers
    from photogate.health import DeepHealth

    database = pool(settings)
    probes: dict[str, Probe] = {
        "database": database,
        "queue": queue(settings, read_timeout_s=SEND_WITHIN_S),
        "storage": store,
    }
    if policy(settings).needs("faces"):
        service = compreface(settings, at_most_s=_PROBE_WITHIN_S)
        if service is not None:
            probes["faces"] = service
    return DeepHealth(
        probes=probes,
        workers=PostgresWorkers(database),
        workers_on_demand="AWS_LAMBDA_FUNCTION_NAME" in os.environ,
        test_mode=settings.test_mode,
    )


def verifier(settings: s.AuthSettings) -> TokenVerifier:
    """Give what checks tokens: by a secret, or by an issuer's keys."""
    from photogate.auth import TokenVerifier

    secret = settings.jwt_secret
    return TokenVerifier(
        secret=secret.get_secret_value() if secret else None,
        jwks_url=settings.jwt_jwks_url,
        issuer=settings.jwt_issuer,
        audience=settings.jwt_audience,
        user_claim=settings.jwt_user_claim,
    )


def oidc_provider(settings: s.OidcSettings) -> OidcProvider | None:
    """Give the provider of ``OIDC_ISSUER``, or None; it is asked when first needed."""
    if settings.oidc_issuer is None or settings.oidc_client_id is None:
        return None
    from photogate.adapters.oidc import OidcProvider

    secret = settings.oidc_client_secret
    return OidcProvider(
        settings.oidc_issuer,
        client_id=settings.oidc_client_id,
        client_secret=secret.get_secret_value() if secret else None,
        scope=settings.oidc_scope,
    )
