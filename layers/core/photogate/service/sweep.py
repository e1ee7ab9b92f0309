"""The sweep, once a minute: finishes what a crash, a lost queue or a store's outage left open."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

from photogate.domain.changes import given_up
from photogate.errors import RetryableError
from photogate.ports.photos import PhotoStore
from photogate.ports.queue import JobMonitor, JobSender
from photogate.ports.records import Changes, Outbox
from photogate.service.deletion import remove
from photogate.service.moderate import MAX_DELIVERIES

logger = logging.getLogger(__name__)

#: Per round, so that one round stays well below a minute.
_MOST = 500
#: Per round, too: a store that stalls takes 20 s for one deletion.
_DELETE_WITHIN_S = 20.0


@dataclass(frozen=True, kw_only=True)
class Swept:
    """What one round did."""

    #: Batches whose job was sent again.
    resent: int
    #: Photos that went to a person because their batch was delivered too often.
    concluded: int


class Sweep:
    """Run it once a minute, anywhere, any number of times at once.

    Args:
        delete_within_s: deletions that do not begin within this time are left to the next
            round, so that a store which stalls does not keep batches waiting.
    """

    def __init__(
        self,
        *,
        outbox: Outbox,
        changes: Changes,
        sender: JobSender,
        monitor: JobMonitor,
        store: PhotoStore,
        delete_within_s: float = _DELETE_WITHIN_S,
    ) -> None:
        self._outbox = outbox
        self._changes = changes
        self._sender = sender
        self._monitor = monitor
        self._store = store
        self._delete_within_s = delete_within_s

    def run(self) -> Swept:
        """Do one round; what fails now is left to the next one."""
        concluded = self._conclude()
        resent = 0
        try:
            self._monitor.stats()  # makes jobs of ended workers visible again
            for job in self._outbox.take_due(limit=_MOST):
                self._sender.send(job.encode())
                self._outbox.sent([job.batch_id])
                resent += 1
        except RetryableError as error:
            logger.warning("the sweep could not send: %s", error)
        self._delete()
        self._outbox.prune(limit=_MOST)
        if resent or concluded:
            logger.info("swept: %d batches sent again, %d photos to review", resent, concluded)
        return Swept(resent=resent, concluded=concluded)

    def _conclude(self) -> int:
        """Send photos of batches that were delivered too often to a person; give their number."""
        outcomes = self._changes.make(
            [
                given_up(photo_id, generation=batch.generation, error=batch.error)
                for batch in self._outbox.exhausted(max_deliveries=MAX_DELIVERIES, limit=_MOST)
                for photo_id in batch.photo_ids
            ]
        )
        return sum(outcome.changed for outcome in outcomes)

    def _delete(self) -> None:
        last_start = time.monotonic() + self._delete_within_s
        for key in self._outbox.take_deletions(limit=_MOST):
            if time.monotonic() > last_start:
                logger.warning("the store is slow: deletions are left to the next round")
                return
            remove(self._store, self._outbox, key)
