"""What is owed to people and backends: planned, leased to a sender, settled.

Rows are locked in one order: lines, then deliveries. A line is read under its lock before it goes,
so that a delivery which is planned meanwhile always finds one.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import uuid4

from photogate.adapters.postgres.notice_rows import NOTICE_COLUMNS, notice_from
from photogate.adapters.postgres.pool import Pool, Session
from photogate.domain.notices import Failing, Notice, Parcel, Receipt
from photogate.ports.notices import Kind

_OPEN = "told_at IS NULL AND dead_at IS NULL"
#: One who plans is enough; the key is of this use alone.
_PLANNING = "pg_try_advisory_xact_lock(hashtextextended('photogate notices', 0))"
#: In seconds; nine of ten were decided within it.
_REVIEW_TIME = (
    "SELECT percentile_cont(0.9) WITHIN GROUP ("
    "   ORDER BY extract(epoch FROM closed_at - created_at)) AS s FROM ("
    "   SELECT closed_at, created_at FROM review_items"
    "   WHERE closed_at > now() - interval '7 days' AND kind = 'doubt' AND NOT test"
    "   ORDER BY closed_at DESC LIMIT 10000) AS newest"
)


class PostgresNotices:
    """The ``Notices`` port. Any number of senders may run at once."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def plan(self, channels: Sequence[Kind], *, limit: int) -> int:
        """See ``photogate.ports.notices.Notices.plan``."""

        def work(session: Session) -> int:
            row = session.row(f"SELECT {_PLANNING} AS mine")
            if not row or not row["mine"]:
                return 0
            due = session.rows(
                "SELECT id FROM notices WHERE NOT planned AND NOT waits AND due_at <= now()"
                " ORDER BY due_at, id LIMIT :n FOR UPDATE SKIP LOCKED",
                n=limit,
            )
            ids = [row["id"] for row in due]
            if ids:
                for channel in channels:
                    _owe(session, channel, ids)
                session.rows(
                    "UPDATE notices SET planned = true WHERE id = ANY (CAST(:ids AS bigint[]))",
                    ids=ids,
                )
            return len(ids)

        return self._pool.transaction(work)

    def take(self, channel: Kind, *, limit: int, lease_s: float) -> list[Parcel]:
        """See ``photogate.ports.notices.Notices.take``."""

        def work(session: Session) -> list[Parcel]:
            # Its own for each run: what one leased whose COMMIT broke comes back with its lease.
            token = str(uuid4())
            lines = session.rows(
                "UPDATE notice_lines SET lease = CAST(:token AS uuid),"
                "   next_at = now() + make_interval(secs => :lease)"
                " WHERE channel = :channel AND user_id = ANY (ARRAY("
                "   SELECT user_id FROM notice_lines WHERE channel = :channel"
                "   AND next_at <= now() AND NOT EXISTS (SELECT 1 FROM notice_channels"
                "     WHERE channel = :channel AND rests_until > now())"
                "   ORDER BY next_at LIMIT :n FOR UPDATE SKIP LOCKED))"
                " RETURNING user_id, failures,"
                "   coalesce(extract(epoch FROM now() - failing_since), 0) AS failing_s",
                token=token,
                lease=lease_s,
                channel=channel.name,
                n=limit,
            )
            if not lines:
                return []
            owed: dict[str, list[Notice]] = {}
            addresses: dict[str, str | None] = {}
            for row in session.rows(
                f"SELECT line.user_id AS whose, address, {NOTICE_COLUMNS}"
                " FROM unnest(CAST(:users AS text[])) AS line (user_id)"
                " CROSS JOIN LATERAL (SELECT notice, place FROM notice_deliveries"
                f"   WHERE channel = :channel AND user_id = line.user_id AND {_OPEN}"
                "   ORDER BY place LIMIT :n) AS owed"
                " JOIN notices ON notices.id = owed.notice"
                " LEFT JOIN notice_addresses AS known"
                "   ON known.channel = :channel AND known.user_id = line.user_id"
                " ORDER BY owed.place",
                users=[line["user_id"] for line in lines],
                channel=channel.name,
                n=channel.at_once,
            ):
                owed.setdefault(row["whose"], []).append(notice_from(row))
                addresses[row["whose"]] = row["address"]
            # A line that only kept its user's rest.
            _end_lines(
                session, channel.name, [u["user_id"] for u in lines if u["user_id"] not in owed]
            )
            return [
                Parcel(
                    channel=channel.name,
                    user_id=line["user_id"],
                    token=token,
                    address=addresses[line["user_id"]],
                    notices=tuple(owed[line["user_id"]]),
                    failures=line["failures"],
                    failing_s=float(line["failing_s"]),
                )
                for line in lines
                if line["user_id"] in owed
            ]

        return self._pool.transaction(work)

    def settle(
        self,
        parcel: Parcel,
        receipt: Receipt,
        *,
        rests_s: float,
        retry_in_s: float = 0.0,
        gives_up: bool = False,
    ) -> None:
        """See ``photogate.ports.notices.Notices.settle``."""
        told, failed = parcel.notices[: receipt.told], parcel.notices[receipt.told :][:1]
        failure = receipt.failure

        def work(session: Session) -> None:
            mine = session.row(
                "SELECT 1 FROM notice_lines WHERE channel = :channel AND user_id = :user"
                " AND lease = CAST(:token AS uuid) FOR UPDATE",
                channel=parcel.channel,
                user=parcel.user_id,
                token=parcel.token,
            )
            _note(session, parcel, told, "told_at = now(), dead_at = NULL, error = NULL")
            if mine is None:
                return
            if failure is not None:
                ending = ", dead_at = now()" if gives_up else ""
                _note(session, parcel, failed, f"error = :error{ending}", error=failure.error)
                if failure.kind is Failing.GONE:
                    _forget(session, parcel.channel, parcel.user_id, failure.error)
            again = failure is not None and not gives_up and failure.kind is not Failing.GONE
            session.rows(
                "UPDATE notice_lines SET lease = NULL,"
                "   next_at = now() + make_interval(secs => :pause),"
                "   failures = CASE WHEN :again THEN failures * :same + 1 ELSE 0 END,"
                "   failing_since = CASE WHEN :again THEN"
                "     CASE WHEN :same = 1 THEN coalesce(failing_since, now()) ELSE now() END END"
                " WHERE channel = :channel AND user_id = :user",
                pause=max(retry_in_s if again else 0.0, rests_s),
                again=again,
                # The first one is still the one that failed before.
                same=0 if told else 1,
                channel=parcel.channel,
                user=parcel.user_id,
            )
            if rests_s <= 0:
                _end_lines(session, parcel.channel, [parcel.user_id])

        self._pool.transaction(work)

    def release(self, parcel: Parcel) -> None:
        """See ``photogate.ports.notices.Notices.release``."""
        self._pool.transaction(
            lambda s: s.rows(
                "UPDATE notice_lines SET lease = NULL, next_at = now()"
                " WHERE channel = :channel AND user_id = :user AND lease = CAST(:token AS uuid)",
                channel=parcel.channel,
                user=parcel.user_id,
                token=parcel.token,
            )
        )

    def rest(self, channel: str, *, for_s: float) -> None:
        """See ``photogate.ports.notices.Notices.rest``."""
        self._pool.transaction(
            lambda s: s.rows(
                "INSERT INTO notice_channels (channel, rests_until)"
                " VALUES (:channel, now() + make_interval(secs => :s))"
                " ON CONFLICT (channel) DO UPDATE"
                " SET rests_until = greatest(notice_channels.rests_until, excluded.rests_until)",
                channel=channel,
                s=for_s,
            )
        )

    def review_hours(self) -> float | None:
        """See ``photogate.ports.notices.Notices.review_hours``."""
        row = self._pool.transaction(lambda s: s.row(_REVIEW_TIME))
        return None if row is None or row["s"] is None else float(row["s"]) / 3600

    def prune(self, *, days: float, limit: int) -> int:
        """See ``photogate.ports.notices.Notices.prune``."""
        return self._pool.transaction(
            lambda s: s.count(
                # By id, which is by age.
                "DELETE FROM notices WHERE id = ANY (ARRAY(SELECT id FROM notices"
                "   WHERE decided_at < now() - make_interval(secs => :s) AND NOT EXISTS"
                f"   (SELECT 1 FROM notice_deliveries WHERE notice = notices.id AND {_OPEN})"
                "   AND (planned OR waits) ORDER BY id LIMIT :n FOR UPDATE SKIP LOCKED))",
                s=days * 24 * 3600,
                n=limit,
            )
        )


