"""Writes every change of a photo's state, with all that follows from it.

In one transaction, several photos at a time: the row, a row of history, what waits for people, the
notice to be told, the batch when nothing in it is open any more. ``photogate.domain.transitions``
says what is allowed; a test forbids these statements elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any
from uuid import uuid4

from photogate.adapters.postgres.history import (
    write_history,
    write_holds,
    write_review_items,
)
from photogate.adapters.postgres.notice_rows import write_notices
from photogate.adapters.postgres.pool import Pool, Session
from photogate.adapters.postgres.rows import OPEN, PHOTO, PHOTO_COLUMNS, SHOWN, photo_from
from photogate.adapters.postgres.samples import write_samples
from photogate.domain import PhotoRow, Status
from photogate.domain.changes import (
    UNDO_WITHIN_S,
    Action,
    By,
    Change,
    Outcome,
    Refusal,
    State,
    Undo,
)
from photogate.domain.effects import (
    attempts_returned,
    ends_earlier_layout,
    released_upload,
    settles,
    unshowable,
    wants_copies,
)
from photogate.domain.transitions import applied

#: Of what is no photo, such as a predecessor's videos, there are no copies.
_TAKEN = "(wanted.taken AND media_type = 'photo')"
_COPIED = "(wanted.copied AND media_type = 'photo' AND display_key IS NULL)"
#: They were given up before, or never wanted.
_ANEW = f"({_COPIED} AND copies_due_at IS NULL)"
_SHOWN = SHOWN.format(status="wanted.status", taken=_TAKEN, display="display_key")


class PostgresChanges:
    """The ``Changes`` port."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def make(self, changes: Sequence[Change]) -> list[Outcome]:
        """See ``photogate.ports.records.Changes.make``."""
        call, repeated = str(uuid4()), False

        def work(session: Session) -> list[Outcome]:
            nonlocal repeated
            made = _made_before(session, call, changes) if repeated else {}
            repeated = True
            return _make(session, call, changes, made)

        return self._pool.transaction(work) if changes else []


def close_finished(session: Session, batch_ids: Sequence[str]) -> None:
    """Close those batches in which no photo waits for the machine any more."""
    session.rows(
        "UPDATE batches SET finished_at = now(),"
        " lease_job_id = NULL, lease_until = NULL, attempt_id = NULL"
        " WHERE id = ANY (CAST(:ids AS text[])) AND finished_at IS NULL AND NOT EXISTS"
        f" (SELECT 1 FROM media WHERE CAST(batch_id AS text) = batches.id AND {OPEN})",
        ids=list(batch_ids),
    )


def _make(
    session: Session, call: str, changes: Sequence[Change], made: dict[str, Outcome]
) -> list[Outcome]:
    """Make what is allowed; ``made`` has what this call committed before it was repeated."""
    ids = [change.photo_id for change in changes]
    # Rows are locked in one order everywhere: batches, then photos.
    batches = _by_id(
        session,
        "SELECT id, generation, finished_at IS NULL AS open,"
        " coalesce(lease_until > now(), false) AS leased FROM batches"
        " WHERE id IN (SELECT CAST(batch_id AS text) FROM media"
        f"   WHERE CAST(id AS text) = ANY (CAST(:ids AS text[])) AND {PHOTO})"
        " ORDER BY id FOR UPDATE",
        ids,
    )
    photos = _by_id(
        session,
        f"SELECT {PHOTO_COLUMNS}, reopened, changes, copies_due_at IS NOT NULL AS copies_due,"
        " copies_attempts > 0 AS copies_tried,"
        " CASE WHEN CAST(undo->>'until' AS timestamptz) > now() THEN undo->'to' END AS undo"
        f" FROM media WHERE CAST(id AS text) = ANY (CAST(:ids AS text[])) AND {PHOTO}"
        " ORDER BY id FOR UPDATE",
        ids,
    )
    outcomes = []
    for change in changes:
        row = photos.get(change.photo_id)
        if change.photo_id in made:
            outcome = made[change.photo_id]
            outcomes.append(replace(outcome, photo=photo_from(row) if row else None))
        elif row is None:
            outcomes.append(_outcome_without_photo(session, change))
        else:
            outcomes.append(_outcome(change, row, batches.get(row["batch_id"])))
    if fresh := [o for o in outcomes if o.changed and o.change.photo_id not in made]:
        written = _write_photos(session, [o for o in fresh if o.after is not None])
        _remove_photos(session, [o for o in fresh if o.after is None])
        counts = {i: row["changes"] + 1 for i, row in photos.items()}
        write_history(session, call, fresh, counts)
        write_review_items(session, fresh)
        write_samples(session, fresh, counts)
        write_holds(session, fresh)
        write_notices(session, fresh, counts, written)
        _release_uploads(session, fresh)
        _reopen_batches(session, fresh)
        outcomes = [replace(o, photo=written.get(o.change.photo_id, o.photo)) for o in outcomes]
    close_finished(session, list(batches))
    return outcomes


