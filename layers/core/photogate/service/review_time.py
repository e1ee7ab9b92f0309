"""How long people usually wait for a person's decision: said on the parcels that tell them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from photogate.domain import Status
from photogate.domain.notices import Parcel
from photogate.errors import RetryableError
from photogate.ports.notices import Kind, Notices

logger = logging.getLogger(__name__)

#: It is a figure of a week, and finding it out reads that week.
KNOWN_FOR_S = 600.0


class ReviewTime:
    """Asks the database now and then. Thread-safe."""

    def __init__(self, notices: Notices, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._notices = notices
        self._clock = clock
        self._lock = threading.Lock()
        self._hours: float | None = None
        self._until = -1.0

    def said_on(self, kind: Kind, parcels: Sequence[Parcel]) -> list[Parcel]:
        """Give the parcels, with the time on those that tell a person of waiting."""
        return [
            replace(parcel, review_hours=self._now())
            if kind.addressed and any(n.status is Status.REVIEW for n in parcel.notices)
            else parcel
            for parcel in parcels
        ]

    def _now(self) -> float | None:
        with self._lock:
            if self._clock() >= self._until:
                try:
                    self._hours = self._notices.review_hours()
                except RetryableError as error:
                    # The message is as true without it.
                    logger.warning("how long people wait is not known: %s", error)
                self._until = self._clock() + KNOWN_FOR_S
            return self._hours
