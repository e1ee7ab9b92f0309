"""Accepting batches: the ledger of the rate limit, the photos, and the outbox entry."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

from photogate.adapters.postgres.pool import Pool, Session
from photogate.domain import Batch, NewBatch
from photogate.errors import Conflict, RateLimited


class PostgresIntake:
    """The ``Intake`` port."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def find(self, user_id: str, file_keys: Sequence[str]) -> Batch | None:
        """See ``photogate.ports.records.Intake.find``."""
        return self._pool.transaction(lambda s: _find(s, user_id, file_keys))

    def accept(self, batch: NewBatch, *, photos_per_day: int) -> Batch:
        """See ``photogate.ports.records.Intake.accept``."""
        batch_id = str(uuid4())

        def work(session: Session) -> Batch:
            session.rows(
                "SELECT pg_advisory_xact_lock(hashtextextended('upload:' || :u, 0))",
                u=batch.user_id,
            )
            keys = tuple(photo.file_key for photo in batch.photos)
            earlier = _find(session, batch.user_id, keys)
            if earlier is not None:
                # After a break at COMMIT, the earlier one may be this very call's.
                return replace(earlier, created=earlier.id == batch_id)
            _enforce_limit(session, batch.user_id, len(keys), photos_per_day)
            _insert(session, batch_id, batch)
            return Batch(id=batch_id, generation=1, file_keys=keys, created=True)

        return self._pool.transaction(work)


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
        "SELECT batch_id AS id, 1 AS generation, array_agg(url) AS file_keys FROM media"
        " WHERE user_id = :u AND batch_id IN (SELECT batch_id FROM media"
        "   WHERE user_id = :u AND url = ANY (CAST(:keys AS text[])))"
        " AND NOT EXISTS (SELECT 1 FROM batches WHERE id = batch_id) GROUP BY batch_id",
        u=user_id,
        keys=list(file_keys),
    )
    for row in found:
        if set(row["file_keys"]) == wanted:
            return Batch(
                id=row["id"],
                generation=row["generation"],
                file_keys=tuple(row["file_keys"]),
                created=False,
            )
    taken = {key for row in found for key in row["file_keys"]} & wanted
    if taken:
        raise Conflict(
            "some photos already belong to another batch", file_keys=tuple(sorted(taken))
        )
    return None


def _enforce_limit(session: Session, user_id: str, wanted: int, limit: int) -> None:
    used: list[dict[str, Any]] = session.rows(
        "SELECT photos, extract(epoch FROM created_at + interval '24 hours' - now()) AS frees_in_s"
        " FROM upload_usage WHERE user_id = :u AND created_at > now() - interval '24 hours'"
        " ORDER BY created_at",
        u=user_id,
    )
    over = sum(row["photos"] for row in used) + wanted - limit
    if over <= 0:
        return
    frees_in_s = 24 * 3600.0
    for row in used:
        over -= row["photos"]
        if over <= 0:
            frees_in_s = float(row["frees_in_s"])
            break
    raise RateLimited(
        f"at most {limit} photos in 24 hours",
        retry_after_s=max(1, math.ceil(frees_in_s)),
    )


def _insert(session: Session, batch_id: str, batch: NewBatch) -> None:
    stored = [photo.stored for photo in batch.photos]
    keys = [photo.file_key for photo in batch.photos]
    session.rows(
        "INSERT INTO batches (id, user_id, file_keys, correlation_id)"
        " VALUES (:id, :u, CAST(:keys AS text[]), :correlation)",
        id=batch_id,
        correlation=batch.correlation_id,
        u=batch.user_id,
        keys=keys,
    )
    session.rows(
        "INSERT INTO upload_usage (batch_id, user_id, photos) VALUES (:id, :u, :n)",
        id=batch_id,
        u=batch.user_id,
        n=len(keys),
    )
    session.rows(
        "INSERT INTO media (user_id, user_name, url, batch_id, display_order, etag, size_bytes)"
        " SELECT :u, :name, key, :id, place - 1, etag, size_bytes"
        " FROM unnest(CAST(:keys AS text[]), CAST(:etags AS text[]), CAST(:sizes AS bigint[]))"
        " WITH ORDINALITY AS photo (key, etag, size_bytes, place)",
        u=batch.user_id,
        name=batch.user_name,
        id=batch_id,
        keys=keys,
        etags=[s.etag if s else None for s in stored],
        sizes=[s.size_bytes if s else None for s in stored],
    )
