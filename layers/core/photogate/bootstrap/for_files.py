"""What the local app serves: a folder of photos; and whom it believes."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from photogate import settings as s
from photogate.bootstrap import choose

if TYPE_CHECKING:
    from photogate.adapters.photos_files import FilePhotoStore


@cache
def file_store() -> FilePhotoStore:
    """Give the folder that the local app serves."""
    return choose.folder(choose.settings_of(s.UrlSettings))


@cache
def max_photo_bytes() -> int:
    """Give the largest upload that the local app takes."""
    return choose.settings_of(s.StorageSettings).max_photo_bytes


def cors_origins() -> list[str]:
    """Give the origins of web pages that may call the API from a browser."""
    origins = choose.settings_of(s.ServeSettings).cors_origins
    return origins.split(",") if origins else []


def trusted_proxies() -> list[str]:
    """Give the networks whose ``X-Forwarded-For`` counts."""
    proxies = choose.settings_of(s.ServeSettings).trusted_proxies
    return proxies.split(",") if proxies else []