def open_lines(session: Session, channel: str, ids: Sequence[int], *, in_s: float) -> None:
    """Give these notices' users a line where they have none; a line that is there stays as it is.

    It is written all the same, so that who ends it now waits and sees what was added.
    """
    session.rows(
        "INSERT INTO notice_lines (channel, user_id, next_at)"
        " SELECT DISTINCT channel, user_id, now() + make_interval(secs => :s)"
        " FROM notice_deliveries WHERE channel = :channel"
        f" AND notice = ANY (CAST(:ids AS bigint[])) AND {_OPEN} ORDER BY user_id"
        " ON CONFLICT (channel, user_id) DO UPDATE SET channel = excluded.channel",
        channel=channel,
        ids=list(ids),
        s=in_s,
    )


def _owe(session: Session, channel: Kind, ids: Sequence[int]) -> None:
    known = (
        " AND EXISTS (SELECT 1 FROM notice_addresses AS known"
        "   WHERE known.channel = :channel AND known.user_id = notices.user_id)"
        if channel.addressed
        else ""
    )
    session.rows(
        "INSERT INTO notice_deliveries (notice, channel, user_id)"
        " SELECT id, :channel, user_id FROM notices"
        f" WHERE id = ANY (CAST(:ids AS bigint[])){known} ORDER BY due_at, id",
        channel=channel.name,
        ids=list(ids),
    )
    open_lines(session, channel.name, ids, in_s=channel.gathers_s)


