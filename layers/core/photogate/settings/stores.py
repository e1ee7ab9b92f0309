"""Where rows, jobs and photos are kept: the database, the queue, the bucket or folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import quote

from pydantic import AfterValidator, Field, SecretStr, model_validator

from photogate.settings.checks import Secret, is_public
from photogate.settings.reading import LogSettings

#: Where authorities of one's own are packaged, beside the code.
_AUTHORITIES = Path(__file__).parent.with_name("authorities")


#: Phones make photos of 2 to 12 MB.
MAX_PHOTO_BYTES = 20_000_000


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

    public_url: Annotated[str, AfterValidator(is_public)] = Field(
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