def _by_id(session: Session, sql: str, ids: list[str]) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in session.rows(sql, ids=ids)}


def _outcome(change: Change, row: dict[str, Any], batch: dict[str, Any] | None) -> Outcome:
    photo = photo_from(row)
    state = _state(row, batch, photo)
    after = applied(change, state)
    if isinstance(after, Refusal):
        return Outcome(change=change, refusal=after)
    if after == state:
        return Outcome(change=change, photo=photo)
    if after is None:
        return Outcome(change=change, before=state, object_keys=photo.object_keys)
    return Outcome(change=change, before=state, after=after, photo=photo)


def _outcome_without_photo(session: Session, change: Change) -> Outcome:
    """Refuse, unless it was deleted before, by a call whose answer a client never got."""
    if change.action is Action.DELETE:
        gone = session.rows(
            "SELECT file_key, user_id FROM object_deletions WHERE media_id = :id ORDER BY file_key",
            id=change.photo_id,
        )
        owner = change.person.user_id if change.person and change.by is By.OWNER else None
        if gone and owner in (None, gone[0]["user_id"]):
            return Outcome(change=change, object_keys=tuple(row["file_key"] for row in gone))
    missing = Refusal(why=f"there is no photo {change.photo_id}", missing=True)
    return Outcome(change=change, refusal=missing)


def _state(row: dict[str, Any], batch: dict[str, Any] | None, photo: PhotoRow) -> State:
    undo = row["undo"]
    return State(
        user_id=row["user_id"],
        status=Status(row["moderation_status"]),
        reason=row["moderation_reason"],
        error=row["moderation_error"],
        decided_by=row["decided_by"],
        verified_by=row["verified_by"],
        reopened=row["reopened"],
        unshowable=unshowable(
            photo, copies_due=row["copies_due"], copies_tried=row["copies_tried"]
        ),
        generation=batch["generation"] if batch else None,
        batch_open=bool(batch and batch["open"]),
        batch_leased=bool(batch and batch["leased"]),
        held=row["held"],
        test=row["test"],
        undo=Undo(**undo | {"status": Status(undo["status"])}) if undo else None,
    )


def _write_photos(session: Session, outcomes: Sequence[Outcome]) -> dict[str, PhotoRow]:
    if not outcomes:
        return {}
    found = session.rows(
        "UPDATE media SET moderation_status = media_status(wanted.status),"
        " moderation_reason = media_reason(wanted.reason),"
        " moderation_error = wanted.error, decided_by = wanted.decider,"
        " verified_by = wanted.verifier, verified_at ="
        "   CASE WHEN wanted.verifier IS NOT NULL THEN coalesce(verified_at, now()) END,"
        " reopened = wanted.again,"
        " held_at = CASE WHEN wanted.held THEN coalesce(held_at, now()) END, test = wanted.marked,"
        " moderated_at = CASE WHEN wanted.settled THEN now() ELSE moderated_at END,"
        " moderation_scores = coalesce(wanted.scores, moderation_scores),"
        f" upload_key = coalesce(upload_key, CASE WHEN {_TAKEN} THEN url END),"
        " original_key = coalesce(wanted.original, original_key,"
        f"   CASE WHEN {_TAKEN} AND upload_key IS NULL THEN url END),"
        f" copies_due_at = CASE WHEN {_COPIED} THEN now() + interval '30 seconds'"
        "   ELSE copies_due_at END,"
        f" copies_attempts = CASE WHEN {_ANEW} THEN 0 ELSE copies_attempts END,"
        f" copies_failures = CASE WHEN {_ANEW} THEN 0 ELSE copies_failures END,"
        f" url = {_SHOWN},"
        " retry_count = greatest(0, retry_count - wanted.attempts), undo ="
        "   wanted.replaced || jsonb_build_object('until', now() + make_interval(secs => :undo)),"
        " changes = changes + 1, updated_at = now()"
        " FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS wanted (photo text, status text,"
        "   reason text, error text, decider text, verifier text, again boolean,"
        "   settled boolean, scores jsonb, attempts integer, replaced jsonb, original text,"
        "   taken boolean, copied boolean, held boolean, marked boolean)"
        f" WHERE CAST(id AS text) = wanted.photo RETURNING {PHOTO_COLUMNS}",
        rows=json.dumps([_row(outcome) for outcome in outcomes], allow_nan=False),
        undo=UNDO_WITHIN_S,
    )
    return {row["id"]: photo_from(row) for row in found}


