"""A worker's delivery of a batch: leases and counted attempts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import uuid4

from photogate.adapters.memory.database import MINUTE, BatchRow, Database
from photogate.domain import OpenBatch, OpenPhoto, outage_pause_s
from photogate.errors import BatchBusy
from photogate.messages import Job


class MemoryDeliveries:
    """The ``Deliveries`` port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, job: Job, *, job_id: str, lease_s: float) -> OpenBatch | None:
        """See ``photogate.ports.records.Deliveries.begin``."""
        with self._database.lock:
            now = self._database.clock.now()
            batch = self._database.batches.get(job.batch_id)
            if batch is None or batch.finished_at or batch.generation != job.generation:
                return None
            left = (batch.lease_until or now) - now
            if left > timedelta() and batch.lease_job_id != job_id:
                raise BatchBusy(
                    f"batch {job.batch_id} is being worked on", retry_after_s=left.total_seconds()
                )
            rows = sorted(
                self._database.open_photos(batch.id),
                key=lambda photo: (photo.attempts, photo.display_order, photo.id),
            )
            if not rows:
                self._database.close_finished([batch.id], now)
                return None
            batch.deliveries += 1
            waited_for, batch.waits_for = batch.waits_for, None
            batch.lease_job_id, batch.attempt_id = job_id, str(uuid4())
            batch.lease_until = now + timedelta(seconds=lease_s)
            photos = tuple(
                OpenPhoto(
                    id=row.id,
                    file_key=row.file_key,
                    etag=row.etag,
                    unfinished_attempts=row.attempts,
                )
                for row in rows
            )
            if all(row.attempts == 0 for row in rows):
                for row in rows:
                    row.attempts = 1
            return OpenBatch(
                id=batch.id,
                attempt_id=batch.attempt_id,
                user_id=batch.user_id,
                correlation_id=batch.correlation_id,
                accepted_at=batch.created_at,
                photos=photos,
                waited_for=waited_for,
            )

    def count(self, photo: OpenPhoto, *, attempt_id: str) -> None:
        """See ``photogate.ports.records.Deliveries.count``."""
        with self._database.lock:
            row = self._database.photos.get(photo.id)
            if row is None or not row.open:
                return
            if self._database.batches[row.batch_id].attempt_id == attempt_id:
                row.attempts = photo.unfinished_attempts + 1

    def hand_back(
        self,
        job: Job,
        photo_ids: Sequence[str],
        *,
        attempt_id: str,
        error: str,
        delivery_counts: bool = True,
    ) -> None:
        """See ``photogate.ports.records.Deliveries.hand_back``."""
        with self._database.lock:
            batch = self._database.batches.get(job.batch_id)
            if batch is None or batch.attempt_id != attempt_id:
                return  # another delivery has taken over; the counts are its own
            batch.last_error = error
            if not delivery_counts:
                batch.deliveries = max(batch.deliveries - 1, 0)
            batch.release()
            self._uncount(batch.id, photo_ids, error)

    def put_off(
        self,
        job: Job,
        photo_ids: Sequence[str] = (),
        *,
        attempt_id: str | None,
        part: str,
        error: str,
        at_least_s: float,
    ) -> float | None:
        """See ``photogate.ports.records.Deliveries.put_off``."""
        with self._database.lock:
            now = self._database.clock.now()
            batch = self._database.batches.get(job.batch_id)
            if batch is None or batch.finished_at or batch.generation != job.generation:
                return None
            held = batch.lease_until is not None and batch.lease_until >= now
            if held if attempt_id is None else batch.attempt_id != attempt_id:
                return None  # another delivery has it
            delay_s = at_least_s + outage_pause_s(batch.put_off, len(self._waiting(part)))
            batch.waits_for, batch.last_error = part, error
            batch.put_off += 1
            if attempt_id is not None:
                batch.deliveries = max(batch.deliveries - 1, 0)
            batch.release()
            batch.next_enqueue_at = now + timedelta(seconds=delay_s) + MINUTE
            self._uncount(batch.id, photo_ids, error)
            return delay_s

    def wake(self, part: str, *, limit: int) -> list[Job]:
        """See ``photogate.ports.records.Deliveries.wake``."""
        with self._database.lock:
            now = self._database.clock.now()
            woken = self._waiting(part)
            for place, batch in enumerate(woken):
                batch.waits_for, batch.put_off = None, 0
                batch.next_enqueue_at = now + (MINUTE if place < limit else timedelta())
            return [Job(batch_id=b.id, generation=b.generation) for b in woken[:limit]]

    def _waiting(self, part: str) -> list[BatchRow]:
        return sorted(
            (
                batch
                for batch in self._database.batches.values()
                if batch.waits_for == part and batch.finished_at is None
            ),
            key=lambda batch: batch.created_at,
        )

    def _uncount(self, batch_id: str, photo_ids: Sequence[str], error: str) -> None:
        for row in self._database.open_photos(batch_id):
            if row.id in photo_ids:
                row.attempts = max(row.attempts - 1, 0)
                row.error = error
