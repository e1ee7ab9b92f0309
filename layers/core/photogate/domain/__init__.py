"""The types and rules of photo moderation, without any technology."""

from photogate.domain.operation import (
    ALIVE_WITHIN_S,
    ANNOUNCE_EVERY_S,
    DayStats,
    DeadJob,
    Delivery,
    ExhaustedBatch,
    QueueStats,
    UnfinishedBatch,
    WorkerInfo,
)
from photogate.domain.people import (
    Principal,
    Role,
)
from photogate.domain.photos import (
    Batch,
    NewBatch,
    NewPhoto,
    OpenBatch,
    OpenPhoto,
    PhotoRow,
    StoredObject,
    UploadTicket,
    UserSummary,
)
from photogate.domain.signals import (
    NSFW_CATEGORIES,
    AgeRange,
    Face,
    Jpeg,
    Signals,
    Tile,
)
from photogate.domain.verdicts import (
    Finding,
    Gate,
    Reason,
    Rule,
    Status,
    Verdict,
)

__all__ = [
    "ALIVE_WITHIN_S",
    "ANNOUNCE_EVERY_S",
    "NSFW_CATEGORIES",
    "AgeRange",
    "Batch",
    "DayStats",
    "DeadJob",
    "Delivery",
    "ExhaustedBatch",
    "Face",
    "Finding",
    "Gate",
    "Jpeg",
    "NewBatch",
    "NewPhoto",
    "OpenBatch",
    "OpenPhoto",
    "PhotoRow",
    "Principal",
    "QueueStats",
    "Reason",
    "Role",
    "Rule",
    "Signals",
    "Status",
    "StoredObject",
    "Tile",
    "UnfinishedBatch",
    "UploadTicket",
    "UserSummary",
    "Verdict",
    "WorkerInfo",
]
