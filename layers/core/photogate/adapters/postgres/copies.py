"""Photos of which copies are to be made, and objects that are no longer needed."""

from __future__ import annotations

from collections.abc import Sequence

from photogate.adapters.postgres.notice_rows import copy_is_there
from photogate.adapters.postgres.pool import Pool, Session
from photogate.adapters.postgres.rows import SHOWN, URLS_END
from photogate.domain import CopyProgress, UncopiedPhoto

_MOST_COUNTED = 10_000
#: For jobs that were sent and perhaps lost.
_SENT_AGAIN_AFTER = "interval '5 minutes'"
#: As the index ``media_earlier_layout`` has it, but for those that the machine has yet to judge:
#: their copies follow by themselves.
_EARLIER = (
    "upload_key IS NULL AND copies_attempts = 0 AND copies_due_at IS NULL"
    " AND media_type = 'photo' AND moderation_status <> 'pending'"
)


class PostgresCopies:
    """The ``Copies`` port."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def begin(self, photo_ids: Sequence[str], *, lease_s: float) -> list[UncopiedPhoto]:
        """See ``photogate.ports.records.Copies.begin``."""
        rows = self._pool.transaction(
            lambda s: s.rows(
                "UPDATE media SET copies_attempts = copies_attempts + 1,"
                " copies_lease_until = now() + make_interval(secs => :lease)"
                " WHERE CAST(id AS text) = ANY (CAST(:ids AS text[])) AND copies_due_at IS NOT NULL"
                " AND (copies_lease_until IS NULL OR copies_lease_until < now())"
                " RETURNING CAST(id AS text) AS id, upload_key IS NULL AS earlier_layout,"
                "   CASE WHEN upload_key IS NULL THEN url ELSE original_key END AS original_key,"
                "   CASE WHEN original_key LIKE 'kept/%' THEN NULL ELSE etag END AS etag,"
                "   moderation_scores->>'sha256' AS sha256, copies_attempts AS attempts,"
                "   copies_failures AS failures",
                ids=list(photo_ids),
                lease=lease_s,
            )
        )
        return [UncopiedPhoto(**row) for row in sorted(rows, key=lambda row: str(row["id"]))]

    def made(self, photo_id: str, *, display_key: str, original_key: str) -> bool:
        """See ``photogate.ports.records.Copies.made``."""
        shown = SHOWN.format(
            status="moderation_status", taken="true", display="CAST(:display AS text)"
        )

        def work(session: Session) -> bool:
            row = session.row(
                "UPDATE media SET display_key = :display, original_key = :original,"
                " upload_key = coalesce(upload_key, url), copies_due_at = NULL,"
                f" copies_lease_until = NULL, url = {shown}, updated_at = now()"
                " WHERE CAST(id AS text) = :id RETURNING upload_key",
                id=photo_id,
                display=display_key,
                original=original_key,
            )
            if row is not None:
                session.rows(
                    "UPDATE upload_urls SET wanted = false WHERE file_key = :key AND wanted",
                    key=row["upload_key"],
                )
                copy_is_there(session, photo_id)
            return row is not None

        return self._pool.transaction(work)

    def put_off(self, photo_ids: Sequence[str], *, for_s: float) -> None:
        """See ``photogate.ports.records.Copies.put_off``."""
        self._end_attempts(photo_ids, for_s=for_s, failures=0)

    def failed(self, photo_id: str, *, for_s: float) -> None:
        """See ``photogate.ports.records.Copies.failed``."""
        self._end_attempts([photo_id], for_s=for_s, failures=1)

    def _end_attempts(self, photo_ids: Sequence[str], *, for_s: float, failures: int) -> None:
        self._pool.transaction(
            lambda s: s.rows(
                "UPDATE media SET copies_due_at = now() + make_interval(secs => :s),"
                " copies_lease_until = NULL, copies_attempts = greatest(0, copies_attempts - 1),"
                " copies_failures = copies_failures + :failures"
                " WHERE CAST(id AS text) = ANY (CAST(:ids AS text[]))"
                # When its COMMIT broke, the lease has gone with the first time.
                " AND copies_due_at IS NOT NULL AND copies_lease_until IS NOT NULL",
                ids=list(photo_ids),
                s=for_s,
                failures=failures,
            )
        )

    def abandon(self, photo_id: str) -> None:
        """See ``photogate.ports.records.Copies.abandon``."""
        shown = SHOWN.format(status="moderation_status", taken="true", display="display_key")
        self._pool.transaction(
            lambda s: s.rows(
                "UPDATE media SET copies_due_at = NULL, copies_lease_until = NULL,"
                " original_key = CASE WHEN upload_key IS NULL THEN url ELSE original_key END,"
                f" upload_key = coalesce(upload_key, url), url = {shown}"
                " WHERE CAST(id AS text) = :id AND copies_due_at IS NOT NULL",
                id=photo_id,
            )
        )

    def take_due(self, *, limit: int) -> list[str]:
        """See ``photogate.ports.records.Copies.take_due``."""
        # What a run took whose COMMIT broke is kept: it may have been committed.
        due: dict[str, None] = {}

        def work(session: Session) -> None:
            rows = session.rows(
                f"UPDATE media SET copies_due_at = now() + {_SENT_AGAIN_AFTER}"
                " WHERE id = ANY (ARRAY(SELECT id FROM media WHERE copies_due_at <= now()"
                "   ORDER BY copies_due_at LIMIT :n FOR UPDATE SKIP LOCKED))"
                " RETURNING CAST(id AS text) AS id",
                n=limit,
            )
            due.update((row["id"], None) for row in rows)

        self._pool.transaction(work)
        return list(due)

    def schedule_earlier(self, *, limit: int) -> int:
        """See ``photogate.ports.records.Copies.schedule_earlier``."""

        def scheduled(session: Session, where: str, most: int) -> int:
            return session.count(
                "UPDATE media SET copies_due_at = now() WHERE id = ANY (ARRAY("
                f" SELECT id FROM media WHERE {_EARLIER} {where}"
                " ORDER BY created_at LIMIT :n FOR UPDATE SKIP LOCKED))",
                n=most,
            )

        def work(session: Session) -> int:
            # What others see they see meanwhile; people wait for what is in review.
            waiting = scheduled(session, "AND moderation_status = 'review'", limit)
            return waiting + scheduled(session, "", limit - waiting)

        return self._pool.transaction(work)

    def progress(self) -> CopyProgress:
        """See ``photogate.ports.records.Copies.progress``."""

        def counted(session: Session, where: str) -> int:
            row = session.row(
                f"SELECT count(*) AS n FROM (SELECT 1 FROM media WHERE {where} LIMIT :most) AS few",
                most=_MOST_COUNTED,
            )
            return int(row["n"]) if row else 0

        def work(session: Session) -> CopyProgress:
            return CopyProgress(
                waiting=counted(session, "copies_due_at IS NOT NULL"),
                earlier=counted(session, _EARLIER),
            )

        return self._pool.transaction(work)

    def release_originals(self, *, days: float, limit: int) -> int:
        """See ``photogate.ports.records.Copies.release_originals``."""
        return self._pool.transaction(
            lambda s: s.count(
                "WITH old AS (SELECT id, CAST(user_id AS text) AS user_id, original_key FROM media"
                "   WHERE original_key LIKE 'kept/%' AND display_key IS NOT NULL"
                "   AND moderation_status = 'approved'"
                "   AND moderated_at < now() - make_interval(secs => :s)"
                "   ORDER BY moderated_at LIMIT :n FOR UPDATE SKIP LOCKED),"
                " noted AS (INSERT INTO object_deletions (file_key, user_id)"
                "   SELECT original_key, user_id FROM old ON CONFLICT DO NOTHING)"
                " UPDATE media SET original_key = NULL FROM old WHERE media.id = old.id",
                s=days * 24 * 3600,
                n=limit,
            )
        )

    def release_uploads(self, *, limit: int) -> int:
        """See ``photogate.ports.records.Copies.release_uploads``."""
        return self._pool.transaction(
            lambda s: s.count(
                "WITH over AS (DELETE FROM upload_urls WHERE file_key = ANY (ARRAY("
                f"   SELECT file_key FROM upload_urls WHERE NOT wanted"
                f"   AND expires_at < now() - {URLS_END} ORDER BY expires_at LIMIT :n"
                "    FOR UPDATE SKIP LOCKED))"
                "   RETURNING file_key, user_id)"
                " INSERT INTO object_deletions (file_key, user_id)"
                " SELECT file_key, user_id FROM over ON CONFLICT DO NOTHING",
                n=limit,
            )
        )
