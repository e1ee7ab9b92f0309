"""Notices, written with the change that they tell of, in memory."""

from __future__ import annotations

from datetime import datetime, timedelta

from photogate.adapters.memory.database import Database, NoticeRow
from photogate.domain.changes import Outcome
from photogate.domain.notices import (
    NewNotice,
    Notice,
    correction_of,
    notice_of,
    takes_back,
    voids_waiting,
)


def write_notice(database: Database, outcome: Outcome, sequence: int, now: datetime) -> None:
    """Add the notice of a change that is one to be told, or take back the one that it undoes."""
    of_photo = [r for r in database.notices if r.notice.photo_id == outcome.change.photo_id]
    if voids_waiting(outcome):
        for row in of_photo:
            if row.waits and not row.planned:
                row.planned = row.void = True
    told = False
    if takes_back(outcome):
        for row in of_photo:
            if row.notice.sequence == sequence - 1 and not row.void:
                told = row.planned
                row.void, row.planned = not told, True
    if outcome.photo is None:
        return
    make = correction_of if told else notice_of
    if (new := make(outcome, sequence, outcome.photo)) is not None:
        batch = database.batches.get(new.batch_id or "")
        language = batch.language if batch else None
        database.notices.append(_row(new, language, now, test=outcome.test))


def copy_is_there(database: Database, photo_id: str) -> None:
    """Let an approval be told that waited for its photo's copy."""
    for row in database.notices:
        if row.notice.photo_id == photo_id and row.waits and not row.planned:
            row.waits, row.due_at = False, max(row.due_at, database.clock.now())


def _row(new: NewNotice, language: str | None, now: datetime, *, test: bool) -> NoticeRow:
    return NoticeRow(
        notice=Notice(
            id=f"{new.photo_id}.{new.sequence}",
            photo_id=new.photo_id,
            sequence=new.sequence,
            user_id=new.user_id,
            batch_id=new.batch_id,
            file_key=new.file_key,
            status=new.status,
            before=new.before,
            reason=new.reason,
            by_person=new.by_person,
            corrects=new.corrects,
            sha256=new.sha256,
            language=language or "en",
            decided_at=now,
            test=test,
        ),
        due_at=now + timedelta(seconds=new.due_in_s),
        waits=new.waits_for_copy,
    )
