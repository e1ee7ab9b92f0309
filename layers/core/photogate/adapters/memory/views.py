"""Reads over photos: a user's own, the dashboard, the review queue, a day's figures."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

from photogate.adapters.memory.database import Database, Photo
from photogate.domain import DayStats, LastHour, PhotoRow, Place, Status, Total, UserSummary
from photogate.domain.changes import Action


class MemoryViews:
    """The ``Views`` port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def summary(self, user_id: str) -> UserSummary:
        """See ``photogate.ports.records.Views.summary``."""
        with self._database.lock:
            photos = self._photos(lambda photo: photo.user_id == user_id and not photo.held)
            by_status = Counter(photo.row.told_status for photo in photos)
            failed = sum(map(_failed, photos))
            approved, rejected = by_status[Status.APPROVED], by_status[Status.REJECTED]
            return UserSummary(
                total_photos=len(photos),
                approved=approved,
                pending=len(photos) - approved - rejected - failed,
                rejected=rejected,
                failed=failed,
                pending_batches=sum(
                    batch.user_id == user_id and batch.finished_at is None
                    for batch in self._database.batches.values()
                ),
                last_moderated_at=max(
                    (photo.moderated_at for photo in photos if photo.moderated_at), default=None
                ),
            )

    def photo(self, photo_id: str) -> PhotoRow | None:
        """See ``photogate.ports.records.Views.photo``."""
        with self._database.lock:
            photo = self._database.photos.get(photo_id)
            return photo.row if photo else None

    def of_user(
        self, user_id: str, *, limit: int = 100, after: Place | None = None
    ) -> list[PhotoRow]:
        """See ``photogate.ports.records.Views.of_user``."""
        with self._database.lock:
            photos = self._photos(lambda photo: photo.user_id == user_id and not photo.held)
            photos.sort(key=_newest_first)
            if after is not None:
                place = (-after.created_at.timestamp(), after.display_order, after.id)
                photos = [photo for photo in photos if _newest_first(photo) > place]
            return [photo.row for photo in photos[:limit]]

    def page(
        self,
        *,
        status: Status | None,
        limit: int,
        skip: int = 0,
        after: Place | None = None,
        failed: bool = False,
        test: bool = False,
    ) -> tuple[list[PhotoRow], Total]:
        """See ``photogate.ports.records.Views.page``."""
        with self._database.lock:
            photos = self._photos(
                lambda photo: (
                    photo.test is test
                    and status in (None, photo.status)
                    and (not failed or _failed(photo))
                )
            )
            total = Total.of(len(photos))
            photos.sort(key=lambda photo: (photo.created_at, photo.id), reverse=True)
            if after is not None:
                skip, place = 0, (after.created_at, after.id)
                photos = [p for p in photos if (p.created_at, p.id) < place]
            return [photo.row for photo in photos[skip : skip + limit]], total

    def waiting(self, *, limit: int) -> list[PhotoRow]:
        """See ``photogate.ports.records.Views.waiting``."""
        with self._database.lock:
            photos = self._photos(lambda photo: photo.status is Status.REVIEW)
            photos.sort(key=lambda photo: (photo.created_at, photo.id))
            return [photo.row for photo in photos[:limit]]

    def last_day(self) -> DayStats:
        """See ``photogate.ports.records.Views.last_day``."""
        with self._database.lock:
            now = self._database.clock.now()
            since = (now - timedelta(hours=24)).replace(minute=0, second=0, microsecond=0)
            recent = self._photos(
                lambda p: p.moderated_at is not None and p.moderated_at >= since and not p.test
            )
            rejected = [photo for photo in recent if photo.status is Status.REJECTED]
            waiting = [
                batch.created_at
                for batch in self._database.batches.values()
                if batch.finished_at is None
            ]
            return DayStats(
                since=since,
                total=len(recent),
                approved=sum(photo.status is Status.APPROVED for photo in recent),
                rejected=len(rejected),
                failed=sum(map(_failed, recent)),
                rejection_reasons=dict(Counter(counted_reason(photo.reason) for photo in rejected)),
                pending_media=Total.of(
                    len(self._photos(lambda photo: photo.status is Status.PENDING))
                ),
                oldest_age_s=(now - min(waiting)).total_seconds() if waiting else None,
            )

    def last_hour(self) -> LastHour:
        """See ``photogate.ports.records.Views.last_hour``."""
        with self._database.lock:
            since = self._database.clock.now() - timedelta(hours=1)
            counted = Counter(
                entry.row.after
                for entry in self._database.history
                if entry.at >= since
                and entry.row.action in (Action.JUDGE, Action.GIVE_UP)
                and not entry.row.test
            )
            photos = self._photos(lambda photo: not photo.test)
            return LastHour(
                newest_photo_at=max((photo.created_at for photo in photos), default=None),
                judged=Total.of(counted.total()),
                approved=counted[Status.APPROVED],
                rejected=counted[Status.REJECTED],
                to_people=counted[Status.REVIEW],
            )

    def _photos(self, wanted: Callable[[Photo], bool]) -> list[Photo]:
        return [photo for photo in self._database.photos.values() if wanted(photo)]


def _failed(photo: Photo) -> bool:
    return photo.status is Status.REVIEW and photo.error is not None


def _newest_first(photo: Photo) -> tuple[float, int, str]:
    return (-photo.created_at.timestamp(), photo.display_order, photo.id)


def counted_reason(reason: str | None) -> str:
    """Give a reason's code; ``other`` stands for words of a person's own."""
    return reason if reason and re.fullmatch("[a-z_]{1,32}", reason) else "other"
