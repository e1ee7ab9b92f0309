"""Settings from environment variables: one model per entry point, read in ``bootstrap``.

All in one file, long as it is: the page of settings is compared with it, and who looks for a
setting looks here.
"""

from __future__ import annotations

import os
import re
import shlex
from base64 import b64decode
from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args
from urllib.parse import quote, urlsplit
from uuid import UUID

from pydantic import AfterValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from photogate.errors import ConfigError
from photogate.redaction import remember

#: RFC 7518, 3.2: an HS256 key of at least the hash's size.
MIN_SECRET_BYTES = 32
#: Read before any model: secrets in Secrets Manager that hold settings themselves.
SECRET_NAMES = frozenset(
    {"PHOTOGATE_SECRET_ARN", "TOKENS_SECRET_ARN", "DB_SECRET_ARN", "MIGRATE_DB_SECRET_ARN"}
)
#: Where authorities of one's own are packaged, beside the code.
_AUTHORITIES = Path(__file__).with_name("authorities")
#: Phones make photos of 2 to 12 MB.
MAX_PHOTO_BYTES = 20_000_000


def _strong(secret: SecretStr) -> SecretStr:
    value = secret.get_secret_value()
    if len(value.encode()) < MIN_SECRET_BYTES or len(set(value)) < 8:
        raise ValueError(
            f"must be {MIN_SECRET_BYTES} random bytes or more; make one with: openssl rand -hex 32"
        )
    return secret


def _is_uuid(secret: SecretStr) -> SecretStr:
    try:
        UUID(secret.get_secret_value())
    except ValueError:
        raise ValueError(
            "must be a UUID, as CompreFace's page shows it beside a service of type DETECTION"
        ) from None
    return secret


def _is_address(url: str) -> str:
    parts = urlsplit(url)
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or "@" in parts.netloc
        or parts.port == 0  # which raises for one beyond 65535
    ):
        raise ValueError("must be like http://compreface.example:8000")
    return url


def _is_public(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f"must be like https://photos.example.com, not {url!r}")
    return url


def _origins(value: str) -> str:
    origins = [origin.strip() for origin in value.split(",") if origin.strip()]
    for origin in origins:
        parts = urlsplit(origin)
        exact = parts.scheme in ("http", "https") and origin == f"{parts.scheme}://{parts.netloc}"
        if origin != "*" and not (exact and parts.hostname and not set("@*") & set(parts.netloc)):
            raise ValueError(
                f"{origin!r} must be like https://app.example.com, without a path or a / at its"
                " end, as browsers send it"
            )
    return ",".join(origins)


def _is_safe_address(url: str) -> str:
    parts = urlsplit(url)
    # Whoever can answer in the issuer's place can sign for anybody.
    safe = parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname))
    if not safe or not parts.hostname or "@" in parts.netloc:
        raise ValueError(
            "must be like https://id.example/.well-known/jwks.json; http is for 127.0.0.1 only"
        )
    return url


def _networks(text: str) -> str:
    names = [name.strip() for name in text.split(",") if name.strip()]
    try:
        networks = [ip_network(name, strict=False) for name in names]
    except ValueError:
        raise ValueError("must be like 127.0.0.1,10.0.0.0/8") from None
    if any(network.prefixlen == 0 for network in networks):
        raise ValueError("must not be everybody: whoever connects could choose his address")
    return ",".join(map(str, networks))


def _is_loopback(host: str | None) -> bool:
    try:
        return host == "localhost" or ip_address(host or "").is_loopback
    except ValueError:
        return False


Secret = Annotated[SecretStr, AfterValidator(_strong)]


class LogSettings(BaseSettings):
    """What every process has."""

    model_config = SettingsConfigDict(
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        # A traceback would show all that was read, passwords included.
        hide_input_in_errors=True,
    )

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="How much is logged."
    )
    metrics_stack: str | None = Field(
        None,
        description="Name of this installation, as the dimension `stack` of every metric, where"
        " several write to one place.",
    )


