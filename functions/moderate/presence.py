"""Announces a function's process to operators, as the local workers announce themselves."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime

from photogate.bootstrap import ModerateParts
from photogate.domain import ANNOUNCE_EVERY_S
from photogate.errors import RetryableError
from photogate.telemetry import make_logger

logger = make_logger("moderate")


class Presence:
    """One process of the function. Its row goes by itself, a day after it was last seen.

    Lambda lets nothing run between invocations, so that a busy process counts as alive and an
    idle one does not.
    """

    def __init__(self, parts: ModerateParts) -> None:
        self._workers = parts.workers
        self._info = parts.introduce()
        self._next = 0.0

    def seen(self) -> None:
        """Renew the row when it is time; a failure to write it is ignored."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + ANNOUNCE_EVERY_S
        self._info = replace(self._info, last_photo_at=datetime.now(UTC))
        try:
            self._workers.announce(self._info)
        except RetryableError as error:
            logger.warning("could not announce this process", error=str(error))
