"""What moderators and operators do: list photos, decide, and read figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from photogate.domain import (
    CopyProgress,
    DayStats,
    Page,
    PhotoRow,
    Principal,
    QueueStats,
    Status,
    Total,
    Verdict,
    WorkerInfo,
)
from photogate.domain.changes import Change, decided, deleted, verified
from photogate.errors import InvalidRequest, NotFound
from photogate.ports.photos import PhotoStore
from photogate.ports.queue import JobMonitor
from photogate.ports.records import Changes, Copies, Outbox, Views, Workers
from photogate.service.changes import make_one
from photogate.service.deletion import remove_objects
from photogate.service.pages import place_of
from photogate.service.pictures import Picture, picture, url_of

#: Where a photo is read that is not approved.
PHOTO_PATH = "/api/v1/admin/moderation/{id}/photo"
#: Long enough for any sentence, short enough for a row in a table.
MAX_REASON_LENGTH = 500
#: Further pages are reached by a cursor: a number means passing over all that comes before.
MAX_PAGE = 100


@dataclass(frozen=True, kw_only=True)
class QueueReport:
    """What ``queue-stats`` tells."""

    queue: QueueStats
    last_day: DayStats
    workers: Sequence[WorkerInfo]
    copies: CopyProgress


@dataclass(frozen=True, kw_only=True)
class Listing:
    """One page of the dashboard."""

    photos: list[tuple[PhotoRow, str]]
    #: Of all photos in this state, not of this page.
    total: Total
    #: Gives the next page; None when this is the last one.
    next_cursor: str | None


class Reviews:
    """The use cases behind ``functions/admin``. Thread-safe."""

    def __init__(
        self,
        *,
        store: PhotoStore,
        views: Views,
        changes: Changes,
        outbox: Outbox,
        copies: Copies,
        monitor: JobMonitor,
        workers: Workers,
        view_url_s: int = 300,
    ) -> None:
        self._store = store
        self._views = views
        self._changes = changes
        self._outbox = outbox
        self._copies = copies
        self._monitor = monitor
        self._workers = workers
        self._view_url_s = view_url_s

    def queue_report(self) -> QueueReport:
        """Count jobs, yesterday's verdicts, living workers and what waits for copies."""
        return QueueReport(
            queue=self._monitor.stats(),
            last_day=self._views.last_day(),
            workers=self._workers.alive(),
            copies=self._copies.progress(),
        )

    def dashboard(
        self,
        *,
        status: Status | None,
        limit: int,
        page: int = 1,
        cursor: str | None = None,
        failed: bool = False,
        test: bool = False,
    ) -> Listing:
        """Give one page of photos with URLs, newest first: by its number, or after a place.

        With ``failed`` only those that the machine could not finish; with ``test`` test photos
        alone, which are else not among them.

        Raises:
            InvalidRequest: the number is beyond ``MAX_PAGE``, or ``cursor`` no earlier answer's.
        """
        after = place_of(cursor)
        if page > MAX_PAGE and after is None:
            raise InvalidRequest(
                f"page must be at most {MAX_PAGE}; to go further, repeat the request with"
                " cursor=… instead, as pagination.next_cursor of the page before says"
            )
        photos, total = self._views.page(
            status=status,
            skip=(page - 1) * limit,
            limit=limit + 1,
            after=after,
            failed=failed,
            test=test,
        )
        found = Page.cut(photos, limit)
        return Listing(
            photos=self._with_urls(found.photos), total=total, next_cursor=found.next_cursor
        )

    def newest_worker(self) -> WorkerInfo | None:
        """Give the worker whose policy is in force."""
        return self._workers.newest()

    def waiting(self, *, limit: int) -> list[tuple[PhotoRow, str]]:
        """List what waits for a person, oldest first, with URLs."""
        return self._with_urls(self._views.waiting(limit=limit))

    def picture(self, photo_id: str, name: str) -> Picture:
        """Read a copy of any photo.

        Raises:
            NotFound: there is no such photo, or it has no copies.
        """
        photo = self._views.photo(photo_id)
        if photo is None:
            raise NotFound(f"there is no photo {photo_id}")
        return picture(self._store, photo, name)

    def approve(self, photo_id: str, *, by: Principal) -> PhotoRow:
        """Approve by a person's decision, which no machine overwrites.

        Raises:
            Conflict: no copy of it can be made, so that nobody could see it.
        """
        return self._decide(photo_id, Verdict(status=Status.APPROVED), by=by)

    def reject(self, photo_id: str, *, reason: str, by: Principal) -> PhotoRow:
        """Reject, with one of the known reasons or words of the person's own.

        Raises:
            InvalidRequest: the reason is blank or too long.
        """
        words = reason.strip()
        if not 1 <= len(words) <= MAX_REASON_LENGTH:
            raise InvalidRequest(f"reason must have 1 to {MAX_REASON_LENGTH} characters")
        return self._decide(photo_id, Verdict(status=Status.REJECTED, reason=words), by=by)

    def verify(self, photo_id: str, *, by: Principal) -> PhotoRow:
        """Confirm that a rejection was right."""
        return self._changed(verified(photo_id, by=by))

    def delete(self, photo_id: str, *, by: Principal) -> None:
        """Remove a rejected photo for good."""
        gone = make_one(self._changes, deleted(photo_id, by=by))
        remove_objects(self._store, self._outbox, gone)

    def _decide(self, photo_id: str, verdict: Verdict, *, by: Principal) -> PhotoRow:
        return self._changed(decided(photo_id, verdict, by=by))

    def _changed(self, change: Change) -> PhotoRow:
        photo = make_one(self._changes, change).photo
        assert photo is not None  # noqa: S101 - only deleting leaves none
        return photo

    def _with_urls(self, photos: Sequence[PhotoRow]) -> list[tuple[PhotoRow, str]]:
        return [
            (
                photo,
                url_of(
                    self._store,
                    photo,
                    otherwise=PHOTO_PATH.format(id=photo.id),
                    expires_in_s=self._view_url_s,
                ),
            )
            for photo in photos
        ]