class DatabaseSettings(LogSettings):
    """Where PostgreSQL is. ``photogate migrate`` needs nothing else."""

    database_url: SecretStr | None = Field(
        None, description="`postgresql://user:password@host:5432/name?sslmode=require`."
    )
    db_host: str | None = Field(None, description="Instead of `DATABASE_URL`, with the next six.")
    db_port: int = Field(5432, ge=1, le=65535, description="Port of `DB_HOST`.")
    db_name: str = Field("photogate", description="Database on `DB_HOST`.")
    db_user: str = Field("photogate", description="Role on `DB_HOST`.")
    db_password: SecretStr | None = Field(None, description="Password of `DB_USER`.")
    db_sslmode: Literal["prefer", "require", "verify-ca", "verify-full"] = Field(
        "prefer", description="TLS with `DB_HOST`: `verify-full` also checks whose server it is."
    )
    db_ca_file: Path | None = Field(
        None,
        description="PEM file with the authorities that count for `DB_HOST`, else the system's: a"
        " path, or the name of a file in `photogate/authorities`.",
    )
    db_pool_size: int = Field(8, ge=1, le=100, description="Connections per process at most.")

    @property
    def database(self) -> str:
        """The URL, from either form."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        password = self.db_password.get_secret_value() if self.db_password else ""
        return self.database_of(self.db_user, password)

    def database_of(self, role: str, password: str) -> str:
        """The URL of `DB_HOST` for this role."""
        credentials = f"{quote(role, safe='')}:{quote(password, safe='')}"
        place = f"{self.db_host}:{self.db_port}/{quote(self.db_name)}"
        # Without a file a path would be looked for that nobody named.
        authorities = (
            f"&sslrootcert={quote(str(_AUTHORITIES / self.db_ca_file))}" if self.db_ca_file else ""
        )
        return f"postgresql://{credentials}@{place}?sslmode={self.db_sslmode}{authorities}"

    @model_validator(mode="after")
    def _has_database(self) -> DatabaseSettings:
        if self.database_url is None and self.db_host is None:
            raise ValueError("DATABASE_URL (or DB_HOST …) is required")
        return self


class MigrateSettings(DatabaseSettings):
    """``photogate migrate``."""

    migrate_database_url: SecretStr | None = Field(
        None,
        description="`DATABASE_URL` of the role that owns the tables, for `photogate migrate`"
        " only: Photogate itself then cannot change history.",
    )
    migrate_makes_role: bool = Field(
        False,
        description="Whether `photogate migrate` makes the role of `DATABASE_URL`, and gives it"
        " that password, as the role of `MIGRATE_DATABASE_URL`.",
    )
    history_days: int = Field(
        730, ge=30, le=36_500, description="Days that the history of changes is kept at least."
    )


class QueueSettings(LogSettings):
    """Which queue carries the jobs."""

    queue_backend: Literal["redis", "postgres", "sqs"] = Field(
        "redis",
        description="What carries the jobs: `redis`, `postgres` (the database itself) or `sqs`.",
    )
    queue_url: str | None = Field(None, description="URL of the SQS queue; needed with `sqs`.")
    queue_dead_url: str | None = Field(
        None, description="URL of its dead-letter queue; without it, dead jobs are not counted."
    )
    queue_endpoint: str | None = Field(
        None, description="Where SQS answers, when that is not AWS itself."
    )
    redis_url: SecretStr | None = Field(None, description="`redis://:password@host:6379/0`.")
    redis_host: str = Field("127.0.0.1", description="Instead of `REDIS_URL`, with the next two.")
    redis_port: int = Field(6379, ge=1, le=65535, description="Port of `REDIS_HOST`.")
    redis_password: SecretStr | None = Field(None, description="Password of Redis.")
    queue_visibility_s: float = Field(
        30.0, ge=1, le=43200, description="Seconds after which a lost worker's job comes back."
    )

    @property
    def redis(self) -> str:
        """The URL, from either form."""
        if self.redis_url is not None:
            return self.redis_url.get_secret_value()
        password = self.redis_password.get_secret_value() if self.redis_password else ""
        login = f":{quote(password, safe='')}@" if password else ""
        return f"redis://{login}{self.redis_host}:{self.redis_port}/0"

    @model_validator(mode="after")
    def _has_queue(self) -> QueueSettings:
        if self.queue_backend == "sqs" and self.queue_url is None:
            raise ValueError("QUEUE_URL is required with QUEUE_BACKEND=sqs")
        return self


class PublicSettings(LogSettings):
    """Where the local app is."""

    public_url: Annotated[str, AfterValidator(_is_public)] = Field(
        "http://127.0.0.1:8000", description="Where clients reach the local app."
    )


class StorageSettings(PublicSettings):
    """Where photos are kept: in a bucket, or in a folder that the local app serves."""

    s3_bucket_photos: str | None = Field(None, description="Bucket of the photos.")
    s3_region: str = Field("us-east-1", description="Its region; `auto` for R2.")
    s3_endpoint: str | None = Field(
        None, description="Where the S3 API answers, when that is not AWS itself."
    )
    s3_public_endpoint: str | None = Field(
        None, description="Where clients reach it, when that is another address."
    )
    s3_access_key: str | None = Field(
        None, description="Access key; without it the role or the SDK's own sources count."
    )
    s3_secret_key: SecretStr | None = Field(None, description="Secret of `S3_ACCESS_KEY`.")
    s3_write_once: bool = Field(
        False, description="Sign `If-None-Match: *`: clients must send it, nothing is replaced."
    )
    photos_dir: Path | None = Field(None, description="Folder of the photos, instead of a bucket.")
    max_photo_bytes: int = Field(
        MAX_PHOTO_BYTES, ge=1_000, le=200_000_000, description="Largest photo that is accepted."
    )

    @model_validator(mode="after")
    def _has_storage(self) -> StorageSettings:
        if (self.photos_dir is None) == (self.s3_bucket_photos is None):
            raise ValueError("set either S3_BUCKET_PHOTOS or PHOTOS_DIR")
        if (self.s3_access_key is None) != (self.s3_secret_key is None):
            raise ValueError("S3_ACCESS_KEY and S3_SECRET_KEY go together")
        return self


class UrlSettings(StorageSettings):
    """What signs URLs of photos besides."""

    photos_url_secret: Secret | None = Field(
        None, description="Signs the URLs of photos in a folder; needed with `PHOTOS_DIR`."
    )

    @model_validator(mode="after")
    def _has_url_secret(self) -> UrlSettings:
        if self.photos_dir is not None and self.photos_url_secret is None:
            raise ValueError("PHOTOS_URL_SECRET is required with PHOTOS_DIR")
        return self


class AuthSettings(LogSettings):
    """How callers' tokens are checked."""

    jwt_secret: Secret | None = Field(None, description="Secret of HS256 tokens.")
    jwt_jwks_url: Annotated[str, AfterValidator(_is_safe_address)] | None = Field(
        None,
        description="Instead of `JWT_SECRET`: the https address of the keys of RS256 or ES256"
        " tokens.",
    )
    jwt_issuer: str | None = Field(
        None, description="Required `iss`; must be set with `JWT_JWKS_URL`."
    )
    jwt_audience: str | None = Field(
        None, description="Required `aud`; must be set with `JWT_JWKS_URL`."
    )
    jwt_user_claim: str = Field(
        "sub", min_length=1, max_length=200, description="The claim that holds the user's id."
    )

    @model_validator(mode="after")
    def _one_source(self) -> AuthSettings:
        if (self.jwt_secret is None) == (self.jwt_jwks_url is None):
            raise ValueError("set either JWT_SECRET or JWT_JWKS_URL")
        if self.jwt_jwks_url and not (self.jwt_issuer and self.jwt_audience):
            raise ValueError(
                "JWT_ISSUER and JWT_AUDIENCE are required with JWT_JWKS_URL, whose keys may sign"
                " tokens for other applications: set them to the iss and aud of yours"
            )
        return self


