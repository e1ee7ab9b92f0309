"""Rows that nobody asks for any more, removed in bounded pieces.

What is held for suspected abuse of a child stays with all that tells of it. What stays besides, and
why: ``media`` until somebody deletes the photo; ``subjects``, one small row a user,
which the history names; ``audit_log``, which nothing writes any more. ``object_deletions``,
``workers`` and ``jobs`` are bounded by those who write them.
"""

from __future__ import annotations

from photogate.adapters.postgres.pool import Session
from photogate.adapters.postgres.rows import GIVEN_UP, OPEN

#: The rate limit looks back 24 hours.
_USAGE = """
    DELETE FROM upload_usage WHERE batch_id = ANY (ARRAY(
        SELECT batch_id FROM upload_usage WHERE created_at < now() - interval '48 hours'
        ORDER BY created_at LIMIT :n))
"""
#: Its keys are then known by their photos' rows; where those are deleted, their objects are gone
#: and no upload URL brings them back. A photo that a person waits for in vain may be redriven, for
#: which its batch is needed. One that a change holds is left for the next time.
_BATCHES = f"""
    DELETE FROM batches WHERE id = ANY (ARRAY(
        SELECT id FROM batches
        WHERE finished_at < now() - make_interval(days => :days) AND NOT EXISTS (
            SELECT 1 FROM media WHERE CAST(batch_id AS text) = batches.id
                AND ({OPEN} OR {GIVEN_UP} OR held_at IS NOT NULL))
        ORDER BY finished_at LIMIT :n FOR UPDATE SKIP LOCKED))
"""
#: Two days are counted.
_HOURS = "DELETE FROM hourly_counts WHERE hour < now() - interval '3 days'"
#: As long as the history that tells of them.
_REVIEW_ITEMS = """
    DELETE FROM review_items WHERE id = ANY (ARRAY(
        SELECT id FROM review_items
        WHERE closed_at < now() - make_interval(days => (SELECT days FROM history_retention))
          AND photo_id <> ALL (ARRAY(SELECT photo_id FROM holds WHERE lifted_at IS NULL))
        ORDER BY closed_at LIMIT :n))
"""
#: As long as the history that tells of them.
_SAMPLES = """
    DELETE FROM samples WHERE photo_id = ANY (ARRAY(
        SELECT photo_id FROM samples
        WHERE drawn_at < now() - make_interval(days => (SELECT days FROM history_retention))
        ORDER BY drawn_at LIMIT :n))
"""
#: No session lasts longer.
_SESSIONS = (
    "DELETE FROM sessions WHERE created_at < now() - interval '1 day'",
    "DELETE FROM sign_in_links WHERE expires_at < now() - interval '1 day'",
)
#: As long as history.
_REVEALS = """
    DELETE FROM reveals WHERE ctid IN (
        SELECT ctid FROM reveals
        WHERE at < now() - make_interval(days => (SELECT days FROM history_retention))
          AND photo_id <> ALL (ARRAY(SELECT photo_id FROM holds WHERE lifted_at IS NULL))
        LIMIT :n)
"""


def usage(session: Session, *, limit: int) -> int:
    """Remove what the rate limit looks at no more."""
    return session.count(_USAGE, n=limit)


def batches(session: Session, *, days: int, limit: int) -> int:
    """Remove batches that finished so long ago, of which no photo waits."""
    return session.count(_BATCHES, days=days, n=limit)


def history(session: Session, *, limit: int) -> int:
    """Remove history that is older than ``HISTORY_DAYS``, with people's words."""
    row = session.row("SELECT prune_history(:n) AS n", n=limit)
    return int(row["n"]) if row else 0


def review_items(session: Session, *, limit: int) -> int:
    """Remove what was closed as long ago."""
    return session.count(_REVIEW_ITEMS, n=limit)


def samples(session: Session, *, limit: int) -> int:
    """Remove what was drawn as long ago."""
    return session.count(_SAMPLES, n=limit)


def reveals(session: Session, *, limit: int) -> int:
    """Remove who saw what, when it was as long ago."""
    return session.count(_REVEALS, n=limit)


def sessions(session: Session) -> int:
    """Remove sign-ins that are over: few, for each sign-in does so, too."""
    return sum(session.count(sql) for sql in _SESSIONS)


def hourly_counts(session: Session) -> int:
    """Remove hours that no answer counts: a few hundred rows each."""
    return session.count(_HOURS)
