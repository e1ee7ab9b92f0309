"""Notices as operators see them, and where users are reached."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from photogate.adapters.postgres.notice_rows import NOTICE_COLUMNS, notice_from
from photogate.adapters.postgres.notices import open_lines
from photogate.adapters.postgres.pool import Pool, Session
from photogate.domain.notices import Delivery, NoticeState

_STATES = {
    NoticeState.OPEN: "told_at IS NULL AND dead_at IS NULL AND NOT void"
    " AND (NOT planned OR channel IS NOT NULL)",
    NoticeState.TOLD: "told_at IS NOT NULL",
    NoticeState.DEAD: "dead_at IS NOT NULL",
}


class PostgresNoticeDesk:
    """The ``NoticeDesk`` port."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def deliveries(
        self, *, state: NoticeState | None, user_id: str | None = None, limit: int
    ) -> list[Delivery]:
        """See ``photogate.ports.notices.NoticeDesk.deliveries``."""
        which = (
            _STATES[state]
            if state
            else f"(told_at IS NOT NULL OR dead_at IS NOT NULL OR ({_STATES[NoticeState.OPEN]}))"
        )
        mine = "AND notices.user_id = CAST(:user AS text)" if user_id is not None else ""
        asked: dict[str, Any] = {"n": limit} | ({"user": user_id} if user_id is not None else {})
        rows = self._pool.transaction(
            lambda s: s.rows(
                f"SELECT {NOTICE_COLUMNS}, channel, told_at, dead_at, error,"
                " CASE WHEN waits THEN NULL ELSE due_at END AS due"
                " FROM notices LEFT JOIN notice_deliveries ON notice = notices.id"
                f" WHERE {which} {mine} ORDER BY notices.id DESC, channel LIMIT :n",
                **asked,
            )
        )
        return [_delivery(row) for row in rows]

    def resend(self, ids: Sequence[str], *, channel: str | None = None) -> int:
        """See ``photogate.ports.notices.NoticeDesk.resend``."""
        photos, numbers = _split(ids)

        def work(session: Session) -> int:
            rows = session.rows(
                "SELECT notice, channel FROM notice_deliveries JOIN notices"
                "   ON notices.id = notice"
                " JOIN unnest(CAST(:photos AS text[]), CAST(:ns AS integer[])) AS these (photo, n)"
                "   ON notices.photo_id = photo AND notices.n = these.n"
                " WHERE (told_at IS NOT NULL OR dead_at IS NOT NULL)"
                " AND channel = coalesce(CAST(:channel AS text), channel) ORDER BY channel",
                photos=photos,
                ns=numbers,
                channel=channel,
            )
            by_channel: dict[str, list[int]] = {}
            for row in rows:
                by_channel.setdefault(row["channel"], []).append(row["notice"])
            for name, notices in by_channel.items():
                session.rows(
                    "UPDATE notice_deliveries SET told_at = NULL, dead_at = NULL, error = NULL"
                    " WHERE channel = :channel AND notice = ANY (CAST(:ids AS bigint[]))",
                    channel=name,
                    ids=notices,
                )
                open_lines(session, name, notices, in_s=0.0)
            return len({row["notice"] for row in rows})

        return self._pool.transaction(work)

    def test(self, channel: str, user_id: str) -> str:
        """See ``photogate.ports.notices.NoticeDesk.test``."""
        photo_id = f"test-{uuid4()}"

        def work(session: Session) -> None:
            row = session.row(
                "INSERT INTO notices (photo_id, n, user_id, file_key, status, before, by_person,"
                "   corrects, due_at, waits, planned)"
                " VALUES (:id, 0, :user, '', 'review', 'pending', false, false, now(), false, true)"
                " ON CONFLICT DO NOTHING RETURNING id",
                id=photo_id,
                user=user_id,
            )
            if row is not None:
                session.rows(
                    "INSERT INTO notice_deliveries (notice, channel, user_id)"
                    " VALUES (:notice, :channel, :user)",
                    notice=row["id"],
                    channel=channel,
                    user=user_id,
                )
                open_lines(session, channel, [row["id"]], in_s=0.0)

        self._pool.transaction(work)
        return f"{photo_id}.0"

    def dead(self, *, channel: str | None = None, limit: int) -> list[str]:
        """See ``photogate.ports.notices.NoticeDesk.dead``."""
        rows = self._pool.transaction(
            lambda s: s.rows(
                "SELECT photo_id || '.' || n AS id FROM notice_deliveries"
                " JOIN notices ON notices.id = notice WHERE dead_at IS NOT NULL"
                " AND channel = coalesce(CAST(:channel AS text), channel)"
                " ORDER BY dead_at, notice LIMIT :n",
                channel=channel,
                n=limit,
            )
        )
        return list(dict.fromkeys(row["id"] for row in rows))


class PostgresAddresses:
    """The ``Addresses`` port."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def link(self, channel: str, user_id: str, address: str) -> None:
        """See ``photogate.ports.notices.Addresses.link``."""
        self._pool.transaction(
            lambda s: s.rows(
                "INSERT INTO notice_addresses (channel, user_id, address)"
                " VALUES (:channel, :user, :address) ON CONFLICT (channel, user_id) DO UPDATE"
                " SET address = excluded.address, linked_at = now()"
                " WHERE notice_addresses.address <> excluded.address",
                channel=channel,
                user=user_id,
                address=address,
            )
        )

    def unlink(self, channel: str, user_id: str) -> None:
        """See ``photogate.ports.notices.Addresses.unlink``."""

        def work(session: Session) -> None:
            which = {"channel": channel, "user": user_id}
            session.rows(
                "DELETE FROM notice_addresses WHERE channel = :channel AND user_id = :user", **which
            )
            session.rows(
                "DELETE FROM notice_deliveries WHERE channel = :channel AND user_id = :user"
                " AND told_at IS NULL AND dead_at IS NULL",
                **which,
            )

        self._pool.transaction(work)

    def of(self, channel: str, user_id: str) -> str | None:
        """See ``photogate.ports.notices.Addresses.of``."""
        row = self._pool.transaction(
            lambda s: s.row(
                "SELECT address FROM notice_addresses WHERE channel = :channel AND user_id = :user",
                channel=channel,
                user=user_id,
            )
        )
        return row["address"] if row else None


def _delivery(row: dict[str, Any]) -> Delivery:
    told, dead = row["told_at"], row["dead_at"]
    state = NoticeState.TOLD if told else NoticeState.DEAD if dead else NoticeState.OPEN
    return Delivery(
        notice=notice_from(row),
        channel=row["channel"],
        state=state,
        due_at=row["due"],
        ended_at=told or dead,
        error=row["error"],
    )


def _split(ids: Sequence[str]) -> tuple[list[str], list[int]]:
    """Read ids of notices; those that are none are left out."""
    parts = [id_.rpartition(".") for id_ in ids]
    known = [
        (photo, int(n))
        for photo, _, n in parts
        if photo and n.isascii() and n.isdigit() and len(n) < 9
    ]
    return [photo for photo, _ in known], [n for _, n in known]
