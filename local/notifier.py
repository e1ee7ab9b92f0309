"""Tells people and backends of decisions: a thread beside the sweep."""

from __future__ import annotations

import logging
import threading
import time

from photogate.errors import PhotogateError
from photogate.service.notices import Sending

logger = logging.getLogger(__name__)

#: A decision is told about so soon; looking costs one statement, and one for each channel.
LOOK_EVERY_S = 1.0
#: While the database does not answer.
_AFTER_FAULT_S = 5.0
#: One run, so that what is planned meanwhile has its turn.
_RUN_S = 30.0


class Notifier:
    """Looks once a second, until it is stopped."""

    def __init__(self, sending: Sending, *, look_every_s: float = LOOK_EVERY_S) -> None:
        self._sending = sending
        self._look_every_s = look_every_s
        self._stopping = threading.Event()
        # Whatever it is telling when the process ends comes again: its leases run out.
        self._thread = threading.Thread(target=self._run, name="notifier", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, *, within_s: float = 5.0) -> None:
        """Begin nothing any more, and wait a little for what is under way."""
        self._stopping.set()
        self._thread.join(within_s)

    def _run(self) -> None:
        while not self._stopping.is_set():
            ends = time.monotonic() + _RUN_S

            def time_left_s(ends: float = ends) -> float:
                return 0.0 if self._stopping.is_set() else ends - time.monotonic()

            pause_s = self._look_every_s
            try:
                self._sending.run(time_left_s=time_left_s)
            except PhotogateError as error:
                logger.warning("nobody is told anything: %s", error)
                pause_s = _AFTER_FAULT_S
            except Exception:
                logger.exception("nobody is told anything")
                pause_s = _AFTER_FAULT_S
            self._stopping.wait(pause_s)
