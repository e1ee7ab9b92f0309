"""What happened in some days: verdicts, times, people's work, and how the database grows.

What each question reads is bounded by those days, through an index on a time; quantiles take the
newest 100,000 rows of them. Rows from before cost nothing, however many there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from photogate.adapters.postgres.pool import Pool, Session
from photogate.adapters.postgres.rows import COUNTED_ITEM, PHOTO
from photogate.domain import COUNT_TO, Total

#: Rows that quantiles are taken of.
NEWEST = 100_000
#: Tables that are listed, the largest first.
_TABLES = 8

_SINCE = (
    "SELECT date_trunc('day', now(), 'UTC') - make_interval(days => CAST(:days AS integer) - 1)"
    " AS since, now() AS until"
)
_VERDICTS = """
    SELECT CAST(timezone('UTC', at) AS date) AS day, after AS status, failed,
           coalesce(reason, '') AS reason, count(*) AS n
    FROM history WHERE at >= :since AND action IN ('judge', 'give_up', 'withhold')
        AND NOT test
    GROUP BY 1, 2, 3, 4
"""
_UPLOADS = f"""
    SELECT CAST(timezone('UTC', created_at) AS date) AS day, count(*) AS n
    FROM media WHERE created_at >= :since AND NOT test AND {PHOTO} GROUP BY 1
"""
#: ``processing_time_ms`` of rows that another program wrote may be anything.
_TIMES = f"""
    SELECT count(*) AS n,
           percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY waited_s) AS waited_s,
           percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY look_ms) AS look_ms
    FROM (SELECT extract(epoch FROM moderated_at - created_at) AS waited_s,
                 CASE jsonb_typeof(moderation_scores->'processing_time_ms') WHEN 'number'
                     THEN CAST(moderation_scores->>'processing_time_ms' AS double precision)
                 END AS look_ms
          FROM media WHERE moderated_at >= :since AND decided_by IS NULL AND NOT test
              AND {PHOTO}
          ORDER BY moderated_at DESC LIMIT {NEWEST}) AS newest
"""
#: What a person took back within seconds is no decision.
_DECISIONS = """
    SELECT decided.before, decided.after, earlier.by AS earlier_by, count(*) AS n
    FROM history AS decided
    LEFT JOIN history AS earlier
        ON earlier.photo_id = decided.photo_id AND earlier.n = decided.n - 1
    LEFT JOIN history AS later ON later.photo_id = decided.photo_id AND later.n = decided.n + 1
    WHERE decided.by = 'person' AND decided.action = 'decide' AND decided.at >= :since
        AND NOT decided.test
        AND later.action IS DISTINCT FROM 'undo'
    GROUP BY 1, 2, 3
"""
_CONFIRMED = (
    "SELECT count(*) AS n FROM history WHERE at >= :since AND action = 'verify' AND NOT test"
)
_CLOSED = f"""
    SELECT count(*) AS n,
           percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY waited_s) AS waited_s
    FROM (SELECT extract(epoch FROM closed_at - created_at) AS waited_s
          FROM review_items WHERE closed_at >= :since AND {COUNTED_ITEM}
          ORDER BY closed_at DESC LIMIT {NEWEST}) AS newest
"""
_OPEN = f"""
    SELECT count(*) AS n, extract(epoch FROM now() - min(created_at)) AS oldest_s
    FROM (SELECT created_at FROM review_items WHERE closed_at IS NULL AND {COUNTED_ITEM}
          LIMIT {COUNT_TO + 1}) AS open
"""
#: Beside ours there may be another program's tables, in the same schema.
_SIZES = f"""
    SELECT pg_class.relname AS name, pg_total_relation_size(pg_class.oid) AS size_bytes,
           greatest(n_live_tup, CAST(reltuples AS bigint), 0) AS n
    FROM pg_class LEFT JOIN pg_stat_user_tables ON relid = pg_class.oid
    WHERE relkind IN ('r', 'p') AND relnamespace =
        (SELECT relnamespace FROM pg_class AS photos WHERE photos.oid = to_regclass('media'))
    ORDER BY size_bytes DESC LIMIT {_TABLES}
"""
_WHOLE = "SELECT pg_database_size(current_database()) AS size_bytes"
#: Table -> how many rows came; where an index knows when.
_CAME = {
    "media": f"SELECT count(*) AS n FROM media WHERE created_at >= :since AND {PHOTO}",
    "history": "SELECT count(*) AS n FROM history WHERE at >= :since",
}


@dataclass(frozen=True, kw_only=True)
class Day:
    """One day, UTC. A photo that was looked at twice counts twice as a verdict."""

    day: date
    #: Photos that were handed in.
    photos: int
    approved: int
    rejected: int
    #: Went to a person, ``failed`` ones among them.
    to_people: int
    #: The machine could not finish.
    failed: int


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Half of the values are at most ``p50``, nineteen of twenty ``p95``; None of no values."""

    p50: float | None
    p95: float | None

    @classmethod
    def of(cls, found: Sequence[float | None] | None) -> Spread:
        """Read what ``percentile_cont`` gave."""
        p50, p95 = found or (None, None)
        return cls(p50=None if p50 is None else float(p50), p95=None if p95 is None else float(p95))


