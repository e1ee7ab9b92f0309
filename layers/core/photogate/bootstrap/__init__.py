"""The one place that puts everything together, once per process and function.

A file for each entry point; ``choose`` reads the settings and picks the adapters. Imports only
what is used.
"""

from __future__ import annotations

from photogate import settings as s
from photogate.bootstrap import choose
from photogate.bootstrap.for_accuracy import accuracy
from photogate.bootstrap.for_admin import AdminParts, admin, lists
from photogate.bootstrap.for_erasing import erasing
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
from photogate.bootstrap.for_notices import channels, notice_desk, notifying, sending, telegram
from photogate.bootstrap.for_sessions import sessions
from photogate.bootstrap.for_sweep import (
    backlog,
    handing_over,
    job_monitor,
    open_work,
    redrive,
    remove_parts,
    report,
    sweep,
)
from photogate.bootstrap.for_upload import UploadParts, upload

__all__ = [
    "AdminParts",
    "ModerateParts",
    "ModeratePorts",
    "UploadParts",
    "accuracy",
    "admin",
    "analyzer",
    "backlog",
    "check_settings",
    "copy_maker",
    "cors_origins",
    "erasing",
    "file_store",
    "handing_over",
    "job_monitor",
    "lists",
    "markers_count",
    "max_photo_bytes",
    "migrate",
    "moderate",
    "notice_desk",
    "notifying",
    "open_work",
    "plan_migration",
    "redrive",
    "remove_parts",
    "report",
    "reset",
    "sending",
    "sessions",
    "sweep",
    "telegram",
    "trusted_proxies",
    "upload",
]


def reset() -> None:
    """Close every connection; whatever is built next reads its settings anew."""
    for built in (upload, admin, file_store, max_photo_bytes):
        built.cache_clear()
    choose.reset()


def markers_count() -> bool:
    """Tell whether a marker in a photo names its verdict here, without asking anything else."""
    return choose.settings_of(s.MarkerSettings).test_mode


def check_settings() -> None:
    """Read the settings of every entry point, and load what a worker would load.

    Raises:
        ConfigError: some entry point would not start.
    """
    for model in (
        s.UploadSettings,
        s.AdminSettings,
        s.SweepSettings,
        s.SenderSettings,
        s.AlertSettings,
    ):
        choose.settings_of(model)
    channels(choose.settings_of(s.NoticeSettings))
    settings = choose.settings_of(s.ModerateSettings)
    analyzer(settings, choose.policy(settings))
