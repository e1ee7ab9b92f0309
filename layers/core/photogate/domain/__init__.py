"""The types and rules of photo moderation, without any technology."""

from photogate.domain.deadline import NEVER, Deadline
from photogate.domain.operation import (
    ALIVE_WITHIN_S,
    ANNOUNCE_EVERY_S,
    MANY_WAIT,
    DayStats,
    DeadJob,
    Delivery,
    ExhaustedBatch,
    QueueStats,
    UnfinishedBatch,
    WorkerInfo,
    outage_pause_s,
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
    "MANY_WAIT",
    "NEVER",
    "NSFW_CATEGORIES",
    "AgeRange",
    "Batch",
    "DayStats",
    "DeadJob",
    "Deadline",
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
    "UnfinishedBatch",
    "UploadTicket",
    "UserSummary",
    "Verdict",
    "WorkerInfo",
    "outage_pause_s",
]
