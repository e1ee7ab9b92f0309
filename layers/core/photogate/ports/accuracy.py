"""Counts of what the machine decided, and of what people said of it."""

from __future__ import annotations

from typing import Protocol

from photogate.domain.accuracy import Accuracy


class AccuracyCounts(Protocol):
    """Reads them."""

    def of_days(self, days: int) -> Accuracy:
        """Count the last so many days."""
