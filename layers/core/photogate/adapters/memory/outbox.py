"""The batch row as outbox: what has to be sent again, given up or cleaned up."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from photogate.adapters.memory.database import MINUTE, Database, Photo
from photogate.domain import ExhaustedBatch, UnfinishedBatch
from photogate.messages import Job

#: Longer than any upload URL: until then a client may put the object there again.
_URLS_LIVE = timedelta(minutes=20)
#: The rate limit looks back 24 hours.
_USAGE = timedelta(hours=48)
_LONGEST_REST = timedelta(hours=1)
#: A job that the queue seems to hold is sent again after this time all the same.
_AFTER_ALL = timedelta(hours=1)


class MemoryOutbox:
    """The ``Outbox`` port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def take_due(self, *, limit: int, lost: int | None = None) -> list[Job]:
        """See ``photogate.ports.records.Outbox.take_due``."""
        with self._database.lock:
            now = self._database.clock.now()
            due = sorted(
                (
                    batch
                    for batch in self._database.batches.values()
                    if batch.finished_at is None and batch.next_enqueue_at <= now
                ),
                key=lambda batch: batch.next_enqueue_at,
            )
            sure = [b for b in due if not b.queued or b.next_enqueue_at < now - _AFTER_ALL]
            due = (sure + [b for b in due if b not in sure][:lost])[:limit]
            for batch in due:
                batch.next_enqueue_at = now + MINUTE
            return [Job(batch_id=batch.id, generation=batch.generation) for batch in due]

    def sent(self, batch_ids: Sequence[str]) -> None:
        """See ``photogate.ports.records.Outbox.sent``."""
        with self._database.lock:
            for batch_id in batch_ids:
                batch = self._database.batches.get(batch_id)
                if batch is not None and batch.finished_at is None:
                    batch.queued = True
                    batch.next_enqueue_at = self._database.clock.now() + batch.enqueue_interval
                    batch.enqueue_interval = min(batch.enqueue_interval * 2, _LONGEST_REST)

    def queued(self) -> int:
        """See ``photogate.ports.records.Outbox.queued``."""
        with self._database.lock:
            batches = self._database.batches.values()
            return sum(batch.queued and batch.finished_at is None for batch in batches)

    def exhausted(self, *, max_deliveries: int, limit: int) -> list[ExhaustedBatch]:
        """See ``photogate.ports.records.Outbox.exhausted``."""
        with self._database.lock:
            now = self._database.clock.now()
            batches = sorted(
                (
                    batch
                    for batch in self._database.batches.values()
                    if batch.finished_at is None
                    and batch.deliveries >= max_deliveries
                    and (batch.lease_until is None or batch.lease_until < now)
                ),
                key=lambda batch: batch.created_at,
            )[:limit]
            self._database.close_finished([batch.id for batch in batches], now)
            return [
                ExhaustedBatch(
                    id=batch.id,
                    generation=batch.generation,
                    error=batch.last_error or "delivered too often without a verdict",
                    photo_ids=tuple(sorted(p.id for p in self._database.open_photos(batch.id))),
                )
                for batch in batches
            ]

    def take_deletions(self, *, limit: int) -> list[str]:
        """See ``photogate.ports.records.Outbox.take_deletions``."""
        with self._database.lock:
            now = self._database.clock.now()
            long_ago = now - _URLS_LIVE
            found = sorted(
                (
                    deletion
                    for deletion in self._database.deletions.values()
                    if deletion.next_try_at <= now
                    and (deletion.removed_at is None or deletion.created_at < long_ago)
                ),
                key=lambda deletion: (deletion.attempts, deletion.next_try_at),
            )
            return [deletion.file_key for deletion in found[:limit]]

    def deleted(self, file_key: str) -> None:
        """See ``photogate.ports.records.Outbox.deleted``."""
        with self._database.lock:
            now = self._database.clock.now()
            deletion = self._database.deletions.get(file_key)
            if deletion is None:
                return
            deletion.removed_at, deletion.attempts = now, 0
            if deletion.created_at < now - _URLS_LIVE:
                del self._database.deletions[file_key]

    def put_off(self, file_key: str) -> None:
        """See ``photogate.ports.records.Outbox.put_off``."""
        with self._database.lock:
            deletion = self._database.deletions.get(file_key)
            if deletion is not None:
                pause = min(MINUTE * 2 ** min(deletion.attempts, 10), _LONGEST_REST)
                deletion.next_try_at = self._database.clock.now() + pause
                deletion.attempts += 1

    def prune(self, *, limit: int) -> int:
        """See ``photogate.ports.records.Outbox.prune``."""
        database = self._database
        with database.lock:
            now = database.clock.now()
            told = now - timedelta(days=database.history_days)
            finished = now - timedelta(days=database.batch_days)
            usage = [u for u in database.usage if u.created_at < now - _USAGE][:limit]
            batches = [
                batch.id
                for batch in database.batches.values()
                if batch.finished_at is not None
                and batch.finished_at < finished
                and not any(p.open or p.given_up or p.held for p in database.photos_of(batch.id))
            ][:limit]
            held = {hold.photo_id for hold in database.holds if hold.lifted_at is None}
            history = [
                entry
                for entry in database.history
                if entry.at < told and entry.row.photo_id not in held
            ][:limit]
            day_ago = now - timedelta(days=1)
            for hash_ in [h for h, row in database.sessions.items() if row.created_at < day_ago]:
                del database.sessions[hash_]
            seen = [k for k, at in database.reveals.items() if at < told and k[0] not in held]
            for key in seen[:limit]:
                del database.reveals[key]
            items = [
                item
                for item in database.review_items
                if item.closed_at and item.closed_at < told and item.photo_id not in held
            ][:limit]
            for used in usage:
                database.usage.remove(used)
            for batch_id in batches:
                del database.batches[batch_id]
            for entry in history:
                database.history.remove(entry)
            for item in items:
                database.review_items.remove(item)
            return len(usage) + len(batches) + len(history) + len(items)


class MemoryUnfinished:
    """The ``Unfinished`` port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def batches(self, *, limit: int) -> list[UnfinishedBatch]:
        """See ``photogate.ports.records.Unfinished.batches``."""
        with self._database.lock:
            found = [
                UnfinishedBatch(
                    batch_id=batch.id,
                    photos=len(photos),
                    deliveries=batch.deliveries,
                    error=min(str(photo.error) for photo in photos),
                    concluded_at=batch.finished_at,
                )
                for batch in self._database.batches.values()
                if batch.finished_at is not None and (photos := self._given_up([batch.id]))
            ]
        return sorted(found, key=lambda batch: (batch.concluded_at, batch.batch_id))[:limit]

    def photos(self, batch_ids: Sequence[str]) -> list[str]:
        """See ``photogate.ports.records.Unfinished.photos``."""
        with self._database.lock:
            return sorted(photo.id for photo in self._given_up(batch_ids))

    def _given_up(self, batch_ids: Sequence[str]) -> list[Photo]:
        return [
            photo
            for photo in self._database.photos.values()
            if photo.batch_id in batch_ids and photo.given_up
        ]
