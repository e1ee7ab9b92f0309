"""Erases a user: photos by the one door for changes, then whatever else names them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from photogate.adapters.postgres.changes import PostgresChanges
from photogate.adapters.postgres.pool import Pool, Session
from photogate.domain import Principal
from photogate.domain.changes import withdrawn

_AT_ONCE = 200

_PHOTOS = """
    SELECT CAST(id AS text) AS id FROM media
    WHERE CAST(user_id AS text) = :u AND media_type = 'photo' AND held_at IS NULL
        AND CAST(id AS text) > :after
    ORDER BY CAST(id AS text) LIMIT :n
"""
_TABLES = (
    "subjects",
    "batches",
    "notices",
    "notice_lines",
    "notice_addresses",
    "upload_usage",
)
_KNOWN = f"""
    SELECT (SELECT count(*) FROM media WHERE CAST(user_id AS text) = :u
            AND media_type = 'photo' AND held_at IS NULL) AS photos,
        EXISTS (SELECT 1 FROM media WHERE CAST(user_id AS text) = :u)
        OR {" OR ".join(f"EXISTS (SELECT 1 FROM {t} WHERE user_id = :u)" for t in _TABLES)} AS known
"""
_LEFT = """
    SELECT count(*) FILTER (WHERE media_type = 'photo' AND held_at IS NOT NULL) AS held,
        count(*) FILTER (WHERE media_type = 'photo' AND held_at IS NULL) AS late,
        count(*) FILTER (WHERE media_type <> 'photo') AS other,
        (SELECT count(*) FROM holds
            JOIN subjects ON subjects.id IN (held_by, reported_by, lifted_by)
            WHERE user_id = :u) AS holds,
        EXISTS (SELECT 1 FROM history JOIN subjects ON subjects.id = person
            WHERE user_id = :u AND by = 'person') AS decided,
        (SELECT count(*) FROM history JOIN subjects ON subjects.id = owner
            WHERE user_id = :u) AS history
    FROM media WHERE CAST(user_id AS text) = :u
"""
#: What names the user besides the photos, in this order: name of ``Erased`` -> its statement.
_ROWS = {
    "words": """
        DELETE FROM history_words USING history, subjects
        WHERE history_words.photo_id = history.photo_id AND history_words.n = history.n
            AND owner = subjects.id AND user_id = :u
            AND history.photo_id NOT IN (
                SELECT CAST(id AS text) FROM media WHERE CAST(user_id AS text) = :u)
    """,
    # Of items that were closed before; open ones went with the photo.
    "notes": """
        UPDATE review_items SET note = NULL
        WHERE note IS NOT NULL AND photo_id IN (
            SELECT photo_id FROM history JOIN subjects ON subjects.id = owner WHERE user_id = :u)
        AND photo_id NOT IN (
            SELECT CAST(id AS text) FROM media WHERE CAST(user_id AS text) = :u)
    """,
    "notices": "DELETE FROM notices WHERE user_id = :u",
    "lines": "DELETE FROM notice_lines WHERE user_id = :u",
    "addresses": "DELETE FROM notice_addresses WHERE user_id = :u",
    "batches": """
        DELETE FROM batches WHERE user_id = :u AND NOT EXISTS (
            SELECT 1 FROM media WHERE CAST(batch_id AS text) = batches.id)
    """,
    "usage": "DELETE FROM upload_usage WHERE user_id = :u",
    "names": """
        DELETE FROM subjects WHERE user_id = :u AND NOT EXISTS (
            SELECT 1 FROM media WHERE CAST(user_id AS text) = :u)
        AND NOT EXISTS (
            SELECT 1 FROM holds WHERE subjects.id IN (held_by, reported_by, lifted_by))
    """,
}


@dataclass(frozen=True, kw_only=True)
class Erased:
    """How much of a user was erased, and what stays."""

    photos: int
    #: Objects of theirs that the sweep removes: uploads, originals and copies.
    objects: int
    #: What moderators wrote about them: reasons, and notes.
    words: int
    notes: int
    notices: int
    #: Channels that were to tell them something.
    lines: int
    #: Where they are reached, such as a chat.
    addresses: int
    batches: int
    usage: int
    #: 1 when the user had a number in history, which names nobody now.
    names: int
    #: Rows of history, which stay; without the user's id where ``names`` is 1.
    history: int
    #: Photos that are withheld, and stay with all that names their owner.
    held: int
    #: Photos that came, or were given back, while this ran.
    late: int
    #: Times that they withheld somebody's photo, reported it or lifted that. Who did stays.
    holds: int
    #: Whether they decided as a moderator: photos of others say so as long as they are there.
    decided: bool
    #: Rows of another program in ``media``, which stay.
    other: int


class PostgresErasing:
    """Erases users. The application's role may do so."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._changes = PostgresChanges(pool)

    def knows(self, user_id: str) -> int | None:
        """Give how many photos would be erased; None when nothing names this user."""
        (row,) = self._pool.transaction(lambda s: s.rows(_KNOWN, u=user_id))
        return int(row["photos"]) if row["known"] else None

    def erase(self, user_id: str) -> Erased:
        """Erase a user, but for photos that are withheld. Safe to repeat.

        Photos go a few at a time, each as if its owner deleted it; all else in one transaction.
        """
        photos, keys, after = 0, 0, ""
        while ids := self._pool.transaction(lambda s, a=after: _photos(s, user_id, a)):  # type: ignore[misc]  # bound now
            owner = Principal(user_id=user_id)
            outcomes = self._changes.make([withdrawn(id_, by=owner) for id_ in ids])
            gone = [outcome for outcome in outcomes if outcome.changed]
            photos += len(gone)
            keys += sum(len(outcome.object_keys) for outcome in gone)
            after = ids[-1]
        return self._pool.transaction(lambda s: _rest(s, user_id, photos=photos, objects=keys))


def _photos(session: Session, user_id: str, after: str) -> list[str]:
    return [row["id"] for row in session.rows(_PHOTOS, u=user_id, after=after, n=_AT_ONCE)]


def _rest(session: Session, user_id: str, *, photos: int, objects: int) -> Erased:
    (left,) = session.rows(_LEFT, u=user_id)
    done: dict[str, Any] = {name: session.count(sql, u=user_id) for name, sql in _ROWS.items()}
    return Erased(photos=photos, objects=objects, **done, **left)