def _note(
    session: Session, parcel: Parcel, notices: Sequence[Notice], what: str, **more: str
) -> None:
    if not notices:
        return
    session.rows(
        f"UPDATE notice_deliveries SET {what} FROM notices"
        " JOIN unnest(CAST(:photos AS text[]), CAST(:ns AS integer[])) AS these (photo, number)"
        "   ON notices.photo_id = photo AND n = number"
        " WHERE notice = notices.id AND channel = :channel AND told_at IS NULL",
        photos=[notice.photo_id for notice in notices],
        ns=[notice.sequence for notice in notices],
        channel=parcel.channel,
        **more,
    )


def _forget(session: Session, channel: str, user_id: str, error: str) -> None:
    session.rows(
        "DELETE FROM notice_addresses WHERE channel = :channel AND user_id = :user",
        channel=channel,
        user=user_id,
    )
    session.rows(
        "UPDATE notice_deliveries SET dead_at = now(), error = :error"
        f" WHERE channel = :channel AND user_id = :user AND {_OPEN}",
        channel=channel,
        user=user_id,
        error=error,
    )


def _end_lines(session: Session, channel: str, user_ids: Sequence[str]) -> None:
    """Remove lines that are held or locked by this transaction, where nothing is open."""
    if user_ids:
        session.rows(
            "DELETE FROM notice_lines WHERE channel = :channel"
            " AND user_id = ANY (CAST(:users AS text[])) AND NOT EXISTS"
            "   (SELECT 1 FROM notice_deliveries AS owed WHERE owed.channel = :channel"
            f"     AND owed.user_id = notice_lines.user_id AND {_OPEN})",
            channel=channel,
            users=list(user_ids),
        )
