"""Reads over photos: a user's own, the dashboard, the review queue, a day's figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from pg8000.exceptions import DatabaseError

from photogate.adapters.postgres.pool import Pool, Session, sqlstate
from photogate.adapters.postgres.rows import PHOTO, PHOTO_COLUMNS, photo_from
from photogate.domain import (
    COUNT_TO,
    DayStats,
    LastHour,
    PhotoRow,
    Place,
    Status,
    Total,
    UserSummary,
)
from photogate.errors import InvalidRequest

#: In whole hours, as changes are counted (migration 0007).
_DAY_AGO = "date_trunc('hour', now() - interval '24 hours', 'UTC')"
#: An id that this table's ids cannot be compared with: a UUID with an integer, or one too large.
_NOT_AN_ID = ("22P02", "22003")


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
                f" FROM media WHERE CAST(user_id AS text) = :u AND {PHOTO} AND held_at IS NULL",
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
        found = self._list(f"WHERE CAST(id AS text) = :id AND {PHOTO}", id=photo_id)
        return found[0] if found else None

    def of_user(
        self, user_id: str, *, limit: int = 100, after: Place | None = None
    ) -> list[PhotoRow]:
        """See ``photogate.ports.records.Views.of_user``."""
        # The first condition on the time bounds the walk over the index; the rest tells apart what
        # was handed in at one moment.
        later = (
            " AND created_at <= :at AND (created_at < :at OR (display_order, id) > (:place, :id))"
        )
        place: dict[str, object] = {}
        if after is not None:
            place = {"at": after.created_at, "place": after.display_order, "id": after.id}
        with compared_with(after):
            return self._list(
                f"WHERE CAST(user_id AS text) = :u AND {PHOTO} AND held_at IS NULL"
                f"{later if after else ''}"
                " ORDER BY created_at DESC, display_order, media.id LIMIT :n",
                u=user_id,
                n=limit,
                **place,
            )

    def page(
        self,
        *,
        status: Status | None,
        limit: int,
        skip: int = 0,
        after: Place | None = None,
        failed: bool = False,
        test: bool = False,
    ) -> tuple[list[PhotoRow], Total]:
        """See ``photogate.ports.records.Views.page``."""
        conditions = [PHOTO, "test" if test else "NOT test"]
        if status is not None:
            conditions.append("moderation_status = :status")
        if failed:
            conditions += ["moderation_status = 'review'", "moderation_error IS NOT NULL"]
        params: dict[str, object] = {} if status is None else {"status": status.value}
        all_ = f"FROM media {_where(conditions)}"
        if after is not None:
            begin = "(created_at, id) < (:at, :id)"
            place: dict[str, object] = {"at": after.created_at, "id": after.id}
        else:
            # Found in the index alone: the rows that are passed over are not read.
            begin = (
                f"(created_at, id) <= (SELECT created_at, id {all_}"
                " ORDER BY created_at DESC, id DESC OFFSET :skip LIMIT 1)"
            )
            place = {"skip": skip}

        def work(session: Session) -> tuple[list[PhotoRow], Total]:
            counted = session.rows(
                f"SELECT count(*) AS n FROM (SELECT {all_} LIMIT {COUNT_TO + 1}) AS m", **params
            )
            found = session.rows(
                f"SELECT {PHOTO_COLUMNS} FROM media {_where([*conditions, begin])}"
                " ORDER BY created_at DESC, media.id DESC LIMIT :n",
                n=limit,
                **params,
                **place,
            )
            return [photo_from(row) for row in found], Total.of(counted[0]["n"])

        with compared_with(after):
            return self._pool.transaction(work)

    def waiting(self, *, limit: int) -> list[PhotoRow]:
        """See ``photogate.ports.records.Views.waiting``."""
        return self._list(
            f"WHERE moderation_status = 'review' AND {PHOTO}"
            " ORDER BY created_at, media.id LIMIT :n",
            n=limit,
        )

    def last_day(self) -> DayStats:
        """See ``photogate.ports.records.Views.last_day``."""

        def work(session: Session) -> DayStats:
            recent = session.rows(
                "SELECT status, reason, failed, sum(n) AS n FROM hourly_counts"
                f" WHERE hour >= {_DAY_AGO} GROUP BY 1, 2, 3"
            )
            now = session.rows(
                f"SELECT {_DAY_AGO} AS since, (SELECT count(*) FROM (SELECT FROM media"
                f"   WHERE moderation_status = 'pending' AND {PHOTO} LIMIT {COUNT_TO + 1}) AS m)"
                "   AS photos,"
                " (SELECT extract(epoch FROM now() - min(created_at)) FROM batches"
                "   WHERE finished_at IS NULL) AS oldest_age_s"
            )[0]
            rejected = [row for row in recent if row["status"] == "rejected" and row["n"]]
            reasons: dict[str, int] = {}
            for row in rejected:
                reason = row["reason"] or "other"
                reasons[reason] = reasons.get(reason, 0) + int(row["n"])
            oldest = now["oldest_age_s"]
            return DayStats(
                since=now["since"],
                total=int(sum(row["n"] for row in recent)),
                approved=int(sum(row["n"] for row in recent if row["status"] == "approved")),
                rejected=int(sum(row["n"] for row in rejected)),
                failed=int(sum(r["n"] for r in recent if r["status"] == "review" and r["failed"])),
                rejection_reasons=reasons,
                pending_media=Total.of(now["photos"]),
                oldest_age_s=None if oldest is None else float(oldest),
            )

        return self._pool.transaction(work)

    def last_hour(self) -> LastHour:
        """See ``photogate.ports.records.Views.last_hour``."""

        def work(session: Session) -> LastHour:
            newest = session.rows(
                f"SELECT created_at FROM media WHERE {PHOTO} AND NOT test"
                " ORDER BY created_at DESC LIMIT 1"
            )
            verdicts = session.rows(
                "SELECT after, count(*) AS n FROM (SELECT after FROM history"
                "   WHERE at >= now() - interval '1 hour' AND action IN ('judge', 'give_up')"
                f"   AND NOT test LIMIT {COUNT_TO + 1}) AS newest GROUP BY after"
            )
            counted = {row["after"]: int(row["n"]) for row in verdicts}
            return LastHour(
                newest_photo_at=newest[0]["created_at"] if newest else None,
                judged=Total.of(sum(counted.values())),
                approved=counted.get("approved", 0),
                rejected=counted.get("rejected", 0),
                to_people=counted.get("review", 0),
            )

        return self._pool.transaction(work)

    def _list(self, tail: str, **params: object) -> list[PhotoRow]:
        rows = self._pool.transaction(
            lambda s: s.rows(f"SELECT {PHOTO_COLUMNS} FROM media {tail}", **params)
        )
        return [photo_from(row) for row in rows]


def _where(conditions: Sequence[str]) -> str:
    return f"WHERE {' AND '.join(conditions)}" if conditions else ""


@contextmanager
def compared_with(after: Place | None) -> Iterator[None]:
    """Refuse a place whose id is of another kind than this table's."""
    try:
        yield
    except DatabaseError as error:
        if after is None or sqlstate(error) not in _NOT_AN_ID:
            raise
        raise InvalidRequest("the cursor is not of this list; begin without one") from error
