"""The one place that puts everything together, once per process and function.

A file for each entry point; ``choose`` reads the settings and picks the adapters. Imports only
what is used.
"""

from __future__ import annotations

from photogate import settings as s
from photogate.bootstrap import choose
from photogate.bootstrap.for_admin import AdminParts, admin
from photogate.bootstrap.for_files import (
    cors_origins,
    file_store,
    max_photo_bytes,
    trusted_proxies,
)
from photogate.bootstrap.for_migrate import migrate, plan_migration
from photogate.bootstrap.for_moderate import (
    ModerateParts,
    ModeratePorts,
    analyzer,
    copy_maker,
    moderate,
)
from photogate.bootstrap.for_notices import channels, notice_desk, notifying, sending
from photogate.bootstrap.for_sessions import sessions
from photogate.bootstrap.for_sweep import backlog, handing_over, redrive, remove_parts, sweep
from photogate.bootstrap.for_upload import UploadParts, upload

__all__ = [
    "AdminParts",
    "ModerateParts",
    "ModeratePorts",
    "UploadParts",
    "admin",
    "analyzer",
    "backlog",
    "check_settings",
    "copy_maker",
    "cors_origins",
    "file_store",
    "handing_over",
    "max_photo_bytes",
    "migrate",
    "moderate",
    "notice_desk",
    "notifying",
    "plan_migration",
    "redrive",
    "remove_parts",
    "reset",
    "sending",
    "sessions",
    "sweep",
    "trusted_proxies",
    "upload",
]


def reset() -> None:
    """Close every connection; whatever is built next reads its settings anew."""
    for built in (upload, admin, file_store, max_photo_bytes):
        built.cache_clear()
    choose.reset()


def check_settings() -> None:
    """Read the settings of every entry point, and load what a worker would load.

    Raises:
        ConfigError: some entry point would not start.
    """
    for model in (s.UploadSettings, s.AdminSettings, s.SweepSettings, s.SenderSettings):
        choose.settings_of(model)
    channels(choose.settings_of(s.NoticeSettings))
    settings = choose.settings_of(s.ModerateSettings)
    analyzer(settings, choose.policy(settings))
