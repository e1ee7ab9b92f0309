"""Photos of which copies are to be made, and objects that are no longer needed, in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from photogate.adapters.memory.database import Database, Photo
from photogate.adapters.memory.intake import URLS_END
from photogate.adapters.memory.notice_rows import copy_is_there
from photogate.domain import CopyProgress, Status, UncopiedPhoto
from photogate.domain.object_keys import is_kept

_SENT_AGAIN_AFTER = timedelta(minutes=5)


class MemoryCopies:
    """The ``Copies`` port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, photo_ids: Sequence[str], *, lease_s: float) -> list[UncopiedPhoto]:
        """See ``photogate.ports.records.Copies.begin``."""
        with self._database.lock:
            now, begun = self._database.clock.now(), []
            for photo in self._wanted(sorted(photo_ids)):
                if photo.copies_lease_until is not None and photo.copies_lease_until >= now:
                    continue
                assert photo.original_key is not None  # noqa: S101 - wanted until copied
                photo.copies_attempts += 1
                photo.copies_lease_until = now + timedelta(seconds=lease_s)
                begun.append(
                    UncopiedPhoto(
                        id=photo.id,
                        original_key=photo.original_key,
                        earlier_layout=photo.earlier_layout,
                        etag=None if is_kept(photo.original_key) else photo.etag,
                        sha256=(photo.scores or {}).get("sha256"),
                        attempts=photo.copies_attempts,
                        failures=photo.copies_failures,
                    )
                )
            return begun

    def made(self, photo_id: str, *, display_key: str, original_key: str) -> bool:
        """See ``photogate.ports.records.Copies.made``."""
        with self._database.lock:
            photo = self._database.photos.get(photo_id)
            if photo is None:
                return False
            photo.display_key, photo.original_key = display_key, original_key
            photo.copies_due_at = photo.copies_lease_until = None
            photo.earlier_layout = False
            if (upload := self._database.upload_urls.get(photo.file_key)) is not None:
                upload.wanted = False
            copy_is_there(self._database, photo_id)
            return True

    def put_off(self, photo_ids: Sequence[str], *, for_s: float) -> None:
        """See ``photogate.ports.records.Copies.put_off``."""
        with self._database.lock:
            self._end_attempts(photo_ids, for_s=for_s, failures=0)

    def failed(self, photo_id: str, *, for_s: float) -> None:
        """See ``photogate.ports.records.Copies.failed``."""
        with self._database.lock:
            self._end_attempts([photo_id], for_s=for_s, failures=1)

    def abandon(self, photo_id: str) -> None:
        """See ``photogate.ports.records.Copies.abandon``."""
        with self._database.lock:
            for photo in self._wanted([photo_id]):
                photo.copies_due_at = photo.copies_lease_until = None
                photo.earlier_layout = False

    def take_due(self, *, limit: int) -> list[str]:
        """See ``photogate.ports.records.Copies.take_due``."""
        with self._database.lock:
            now = self._database.clock.now()
            due = sorted(
                (when, photo.id)
                for photo in self._database.photos.values()
                if (when := photo.copies_due_at) is not None and when <= now
            )[:limit]
            for _, photo_id in due:
                self._database.photos[photo_id].copies_due_at = now + _SENT_AGAIN_AFTER
            return [photo_id for _, photo_id in due]

    def schedule_earlier(self, *, limit: int) -> int:
        """See ``photogate.ports.records.Copies.schedule_earlier``."""
        with self._database.lock:
            found = sorted(
                self._earlier(), key=lambda p: (p.status is not Status.REVIEW, p.created_at)
            )[:limit]
            for photo in found:
                photo.copies_due_at = self._database.clock.now()
            return len(found)

    def progress(self) -> CopyProgress:
        """See ``photogate.ports.records.Copies.progress``."""
        with self._database.lock:
            photos = self._database.photos.values()
            return CopyProgress(
                waiting=sum(photo.copies_due_at is not None for photo in photos),
                earlier=len(list(self._earlier())),
            )

    def release_originals(self, *, days: float, limit: int) -> int:
        """See ``photogate.ports.records.Copies.release_originals``."""
        with self._database.lock:
            oldest = self._database.clock.now() - timedelta(days=days)
            old = sorted(
                (when, photo.id)
                for photo in self._database.photos.values()
                if photo.status is Status.APPROVED
                and photo.display_key is not None
                and is_kept(photo.original_key or "")
                and (when := photo.moderated_at) is not None
                and when < oldest
            )[:limit]
            for _, photo_id in old:
                photo = self._database.photos[photo_id]
                self._database.note_deletion(str(photo.original_key), user_id=photo.user_id)
                photo.original_key = None
            return len(old)

    def release_uploads(self, *, limit: int) -> int:
        """See ``photogate.ports.records.Copies.release_uploads``."""
        with self._database.lock:
            latest = self._database.clock.now() - URLS_END
            over = sorted(
                (url.expires_at, key)
                for key, url in self._database.upload_urls.items()
                if not url.wanted and url.expires_at < latest
            )[:limit]
            for _, key in over:
                self._database.note_deletion(
                    key, user_id=self._database.upload_urls.pop(key).user_id
                )
            return len(over)

    def _end_attempts(self, photo_ids: Sequence[str], *, for_s: float, failures: int) -> None:
        for photo in self._wanted(photo_ids):
            if photo.copies_lease_until is not None:
                photo.copies_due_at = self._database.clock.now() + timedelta(seconds=for_s)
                photo.copies_lease_until = None
                photo.copies_attempts = max(0, photo.copies_attempts - 1)
                photo.copies_failures += failures

    def _wanted(self, photo_ids: Sequence[str]) -> Iterator[Photo]:
        for photo_id in photo_ids:
            photo = self._database.photos.get(photo_id)
            if photo is not None and photo.copies_due_at is not None:
                yield photo

    def _earlier(self) -> Iterator[Photo]:
        for photo in self._database.photos.values():
            if (
                photo.earlier_layout
                and photo.copies_attempts == 0
                and photo.copies_due_at is None
                and photo.status is not Status.PENDING
            ):
                yield photo
