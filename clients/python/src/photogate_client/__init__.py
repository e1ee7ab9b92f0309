"""A typed client of Photogate's HTTP API, and verification of its webhooks."""

from .admin import Desk, PhotogateAdmin
from .admin_models import (
    Bar,
    Dashboard,
    Decided,
    Held,
    Item,
    ItemKind,
    NoticeItem,
    NoticeState,
    OwnerOf,
    QueueStats,
    ReviewedPhoto,
)
from .client import Copy, Photogate
from .errors import (
    Conflict,
    Forbidden,
    InvalidRequest,
    InvalidWebhook,
    NotFound,
    PhotogateError,
    RateLimited,
    Refused,
    StillPending,
    Unauthenticated,
    Unavailable,
    UnexpectedAnswer,
    Unreachable,
)
from .models import Accepted, Health, ModerationStatus, Photo, Status, Summary, UploadUrl
from .transport import Token
from .webhook_models import PhotoDecision, WebhookBody
from .webhooks import WebhookEvent, Webhooks

__all__ = [
    "Accepted",
    "Bar",
    "Conflict",
    "Copy",
    "Dashboard",
    "Decided",
    "Desk",
    "Forbidden",
    "Health",
    "Held",
    "InvalidRequest",
    "InvalidWebhook",
    "Item",
    "ItemKind",
    "ModerationStatus",
    "NotFound",
    "NoticeItem",
    "NoticeState",
    "OwnerOf",
    "Photo",
    "PhotoDecision",
    "Photogate",
    "PhotogateAdmin",
    "PhotogateError",
    "QueueStats",
    "RateLimited",
    "Refused",
    "ReviewedPhoto",
    "Status",
    "StillPending",
    "Summary",
    "Token",
    "Unauthenticated",
    "Unavailable",
    "UnexpectedAnswer",
    "Unreachable",
    "UploadUrl",
    "WebhookBody",
    "WebhookEvent",
    "Webhooks",
]
