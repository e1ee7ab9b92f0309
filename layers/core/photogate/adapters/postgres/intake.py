"""Accepting batches: the ledger of the rate limit, the photos, and the outbox entry."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from uuid import uuid4

from pg8000.exceptions import DatabaseError

from photogate.adapters.postgres.pool import Pool, Session, sqlstate
from photogate.adapters.postgres.rows import OPEN, PHOTO, URLS_END
from photogate.domain import Batch, NewBatch, Status
from photogate.domain.uploads import DELETED, LATE, TOO_MANY, handed_in_late, over_limit
from photogate.errors import Conflict, InvalidRequest, RateLimited

#: A text that is no UUID or no number, or too long, where an adopted table has such ids.
_NO_USER_ID = {"22P02", "22003", "22001"}
#: A foreign key of an adopted table finds nobody.
_NO_USER = "23503"


class PostgresIntake:
    """The ``Intake`` port."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def find(self, user_id: str, file_keys: Sequence[str]) -> Batch | None:
        """See ``photogate.ports.records.Intake.find``."""
        return self._pool.transaction(lambda s: _find(s, user_id, file_keys))

    def issue(
        self,
        user_id: str,
        file_key: str,
        *,
        size_bytes: int,
        expires_in_s: float,
        most_urls: int,
        most_bytes: int,
    ) -> None:
        """See ``photogate.ports.records.Intake.issue``."""

        def work(session: Session) -> None:
            _lock(session, user_id)
            under_way = session.rows(
                "SELECT count(*) AS urls, coalesce(sum(size_bytes), 0) AS bytes,"
                f" extract(epoch FROM min(expires_at) + {URLS_END} - now()) AS frees_in_s"
                " FROM upload_urls WHERE user_id = :u AND handed_in_at IS NULL"
                " AND file_key <> :key",
                u=user_id,
                key=file_key,
            )[0]
            if under_way["urls"] >= most_urls or under_way["bytes"] + size_bytes > most_bytes:
                frees_in_s = float(under_way["frees_in_s"] or 0)
                raise RateLimited(TOO_MANY, retry_after_s=max(1, math.ceil(frees_in_s)))
            session.rows(
                "INSERT INTO upload_urls (file_key, user_id, size_bytes, expires_at)"
                " VALUES (:key, :u, :size, now() + make_interval(secs => :s))"
                " ON CONFLICT DO NOTHING",
                key=file_key,
                u=user_id,
                size=size_bytes,
                s=expires_in_s,
            )

        self._pool.transaction(work)

    def accept(self, batch: NewBatch, *, photos_per_day: int) -> Batch:
        """See ``photogate.ports.records.Intake.accept``."""
        batch_id = str(uuid4())

        def work(session: Session) -> Batch:
            _lock(session, batch.user_id)
            keys = tuple(photo.file_key for photo in batch.photos)
            earlier = _find(session, batch.user_id, keys)
            if earlier is not None:
                # After a break at COMMIT, the earlier one may be this very call's.
                return replace(earlier, created=earlier.id == batch_id)
            _enforce_limit(session, batch.user_id, len(keys), photos_per_day)
            _claim(session, keys)
            _insert(session, batch_id, batch)
            return Batch(id=batch_id, generation=1, file_keys=keys, created=True)

        return self._pool.transaction(work)


def _lock(session: Session, user_id: str) -> None:
    """Let a user's uploads be counted one at a time."""
    session.rows("SELECT pg_advisory_xact_lock(hashtextextended('upload:' || :u, 0))", u=user_id)


def _claim(session: Session, keys: Sequence[str]) -> None:
    """Keep the objects that are handed in.

    Raises:
        Conflict: the time of an upload is over, and its object is removed.
    """
    claimed = session.rows(
        "UPDATE upload_urls SET handed_in_at = now(), wanted = true"
        " WHERE file_key = ANY (CAST(:keys AS text[])) RETURNING file_key",
        keys=list(keys),
    )
    if late := handed_in_late(keys, {row["file_key"] for row in claimed}):
        raise Conflict(LATE, file_keys=late)


