"""Lists of photos and of what was done to them, and acts on several photos at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from photogate.domain import PhotoRow, Place, Principal
from photogate.domain.history import HistoryEntry, HistoryFilter, HistoryPlace
from photogate.domain.reviews import Holder


class Histories(Protocol):
    """The history of all photos."""

    def entries(
        self, wanted: HistoryFilter, *, limit: int, after: HistoryPlace | None = None
    ) -> list[HistoryEntry]:
        """List up to ``limit`` changes, newest first; those that come ``after``."""


class Selections(Protocol):
    """Photos that a person selected in a list. Ids of which there is no photo are passed over."""

    def photos(self, photo_ids: Sequence[str]) -> dict[str, PhotoRow]:
        """Give these photos by their ids."""

    def claim(self, holder: Holder, photo_ids: Sequence[str]) -> set[str]:
        """Hold the open review items of these for ``LEASE_S``, as ``ReviewItems.claim``.

        Gives the photos that the holder holds now.
        """

    def close(self, holder: Holder, photo_ids: Sequence[str]) -> None:
        """End the items of these that the holder holds, those that no change ended."""

    def folded(self, photo_ids: Sequence[str]) -> set[str]:
        """Give those of these that wait, and of which nobody is told before what became of them."""

    def reveal(
        self, photo_ids: Sequence[str], person: Principal, *, most: int | None = None
    ) -> set[str]:
        """Note that this person sees these photos unblurred; the first time counts.

        Gives those that may be shown: of new ones the first so many that the person has seen no
        more than ``most`` within ``EXPOSURE_S``.
        """

    def revealed(self, photo_ids: Sequence[str], person: Principal) -> set[str]:
        """Give those of these that this person has seen."""


class Rejections(Protocol):
    """What was rejected."""

    def page(
        self,
        *,
        verified: bool | None,
        reason: str | None,
        limit: int,
        after: Place | None = None,
    ) -> list[PhotoRow]:
        """List up to ``limit`` rejected photos, newest uploads first; those that come ``after``.

        What is held for suspected abuse of a child is left out.

        Args:
            verified: only those that a person confirmed, or did not confirm; None takes both.
            reason: only those with this reason; ``other`` is for words of a person's own.

        Raises:
            InvalidRequest: ``after`` is not of this database.
        """
