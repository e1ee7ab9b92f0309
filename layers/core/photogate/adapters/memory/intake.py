"""Accepting batches: the ledger of the rate limit, the photos, and the outbox entry."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import uuid4

from photogate.adapters.memory.database import BatchRow, Database, Photo, UploadUrl, Usage
from photogate.domain import Batch, NewBatch, Status
from photogate.domain.uploads import DELETED, LATE, TOO_MANY, handed_in_late, over_limit
from photogate.errors import Conflict, RateLimited

_DAY = timedelta(hours=24)
#: This long after an upload URL has ended, no upload that it began can still be going on.
URLS_END = timedelta(minutes=5)
#: Time for the upload itself to send the job.
_FIRST_REST = timedelta(seconds=30)


class MemoryIntake:
    """The ``Intake`` port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, user_id: str, file_keys: Sequence[str]) -> Batch | None:
        """See ``photogate.ports.records.Intake.find``."""
        wanted = set(file_keys)
        with self._database.lock:
            found = [
                Batch(id=b.id, generation=b.generation, file_keys=b.file_keys, created=False)
                for b in self._database.batches.values()
                if b.user_id == user_id
            ]
            found += self._outlived(user_id)
        for batch in found:
            if set(batch.file_keys) == wanted:
                photos = self._database.photos_of(batch.id)
                there = {photo.file_key for photo in photos}
                if deleted := tuple(key for key in file_keys if key not in there):
                    raise Conflict(DELETED, file_keys=deleted)
                states = tuple(
                    Status.PENDING if photo.reopened else photo.row.told_status for photo in photos
                )
                return replace(batch, states=states)
        if taken := {key for batch in found for key in batch.file_keys} & wanted:
            raise Conflict(
                "some photos already belong to another batch", file_keys=tuple(sorted(taken))
            )
        return None

    def issue(
        self,
        user_id: str,
        file_key: str,
        *,
        size_bytes: int,
        expires_in_s: float,
        most_urls: int,
        most_bytes: int,
    ) -> None:
        """See ``photogate.ports.records.Intake.issue``."""
        with self._database.lock:
            now, issued = self._database.clock.now(), self._database.upload_urls
            under_way = [
                url
                for url in issued.values()
                if url.user_id == user_id and not url.handed_in and url.file_key != file_key
            ]
            frees = min((url.expires_at for url in under_way), default=now) + URLS_END - now
            size = sum(url.size_bytes for url in under_way) + size_bytes
            if len(under_way) >= most_urls or size > most_bytes:
                raise RateLimited(TOO_MANY, retry_after_s=max(1, math.ceil(frees.total_seconds())))
            expires_at = now + timedelta(seconds=expires_in_s)
            issued.setdefault(
                file_key,
                UploadUrl(
                    file_key=file_key,
                    user_id=user_id,
                    size_bytes=size_bytes,
                    expires_at=expires_at,
                ),
            )

    def _outlived(self, user_id: str) -> list[Batch]:
        """Give the batches of photos whose batch's row is gone."""
        keys: dict[str, list[str]] = {}
        for photo in self._database.photos.values():
            if photo.user_id == user_id and photo.batch_id not in self._database.batches:
                keys.setdefault(photo.batch_id, []).append(photo.file_key)
        return [
            Batch(id=id_, generation=1, file_keys=tuple(known), created=False)
            for id_, known in keys.items()
        ]

    def accept(self, batch: NewBatch, *, photos_per_day: int) -> Batch:
        """See ``photogate.ports.records.Intake.accept``."""
        keys = tuple(photo.file_key for photo in batch.photos)
        with self._database.lock:
            earlier = self.find(batch.user_id, keys)
            if earlier is not None:
                return earlier
            now = self._database.clock.now()
            self._enforce_limit(batch.user_id, len(keys), photos_per_day, now)
            known = self._database.upload_urls.keys() & set(keys)
            if late := handed_in_late(keys, known):
                raise Conflict(LATE, file_keys=late)
            for key in known:
                self._database.upload_urls[key].handed_in = True
                self._database.upload_urls[key].wanted = True
            row = self._insert(batch, keys, now)
        return Batch(id=row.id, generation=row.generation, file_keys=keys, created=True)

    def _enforce_limit(self, user_id: str, wanted: int, limit: int, now: datetime) -> None:
        used = sorted(
            (
                usage
                for usage in self._database.usage
                if usage.user_id == user_id and usage.created_at > now - _DAY
            ),
            key=lambda usage: usage.created_at,
        )
        times = [(usage.photos, (usage.created_at + _DAY - now).total_seconds()) for usage in used]
        if over := over_limit(times, wanted=wanted, limit=limit):
            raise RateLimited(
                over.words, retry_after_s=over.retry_after_s, limit=limit, remaining=over.remaining
            )

    def _insert(self, batch: NewBatch, keys: tuple[str, ...], now: datetime) -> BatchRow:
        row = BatchRow(
            id=str(uuid4()),
            user_id=batch.user_id,
            file_keys=keys,
            correlation_id=batch.correlation_id,
            language=batch.language,
            created_at=now,
            next_enqueue_at=now + _FIRST_REST,
        )
        self._database.batches[row.id] = row
        self._database.usage.append(Usage(user_id=row.user_id, photos=len(keys), created_at=now))
        for place, new in enumerate(batch.photos):
            photo = Photo(
                id=str(uuid4()),
                user_id=batch.user_id,
                user_name=batch.user_name,
                file_key=new.file_key,
                original_key=new.file_key,
                batch_id=row.id,
                display_order=place,
                etag=new.stored.etag if new.stored else None,
                size_bytes=new.stored.size_bytes if new.stored else None,
                created_at=now,
            )
            self._database.photos[photo.id] = photo
        return row
