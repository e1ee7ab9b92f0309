"""Lists that people page through: rejected photos, a user's photos, the history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from photogate.domain import Page, UserSummary
from photogate.domain.history import HistoryEntry, HistoryFilter, HistoryPlace
from photogate.ports.listing import Histories, Rejections
from photogate.ports.records import Views
from photogate.service.pages import no_cursor, place_of


@dataclass(frozen=True, kw_only=True)
class UserPhotos:
    """A user's photos, and how many there are."""

    summary: UserSummary
    page: Page


@dataclass(frozen=True, kw_only=True)
class HistoryPage:
    """A part of the history, newest first."""

    entries: Sequence[HistoryEntry]
    #: Where the next page begins; None when this is the last one.
    next_cursor: str | None


class Lists:
    """The reads behind the lists of the moderators' pages. Thread-safe."""

    def __init__(self, *, views: Views, rejections: Rejections, histories: Histories) -> None:
        self._views = views
        self._rejections = rejections
        self._histories = histories

    def rejected(
        self,
        *,
        limit: int,
        verified: bool | None = None,
        reason: str | None = None,
        cursor: str | None = None,
    ) -> Page:
        """Give a page of rejected photos, newest uploads first.

        Raises:
            InvalidRequest: ``cursor`` is no earlier answer's.
        """
        after = place_of(cursor)
        photos = self._rejections.page(
            verified=verified, reason=reason, limit=limit + 1, after=after
        )
        return Page.cut(photos, limit)

    def of_user(self, user_id: str, *, limit: int, cursor: str | None = None) -> UserPhotos:
        """Give a page of a user's photos, newest first; see ``rejected``."""
        photos = self._views.of_user(user_id, limit=limit + 1, after=place_of(cursor))
        return UserPhotos(summary=self._views.summary(user_id), page=Page.cut(photos, limit))

    def history(
        self, wanted: HistoryFilter, *, limit: int, cursor: str | None = None
    ) -> HistoryPage:
        """Give a page of the history; see ``rejected``."""
        try:
            after = None if cursor is None else HistoryPlace.read(cursor)
        except ValueError as error:
            raise no_cursor() from error
        entries = self._histories.entries(wanted, limit=limit + 1, after=after)
        shown, more = entries[:limit], len(entries) > limit
        return HistoryPage(
            entries=shown, next_cursor=HistoryPlace.of(shown[-1]).cursor() if more else None
        )
