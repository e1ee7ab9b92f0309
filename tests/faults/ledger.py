"""Compares what clients were told with what the database says in the end.

A trigger of the tests' own writes down every statement that sets a photo's status or opens it
again, so that a verdict that was written twice is counted, also when both were the same.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from photogate.adapters.postgres.pool import Pool
from photogate.ports.photos import PhotoStore
from tests.faults.copies import wrongly_shown
from tests.faults.photos import Photo, Truth

_TERMINAL = ("approved", "rejected", "review")

_OBSERVE = """
CREATE TABLE IF NOT EXISTS observed_verdicts (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    media_id   text NOT NULL,
    before     text NOT NULL,
    after      text NOT NULL,
    decided_by text,
    generation integer NOT NULL,
    reopened   boolean NOT NULL
);
CREATE INDEX IF NOT EXISTS observed_verdicts_media ON observed_verdicts (media_id);
CREATE OR REPLACE FUNCTION observe_verdict() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO observed_verdicts (media_id, before, after, decided_by, generation, reopened)
        SELECT NEW.id::text, OLD.moderation_status, NEW.moderation_status, NEW.decided_by,
               generation, NEW.reopened
        FROM batches WHERE id = NEW.batch_id;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER observe_verdicts AFTER UPDATE OF moderation_status, reopened ON media
    FOR EACH ROW EXECUTE FUNCTION observe_verdict();
