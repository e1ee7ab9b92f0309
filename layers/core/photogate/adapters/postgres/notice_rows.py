"""Rows of notices: written by ``changes.py`` and ``copies.py``, and read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from photogate.adapters.postgres.pool import Session
from photogate.domain import PhotoRow, Status
from photogate.domain.changes import Outcome
from photogate.domain.notices import (
    NewNotice,
    Notice,
    correction_of,
    notice_of,
    takes_back,
    voids_waiting,
)

#: For SELECT; ``notice_from`` reads these.
NOTICE_COLUMNS = (
    "notices.photo_id, n, notices.user_id, batch_id, file_key, status, before, reason, by_person,"
    " corrects, sha256, language, decided_at, EXISTS (SELECT FROM history AS change"
    "   WHERE change.photo_id = notices.photo_id AND change.n = notices.n AND change.test) AS test"
)


def write_notices(
    session: Session,
    outcomes: Sequence[Outcome],
    counts: Mapping[str, int],
    photos: Mapping[str, PhotoRow],
) -> None:
    """Add a notice for each change that is one to be told, and take back those that it undoes.

    Args:
        counts: the number of each photo's change.
        photos: their rows afterwards, without those that are gone.
    """
    voided = [o.change.photo_id for o in outcomes if voids_waiting(o)]
    if voided:
        session.rows(
            "UPDATE notices SET planned = true, void = true"
            " WHERE photo_id = ANY (CAST(:ids AS text[])) AND waits AND NOT planned",
            ids=voided,
        )
    taken_back = {o.change.photo_id for o in outcomes if takes_back(o)}
    told = _take_back(session, {i: counts[i] - 1 for i in taken_back}) if taken_back else set()
    new: list[NewNotice] = []
    for outcome in outcomes:
        photo_id = outcome.change.photo_id
        if (photo := photos.get(photo_id)) is None:
            continue
        make = correction_of if photo_id in told else notice_of
        if (notice := make(outcome, counts[photo_id], photo)) is not None:
            new.append(notice)
    if new:
        _insert(session, new)


def _take_back(session: Session, decisions: Mapping[str, int]) -> set[str]:
    """Void the notices of these decisions, by photo; give the photos of which it was too late."""
    # Their rows are locked: who plans them comes before this or after it, never between.
    rows = session.rows(
        "SELECT notices.id, notices.photo_id, planned FROM notices"
        " JOIN unnest(CAST(:ids AS text[]), CAST(:ns AS integer[])) AS undone (photo_id, n)"
        "   ON notices.photo_id = undone.photo_id AND notices.n = undone.n"
        " WHERE NOT void ORDER BY notices.id FOR UPDATE OF notices",
        ids=list(decisions),
        ns=list(decisions.values()),
    )
    session.rows(
        "UPDATE notices SET planned = true, void = true WHERE id = ANY (CAST(:ids AS bigint[]))",
        ids=[row["id"] for row in rows if not row["planned"]],
    )
    return {row["photo_id"] for row in rows if row["planned"]}


def _insert(session: Session, notices: Sequence[NewNotice]) -> None:
    session.rows(
        "INSERT INTO notices (photo_id, n, user_id, batch_id, file_key, status, before, reason,"
        "   by_person, corrects, sha256, language, due_at, waits)"
        " SELECT photo_id, sequence, wanted.user_id, batch_id, file_key, status, before, reason,"
        "   by_person, corrects, sha256, batches.language,"
        "   now() + make_interval(secs => due_in_s), waits_for_copy"
        " FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS wanted (photo_id text,"
        "   sequence integer, user_id text, batch_id text, file_key text, status text,"
        "   before text, reason text, by_person boolean, corrects boolean, sha256 text,"
        "   due_in_s double precision, waits_for_copy boolean)"
        " LEFT JOIN batches ON batches.id = batch_id",
        rows=json.dumps([asdict(notice) for notice in notices], allow_nan=False),
    )


def copy_is_there(session: Session, photo_id: str) -> None:
    """Let an approval be told that waited for its photo's copy."""
    session.rows(
        "UPDATE notices SET waits = false, due_at = greatest(due_at, now())"
        " WHERE photo_id = :id AND waits AND NOT planned",
        id=photo_id,
    )


def notice_from(row: dict[str, Any]) -> Notice:
    """Translate a row of ``NOTICE_COLUMNS``."""
    return Notice(
        id=f"{row['photo_id']}.{row['n']}",
        photo_id=row["photo_id"],
        sequence=row["n"],
        user_id=row["user_id"],
        batch_id=row["batch_id"],
        file_key=row["file_key"],
        status=Status(row["status"]),
        before=Status(row["before"]),
        reason=row["reason"],
        by_person=row["by_person"],
        corrects=row["corrects"],
        sha256=row["sha256"],
        language=row["language"] or "en",
        decided_at=row["decided_at"],
        test=row["test"],
    )