def _row(outcome: Outcome) -> dict[str, Any]:
    change, after = outcome.change, outcome.after
    assert after is not None  # noqa: S101 - asked by the caller
    undo = after.undo if change.action is Action.DECIDE else None
    return {
        "photo": change.photo_id,
        "status": after.status.value,
        "reason": after.reason,
        "error": after.error,
        "decider": after.decided_by,
        "verifier": after.verified_by,
        "again": after.reopened,
        "settled": settles(change),
        "scores": change.scores,
        "attempts": attempts_returned(outcome),
        "replaced": {"to": asdict(undo)} if undo else None,
        "original": change.original_key,
        "taken": ends_earlier_layout(outcome),
        "copied": wants_copies(outcome),
        "held": after.held,
        "marked": after.test,
    }


def _remove_photos(session: Session, outcomes: Sequence[Outcome]) -> None:
    for outcome in outcomes:
        assert outcome.before is not None  # noqa: S101 - it was there
        id_ = outcome.change.photo_id
        session.rows("DELETE FROM media WHERE CAST(id AS text) = :id", id=id_)
        session.rows(
            "INSERT INTO object_deletions (file_key, media_id, user_id)"
            " SELECT unnest(CAST(:keys AS text[])), :id, :u ON CONFLICT DO NOTHING",
            keys=list(outcome.object_keys),
            id=id_,
            u=outcome.before.user_id,
        )


def _release_uploads(session: Session, outcomes: Sequence[Outcome]) -> None:
    """Let go of what clients uploaded, where no worker reads it any more."""
    session.rows(
        "UPDATE upload_urls SET wanted = false"
        " WHERE wanted AND file_key = ANY (CAST(:keys AS text[]))",
        keys=[key for outcome in outcomes if (key := released_upload(outcome)) is not None],
    )


def _reopen_batches(session: Session, outcomes: Sequence[Outcome]) -> None:
    reopened = [o.photo for o in outcomes if o.change.action is Action.REOPEN and o.photo]
    if batches := {photo.batch_id for photo in reopened if photo.batch_id}:
        session.rows(
            "UPDATE batches SET generation = generation + 1, finished_at = NULL,"
            " deliveries = 0, last_error = NULL,"
            " queued = false, next_enqueue_at = now(), enqueue_interval = interval '1 minute'"
            " WHERE id = ANY (CAST(:ids AS text[]))",
            ids=sorted(batches),
        )


def _made_before(session: Session, call: str, changes: Sequence[Change]) -> dict[str, Outcome]:
    """Give what this very call wrote, in case it committed just before its connection broke."""
    found = {
        row["photo_id"]: row
        for row in session.rows(
            "SELECT photo_id, before, after, test, owner.user_id,"
            " ARRAY(SELECT file_key FROM object_deletions WHERE media_id = photo_id"
            "   AND after IS NULL ORDER BY file_key) AS object_keys FROM history"
            " JOIN subjects AS owner ON owner.id = owner"
            " WHERE photo_id = ANY (CAST(:ids AS text[])) AND call = CAST(:call AS uuid)",
            ids=[change.photo_id for change in changes],
            call=call,
        )
    }

    def state(row: dict[str, Any], status: str) -> State:
        return State(user_id=row["user_id"], status=Status(status), test=row["test"])

    return {
        change.photo_id: Outcome(
            change=change,
            before=state(row, row["before"]),
            after=state(row, row["after"]) if row["after"] else None,
            object_keys=tuple(row["object_keys"]),
        )
        for change in changes
        if (row := found.get(change.photo_id)) is not None
    }