def _find(session: Session, user_id: str, file_keys: Sequence[str]) -> Batch | None:
    wanted = set(file_keys)
    found = session.rows(
        "SELECT id, generation, file_keys FROM batches"
        " WHERE user_id = :u AND file_keys && CAST(:keys AS text[])",
        u=user_id,
        keys=list(file_keys),
    )
    # Photos outlive their batch; where they are deleted, too, there is no object to hand in.
    found += session.rows(
        "SELECT CAST(batch_id AS text) AS id, 1 AS generation,"
        "   array_agg(coalesce(upload_key, url)) AS file_keys FROM media"
        " WHERE CAST(user_id AS text) = :u AND batch_id IN (SELECT batch_id FROM media"
        f"   WHERE CAST(user_id AS text) = :u AND {PHOTO}"
        "   AND coalesce(upload_key, url) = ANY (CAST(:keys AS text[])))"
        f" AND {PHOTO} AND NOT EXISTS (SELECT 1 FROM batches WHERE id = CAST(batch_id AS text))"
        " GROUP BY batch_id",
        u=user_id,
        keys=list(file_keys),
    )
    for row in found:
        if set(row["file_keys"]) == wanted:
            photos = _photos(session, row["id"])
            there = {photo["key"] for photo in photos}
            if deleted := tuple(key for key in file_keys if key not in there):
                raise Conflict(DELETED, file_keys=deleted)
            return Batch(
                id=row["id"],
                generation=row["generation"],
                file_keys=tuple(row["file_keys"]),
                created=False,
                states=tuple(Status(photo["state"]) for photo in photos),
            )
    taken = {key for row in found for key in row["file_keys"]} & wanted
    if taken:
        raise Conflict(
            "some photos already belong to another batch", file_keys=tuple(sorted(taken))
        )
    return None


def _photos(session: Session, batch_id: str) -> list[dict[str, Any]]:
    """Give key and present state of a batch's photos."""
    return session.rows(
        "SELECT coalesce(upload_key, url) AS key, CASE"
        f"   WHEN {OPEN} THEN 'pending'"
        "   WHEN moderation_status = 'approved' AND upload_key IS NOT NULL"
        "     AND display_key IS NULL THEN 'pending'"
        "   ELSE CAST(moderation_status AS text) END AS state"
        f" FROM media WHERE CAST(batch_id AS text) = :id AND {PHOTO}",
        id=batch_id,
    )


def _enforce_limit(session: Session, user_id: str, wanted: int, limit: int) -> None:
    used: list[dict[str, Any]] = session.rows(
        "SELECT photos, extract(epoch FROM created_at + interval '24 hours' - now()) AS frees_in_s"
        " FROM upload_usage WHERE user_id = :u AND created_at > now() - interval '24 hours'"
        " ORDER BY created_at",
        u=user_id,
    )
    times = [(row["photos"], float(row["frees_in_s"])) for row in used]
    if over := over_limit(times, wanted=wanted, limit=limit):
        raise RateLimited(
            over.words, retry_after_s=over.retry_after_s, limit=limit, remaining=over.remaining
        )


def _insert(session: Session, batch_id: str, batch: NewBatch) -> None:
    keys = [photo.file_key for photo in batch.photos]
    session.rows(
        "INSERT INTO batches (id, user_id, file_keys, correlation_id, language)"
        " VALUES (:id, :u, CAST(:keys AS text[]), :correlation, :language)",
        id=batch_id,
        correlation=batch.correlation_id,
        language=batch.language,
        u=batch.user_id,
        keys=keys,
    )
    session.rows(
        "INSERT INTO upload_usage (batch_id, user_id, photos) VALUES (:id, :u, :n)",
        id=batch_id,
        u=batch.user_id,
        n=len(keys),
    )
    rows = [
        {
            "user_id": batch.user_id,
            "user_name": batch.user_name,
            "upload_key": photo.file_key,
            "batch_id": batch_id,
            "display_order": place,
            "etag": photo.stored.etag if photo.stored else None,
            "size_bytes": photo.stored.size_bytes if photo.stored else None,
        }
        for place, photo in enumerate(batch.photos)
    ]
    with _fitting(batch.user_id):
        session.rows(
            # Types of an adopted table are its own: a record takes them from texts.
            "INSERT INTO media (user_id, user_name, url, upload_key, original_key, batch_id,"
            "   display_order, etag, size_bytes)"
            " SELECT user_id, coalesce(user_name, media_user_name(:u)),"
            "   'withheld/' || gen_random_uuid(), upload_key, upload_key, batch_id,"
            "   display_order, etag, size_bytes"
            " FROM jsonb_populate_recordset(CAST(NULL AS media), CAST(:rows AS jsonb))",
            u=batch.user_id,
            rows=json.dumps(rows),
        )


@contextmanager
def _fitting(user_id: str) -> Iterator[None]:
    """Say what is wrong with a user whom the table of another program does not take."""
    try:
        yield
    except DatabaseError as error:
        if sqlstate(error) in _NO_USER_ID:
            raise InvalidRequest(
                f"the user id {user_id!r} of the token does not fit this installation's table of"
                " photos; JWT_USER_CLAIM says which claim holds the id"
            ) from error
        if sqlstate(error) == _NO_USER:
            raise Conflict("this installation's table of users does not know you") from error
        raise
