"""What ``photogate accuracy`` is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from photogate import settings as s
from photogate.bootstrap import choose

if TYPE_CHECKING:
    from photogate.ports.accuracy import AccuracyCounts


def accuracy() -> AccuracyCounts:
    """Build what counts how often the machine was right; the caller ends with the process."""
    from photogate.adapters.postgres.accuracy import PostgresAccuracy

    return PostgresAccuracy(choose.pool(choose.settings_of(s.DatabaseSettings)))
