"""The database's ports on each technology, with what tests look at and change beside them."""

from __future__ import annotations

from collections.abc import Sized
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import uuid4

from photogate.adapters.memory.changes import MemoryChanges
from photogate.adapters.memory.copies import MemoryCopies
from photogate.adapters.memory.database import Database, Photo, ReviewItem
from photogate.adapters.memory.deliveries import MemoryDeliveries
from photogate.adapters.memory.histories import MemoryHistories
from photogate.adapters.memory.holds import MemoryHolds
from photogate.adapters.memory.intake import MemoryIntake
from photogate.adapters.memory.notice_desk import MemoryAddresses, MemoryNoticeDesk
from photogate.adapters.memory.notices import MemoryNotices
from photogate.adapters.memory.outbox import MemoryOutbox, MemoryUnfinished
from photogate.adapters.memory.reviews import MemoryReviewItems
from photogate.adapters.memory.rounds import MemoryRounds
from photogate.adapters.memory.selections import MemoryRejections, MemorySelections
from photogate.adapters.memory.sessions import MemorySessions
from photogate.adapters.memory.views import MemoryViews
from photogate.adapters.memory.workers import MemoryWorkers
from photogate.adapters.postgres.changes import PostgresChanges
from photogate.adapters.postgres.copies import PostgresCopies
from photogate.adapters.postgres.deliveries import PostgresDeliveries
from photogate.adapters.postgres.histories import PostgresHistories
from photogate.adapters.postgres.holds import PostgresHolds
from photogate.adapters.postgres.intake import PostgresIntake
from photogate.adapters.postgres.notice_desk import PostgresAddresses, PostgresNoticeDesk
from photogate.adapters.postgres.notices import PostgresNotices
from photogate.adapters.postgres.outbox import PostgresOutbox
from photogate.adapters.postgres.pool import Pool
from photogate.adapters.postgres.reviews import PostgresReviewItems
from photogate.adapters.postgres.rounds import PostgresRounds
from photogate.adapters.postgres.selections import PostgresRejections, PostgresSelections
from photogate.adapters.postgres.sessions import PostgresSessions
from photogate.adapters.postgres.unfinished import PostgresUnfinished
from photogate.adapters.postgres.views import PostgresViews
from photogate.adapters.postgres.workers import PostgresWorkers
from photogate.ports.holds import Holds
from photogate.ports.listing import Histories, Rejections, Selections
from photogate.ports.notices import Addresses, NoticeDesk, Notices
from photogate.ports.records import (
    Changes,
    Copies,
    Deliveries,
    Intake,
    Outbox,
    Rounds,
    Unfinished,
    Views,
    Workers,
)
from photogate.ports.reviewing import ReviewItems, Sessions