"""


def observe(pool: Pool) -> None:
    """Write down, from now on, every status that is written, and every second chance."""
    pool.transaction(lambda s: s.rows(_OBSERVE))


def untold(pool: Pool) -> list[str]:
    """Give the decisions that changed something for their user, and of which there is no notice."""
    rows = pool.transaction(
        lambda s: s.rows(
            "SELECT photo_id || '.' || n AS id FROM history"
            " WHERE after IN ('approved', 'rejected', 'review') AND before <> after"
            " AND action <> 'undo' AND by <> 'other'"
            " AND at > now() - interval '1 day' AND EXISTS"
            "   (SELECT 1 FROM media WHERE CAST(media.id AS text) = history.photo_id)"
            " AND NOT EXISTS (SELECT 1 FROM notices"
            "   WHERE notices.photo_id = history.photo_id AND notices.n = history.n)"
        )
    )
    return [row["id"] for row in rows]


@dataclass(frozen=True, kw_only=True)
class Account:
    """What became of everything that was accepted."""

    photos: int
    #: No row, no verdict, or one that nobody wrote.
    lost: int
    #: More than one row, or more than one machine's verdict in one generation.
    doubled: int
    #: Approved though it must not be, or without its signals, or for other bytes.
    falsely_approved: int
    #: Approved, and without all of its copies; or not approved, and shown all the same.
    wrongly_shown: int
    statuses: Counter[str]
    #: Good photos that a person has to look at, because of the faults.
    good_in_review: int
    #: One line for everything that must not be.
    wrong: list[str]


@dataclass(frozen=True, kw_only=True)
class _Accepted:
    user: str
    batch_id: str
    photos: dict[str, Photo]
    at: float


@dataclass
class Ledger:
    """Every answer that clients got. Thread-safe."""

    #: Seconds of each request that was answered, refused or given up.
    durations_s: list[float] = field(default_factory=list)
    #: Of upload-complete with 200 alone.
    accepting_s: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    #: Answers that no fault excuses.
    unforeseen: list[str] = field(default_factory=list)
    _accepted: dict[frozenset[str], _Accepted] = field(default_factory=dict)
    #: What people decided of each photo, by its id; what they repeat changes nothing.
    _decided: dict[str, list[tuple[str, str | None]]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answered(self, status: int, duration_s: float, *, wrong: str | None = None) -> None:
        """Note one answer; status 0 is none at all."""
        with self._lock:
            self.statuses[status] += 1
            self.durations_s.append(duration_s)
            if wrong is not None:
                self.unforeseen.append(wrong)

    def accepted(
        self, user: str, photos: dict[str, Photo], batch_id: str, duration_s: float
    ) -> None:
        """Note a 200 of upload-complete, the first or a repeated one, for photos by key."""
        with self._lock:
            self.accepting_s.append(duration_s)
            entry = _Accepted(user=user, batch_id=batch_id, photos=photos, at=time.time())
            earlier = self._accepted.setdefault(frozenset(photos), entry)
            if earlier.batch_id != batch_id:
                self.unforeseen.append(f"two batches for one set of photos: {batch_id}")

    def decided(self, media_id: str, status: str, reason: str | None) -> None:
        """Note that a person's decision was answered with 200, the first or a repeated one."""
        with self._lock:
            decisions = self._decided.setdefault(media_id, [])
            if not decisions or decisions[-1] != (status, reason):
                decisions.append((status, reason))

    @property
    def photos(self) -> int:
        """How many were accepted so far."""
        with self._lock:
            return sum(len(entry.photos) for entry in self._accepted.values())

    @property
    def batch_ids(self) -> list[str]:
        """Of all that was accepted so far."""
        with self._lock:
            return [entry.batch_id for entry in self._accepted.values()]

    def marks(self) -> dict[str, list[str]]:
        """Give the marks of the accepted photos by batch."""
        with self._lock:
            return {
                entry.batch_id: [photo.mark for photo in entry.photos.values()]
                for entry in self._accepted.values()
            }

    def close(self, pool: Pool, store: PhotoStore, *, photos_per_day: int = 30) -> Account:
        """Hold all of it against the database and the photos, once everything has settled."""
        keys = [key for entry in self._accepted.values() for key in entry.photos]
        users = sorted({entry.user for entry in self._accepted.values()})
        rows = _rows(pool, users)
        writes = _writes(pool, users)
        wrong = [*self.unforeseen, *(f"no notice of decision {id_}" for id_ in untold(pool))]
        by_key: dict[str, list[dict[str, Any]]] = {}
        for row in rows:
            by_key.setdefault(row["upload_key"], []).append(row)
        lost = doubled = false = good_in_review = 0
        for entry in self._accepted.values():
            for key, photo in entry.photos.items():
                found = by_key.get(key, [])
                says = _judged(photo, entry, found, writes)
                lost += "lost" in says
                doubled += "doubled" in says
                false += "falsely approved" in says
                wrong += [f"{word}: {photo.mark} {found}" for word in says]
                good_in_review += photo.truth is Truth.GOOD and [
                    row["moderation_status"] for row in found
                ] == ["review"]
        wrong += [
            f"without a verdict, though nobody was told of it: {row['upload_key']}"
            for row in rows
            if row["upload_key"] not in keys and row["moderation_status"] not in _TERMINAL
        ]
        shown = [why for row in rows if (why := wrongly_shown(store, row)) is not None]
        wrong += shown
        wrong += self._decisions_kept(rows)
        history = _history(pool, users)
        wrong += _unrecorded(writes, history)
        wrong += self._decisions_told(writes, history)
        wrong += _went_back(writes)
        wrong += _over_limit(pool, users, photos_per_day)
        return Account(
            photos=len(keys),
            lost=lost,
            doubled=doubled,
            falsely_approved=false,
            wrongly_shown=len(shown),
            statuses=Counter(row["moderation_status"] for row in rows),
            good_in_review=good_in_review,
            wrong=wrong,
        )

    def _decisions_kept(self, rows: Sequence[dict[str, Any]]) -> list[str]:
        """I2: what a person decided stays."""
        now = {row["id"]: (row["moderation_status"], row["moderation_reason"]) for row in rows}
        return [
            f"a person's decision is gone: {media_id} is {now.get(media_id)}"
            for media_id, decisions in self._decided.items()
            if now.get(media_id) != decisions[-1]
        ]

    def _decisions_told(
        self,
        writes: dict[str, list[dict[str, Any]]],
        history: dict[str, list[dict[str, Any]]],
    ) -> list[str]:
        """Each person's decision was written once, with one row of history."""
        wrong = []
        for media_id in writes.keys() | history.keys() | self._decided.keys():
            decided = self._decided.get(media_id, [])
            told = [
                (row["after"], row["reason"])
                for row in history.get(media_id, [])
                if row["action"] == "decide"
            ]
            by_people = [w["after"] for w in writes.get(media_id, []) if w["decided_by"]]
            if told != decided or by_people != [status for status, _ in decided]:
                wrong.append(f"{media_id}: decided {decided}, wrote {by_people}, history {told}")
        return wrong


def _judged(
    photo: Photo,
    entry: _Accepted,
    rows: Sequence[dict[str, Any]],
    writes: dict[str, list[dict[str, Any]]],
) -> list[str]:
    """Say what must not be of one accepted photo: I1 and I4."""
    if not rows:
        return ["lost"]
    says = ["doubled"] if len(rows) > 1 else []
    row = rows[0]
    written = writes.get(row["id"], [])
    if row["moderation_status"] not in _TERMINAL or _is_open(written):
        says.append("lost")
    if row["batch_id"] != entry.batch_id:
        says.append("in another batch than the client was told")
    if _doubled(written):
        says.append("doubled")
    if any(write["after"] == "approved" for write in written if not write["decided_by"]):
        scores = row["moderation_scores"] or {}
        measured = {"nsfw_scores", "blur_variance", "model", "policy"} <= scores.keys()
        if photo.truth is not Truth.GOOD or not measured or scores.get("sha256") != photo.sha256:
            says.append("falsely approved")
    return says


