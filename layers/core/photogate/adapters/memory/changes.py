"""Every change of a photo's state, with all that follows from it, in memory."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from photogate.adapters.memory.database import (
    MINUTE,
    BatchRow,
    Database,
    Entry,
    HoldRow,
    Photo,
    ReviewItem,
)
from photogate.adapters.memory.notice_rows import write_notice
from photogate.adapters.memory.samples import write_samples
from photogate.domain.changes import (
    UNDO_WITHIN_S,
    Action,
    By,
    Change,
    Outcome,
    Refusal,
    State,
)
from photogate.domain.effects import (
    attempts_returned,
    ends_earlier_layout,
    history_row,
    needs_person,
    released_upload,
    settles,
    unshowable,
    wants_copies,
)
from photogate.domain.reviews import priority_of
from photogate.domain.transitions import applied

#: Time for the worker itself to send the job that makes copies.
_JUST = timedelta(minutes=1)
_FIRST_REST = timedelta(seconds=30)


class MemoryChanges:
    """The ``Changes`` port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def make(self, changes: Sequence[Change]) -> list[Outcome]:
        """See ``photogate.ports.records.Changes.make``."""
        with self._database.lock:
            now, photos = self._database.clock.now(), self._database.photos
            rows = [photos.get(change.photo_id) for change in changes]
            known = self._database.batches
            batches = {
                row.batch_id: known[row.batch_id] for row in rows if row and row.batch_id in known
            }
            outcomes = [
                self._without_photo(change)
                if row is None
                else _outcome(change, row, batches.get(row.batch_id), now)
                for change, row in zip(changes, rows, strict=True)
            ]
            outcomes = [self._write(o, now) if o.changed else o for o in outcomes]
            for outcome in outcomes:
                if outcome.changed and outcome.change.action is Action.REOPEN and outcome.photo:
                    reopened = outcome.photo.batch_id
                    if reopened in batches and batches[reopened].finished_at is not None:
                        _reopen(batches[reopened], now)
            self._database.close_finished(batches, now)
            return outcomes

    def _without_photo(self, change: Change) -> Outcome:
        """Refuse, unless it was deleted before, by a call whose answer a client never got."""
        if change.action is Action.DELETE:
            owner = change.person.user_id if change.person and change.by is By.OWNER else None
            gone = sorted(
                deletion.file_key
                for deletion in self._database.deletions.values()
                if deletion.photo_id == change.photo_id and owner in (None, deletion.user_id)
            )
            if gone:
                return Outcome(change=change, object_keys=tuple(gone))
        missing = Refusal(why=f"there is no photo {change.photo_id}", missing=True)
        return Outcome(change=change, refusal=missing)

    def _write(self, outcome: Outcome, now: datetime) -> Outcome:
        row = self._database.photos[outcome.change.photo_id]
        row.changes += 1
        if outcome.after is None:
            del self._database.photos[row.id]
            for key in outcome.object_keys:
                self._database.note_deletion(key, user_id=row.user_id, photo_id=row.id)
        else:
            _update(row, outcome, outcome.after, now)
        entry = Entry(row=history_row(outcome, row.changes), at=now)
        self._database.history.append(entry)
        self._write_review_items(outcome, now)
        write_samples(self._database, outcome, entry.row)
        self._write_holds(outcome, now)
        outcome = replace(outcome, photo=row.row if outcome.after else None)
        write_notice(self._database, outcome, row.changes, now)
        if (upload := self._database.upload_urls.get(released_upload(outcome) or "")) is not None:
            upload.wanted = False
        return outcome

    def _write_review_items(self, outcome: Outcome, now: datetime) -> None:
        """Open an item for what waits for a person now; close those of what no longer does."""
        photo_id, after = outcome.change.photo_id, outcome.after
        items = [
            item
            for item in self._database.review_items
            if item.photo_id == photo_id and item.closed_at is None
        ]
        if needs_person(outcome):
            if all(item.kind != "doubt" for item in items):
                self._database.review_items.append(
                    ReviewItem(
                        photo_id=photo_id,
                        kind="doubt",
                        created_at=now,
                        priority=priority_of(outcome),
                        folded=outcome.change.folded or self._was_folded(photo_id, now),
                        test=outcome.test,
                    )
                )
            return
        for item in items:
            # Samples end otherwise: see samples.py.
            if item.kind != "sample":
                item.closed_at = now
            if after is None:
                item.note = None

    def _was_folded(self, photo_id: str, now: datetime) -> bool:
        """Tell how the item was that was closed just now, whose decision is taken back."""
        return any(
            item.folded
            for item in self._database.review_items
            if item.photo_id == photo_id and item.closed_at and now - item.closed_at < _JUST
        )

    def _write_holds(self, outcome: Outcome, now: datetime) -> None:
        """Note what is held from now on, or no longer, and keep what would have been removed."""
        change, database = outcome.change, self._database
        if change.action not in (Action.HOLD, Action.LIFT):
            return
        assert change.person is not None  # noqa: S101 - only people do this
        who = change.person.user_id
        if change.action is Action.LIFT:
            for row in database.holds:
                if row.photo_id == change.photo_id and row.lifted_at is None:
                    row.lifted_at, row.lifted_by, row.lifted_because = now, who, change.words
            return
        database.holds.append(HoldRow(photo_id=change.photo_id, held_at=now, held_by=who))
        upload = database.photos[change.photo_id].file_key
        if upload in database.upload_urls:
            database.upload_urls[upload].wanted = True
        if upload in database.deletions and database.deletions[upload].removed_at is None:
            del database.deletions[upload]