class Records(Protocol):
    """All ports of the database, and what no port tells or does."""

    intake: Intake
    deliveries: Deliveries
    changes: Changes
    copies: Copies
    notices: Notices
    desk: NoticeDesk
    addresses: Addresses
    outbox: Outbox
    rounds: Rounds
    reviews: ReviewItems
    selections: Selections
    rejections: Rejections
    histories: Histories
    holds: Holds
    sessions: Sessions
    unfinished: Unfinished
    views: Views
    workers: Workers

    def attempts(self) -> dict[str, int]:
        """Give the counted attempts of each photo, by key."""

    def batch(self) -> dict[str, Any]:
        """Give deliveries, ``waits_for``, ``put_off`` and ``last_error`` of the one batch."""

    def photos(self) -> list[dict[str, Any]]:
        """Give key, ETag, size, user's name and status of each photo, in their batches' order."""

    def count(self, what: str) -> int:
        """Count rows of ``media``, ``batches``, ``upload_usage`` or ``object_deletions``."""

    def history(self, photo_id: str) -> list[dict[str, Any]]:
        """Give a photo's changes; ``person`` and ``owner`` are user ids."""

    def review_items(self) -> set[tuple[str, str]]:
        """Give photo and kind of what waits for a person."""

    def add_review_item(self, photo_id: str, kind: str) -> None:
        """Let something wait for a person."""

    def due_now(self, *, since_hours: float = 0.0) -> None:
        """Let every batch's job be due, perhaps for long."""

    def rests_s(self) -> float:
        """Give the seconds until the one batch's job is due."""

    def age_usage(self, *, hours: float) -> None:
        """Let all uploads lie back by so much more."""

    def age_batches(self, *, hours: float) -> None:
        """Let the end of all finished batches lie back by so much more."""

    def add_photos(self, count: int) -> None:
        """Add so many pending photos without a batch."""

    def moderated_at(self, key: str, at: datetime) -> None:
        """Let a photo have been moderated at this time."""

    def age_deletions(self, *, hours: float) -> None:
        """Let all deletions lie back by so much more."""

    def age_failed_deletions(self, **span: float) -> None:
        """Let so much time pass since deletions were put off; ``timedelta``'s arguments."""

    def end_rounds(self) -> None:
        """Let the time of a sweep that never ended its round run out."""

    def age_worker(self, worker_id: str, **span: float) -> None:
        """Let a worker's last announcement lie back; ``timedelta``'s arguments."""

    def age_uploads(self, *, minutes: float) -> None:
        """Let all upload URLs have been given out so much earlier."""

    def age_verdicts(self, *, days: float) -> None:
        """Let all photos have been moderated so much earlier."""

    def end_copy_leases(self) -> None:
        """Let every worker that makes copies have taken too long, and every job be due."""

    def of_earlier_layout(self) -> None:
        """Let all photos have been handed in to an installation that kept no copies."""

    def end_undo(self) -> None:
        """No decision can be taken back any more."""

    def age_leases(self, *, seconds: float) -> None:
        """Let all review items have been taken so much earlier."""

    def age_reveals(self, *, seconds: float) -> None:
        """Let all photos have been revealed so much earlier."""

    def age_review_item(self, photo_id: str, *, hours: float) -> None:
        """Let what waits of a photo have waited so much longer."""

    def review_notes(self) -> list[str | None]:
        """Give the notes of all review items."""

    def age_sessions(self, *, seen_s: float = 0, begun_s: float = 0) -> None:
        """Let all sessions have been seen, and have begun, so much earlier."""

    def raise_generation(self) -> None:
        """Let every batch be of the next generation."""

    def deliver_too_often(self) -> None:
        """Let every batch have had its deliveries, and no worker hold it."""

    def age_notices(self, *, seconds: float) -> None:
        """Let so much time pass for all that is told: births, pauses, leases and rests."""

    def lose_photos(self, key: str | None = None) -> None:
        """Remove the rows of all photos, or of one, without any change being made."""


