"""What goes with a change of a photo: its row of history, and what then waits for people.

Called by ``changes.py`` alone, in the transaction that makes the changes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from photogate.adapters.postgres.pool import Session
from photogate.domain.changes import Action, Outcome
from photogate.domain.effects import history_row, needs_person
from photogate.domain.reviews import priority_of


def write_history(
    session: Session, call: str, outcomes: Sequence[Outcome], counts: dict[str, int]
) -> None:
    """Add a row for each change; ``counts`` has the number of each photo's row."""
    rows = [asdict(history_row(outcome, counts[outcome.change.photo_id])) for outcome in outcomes]
    users = {row["owner"] for row in rows} | {row["person"] for row in rows if row["person"]}
    session.rows(
        "INSERT INTO subjects (user_id) SELECT unnest(CAST(:users AS text[]))"
        " ON CONFLICT DO NOTHING",
        users=sorted(users),
    )
    session.rows(
        "INSERT INTO history (photo_id, n, call, action, by, person, role, owner, generation,"
        "   before, after, reason, failed, rule, value, bound, policy, model, correlation_id, test)"
        " SELECT photo_id, n, CAST(:call AS uuid), action, by, person.id, role, owner.id,"
        "   generation, before, after, reason, failed, rule, value, bound, policy, model,"
        "   correlation_id, test"
        " FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS wanted (photo_id text, n integer,"
        "   action text, by text, person text, role text, owner text, generation integer,"
        "   before text, after text, reason text, failed boolean, rule text,"
        "   value double precision, bound double precision, policy text, model text,"
        "   correlation_id text, test boolean)"
        " JOIN subjects AS owner ON owner.user_id = wanted.owner"
        " LEFT JOIN subjects AS person ON person.user_id = wanted.person",
        call=call,
        rows=json.dumps(rows, allow_nan=False),
    )
    for row in rows:
        if row["words"] is not None:
            session.rows(
                "INSERT INTO history_words VALUES (:id, :n, :words)",
                id=row["photo_id"],
                n=row["n"],
                words=row["words"],
            )


def write_review_items(session: Session, outcomes: Sequence[Outcome]) -> None:
    """Open an item for what waits for a person now, and close those of what no longer does."""
    waiting = {outcome.change.photo_id: outcome for outcome in outcomes if needs_person(outcome)}
    if waiting:
        session.rows(
            "INSERT INTO review_items (photo_id, kind, priority, folded)"
            " SELECT id, 'doubt', priority, folded OR coalesce((SELECT before.folded"
            # What was just decided, and waits again as the decision is taken back.
            "   FROM review_items AS before WHERE before.photo_id = wanted.id"
            "   AND before.closed_at > now() - interval '1 minute'"
            "   ORDER BY before.id DESC LIMIT 1), false) FROM unnest(CAST(:ids AS text[]),"
            "   CAST(:priorities AS integer[]), CAST(:folded AS boolean[]))"
            "   AS wanted (id, priority, folded)"
            " ON CONFLICT DO NOTHING",
            ids=list(waiting),
            priorities=[priority_of(outcome) for outcome in waiting.values()],
            folded=[outcome.change.folded for outcome in waiting.values()],
        )
    settled = [o.change.photo_id for o in outcomes if o.change.photo_id not in waiting]
    if settled:
        session.rows(
            # Samples end otherwise: see samples.py.
            "UPDATE review_items SET closed_at = now(), note = CASE"
            "   WHEN photo_id = ANY (CAST(:gone AS text[])) THEN NULL ELSE note END"
            " WHERE closed_at IS NULL"
            " AND photo_id = ANY (CAST(:ids AS text[])) AND kind <> 'sample'",
            ids=settled,
            gone=[o.change.photo_id for o in outcomes if o.after is None],
        )


def write_holds(session: Session, outcomes: Sequence[Outcome]) -> None:
    """Note what is held from now on, or no longer, and keep what would have been removed."""
    for outcome in outcomes:
        change = outcome.change
        if change.action not in (Action.HOLD, Action.LIFT):
            continue
        assert change.person is not None  # noqa: S101 - only people do this
        if change.action is Action.LIFT:
            session.rows(
                "UPDATE holds SET lifted_at = now(), lifted_because = :words,"
                " lifted_by = (SELECT id FROM subjects WHERE user_id = :person)"
                " WHERE photo_id = :photo AND lifted_at IS NULL",
                photo=change.photo_id,
                person=change.person.user_id,
                words=change.words,
            )
            continue
        session.rows(
            "INSERT INTO holds (photo_id, held_by)"
            " SELECT :photo, id FROM subjects WHERE user_id = :person",
            photo=change.photo_id,
            person=change.person.user_id,
        )
        upload = outcome.photo.file_key if outcome.photo else None
        session.rows("UPDATE upload_urls SET wanted = true WHERE file_key = :key", key=upload)
        session.rows(
            "DELETE FROM object_deletions WHERE removed_at IS NULL AND file_key = :key", key=upload
        )