@dataclass(frozen=True, kw_only=True)
class People:
    """What people did; decisions that were taken back at once are left out."""

    #: Photos that the machine had left to them.
    approved: int
    rejected: int
    #: The machine's rejections, and approvals, that somebody decided otherwise.
    restored: int
    withdrawn: int
    #: Rejections of the machine that somebody confirmed.
    confirmed: int
    #: Other decisions: on what a person had decided before.
    others: int
    #: Seconds that what they settled had waited for them.
    waited_s: Spread
    waiting: Total
    oldest_s: float | None


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table now. Rows are what the server estimates."""

    name: str
    size_bytes: int
    rows: int
    #: Of the days of the report; None where no index knows.
    came: int | None

    def growth_bytes(self, days: float) -> float | None:
        """Give about how much a day adds, indexes included; None where it is not known."""
        if self.came is None or not self.rows:
            return None
        return self.size_bytes / max(self.rows, self.came) * self.came / days


@dataclass(frozen=True, kw_only=True)
class Report:
    """From ``since``, the beginning of a day, until now."""

    since: datetime
    until: datetime
    days: tuple[Day, ...]
    #: Rejections by the machine, the most frequent first.
    reasons: dict[str, int]
    #: Seconds from handing in to the machine's verdict.
    waited_s: Spread
    #: Milliseconds that looking at a photo took.
    look_ms: Spread
    people: People
    tables: tuple[Table, ...]
    database_bytes: int


def report(pool: Pool, *, days: int) -> Report:
    """Read it, of today and the ``days`` - 1 days before.

    Raises:
        DatabaseUnavailable: it does not answer, or one of the questions takes longer than 8 s.
    """

    def work(session: Session) -> Report:
        (period,) = session.rows(_SINCE, days=days)
        since = period["since"]
        verdicts = session.rows(_VERDICTS, since=since)
        uploads = {row["day"]: row["n"] for row in session.rows(_UPLOADS, since=since)}
        (times,) = session.rows(_TIMES, since=since)
        (whole,) = session.rows(_WHOLE)
        return Report(
            since=since,
            until=period["until"],
            days=_days(verdicts, uploads, period),
            reasons=_reasons(verdicts),
            waited_s=Spread.of(times["waited_s"]),
            look_ms=Spread.of(times["look_ms"]),
            people=_people(session, since),
            tables=tuple(_tables(session, since)),
            database_bytes=whole["size_bytes"],
        )

    return pool.transaction(work)


def _days(
    verdicts: Sequence[dict[str, Any]], uploads: dict[date, int], period: dict[str, Any]
) -> tuple[Day, ...]:
    def counted(day: date, status: str, *, failed: bool | None = None) -> int:
        return sum(
            row["n"]
            for row in verdicts
            if row["day"] == day and row["status"] == status and failed in (None, row["failed"])
        )

    first, last = period["since"].date().toordinal(), period["until"].date().toordinal()
    return tuple(
        Day(
            day=day,
            photos=uploads.get(day, 0),
            approved=counted(day, "approved"),
            rejected=counted(day, "rejected"),
            to_people=counted(day, "review"),
            failed=counted(day, "review", failed=True),
        )
        for day in map(date.fromordinal, range(first, last + 1))
    )


def _reasons(verdicts: Sequence[dict[str, Any]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for row in verdicts:
        if row["status"] == "rejected":
            name = row["reason"] or "other"
            found[name] = found.get(name, 0) + row["n"]
    return dict(sorted(found.items(), key=lambda pair: (-pair[1], pair[0])))


def _people(session: Session, since: datetime) -> People:
    decisions = session.rows(_DECISIONS, since=since)

    def counted(before: str, after: str, *, by_machine: bool = False) -> int:
        return sum(
            row["n"]
            for row in decisions
            if (row["before"], row["after"]) == (before, after)
            and (not by_machine or row["earlier_by"] == "machine")
        )

    approved, rejected = counted("review", "approved"), counted("review", "rejected")
    restored = counted("rejected", "approved", by_machine=True)
    withdrawn = counted("approved", "rejected", by_machine=True)
    (confirmed,) = session.rows(_CONFIRMED, since=since)
    (closed,) = session.rows(_CLOSED, since=since)
    (waiting,) = session.rows(_OPEN)
    oldest = waiting["oldest_s"]
    return People(
        approved=approved,
        rejected=rejected,
        restored=restored,
        withdrawn=withdrawn,
        confirmed=confirmed["n"],
        others=sum(row["n"] for row in decisions) - approved - rejected - restored - withdrawn,
        waited_s=Spread.of(closed["waited_s"]),
        waiting=Total.of(waiting["n"]),
        oldest_s=None if oldest is None else max(0.0, float(oldest)),
    )


def _tables(session: Session, since: datetime) -> list[Table]:
    came = {name: session.rows(sql, since=since)[0]["n"] for name, sql in _CAME.items()}
    return [
        Table(
            name=row["name"],
            size_bytes=row["size_bytes"],
            rows=row["n"],
            came=came.get(row["name"]),
        )
        for row in session.rows(_SIZES)
    ]