class MemoryRecords:
    """On the memory adapters."""

    def __init__(self) -> None:
        self.database = Database()
        self.intake: Intake = MemoryIntake(self.database)
        self.deliveries: Deliveries = MemoryDeliveries(self.database)
        self.changes: Changes = MemoryChanges(self.database)
        self.copies: Copies = MemoryCopies(self.database)
        self.notices: Notices = MemoryNotices(self.database)
        self.desk: NoticeDesk = MemoryNoticeDesk(self.database)
        self.addresses: Addresses = MemoryAddresses(self.database)
        self.outbox: Outbox = MemoryOutbox(self.database)
        self.rounds: Rounds = MemoryRounds(self.database)
        self.reviews: ReviewItems = MemoryReviewItems(self.database)
        self.selections: Selections = MemorySelections(self.database)
        self.rejections: Rejections = MemoryRejections(self.database)
        self.histories: Histories = MemoryHistories(self.database)
        self.holds: Holds = MemoryHolds(self.database)
        self.sessions: Sessions = MemorySessions(self.database)
        self.unfinished: Unfinished = MemoryUnfinished(self.database)
        self.views: Views = MemoryViews(self.database)
        self.workers: Workers = MemoryWorkers(self.database)

    def attempts(self) -> dict[str, int]:
        return {photo.file_key: photo.attempts for photo in self.database.photos.values()}

    def batch(self) -> dict[str, Any]:
        (batch,) = self.database.batches.values()
        return {
            "deliveries": batch.deliveries,
            "waits_for": batch.waits_for,
            "put_off": batch.put_off,
            "last_error": batch.last_error,
        }

    def photos(self) -> list[dict[str, Any]]:
        return [
            {
                "url": photo.file_key,
                "etag": photo.etag,
                "size_bytes": photo.size_bytes,
                "user_name": photo.user_name,
                "moderation_status": photo.status.value,
            }
            for photo in sorted(self.database.photos.values(), key=lambda p: p.display_order)
        ]

    def count(self, what: str) -> int:
        database = self.database
        rows: dict[str, Sized] = {
            "media": database.photos,
            "batches": database.batches,
            "upload_usage": database.usage,
            "object_deletions": database.deletions,
        }
        return len(rows[what])

    def history(self, photo_id: str) -> list[dict[str, Any]]:
        rows = [asdict(entry.row) for entry in self.database.history]
        return [row for row in rows if row["photo_id"] == photo_id]

    def review_items(self) -> set[tuple[str, str]]:
        items = self.database.review_items
        return {(item.photo_id, item.kind) for item in items if item.closed_at is None}

    def add_review_item(self, photo_id: str, kind: str) -> None:
        now = self.database.clock.now()
        self.database.review_items.append(ReviewItem(photo_id=photo_id, kind=kind, created_at=now))

    def due_now(self, *, since_hours: float = 0.0) -> None:
        for batch in self.database.batches.values():
            batch.next_enqueue_at = self.database.clock.now() - timedelta(hours=since_hours)

    def rests_s(self) -> float:
        (batch,) = self.database.batches.values()
        return (batch.next_enqueue_at - self.database.clock.now()).total_seconds()

    def age_usage(self, *, hours: float) -> None:
        for usage in self.database.usage:
            usage.created_at -= timedelta(hours=hours)

    def age_batches(self, *, hours: float) -> None:
        for batch in self.database.batches.values():
            if batch.finished_at is not None:
                batch.finished_at -= timedelta(hours=hours)

    def add_photos(self, count: int) -> None:
        for _ in range(count):
            photo = Photo(
                id=str(uuid4()),
                user_id="many",
                user_name=None,
                original_key=None,
                file_key="key",
                batch_id="none",
                display_order=0,
                etag=None,
                size_bytes=None,
                created_at=self.database.clock.now(),
            )
            self.database.photos[photo.id] = photo

    def moderated_at(self, key: str, at: datetime) -> None:
        (photo,) = (p for p in self.database.photos.values() if p.file_key == key)
        photo.moderated_at = at

    def age_deletions(self, *, hours: float) -> None:
        for deletion in self.database.deletions.values():
            deletion.created_at -= timedelta(hours=hours)

    def age_failed_deletions(self, **span: float) -> None:
        for deletion in self.database.deletions.values():
            deletion.next_try_at -= timedelta(**span)

    def end_rounds(self) -> None:
        self.database.sweep.held_until = self.database.clock.now() - timedelta(seconds=1)

    def age_worker(self, worker_id: str, **span: float) -> None:
        rows = self.database.workers
        seen_at = self.database.clock.now() - timedelta(**span)
        rows[worker_id] = replace(rows[worker_id], seen_at=seen_at)

    def age_uploads(self, *, minutes: float) -> None:
        for url in self.database.upload_urls.values():
            url.expires_at -= timedelta(minutes=minutes)

    def age_verdicts(self, *, days: float) -> None:
        for photo in self.database.photos.values():
            if photo.moderated_at is not None:
                photo.moderated_at -= timedelta(days=days)

    def end_copy_leases(self) -> None:
        for photo in self.database.photos.values():
            photo.copies_lease_until = None
            if photo.copies_due_at is not None:
                photo.copies_due_at = self.database.clock.now()

    def of_earlier_layout(self) -> None:
        for photo in self.database.photos.values():
            photo.earlier_layout, photo.original_key = True, photo.file_key
            photo.display_key = photo.copies_due_at = None

    def age_leases(self, *, seconds: float) -> None:
        for item in self.database.review_items:
            if item.lease_until is not None:
                item.lease_until -= timedelta(seconds=seconds)

    def age_reveals(self, *, seconds: float) -> None:
        for key in self.database.reveals:
            self.database.reveals[key] -= timedelta(seconds=seconds)

    def age_review_item(self, photo_id: str, *, hours: float) -> None:
        for item in self.database.review_items:
            if item.photo_id == photo_id:
                item.created_at -= timedelta(hours=hours)

    def review_notes(self) -> list[str | None]:
        return [item.note for item in self.database.review_items]

    def age_sessions(self, *, seen_s: float = 0, begun_s: float = 0) -> None:
        for row in self.database.sessions.values():
            row.seen_at -= timedelta(seconds=seen_s)
            row.created_at -= timedelta(seconds=begun_s)

    def end_undo(self) -> None:
        for photo in self.database.photos.values():
            photo.undo_until = self.database.clock.now()

    def raise_generation(self) -> None:
        for batch in self.database.batches.values():
            batch.generation += 1

    def deliver_too_often(self) -> None:
        for batch in self.database.batches.values():
            batch.deliveries, batch.lease_until = 5, self.database.clock.now()

    def age_notices(self, *, seconds: float) -> None:
        by = timedelta(seconds=seconds)
        for row in self.database.notices:
            row.due_at -= by
            row.notice = replace(row.notice, decided_at=row.notice.decided_at - by)
        for line in self.database.lines.values():
            line.next_at -= by
            line.failing_since = line.failing_since and line.failing_since - by
        for channel in self.database.rests:
            self.database.rests[channel] -= by

    def lose_photos(self, key: str | None = None) -> None:
        for photo in list(self.database.photos.values()):
            if key in (None, photo.file_key):
                del self.database.photos[photo.id]