class KeySettings(AuthSettings):
    """What other keys are made from."""

    file_key_secret: Secret | None = Field(
        None, description="Proves whose an object key is; from `JWT_SECRET` when not set."
    )

    @property
    def key_secret(self) -> str:
        """What ``FileKeys`` and other keys are made from."""
        secret = self.file_key_secret or self.jwt_secret
        assert secret is not None  # noqa: S101 - held by those who need it
        return secret.get_secret_value()


class OidcSettings(KeySettings):
    """Signing in at the page with an OpenID provider."""

    oidc_issuer: Annotated[str, AfterValidator(_is_safe_address)] | None = Field(
        None,
        description="Lets people sign in at the page with this OpenID provider: its address, as"
        " it names itself ([review](review.md)).",
    )
    oidc_client_id: str | None = Field(
        None, description="How the provider calls Photogate; needed with `OIDC_ISSUER`."
    )
    oidc_client_secret: SecretStr | None = Field(
        None, description="Its secret, unless the provider knows it as a public client."
    )
    oidc_scope: str = Field(
        "openid profile",
        pattern=r"^([!-~]+ )*openid( [!-~]+)*$",
        description="What is asked for; providers may want one more for the claim of the roles.",
    )
    oidc_roles_claim: str = Field(
        "groups",
        min_length=1,
        description="Claim of the ID token that says what somebody may do; `realm_access.roles`"
        " for one inside of another.",
    )
    oidc_admins: str = Field(
        "", description="Values of that claim, by commas, that make an `admin`."
    )
    oidc_moderators: str = Field("", description="The same for a `moderator`.")
    oidc_viewers: str = Field("", description="The same for a `viewer`.")
    oidc_user_claim: str = Field(
        "sub",
        min_length=1,
        description="Claim by which history names a person: one that nobody else ever gets.",
    )

    @model_validator(mode="after")
    def _has_provider(self) -> OidcSettings:
        if self.oidc_issuer is None:
            return self
        if self.oidc_client_id is None:
            raise ValueError("OIDC_CLIENT_ID is required with OIDC_ISSUER")
        if not any(self.oidc_roles.values()):
            raise ValueError(
                "OIDC_ISSUER needs OIDC_ADMINS, OIDC_MODERATORS or OIDC_VIEWERS: without them"
                " nobody may sign in"
            )
        if self.file_key_secret is None and self.jwt_secret is None:
            raise ValueError("FILE_KEY_SECRET is required with OIDC_ISSUER and JWT_JWKS_URL")
        return self

    @property
    def oidc_roles(self) -> dict[str, frozenset[str]]:
        """Give the values of the claim by role."""
        return {
            role: frozenset(value.strip() for value in values.split(",") if value.strip())
            for role, values in (
                ("admin", self.oidc_admins),
                ("moderator", self.oidc_moderators),
                ("viewer", self.oidc_viewers),
            )
        }