def _outcome(change: Change, row: Photo, batch: BatchRow | None, now: datetime) -> Outcome:
    state = _state(row, batch, now)
    after = applied(change, state)
    if isinstance(after, Refusal):
        return Outcome(change=change, refusal=after)
    if after == state:
        return Outcome(change=change, photo=row.row)
    if after is None:
        return Outcome(change=change, before=state, object_keys=row.row.object_keys)
    return Outcome(change=change, before=state, after=after)


def _state(row: Photo, batch: BatchRow | None, now: datetime) -> State:
    return State(
        user_id=row.user_id,
        status=row.status,
        reason=row.reason,
        error=row.error,
        decided_by=row.decided_by,
        verified_by=row.verified_by,
        reopened=row.reopened,
        unshowable=unshowable(
            row.row,
            copies_due=row.copies_due_at is not None,
            copies_tried=row.copies_attempts > 0,
        ),
        generation=batch.generation if batch else None,
        batch_open=bool(batch and batch.finished_at is None),
        batch_leased=bool(batch and batch.lease_until and batch.lease_until > now),
        held=row.held,
        test=row.test,
        undo=row.undo if row.undo_until and row.undo_until > now else None,
    )


def _update(row: Photo, outcome: Outcome, after: State, now: datetime) -> None:
    change = outcome.change
    row.status, row.reason, row.error = after.status, after.reason, after.error
    row.decided_by, row.verified_by, row.reopened = (
        after.decided_by,
        after.verified_by,
        after.reopened,
    )
    row.held, row.test = after.held, after.test
    if settles(change):
        row.moderated_at = now
    if change.scores is not None:
        # A copy, of what JSON can hold.
        row.scores = json.loads(json.dumps(change.scores, allow_nan=False))
    if change.original_key is not None:
        row.original_key = change.original_key
    if ends_earlier_layout(outcome):
        row.earlier_layout = False
    if wants_copies(outcome) and row.display_key is None:
        if row.copies_due_at is None:
            row.copies_attempts = row.copies_failures = 0
        row.copies_due_at = now + _FIRST_REST
    row.attempts = max(0, row.attempts - attempts_returned(outcome))
    row.undo = after.undo if change.action is Action.DECIDE else None
    row.undo_until = now + timedelta(seconds=UNDO_WITHIN_S)


def _reopen(batch: BatchRow, now: datetime) -> None:
    batch.generation += 1
    batch.finished_at = batch.last_error = None
    batch.deliveries, batch.queued = 0, False
    batch.next_enqueue_at, batch.enqueue_interval = now, MINUTE
