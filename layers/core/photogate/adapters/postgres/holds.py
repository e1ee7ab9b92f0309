"""Photos that are withheld for suspected abuse of a child."""

from __future__ import annotations

from collections.abc import Sequence

from photogate.adapters.postgres.pool import Pool, Session
from photogate.domain import Principal
from photogate.domain.holds import Hold

_MOST_COUNTED = 1000


class PostgresHolds:
    """The ``Holds`` port."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def recent(self, *, within_s: int) -> Sequence[str]:
        """See ``photogate.ports.holds.Holds.recent``."""
        rows = self._pool.transaction(
            lambda s: s.rows(
                "SELECT photo_id FROM holds WHERE lifted_at IS NULL"
                " AND held_at > now() - make_interval(secs => :s) ORDER BY held_at",
                s=within_s,
            )
        )
        return [row["photo_id"] for row in rows]

    def open(self, *, limit: int) -> Sequence[Hold]:
        """See ``photogate.ports.holds.Holds.open``."""
        rows = self._pool.transaction(
            lambda s: s.rows(
                "SELECT photo_id, CAST(media.user_id AS text) AS user_id, media.user_name,"
                " media.created_at AS uploaded_at,"
                " holds.held_at, holder.user_id AS held_by, media.original_key,"
                " media.moderation_scores->>'sha256' AS sha256, reported_at,"
                " reporter.user_id AS reported_by, report FROM holds"
                " JOIN media ON CAST(media.id AS text) = photo_id"
                " JOIN subjects AS holder ON holder.id = held_by"
                " LEFT JOIN subjects AS reporter ON reporter.id = holds.reported_by"
                " WHERE lifted_at IS NULL"
                " ORDER BY reported_at IS NOT NULL, holds.held_at LIMIT :n",
                n=limit,
            )
        )
        return [Hold(**row) for row in rows]

    def unreported(self) -> int:
        """See ``photogate.ports.holds.Holds.unreported``."""
        row = self._pool.transaction(
            lambda s: s.row(
                "SELECT count(*) AS n FROM (SELECT 1 FROM holds WHERE lifted_at IS NULL"
                f" AND reported_at IS NULL LIMIT {_MOST_COUNTED}) AS few"
            )
        )
        return int(row["n"]) if row else 0

    def of_user(self, user_id: str) -> int:
        """See ``photogate.ports.holds.Holds.of_user``."""
        row = self._pool.transaction(
            lambda s: s.row(
                "SELECT count(*) AS n FROM media"
                " WHERE CAST(user_id AS text) = :u AND held_at IS NOT NULL",
                u=user_id,
            )
        )
        return int(row["n"]) if row else 0

    def report(self, photo_id: str, *, words: str, by: Principal) -> bool:
        """See ``photogate.ports.holds.Holds.report``."""

        def work(session: Session) -> bool:
            session.rows(
                "INSERT INTO subjects (user_id) VALUES (:person) ON CONFLICT DO NOTHING",
                person=by.user_id,
            )
            return (
                session.count(
                    "UPDATE holds SET reported_at = now(), report = :words,"
                    " reported_by = (SELECT id FROM subjects WHERE user_id = :person)"
                    " WHERE photo_id = :photo AND lifted_at IS NULL",
                    words=words,
                    person=by.user_id,
                    photo=photo_id,
                )
                > 0
            )

        return self._pool.transaction(work)