class ServeSettings(PublicSettings):
    """The local app, which serves both functions and the photos of a folder."""

    trusted_proxies: Annotated[str, AfterValidator(_networks)] = Field(
        "",
        description="Addresses or networks, by commas, whose `X-Forwarded-For` and `-Proto` count.",
    )
    cors_origins: Annotated[str, AfterValidator(_origins)] = Field(
        "",
        description="Web pages, by commas, that may call the API from a browser, such as"
        " `https://app.example.com`; or `*`. On AWS `AllowedOrigins` says it.",
    )


class MarkerSettings(LogSettings):
    """Whether markers in photos count."""

    photogate_test_mode: Literal["0", "1", "really"] = Field(
        "0",
        description="`1`: photos that carry a marker get the verdict that it names"
        " ([how](integrate.md#try-a-rejection)). Taken only where database and bucket are on this"
        " machine; elsewhere only as `really`.",
    )

    @property
    def test_mode(self) -> bool:
        """Whether markers count."""
        return self.photogate_test_mode != "0"


class ServiceSettings(DatabaseSettings, QueueSettings, StorageSettings, MarkerSettings):
    """What every function needs."""

    @model_validator(mode="after")
    def _tests_only_here(self) -> ServiceSettings:
        if self.photogate_test_mode == "1" and (where := self._elsewhere()):
            raise ValueError(
                f"PHOTOGATE_TEST_MODE=1 lets whoever uploads choose the verdict, and {where}: unset"
                " it (or set PHOTOGATE_TEST_MODE=really where only developers upload)"
            )
        return self

    def _elsewhere(self) -> str | None:
        """Say what is not on this machine; None where all is."""
        if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
            return "this runs on AWS Lambda"
        public = urlsplit(os.environ.get("PUBLIC_URL") or "").hostname
        if public is not None and not _is_loopback(public):
            return f"others reach it at {public}"
        if not _is_loopback(host := urlsplit(self.database).hostname or "localhost"):
            return f"the database is at {host}"
        if self.s3_bucket_photos is None:
            return None
        host = urlsplit(self.s3_endpoint or "").hostname or "AWS"
        return None if _is_loopback(host) else f"the bucket is at {host}"