class PostgresRecords:
    """On PostgreSQL."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.intake: Intake = PostgresIntake(pool)
        self.deliveries: Deliveries = PostgresDeliveries(pool)
        self.changes: Changes = PostgresChanges(pool)
        self.copies: Copies = PostgresCopies(pool)
        self.notices: Notices = PostgresNotices(pool)
        self.desk: NoticeDesk = PostgresNoticeDesk(pool)
        self.addresses: Addresses = PostgresAddresses(pool)
        self.outbox: Outbox = PostgresOutbox(pool)
        self.rounds: Rounds = PostgresRounds(pool)
        self.reviews: ReviewItems = PostgresReviewItems(pool)
        self.selections: Selections = PostgresSelections(pool)
        self.rejections: Rejections = PostgresRejections(pool)
        self.histories: Histories = PostgresHistories(pool)
        self.holds: Holds = PostgresHolds(pool)
        self.sessions: Sessions = PostgresSessions(pool)
        self.unfinished: Unfinished = PostgresUnfinished(pool)
        self.views: Views = PostgresViews(pool)
        self.workers: Workers = PostgresWorkers(pool)

    def attempts(self) -> dict[str, int]:
        rows = self._rows("SELECT coalesce(upload_key, url) AS key, retry_count FROM media")
        return {row["key"]: row["retry_count"] for row in rows}

    def batch(self) -> dict[str, Any]:
        (row,) = self._rows("SELECT deliveries, waits_for, put_off, last_error FROM batches")
        return row

    def photos(self) -> list[dict[str, Any]]:
        return self._rows(
            "SELECT upload_key AS url, etag, size_bytes, user_name, moderation_status"
            " FROM media ORDER BY display_order"
        )

    def count(self, what: str) -> int:
        return int(self._rows(f"SELECT count(*) AS n FROM {what}")[0]["n"])  # noqa: S608 - a literal

    def history(self, photo_id: str) -> list[dict[str, Any]]:
        rows = self._rows(
            "SELECT history.*, words, made_by.user_id AS person_id, whose.user_id AS owner_id"
            " FROM history LEFT JOIN history_words USING (photo_id, n)"
            " LEFT JOIN subjects AS made_by ON made_by.id = person"
            " LEFT JOIN subjects AS whose ON whose.id = owner"
            " WHERE photo_id = :id ORDER BY history.n",
            id=photo_id,
        )
        return [row | {"person": row["person_id"], "owner": row["owner_id"]} for row in rows]

    def review_items(self) -> set[tuple[str, str]]:
        rows = self._rows("SELECT photo_id, kind FROM review_items WHERE closed_at IS NULL")
        return {(row["photo_id"], row["kind"]) for row in rows}

    def add_review_item(self, photo_id: str, kind: str) -> None:
        self._rows(
            "INSERT INTO review_items (photo_id, kind) VALUES (:id, :kind)", id=photo_id, kind=kind
        )

    def due_now(self, *, since_hours: float = 0.0) -> None:
        self._rows(
            "UPDATE batches SET next_enqueue_at = now() - make_interval(secs => :s)",
            s=since_hours * 3600,
        )

    def rests_s(self) -> float:
        (row,) = self._rows("SELECT extract(epoch FROM next_enqueue_at - now()) AS s FROM batches")
        return float(row["s"])

    def age_usage(self, *, hours: float) -> None:
        self._rows(
            "UPDATE upload_usage SET created_at = created_at - make_interval(secs => :s)",
            s=hours * 3600,
        )

    def age_batches(self, *, hours: float) -> None:
        self._rows(
            "UPDATE batches SET finished_at = finished_at - make_interval(secs => :s)",
            s=hours * 3600,
        )

    def add_photos(self, count: int) -> None:
        self._rows(
            "INSERT INTO media (user_id, url) SELECT 'many', 'key' FROM generate_series(1, :n)",
            n=count,
        )

    def moderated_at(self, key: str, at: datetime) -> None:
        self._rows("UPDATE media SET moderated_at = :at WHERE upload_key = :key", at=at, key=key)

    def age_deletions(self, *, hours: float) -> None:
        self._rows(
            "UPDATE object_deletions SET created_at = created_at - make_interval(secs => :s)",
            s=hours * 3600,
        )

    def age_failed_deletions(self, **span: float) -> None:
        self._rows(
            "UPDATE object_deletions SET next_try_at = next_try_at - make_interval(secs => :s)",
            s=timedelta(**span).total_seconds(),
        )

    def end_rounds(self) -> None:
        self._rows("UPDATE sweeps SET held_until = now() - interval '1 second'")

    def age_worker(self, worker_id: str, **span: float) -> None:
        changed = self._rows(
            "UPDATE workers SET seen_at = now() - make_interval(secs => :s) WHERE id = :id"
            " RETURNING id",
            s=timedelta(**span).total_seconds(),
            id=worker_id,
        )
        assert len(changed) == 1

    def age_uploads(self, *, minutes: float) -> None:
        self._rows(
            "UPDATE upload_urls SET expires_at = expires_at - make_interval(secs => :s)",
            s=minutes * 60,
        )

    def age_verdicts(self, *, days: float) -> None:
        self._rows(
            "UPDATE media SET moderated_at = moderated_at - make_interval(secs => :s)",
            s=days * 24 * 3600,
        )

    def end_copy_leases(self) -> None:
        self._rows(
            "UPDATE media SET copies_lease_until = NULL,"
            " copies_due_at = CASE WHEN copies_due_at IS NOT NULL THEN now() END"
        )

    def of_earlier_layout(self) -> None:
        self._rows(
            "UPDATE media SET url = upload_key, upload_key = NULL, original_key = NULL,"
            " display_key = NULL, copies_due_at = NULL"
        )

    def age_leases(self, *, seconds: float) -> None:
        self._rows(
            "UPDATE review_items SET lease_until = lease_until - make_interval(secs => :s)",
            s=seconds,
        )

    def age_reveals(self, *, seconds: float) -> None:
        self._rows("UPDATE reveals SET at = at - make_interval(secs => :s)", s=seconds)

    def age_review_item(self, photo_id: str, *, hours: float) -> None:
        self._rows(
            "UPDATE review_items SET created_at = created_at - make_interval(secs => :s)"
            " WHERE photo_id = :photo",
            s=hours * 3600,
            photo=photo_id,
        )

    def review_notes(self) -> list[str | None]:
        return [row["note"] for row in self._rows("SELECT note FROM review_items")]

    def age_sessions(self, *, seen_s: float = 0, begun_s: float = 0) -> None:
        self._rows(
            "UPDATE sessions SET seen_at = seen_at - make_interval(secs => :seen),"
            " created_at = created_at - make_interval(secs => :begun)",
            seen=seen_s,
            begun=begun_s,
        )

    def end_undo(self) -> None:
        self._rows(
            "UPDATE media SET undo = jsonb_set(undo, '{until}', to_jsonb(now()))"
            " WHERE undo IS NOT NULL"
        )

    def raise_generation(self) -> None:
        self._rows("UPDATE batches SET generation = generation + 1")

    def deliver_too_often(self) -> None:
        self._rows("UPDATE batches SET deliveries = 5, lease_until = now()")

    def age_notices(self, *, seconds: float) -> None:
        for what in (
            "notices SET due_at = due_at - {by}, decided_at = decided_at - {by}",
            "notice_lines SET next_at = next_at - {by}, failing_since = failing_since - {by}",
            "notice_channels SET rests_until = rests_until - {by}",
        ):
            self._rows("UPDATE " + what.format(by="make_interval(secs => :s)"), s=seconds)

    def lose_photos(self, key: str | None = None) -> None:
        if key is None:
            self._rows("DELETE FROM media")
        else:
            self._rows("DELETE FROM media WHERE upload_key = :key", key=key)

    def _rows(self, sql: str, **params: Any) -> list[dict[str, Any]]:
        return self._pool.transaction(lambda s: s.rows(sql, **params))
