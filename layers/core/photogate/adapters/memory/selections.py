"""Acts on several photos at once, and what was rejected, in memory."""

from __future__ import annotations

from collections.abc import Sequence

from photogate.adapters.memory.database import Database
from photogate.adapters.memory.reviews import MemoryReviewItems
from photogate.adapters.memory.views import counted_reason
from photogate.domain import PhotoRow, Place, Principal, Status
from photogate.domain.reviews import Holder


class MemorySelections:
    """The ``Selections`` port."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._items = MemoryReviewItems(database)

    def photos(self, photo_ids: Sequence[str]) -> dict[str, PhotoRow]:
        """See ``photogate.ports.listing.Selections.photos``."""
        with self._database.lock:
            photos = self._database.photos
            return {id_: photos[id_].row for id_ in photo_ids if id_ in photos}

    def claim(self, holder: Holder, photo_ids: Sequence[str]) -> set[str]:
        """See ``photogate.ports.listing.Selections.claim``."""
        with self._database.lock:
            return {id_ for id_ in photo_ids if self._items.claim(holder, id_)}

    def close(self, holder: Holder, photo_ids: Sequence[str]) -> None:
        """See ``photogate.ports.listing.Selections.close``."""
        with self._database.lock:
            for id_ in photo_ids:
                self._items.close(holder, id_)

    def folded(self, photo_ids: Sequence[str]) -> set[str]:
        """See ``photogate.ports.listing.Selections.folded``."""
        return {id_ for id_ in photo_ids if self._items.folded(id_)}

    def reveal(
        self, photo_ids: Sequence[str], person: Principal, *, most: int | None = None
    ) -> set[str]:
        """See ``photogate.ports.listing.Selections.reveal``."""
        with self._database.lock:
            return {id_ for id_ in photo_ids if self._items.reveal(id_, person, most=most)}

    def revealed(self, photo_ids: Sequence[str], person: Principal) -> set[str]:
        """See ``photogate.ports.listing.Selections.revealed``."""
        with self._database.lock:
            return {id_ for id_ in photo_ids if self._items.revealed(id_, person)}


class MemoryRejections:
    """The ``Rejections`` port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(
        self,
        *,
        verified: bool | None,
        reason: str | None,
        limit: int,
        after: Place | None = None,
    ) -> list[PhotoRow]:
        """See ``photogate.ports.listing.Rejections.page``."""
        with self._database.lock:
            found = [
                photo.row
                for photo in self._database.photos.values()
                if photo.status is Status.REJECTED
                and not photo.held
                and verified in (None, photo.verified_by is not None)
                and reason in (None, counted_reason(photo.reason))
            ]
            found.sort(key=lambda row: (row.created_at, row.id), reverse=True)
            if after is not None:
                begin = (after.created_at, after.id)
                found = [row for row in found if (row.created_at, row.id) < begin]
            return found[:limit]