class PolicySettings(LogSettings):
    """The policy, and the face service that it may need."""

    policy: str = Field(
        "community",
        description="What decides: `community`, `profile`, `dating`, or a file: `./mine.yaml`.",
    )
    serves_originals: bool = Field(
        False,
        description="Set it where people are shown the uploaded files themselves: what copies"
        " would leave out then needs a person.",
    )
    compreface_url: Annotated[str, AfterValidator(_is_address)] | None = Field(
        None, description="Where CompreFace answers: it then looks for faces, and tells ages."
    )
    compreface_api_key: Annotated[SecretStr, AfterValidator(_is_uuid)] | None = Field(
        None, description="Key of a service of type DETECTION; needed with `COMPREFACE_URL`."
    )
    compreface_timeout_s: float = Field(
        10.0, ge=0.5, le=60, description="Longest time that CompreFace may take for a photo."
    )

    @model_validator(mode="after")
    def _has_face_service(self) -> PolicySettings:
        if (self.compreface_url is None) != (self.compreface_api_key is None):
            raise ValueError("COMPREFACE_URL and COMPREFACE_API_KEY go together")
        return self


class SettlingSettings(LogSettings):
    """Who notes what became of notices."""

    notice_give_up_h: float = Field(
        24.0, gt=0, le=720, description="Hours that a notice is tried again before it is given up."
    )


class HandOverSettings(SettlingSettings):
    """Where parcels of notices go, when who has the database has no way out: on AWS."""

    notice_queue_url: str | None = Field(
        None,
        description="URL of the SQS FIFO queue of the notifier; without it, as everywhere but on"
        " AWS, the sweep's process itself tells people and backends.",
    )
    notice_channels: str = Field(
        "", description="The notifier's channels by commas, such as `webhook`; on AWS only."
    )


class UploadSettings(ServiceSettings, UrlSettings, KeySettings, PolicySettings):
    """``functions/upload``."""

    photos_per_day: int = Field(
        30, ge=1, le=10_000, description="Photos that one user may hand in within 24 hours."
    )
    upload_url_s: int = Field(900, ge=30, le=900, description="Lifetime of an upload URL.")
    view_url_s: int = Field(300, ge=30, le=3600, description="Lifetime of a photo's URL.")
    open_uploads: int = Field(
        30,
        ge=1,
        le=10_000,
        description="Uploads of one user that are under way: begun, and not handed in.",
    )
    open_upload_bytes: int = Field(
        600_000_000,
        ge=1,
        le=10**12,
        description="Bytes of these; one without `size` counts as `MAX_PHOTO_BYTES`.",
    )
    accept_heic: bool = Field(
        False, description="Take HEIC uploads as well: workers need the extra `heic`."
    )
    min_approved_photos: int = Field(
        1,
        ge=0,
        le=100,
        description="A user's status says `needs_more_photos` while fewer are approved"
        " or still wait.",
    )
    status_scores: bool = Field(
        False,
        description="Tell users the scores of their photos, too: it helps who probes the bounds.",
    )

    @model_validator(mode="after")
    def _has_key_secret(self) -> UploadSettings:
        if self.file_key_secret is None and self.jwt_secret is None:
            raise ValueError("FILE_KEY_SECRET is required with JWT_JWKS_URL")
        return self


