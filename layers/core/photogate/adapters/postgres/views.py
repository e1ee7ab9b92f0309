"""Reads over photos: a user's own, the dashboard, the review queue, a day's figures."""

from __future__ import annotations

from photogate.adapters.postgres.pool import Pool, Session
from photogate.adapters.postgres.rows import PHOTO_COLUMNS, photo_from
from photogate.domain import DayStats, PhotoRow, Status, UserSummary


class PostgresViews:
    """The ``Views`` port."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def summary(self, user_id: str) -> UserSummary:
        """See ``photogate.ports.records.Views.summary``."""
        row = self._pool.transaction(
            lambda s: s.rows(
                "SELECT count(*) AS total,"
                " count(*) FILTER (WHERE moderation_status = 'approved'"
                "   AND (upload_key IS NULL OR display_key IS NOT NULL)) AS approved,"
                " count(*) FILTER (WHERE moderation_status = 'rejected') AS rejected,"
                " count(*) FILTER (WHERE moderation_status = 'review'"
                "   AND moderation_error IS NOT NULL) AS failed,"
                " max(moderated_at) AS last_moderated_at,"
                " (SELECT count(*) FROM batches WHERE user_id = :u AND finished_at IS NULL)"
                "   AS pending_batches"
                " FROM media WHERE user_id = :u",
                u=user_id,
            )
        )[0]
        return UserSummary(
            total_photos=row["total"],
            approved=row["approved"],
            pending=row["total"] - row["approved"] - row["rejected"] - row["failed"],
            rejected=row["rejected"],
            failed=row["failed"],
            pending_batches=row["pending_batches"],
            last_moderated_at=row["last_moderated_at"],
        )

    def photo(self, photo_id: str) -> PhotoRow | None:
        """See ``photogate.ports.records.Views.photo``."""
        found = self._list("WHERE CAST(id AS text) = :id", id=photo_id)
        return found[0] if found else None

    def of_user(self, user_id: str) -> list[PhotoRow]:
        """See ``photogate.ports.records.Views.of_user``."""
        return self._list(
            "WHERE user_id = :u ORDER BY created_at DESC, display_order, id LIMIT 1000", u=user_id
        )

    def page(self, *, status: Status | None, page: int, limit: int) -> tuple[list[PhotoRow], int]:
        """See ``photogate.ports.records.Views.page``."""
        where = "" if status is None else "WHERE moderation_status = :status"
        params = {} if status is None else {"status": status.value}

        def work(session: Session) -> tuple[list[PhotoRow], int]:
            total = session.rows(f"SELECT count(*) AS n FROM media {where}", **params)
            found = session.rows(
                f"SELECT {PHOTO_COLUMNS} FROM media {where}"
                " ORDER BY created_at DESC, id LIMIT :n OFFSET :skip",
                n=limit,
                skip=(page - 1) * limit,
                **params,
            )
            return [photo_from(row) for row in found], total[0]["n"]

        return self._pool.transaction(work)

    def waiting(self, *, limit: int) -> list[PhotoRow]:
        """See ``photogate.ports.records.Views.waiting``."""
        return self._list(
            "WHERE moderation_status = 'review' ORDER BY created_at, id LIMIT :n", n=limit
        )

    def last_day(self) -> DayStats:
        """See ``photogate.ports.records.Views.last_day``."""

        def work(session: Session) -> DayStats:
            recent = session.rows(
                "SELECT moderation_status AS status, moderation_reason AS reason,"
                " moderation_error IS NOT NULL AS failed, count(*) AS n FROM media"
                " WHERE moderated_at > now() - interval '24 hours' GROUP BY 1, 2, 3"
            )
            waiting = session.rows(
                "SELECT (SELECT count(*) FROM media WHERE moderation_status = 'pending') AS photos,"
                " (SELECT extract(epoch FROM now() - min(created_at)) FROM batches"
                "   WHERE finished_at IS NULL) AS oldest_age_s"
            )[0]
            rejected = [row for row in recent if row["status"] == "rejected"]
            reasons: dict[str, int] = {}
            for row in rejected:
                reason = row["reason"] or "other"
                reasons[reason] = reasons.get(reason, 0) + row["n"]
            oldest = waiting["oldest_age_s"]
            return DayStats(
                total=sum(row["n"] for row in recent),
                approved=sum(row["n"] for row in recent if row["status"] == "approved"),
                rejected=sum(row["n"] for row in rejected),
                failed=sum(r["n"] for r in recent if r["status"] == "review" and r["failed"]),
                rejection_reasons=reasons,
                pending_media=waiting["photos"],
                oldest_age_s=None if oldest is None else float(oldest),
            )

        return self._pool.transaction(work)

    def _list(self, tail: str, **params: object) -> list[PhotoRow]:
        rows = self._pool.transaction(
            lambda s: s.rows(f"SELECT {PHOTO_COLUMNS} FROM media {tail}", **params)
        )
        return [photo_from(row) for row in rows]
