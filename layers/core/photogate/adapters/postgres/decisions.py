"""What people decide, each change with its audit row in the same transaction."""

from __future__ import annotations

import json

from photogate.adapters.postgres.pool import Pool, Session
from photogate.adapters.postgres.rows import MEDIA_COLUMNS, media_from
from photogate.domain import Media, Principal, Status, Verdict
from photogate.errors import Conflict, NotFound


class PostgresDecisions:
    """The ``Decisions`` port."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def decide(self, media_id: str, verdict: Verdict, *, by: Principal) -> Media:
        """See ``photogate.ports.Decisions.decide``."""

        def work(session: Session) -> Media:
            before = _locked(session, media_id)
            same = (before.status, before.reason) == (verdict.status, verdict.reason)
            if same and before.decided_by is not None:
                return before
            row = session.rows(
                "UPDATE media SET moderation_status = :status, moderation_reason = :reason,"
                " moderation_error = NULL, decided_by = :by, moderated_at = now(),"
                " updated_at = now(), verified_by = NULL, verified_at = NULL, reopened = false"
                f" WHERE CAST(id AS text) = :id RETURNING {MEDIA_COLUMNS}",
                status=verdict.status.value,
                reason=verdict.reason,
                by=by.user_id,
                id=media_id,
            )[0]
            after = media_from(row)
            action = "approve" if verdict.status is Status.APPROVED else "reject"
            _audit(session, action, before, after, by)
            return after

        return self._pool.transaction(work)

    def verify(self, media_id: str, *, by: Principal) -> Media:
        """See ``photogate.ports.Decisions.verify``."""

        def work(session: Session) -> Media:
            before = _locked(session, media_id)
            if before.status is not Status.REJECTED:
                raise Conflict(f"photo {media_id} is {before.status}, not rejected")
            if before.verified_by is not None:
                return before
            row = session.rows(
                "UPDATE media SET verified_by = :by, verified_at = now(), updated_at = now(),"
                " decided_by = coalesce(decided_by, :by)"
                f" WHERE CAST(id AS text) = :id RETURNING {MEDIA_COLUMNS}",
                by=by.user_id,
                id=media_id,
            )[0]
            after = media_from(row)
            _audit(session, "verify", before, after, by)
            return after

        return self._pool.transaction(work)

    def delete(self, media_id: str, *, by: Principal, only: str) -> str:
        """See ``photogate.ports.Decisions.delete``."""

        def work(session: Session) -> str:
            try:
                before = _locked(session, media_id)
            except NotFound:
                # This very transaction may have committed before its connection broke.
                earlier = session.row(
                    "SELECT file_key, user_id FROM object_deletions WHERE media_id = :id",
                    id=media_id,
                )
                if earlier and (only == "rejected" or earlier["user_id"] == by.user_id):
                    return str(earlier["file_key"])
                raise
            if only == "own" and before.user_id != by.user_id:
                raise NotFound(f"there is no photo {media_id}")
            if only == "rejected" and before.status is not Status.REJECTED:
                raise Conflict(f"photo {media_id} is {before.status}, not rejected")
            session.rows("DELETE FROM media WHERE CAST(id AS text) = :id", id=media_id)
            session.rows(
                "INSERT INTO object_deletions (file_key, media_id, user_id)"
                " VALUES (:key, :id, :u) ON CONFLICT DO NOTHING",
                key=before.file_key,
                id=media_id,
                u=before.user_id,
            )
            if only == "rejected":
                _audit(session, "delete", before, None, by)
            return before.file_key

        return self._pool.transaction(work)


def _locked(session: Session, media_id: str) -> Media:
    row = session.row(
        f"SELECT {MEDIA_COLUMNS} FROM media WHERE CAST(id AS text) = :id FOR UPDATE",
        id=media_id,
    )
    if row is None:
        raise NotFound(f"there is no photo {media_id}")
    return media_from(row)


def _audit(
    session: Session, action: str, before: Media, after: Media | None, by: Principal
) -> None:
    session.rows(
        "INSERT INTO audit_log (actor, actor_role, action, media_id, user_id, before, after)"
        " VALUES (:actor, :role, :action, :id, :u, CAST(:before AS jsonb), CAST(:after AS jsonb))",
        actor=by.user_id,
        role=by.role.value,
        action=action,
        id=before.id,
        u=before.user_id,
        before=_state(before),
        after=_state(after),
    )


def _state(media: Media | None) -> str:
    if media is None:
        return "{}"
    return json.dumps(
        {
            "status": media.status.value,
            "reason": media.reason,
            "decided_by": media.decided_by,
            "verified_by": media.verified_by,
        }
    )