class AdminSettings(ServiceSettings, UrlSettings, OidcSettings, PolicySettings, HandOverSettings):
    """``functions/admin``."""

    view_url_s: int = Field(300, ge=30, le=3600, description="Lifetime of a photo's URL.")
    reveals_per_day: int | None = Field(
        None,
        ge=1,
        le=100_000,
        description="Photos that one person may reveal at the page in a day; no limit unless set.",
    )


class SampleSettings(LogSettings):
    """How often the machine is checked."""

    sample_approved: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Share of approved photos, drawn at random, that a person looks at as well, to"
        " learn how often the machine is wrong: 0.002 is one of 500.",
    )


class ModelSettings(PolicySettings):
    """The model, the face detector and the policy."""

    model_dir: Path = Field(
        description="Folder of the model bundle; `photogate model build` makes it."
    )
    second_model: str = Field(
        min_length=1,
        description="Folder of the bundle of the second model, which has to agree with the first;"
        " or `none`. `make run` and `photogate check` take a name too, `opennsfw` by default.",
    )
    third_model: str = Field(
        "none",
        min_length=1,
        description="Folder of the bundle of a third model, which only ever sends a photo to a"
        " person; or `none`. `make run` and `photogate check` take a name too: `swiftformer` tells"
        " blood and injuries.",
    )
    look: Literal["fast", "normal", "close"] | None = Field(
        None,
        description="How closely the second model looks at large photos: at the whole only"
        " (`fast`), at 2×2 parts as well (`normal`), or at 3×3 (`close`). Else the policy says it;"
        " presets say `normal`.",
    )
    model_threads: int = Field(1, ge=1, le=64, description="Threads of the model per process.")
    faces_dir: Path | None = Field(
        None,
        description="Folder of the face detector's bundle; `profile` needs it, or CompreFace.",
    )


class CopySettings(LogSettings):
    """What copies of photos look like: all that anybody is shown."""

    copy_format: Literal["jpeg", "webp"] = Field(
        "jpeg",
        description="Format of copies: `webp` takes up to a fifth less bytes and twice the time.",
    )
    copy_quality: int = Field(
        85, ge=60, le=95, description="Quality of copies, lowered where one would exceed 1 MB."
    )
    copy_display_px: int = Field(
        1600, ge=480, le=2048, description="Longer side of the copy that is shown."
    )
    copy_thumb_px: int = Field(320, ge=64, le=640, description="Longer side of the small copy.")


def _are_webhook_secrets(secret: SecretStr) -> SecretStr:
    for one in secret.get_secret_value().split(","):
        try:
            key = b64decode(one.strip().removeprefix("whsec_"), validate=True)
        except ValueError:
            key = b""
        if not one.strip().startswith("whsec_") or not 24 <= len(key) <= 64:
            raise ValueError(
                'must be like whsec_…; make one with: echo "whsec_$(openssl rand -base64 32)"'
            )
    return secret


def _is_bot_token(token: SecretStr) -> SecretStr:
    if not re.fullmatch(r"\d+:[\w-]{30,}", token.get_secret_value(), re.ASCII):
        raise ValueError("must be like 110201543:AAH…, as @BotFather gives it")
    return token


