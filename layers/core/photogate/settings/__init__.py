"""Settings from environment variables: one model per entry point, read in ``bootstrap``.

What a process has is put together in ``processes`` from models that have a subject each: ``stores``
(database, queue, photos), ``signing_in`` (tokens, keys, a provider), ``judging`` (policy, models,
copies), ``telling`` (notices, alerts). ``checks`` has what several of them ask of a value,
``reading`` finds them all. A test compares them with ``docs/settings.md``.
"""

from __future__ import annotations

from photogate.settings.checks import MIN_SECRET_BYTES
from photogate.settings.judging import (
    CopySettings,
    MarkerSettings,
    ModelSettings,
    PolicySettings,
    SampleSettings,
)
from photogate.settings.processes import (
    AdminSettings,
    MetricsSettings,
    ModerateSettings,
    SenderSettings,
    ServeSettings,
    ServiceSettings,
    SweepSettings,
    UploadSettings,
)
from photogate.settings.reading import (
    SECRET_NAMES,
    LogSettings,
    forget,
    keep,
    read,
    secret_names,
    setting_names,
)
from photogate.settings.signing_in import AuthSettings, KeySettings, OidcSettings
from photogate.settings.stores import (
    MAX_PHOTO_BYTES,
    DatabaseSettings,
    MigrateSettings,
    PublicSettings,
    QueueSettings,
    StorageSettings,
    UrlSettings,
)
from photogate.settings.telling import (
    AlertSettings,
    HandOverSettings,
    NoticeSettings,
    NotifierSettings,
    SettlingSettings,
)

__all__ = [
    "MAX_PHOTO_BYTES",
    "MIN_SECRET_BYTES",
    "SECRET_NAMES",
    "AdminSettings",
    "AlertSettings",
    "AuthSettings",
    "CopySettings",
    "DatabaseSettings",
    "HandOverSettings",
    "KeySettings",
    "LogSettings",
    "MarkerSettings",
    "MetricsSettings",
    "MigrateSettings",
    "ModelSettings",
    "ModerateSettings",
    "NoticeSettings",
    "NotifierSettings",
    "OidcSettings",
    "PolicySettings",
    "PublicSettings",
    "QueueSettings",
    "SampleSettings",
    "SenderSettings",
    "ServeSettings",
    "ServiceSettings",
    "SettlingSettings",
    "StorageSettings",
    "SweepSettings",
    "UploadSettings",
    "UrlSettings",
    "forget",
    "keep",
    "read",
    "secret_names",
    "setting_names",
]
