"""What each process has: the functions, the local app, workers and the sweep."""

from __future__ import annotations

import os
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from photogate.settings.checks import Secret, are_networks, are_origins, is_loopback
from photogate.settings.judging import (
    CopySettings,
    MarkerSettings,
    ModelSettings,
    PolicySettings,
    SampleSettings,
)
from photogate.settings.reading import LogSettings
from photogate.settings.signing_in import KeySettings, OidcSettings
from photogate.settings.stores import (
    DatabaseSettings,
    PublicSettings,
    QueueSettings,
    StorageSettings,
    UrlSettings,
)
from photogate.settings.telling import (
    HandOverSettings,
    NoticeSettings,
    ObjectionSettings,
    SettlingSettings,
)


class ServeSettings(PublicSettings):
    """The local app, which serves both functions and the photos of a folder."""

    trusted_proxies: Annotated[str, AfterValidator(are_networks)] = Field(
        "",
        description="Addresses or networks, by commas, whose `X-Forwarded-For` and `-Proto` count.",
    )
    cors_origins: Annotated[str, AfterValidator(are_origins)] = Field(
        "",
        description="Web pages, by commas, that may call the API from a browser, such as"
        " `https://app.example.com`; or `*`. On AWS `AllowedOrigins` says it.",
    )


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
        if public is not None and not is_loopback(public):
            return f"others reach it at {public}"
        if not is_loopback(host := urlsplit(self.database).hostname or "localhost"):
            return f"the database is at {host}"
        if self.s3_bucket_photos is None:
            return None
        host = urlsplit(self.s3_endpoint or "").hostname or "AWS"
        return None if is_loopback(host) else f"the bucket is at {host}"


class UploadSettings(ServiceSettings, UrlSettings, KeySettings, PolicySettings, ObjectionSettings):
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