class NoticeSettings(LogSettings):
    """The channels over which people and backends are told of decisions."""

    notice_log: bool = Field(False, description="Tell of every decision in the log as well.")
    webhook_url: str | None = Field(
        None, description="Where your backend is told of every decision: an https address."
    )
    webhook_secret: Annotated[SecretStr, AfterValidator(_are_webhook_secrets)] | None = Field(
        None,
        description="Signs them: `whsec_…`; two by a comma while you change it, the new one first.",
    )
    webhook_private: bool = Field(
        False,
        description="Let `WEBHOOK_URL` be http, and an address that is not public: a backend in"
        " your own network.",
    )
    telegram_bot_token: Annotated[SecretStr, AfterValidator(_is_bot_token)] | None = Field(
        None,
        description="Of the bot that tells users and operators by Telegram; @BotFather gives it.",
    )
    telegram_api_url: str = Field(
        "https://api.telegram.org", description="Where a Bot API server answers."
    )
    objection_text: str = Field(
        "",
        max_length=200,
        description="What users are told to do who think that a rejection is wrong: a sentence or"
        " an address.",
    )

    @property
    def webhook_secrets(self) -> tuple[str, ...]:
        """The newest first."""
        secret = self.webhook_secret.get_secret_value() if self.webhook_secret else ""
        return tuple(one.strip() for one in secret.split(",") if one.strip())

    @model_validator(mode="after")
    def _has_webhook(self) -> NoticeSettings:
        if (self.webhook_url is None) != (self.webhook_secret is None):
            raise ValueError("WEBHOOK_URL and WEBHOOK_SECRET go together")
        return self


def _is_hook(url: SecretStr) -> SecretStr:
    # Not quoted: it may hold a secret.
    wrong = ValueError("must be like https://chat.example.com/hooks/…")
    try:
        parts = urlsplit(url.get_secret_value())
        names_one = bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port beyond 65535, or half of an IPv6 address
        raise wrong from None
    if parts.scheme not in ("http", "https") or not names_one or "@" in parts.netloc:
        raise wrong
    return url


def _is_command(command: str) -> str:
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise ValueError(f"cannot be read as a command: {error}") from None
    if not words:
        raise ValueError("must be a command with its arguments")
    return command


class AlertSettings(NoticeSettings):
    """What operators are told by the local sweep, and how. 0 turns a bound off."""

    alert_webhook_url: Annotated[SecretStr, AfterValidator(_is_hook)] | None = Field(
        None,
        description="Where operators are told what is wrong, as JSON with `text`"
        " ([operate](operate.md#alerts-without-prometheus)).",
    )
    alert_telegram_chat: str | None = Field(
        None, description="A chat that is told the same by the bot of `TELEGRAM_BOT_TOKEN`: its id."
    )
    alert_command: Annotated[str, AfterValidator(_is_command)] | None = Field(
        None,
        description="A command that gets the same on standard input, such as `mail -s Photogate"
        " me@example.com`.",
    )
    alert_state: Path | None = Field(
        None,
        description="File that keeps over a restart what was told; in the folder of `photogate up`"
        " `alerts.json`.",
    )
    alert_queue_s: float = Field(
        600.0, ge=0, description="Told when a batch has waited longer for its verdicts, in seconds."
    )
    alert_dead_jobs: int = Field(1, ge=0, description="Told from so many given-up jobs on.")
    alert_failed_percent: float = Field(
        5.0,
        ge=0,
        le=100,
        description="Told when checking failed for more of the last hour's photos, and for 10.",
    )
    alert_workers: int = Field(1, ge=0, description="Told when fewer workers announce themselves.")
    alert_free_gb: float = Field(
        2.0, ge=0, description="Told when less is free where photos are kept, in GB."
    )
    alert_review_h: float = Field(
        24.0, ge=0, description="Told when a photo has waited longer for a person, in hours."
    )

    @model_validator(mode="after")
    def _has_bot(self) -> AlertSettings:
        if self.alert_telegram_chat is not None and self.telegram_bot_token is None:
            raise ValueError("ALERT_TELEGRAM_CHAT needs TELEGRAM_BOT_TOKEN, the bot that tells it")
        return self


class NotifierSettings(NoticeSettings):
    """``functions/notify``."""

    notice_receipts_url: str = Field(
        description="URL of the SQS queue of its receipts; on AWS only."
    )


