"""Brings the database's schema up to this version of the code."""

from __future__ import annotations

import math
from functools import partial

from pg8000.exceptions import DatabaseError

from photogate.adapters.postgres.database_words import plain
from photogate.adapters.postgres.migration_files import Migration, shipped
from photogate.adapters.postgres.migration_lease import Lease, leased
from photogate.adapters.postgres.migration_steps import Steps
from photogate.adapters.postgres.pool import Pool, Session
from photogate.errors import ConfigError, MigrationUnfinished

__all__ = ["HISTORY_DAYS", "migrate", "set_timeouts", "shipped"]

#: How long history is kept, unless ``HISTORY_DAYS`` says otherwise.
HISTORY_DAYS = 730


def migrate(
    pool: Pool,
    *,
    history_days: int = HISTORY_DAYS,
    application: str | None = None,
    until: float = math.inf,
    migrations: list[Migration] | None = None,
) -> list[str]:
    """Apply what is missing, step by step; name the files that were finished.

    Safe to repeat, and to run from several processes at once: they wait for each other, and one
    that was killed is followed by the next when its lease is over.

    Args:
        history_days: rows of history that are older may be removed, and no others.
        application: the role that Photogate runs under, where it is not the one that
            migrates; it may do what the program does, and not change history.
        until: a moment of ``time.monotonic`` when this run ends, finished or not.
        migrations: those of this version, unless other ones are given.

    Raises:
        ConfigError: the database cannot hold Unicode; or a step failed, and the steps before it
            stay done.
        MigrationUnfinished: the time was up; the next run goes on from there.
        DatabaseUnavailable: the database is away; so does the next run.
    """
    wanted = shipped() if migrations is None else migrations
    try:
        pool.transaction(_check_encoding)
        with leased(pool, until=until) as lease:
            applied = _apply(pool, wanted, lease, until)
            if migrations is None:
                pool.transaction(partial(_keep_history, days=history_days))
                if application is not None:
                    pool.transaction(partial(_grant, role=application))
        return applied
    except DatabaseError as error:
        raise ConfigError(f"the schema cannot be changed: {plain(error)}") from error


def _check_encoding(session: Session) -> None:
    """Refuse a database that cannot hold what people write in any language."""
    (encoding,) = session.rows("SHOW server_encoding")
    if (name := encoding["server_encoding"]) != "UTF8":
        raise ConfigError(
            f"the database's encoding is {name}, and Photogate needs UTF8: make it anew by CREATE"
            " DATABASE … ENCODING 'UTF8' TEMPLATE template0"
        )


def _apply(pool: Pool, migrations: list[Migration], lease: Lease, until: float) -> list[str]:
    with pool.patient() as connection:
        steps = Steps(connection, lease, until=until)
        try:
            for migration in migrations:
                steps.apply(migration)
        except MigrationUnfinished as unfinished:
            unfinished.applied = tuple(steps.applied)
            raise
        return steps.applied


def set_timeouts(pool: Pool) -> None:
    """Bound what the role of this pool may wait for; migrating does it for its own role."""
    (timeouts,) = (m for m in shipped() if m.name == "0002_timeouts.sql")
    pool.transaction(partial(Session.rows, sql=timeouts.sql))


def _keep_history(session: Session, days: int) -> None:
    session.rows(
        "UPDATE history_retention SET days = :days WHERE days IS DISTINCT FROM :days", days=days
    )


def _grant(session: Session, role: str) -> None:
    # DO takes no parameters; this setting ends with the transaction.
    session.rows("SELECT set_config('photogate.application', :role, true)", role=role)
    session.rows(
        """
        DO $$ DECLARE role text := current_setting('photogate.application');
        BEGIN
            EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', current_schema(), role);
            EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON media, batches, upload_usage,'
                           ' upload_urls, object_deletions, subjects, history_words, workers, jobs,'
                           ' review_items, samples, sweeps, sign_in_links, sessions, reveals,'
                           ' notices, notice_deliveries, notice_lines, notice_channels,'
                           ' notice_addresses'
                           ' TO %I', role);
            EXECUTE format('GRANT SELECT, INSERT ON history TO %I', role);
            EXECUTE format('GRANT SELECT, INSERT, UPDATE ON holds TO %I', role);
            EXECUTE format('GRANT SELECT, DELETE ON hourly_counts TO %I', role);
            EXECUTE format('GRANT SELECT ON history_retention, schema_migrations, audit_log'
                           ' TO %I', role);
            EXECUTE format('GRANT USAGE ON ALL SEQUENCES IN SCHEMA %I TO %I',
                           current_schema(), role);
        END $$
        """
    )
