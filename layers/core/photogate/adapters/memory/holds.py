"""Photos that are withheld for suspected abuse of a child, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from photogate.adapters.memory.database import Database, HoldRow
from photogate.domain import Principal
from photogate.domain.holds import Hold


class MemoryHolds:
    """The ``Holds`` port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def recent(self, *, within_s: int) -> Sequence[str]:
        """See ``photogate.ports.holds.Holds.recent``."""
        with self._database.lock:
            since = self._database.clock.now() - timedelta(seconds=within_s)
            return [row.photo_id for row in self._open() if row.held_at > since]

    def open(self, *, limit: int) -> Sequence[Hold]:
        """See ``photogate.ports.holds.Holds.open``."""
        with self._database.lock:
            rows = sorted(self._open(), key=lambda row: (row.reported_at is not None, row.held_at))
            return [self._hold(row) for row in rows[:limit]]

    def unreported(self) -> int:
        """See ``photogate.ports.holds.Holds.unreported``."""
        with self._database.lock:
            return sum(row.reported_at is None for row in self._open())

    def of_user(self, user_id: str) -> int:
        """See ``photogate.ports.holds.Holds.of_user``."""
        with self._database.lock:
            photos = self._database.photos.values()
            return sum(photo.held and photo.user_id == user_id for photo in photos)

    def report(self, photo_id: str, *, words: str, by: Principal) -> bool:
        """See ``photogate.ports.holds.Holds.report``."""
        with self._database.lock:
            for row in self._open():
                if row.photo_id == photo_id:
                    row.reported_at = self._database.clock.now()
                    row.reported_by, row.report = by.user_id, words
                    return True
            return False

    def _open(self) -> list[HoldRow]:
        return [row for row in self._database.holds if row.lifted_at is None]

    def _hold(self, row: HoldRow) -> Hold:
        photo = self._database.photos[row.photo_id]
        return Hold(
            photo_id=row.photo_id,
            user_id=photo.user_id,
            user_name=photo.user_name,
            uploaded_at=photo.created_at,
            held_at=row.held_at,
            held_by=row.held_by,
            original_key=photo.original_key,
            sha256=(photo.scores or {}).get("sha256"),
            reported_at=row.reported_at,
            reported_by=row.reported_by,
            report=row.report,
        )
