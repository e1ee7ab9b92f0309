"""What an operator asks of the database: its clock, its schema, who was here last."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from photogate.adapters.postgres.migration_files import shipped
from photogate.adapters.postgres.pool import Pool, Session
from photogate.adapters.postgres.rows import COUNTED_ITEM


@dataclass(frozen=True, kw_only=True)
class Condition:
    """Read at one moment."""

    server_version: str
    encoding: str
    #: The server's clock.
    now: datetime
    #: The newest migration that was applied; 0 when there was none.
    schema: int
    #: The newest that this version of the code ships.
    wanted_schema: int
    #: Bytes of the whole database.
    size_bytes: int
    #: When a sweep ended last; None when none ever did, or when there are no tables.
    swept_at: datetime | None = None
    #: When the oldest photo that waits for a person came, test photos aside; None when none waits.
    oldest_review_at: datetime | None = None


def condition(pool: Pool) -> Condition:
    """Ask.

    Raises:
        DatabaseUnavailable: it does not answer.
        ConfigError: it refuses this installation.
    """
    wanted = max(migration.number for migration in shipped())

    def work(session: Session) -> Condition:
        server = session.rows(
            "SELECT current_setting('server_version') AS version, clock_timestamp() AS now,"
            " current_setting('server_encoding') AS encoding,"
            " pg_database_size(current_database()) AS size,"
            " to_regclass('schema_migrations') IS NOT NULL AS known"
        )[0]
        schema = 0
        if server["known"]:
            (row,) = session.rows("SELECT coalesce(max(number), 0) AS n FROM schema_migrations")
            schema = row["n"]
        swept_at = oldest_at = None
        if schema >= wanted:
            last = session.row("SELECT ended_at FROM sweeps")
            swept_at = last["ended_at"] if last else None
            (row,) = session.rows(
                "SELECT min(created_at) AS at FROM (SELECT created_at FROM review_items"
                f" WHERE closed_at IS NULL AND {COUNTED_ITEM}"
                " ORDER BY created_at LIMIT 1) AS oldest"
            )
            oldest_at = row["at"]
        return Condition(
            server_version=server["version"],
            encoding=server["encoding"],
            now=server["now"],
            schema=schema,
            wanted_schema=wanted,
            size_bytes=server["size"],
            swept_at=swept_at,
            oldest_review_at=oldest_at,
        )

    return pool.transaction(work)


def lately_failed(pool: Pool) -> tuple[int, int]:
    """Count photos of the last one to two hours: those that could not be finished, and all.

    Raises:
        DatabaseUnavailable: it does not answer.
    """
    (row,) = pool.transaction(
        lambda s: s.rows(
            "SELECT coalesce(sum(n) FILTER (WHERE status = 'review' AND failed), 0) AS failed,"
            " coalesce(sum(n), 0) AS photos FROM hourly_counts"
            " WHERE hour >= date_trunc('hour', now() - interval '1 hour', 'UTC')"
        )
    )
    return int(row["failed"]), int(row["photos"])