def _is_open(written: Sequence[dict[str, Any]]) -> bool:
    """Tell whether a verdict is still owed: none yet, or none since it was opened again."""
    return not written or bool(written[-1]["reopened"])


def _doubled(written: Sequence[dict[str, Any]]) -> bool:
    """Tell whether a machine gave a verdict that nobody owed, or two in one generation."""
    owed, generations = True, []
    for write in written:
        if write["reopened"]:
            owed = True
            continue
        if write["decided_by"] is None:
            if not owed and (write["before"], write["after"]) == ("approved", "review"):
                continue  # taken back: no copy of it can be made
            if not owed:
                return True
            generations.append(write["generation"])
        owed = False
    return len(generations) > len(set(generations))


def _rows(pool: Pool, users: Sequence[str]) -> list[dict[str, Any]]:
    return pool.transaction(
        lambda s: s.rows(
            "SELECT CAST(id AS text) AS id, upload_key, original_key, display_key, url, batch_id,"
            " moderation_status, moderation_reason, moderation_scores, moderation_error FROM media"
            " WHERE user_id = ANY (CAST(:users AS text[]))",
            users=list(users),
        )
    )


def _writes(pool: Pool, users: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    found = pool.transaction(
        lambda s: s.rows(
            "SELECT media_id, before, after, observed_verdicts.decided_by, generation,"
            " observed_verdicts.reopened FROM observed_verdicts"
            " JOIN media ON CAST(media.id AS text) = media_id"
            " WHERE user_id = ANY (CAST(:users AS text[])) ORDER BY observed_verdicts.id",
            users=list(users),
        )
    )
    writes: dict[str, list[dict[str, Any]]] = {}
    for row in found:
        writes.setdefault(row["media_id"], []).append(row)
    return writes


def _history(pool: Pool, users: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """Give the history of these users' photos, by the photo's id, in its order."""
    found = pool.transaction(
        lambda s: s.rows(
            "SELECT photo_id, n, action, before, after, coalesce(words, reason) AS reason"
            " FROM history LEFT JOIN history_words USING (photo_id, n)"
            " JOIN subjects ON subjects.id = owner"
            " WHERE subjects.user_id = ANY (CAST(:users AS text[])) ORDER BY photo_id, n",
            users=list(users),
        )
    )
    history: dict[str, list[dict[str, Any]]] = {}
    for row in found:
        history.setdefault(row["photo_id"], []).append(row)
    return history


def _unrecorded(
    writes: dict[str, list[dict[str, Any]]], history: dict[str, list[dict[str, Any]]]
) -> list[str]:
    """Every status that was written has its one row of history, in the same order."""
    wrong = []
    for media_id in writes.keys() | history.keys():
        wrote = [(w["before"], w["after"]) for w in writes.get(media_id, [])]
        rows = history.get(media_id, [])
        if rows and rows[-1]["action"] == "delete":
            continue  # what was written is not found by its photo any more
        told = [(row["before"], row["after"]) for row in rows]
        if wrote != told or [row["n"] for row in rows] != list(range(1, len(rows) + 1)):
            wrong.append(f"{media_id}: wrote {wrote}, its history says {told}")
    return wrong


def _went_back(writes: dict[str, list[dict[str, Any]]]) -> list[str]:
    """I2: a terminal state never goes back to pending."""
    return [
        f"{media_id} went from {write['before']} back to pending"
        for media_id, written in writes.items()
        for write in written
        if write["after"] == "pending"
    ]


def _over_limit(pool: Pool, users: Sequence[str], photos_per_day: int) -> list[str]:
    """I5, by the rows themselves and by the ledger of the limit."""
    counted = pool.transaction(
        lambda s: s.rows(
            "SELECT user_id, count(*) AS photos, (SELECT coalesce(sum(photos), 0)"
            "   FROM upload_usage WHERE upload_usage.user_id = media.user_id) AS used"
            " FROM media WHERE user_id = ANY (CAST(:users AS text[])) GROUP BY user_id",
            users=list(users),
        )
    )
    return [
        f"{row['user_id']} has {row['photos']} photos, {row['used']} counted"
        for row in counted
        if row["photos"] > photos_per_day or row["used"] != row["photos"]
    ]
