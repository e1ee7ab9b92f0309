"""Approved photos that were drawn to check the machine.

Called by ``changes.py`` alone, in the transaction that makes the changes.
"""

from __future__ import annotations

from collections.abc import Sequence

from photogate.adapters.postgres.pool import Session
from photogate.domain.changes import Outcome
from photogate.domain.effects import history_row
from photogate.domain.samples import PRIORITY, ended, goes_on, is_drawn


def write_samples(session: Session, outcomes: Sequence[Outcome], counts: dict[str, int]) -> None:
    """Note what is drawn, how samples end, and that one goes on whose end was undone.

    Args:
        counts: number of each photo's row of history.
    """
    if drawn := [outcome for outcome in outcomes if is_drawn(outcome)]:
        _draw(session, drawn)
    if over := {o.change.photo_id: (o, end) for o in outcomes if (end := ended(o)) is not None}:
        rows = [history_row(o, counts[photo_id]) for photo_id, (o, _) in over.items()]
        session.rows(
            "UPDATE samples SET outcome = done.outcome, reason = done.reason, n = done.n,"
            " ended_at = now() FROM unnest(CAST(:ids AS text[]), CAST(:outcomes AS text[]),"
            "   CAST(:reasons AS text[]), CAST(:ns AS integer[])) AS done (id, outcome, reason, n)"
            " WHERE photo_id = done.id AND (samples.outcome IS NULL"
            "   OR (samples.outcome <> 'withdrawn' AND done.outcome <> 'withdrawn'))",
            ids=list(over),
            outcomes=[end.value for _, end in over.values()],
            reasons=[row.reason for row in rows],
            ns=[row.n for row in rows],
        )
        session.rows(
            "UPDATE review_items SET closed_at = now()"
            " WHERE photo_id = ANY (CAST(:ids AS text[])) AND kind = 'sample'"
            " AND closed_at IS NULL",
            ids=list(over),
        )
    if undone := [o.change.photo_id for o in outcomes if goes_on(o)]:
        _go_on(session, undone, counts)


def _draw(session: Session, outcomes: Sequence[Outcome]) -> None:
    rows = [history_row(outcome, 0) for outcome in outcomes]
    fresh = session.rows(
        "INSERT INTO samples (photo_id, policy, model, rate) SELECT * FROM unnest("
        "   CAST(:ids AS text[]), CAST(:policies AS text[]), CAST(:models AS text[]),"
        "   CAST(:rates AS double precision[]))"
        " ON CONFLICT DO NOTHING RETURNING photo_id",
        ids=[row.photo_id for row in rows],
        policies=[row.policy for row in rows],
        models=[row.model for row in rows],
        rates=[outcome.change.sampled_at for outcome in outcomes],
    )
    _open(session, [row["photo_id"] for row in fresh])


def _go_on(session: Session, photo_ids: Sequence[str], counts: dict[str, int]) -> None:
    """Let those wait again whose very last change was the decision that is taken back."""
    again = session.rows(
        "UPDATE samples SET outcome = NULL, reason = NULL, n = NULL, ended_at = NULL"
        " FROM unnest(CAST(:ids AS text[]), CAST(:ns AS integer[])) AS undone (id, n)"
        " WHERE photo_id = undone.id AND samples.n = undone.n RETURNING photo_id",
        ids=list(photo_ids),
        ns=[counts[photo_id] - 1 for photo_id in photo_ids],
    )
    _open(session, [row["photo_id"] for row in again])


def _open(session: Session, photo_ids: Sequence[str]) -> None:
    session.rows(
        "INSERT INTO review_items (photo_id, kind, priority, folded)"
        " SELECT unnest(CAST(:ids AS text[])), 'sample', :priority, true ON CONFLICT DO NOTHING",
        ids=list(photo_ids),
        priority=PRIORITY,
    )