class ModerateSettings(
    ServiceSettings, ModelSettings, CopySettings, HandOverSettings, SampleSettings
):
    """``functions/moderate`` and the local worker."""

    job_deadline_s: float = Field(
        120.0, ge=5, le=900, description="Longest time that one delivery of a batch may take."
    )

    @model_validator(mode="after")
    def _has_time_for_faces(self) -> ModerateSettings:
        # CompreFace's own timeout has to end a call, not the photo's deadline: only then is it
        # known to be down. Connecting and writing have 4 s, its probe and other photos the rest.
        if self.compreface_url is not None and (
            self.compreface_timeout_s + 4 > self.job_deadline_s / 2
        ):
            raise ValueError("COMPREFACE_TIMEOUT_S + 4 may be at most half of JOB_DEADLINE_S")
        return self


class SenderSettings(DatabaseSettings, NoticeSettings, SettlingSettings):
    """What tells people and backends, beside the local sweep."""


class SweepSettings(ServiceSettings, HandOverSettings):
    """The sweep."""

    notice_days: float = Field(
        7.0, ge=0, le=3650, description="Days that notices are kept which were told, or given up."
    )
    sweep_interval_s: float = Field(
        60.0, ge=0.1, le=3600, description="Seconds between two rounds of the local sweep."
    )
    originals_days: float = Field(
        30.0, ge=0, le=36_500, description="Days that the original of an approved photo is kept."
    )
    earlier_copies_per_minute: int = Field(
        500,
        ge=0,
        le=100_000,
        description="Photos of an installation without copies for which copies are made.",
    )
    batch_days: int = Field(
        90, ge=1, le=36_500, description="Days that rows of finished batches are kept."
    )


class MetricsSettings(LogSettings):
    """``GET /metrics`` of the local API."""

    metrics_token: Secret | None = Field(
        None,
        description="What Prometheus shows as a bearer token at `/metrics` of the local API;"
        " without it nothing is told there.",
    )


S = TypeVar("S", bound=BaseSettings)


#: Settings that the environment does not show (any more), by name.
_kept: dict[str, str] = {}


def setting_names() -> set[str]:
    """Give the names of all environment variables that are settings of Photogate."""
    return {name.upper() for model in _models() for name in model.model_fields} | SECRET_NAMES


def secret_names(*models: type[LogSettings]) -> set[str]:
    """Give the names of the settings of ``models``, or of all, that are secrets."""
    return {
        name.upper()
        for model in models or _models()
        for name, field in model.model_fields.items()
        if SecretStr in _types_in(field.annotation)
    }


def _models() -> list[type[LogSettings]]:
    return [m for m in globals().values() if isinstance(m, type) and issubclass(m, LogSettings)]


def _types_in(annotation: Any) -> set[Any]:
    return {annotation}.union(*map(_types_in, get_args(annotation)))


def keep(found: Mapping[str, str]) -> None:
    """Let ``read`` find these settings, by name, where the environment does not say otherwise."""
    _kept.update(found)


def forget() -> None:
    """Take ``keep`` back."""
    _kept.clear()


def read(model: type[S], **known: Any) -> S:
    """Read ``model`` from the environment, then from what was kept; ``known`` wins over both.

    Raises:
        ConfigError: one line that names every setting that is missing or wrong.
    """
    kept = {
        name.lower(): value
        for name, value in _kept.items()
        if name.lower() in model.model_fields and value and not os.environ.get(name)
    }
    try:
        settings = model(**(kept | known))
    except ValidationError as error:
        found = []
        for problem in error.errors(include_url=False, include_input=False):
            name = "_".join(str(part) for part in problem["loc"]).upper()
            message = problem["msg"].removeprefix("Value error, ")
            found.append(f"{name}: {message}" if name else message)
        raise ConfigError("; ".join(found)) from error
    for _, value in settings:
        if isinstance(value, SecretStr):
            remember(value.get_secret_value())
    for name in ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        remember(os.environ.get(name, ""))
    return settings
