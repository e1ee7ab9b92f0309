"""Brings the database's schema up to this version of the code."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from importlib.resources import files

from pg8000.exceptions import DatabaseError

from photogate.adapters.postgres.pool import Pool, Session, words
from photogate.errors import ConfigError

#: How long history is kept, unless ``HISTORY_DAYS`` says otherwise.
HISTORY_DAYS = 730

#: Two migrations at once wait for each other; any number of our own does.
_LOCK = 7_467_283_001

#: A statement whose client gave up must not go on holding locks. Not every system can tell
#: PostgreSQL that a client is gone; there it notices when the statement ends.
_STOP_WITH_CLIENT = """
DO $$ BEGIN
    PERFORM set_config('client_connection_check_interval', '1s', true);
EXCEPTION WHEN invalid_parameter_value THEN NULL;
END $$
"""


@dataclass(frozen=True, kw_only=True)
class Migration:
    """One numbered file of ``photogate/migrations``."""

    number: int
    name: str
    sql: str


def shipped() -> list[Migration]:
    """Give the migrations of this version, in order."""
    found = [
        Migration(number=int(f.name[:4]), name=f.name, sql=f.read_text(encoding="utf-8"))
        for f in files("photogate").joinpath("migrations").iterdir()
        if f.name.endswith(".sql")
    ]
    return sorted(found, key=lambda migration: migration.number)


def migrate(
    pool: Pool, *, history_days: int = HISTORY_DAYS, application: str | None = None
) -> list[str]:
    """Apply what is missing, each file in a transaction of its own; name what was applied.

    Safe to repeat, and to run from several processes at once.

    Args:
        history_days: rows of history that are older may be removed, and no others.
        application: the role that Photogate runs under, where it is not the one that
            migrates; it may do what the program does, and not change history.

    Raises:
        ConfigError: a migration failed; the database is as it was before that file.
    """
    try:
        applied = [m.name for m in shipped() if pool.transaction(partial(_apply, migration=m))]
        pool.transaction(partial(_keep_history, days=history_days))
        if application is not None:
            pool.transaction(partial(_grant, role=application))
        return applied
    except DatabaseError as error:
        raise ConfigError(f"the schema cannot be changed: {words(error)}") from error


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
                           ' object_deletions, subjects, history_words, workers, jobs,'
                           ' review_items TO %I', role);
            EXECUTE format('GRANT SELECT, INSERT ON history TO %I', role);
            EXECUTE format('GRANT SELECT, DELETE ON hourly_counts TO %I', role);
            EXECUTE format('GRANT SELECT ON history_retention, schema_migrations, audit_log'
                           ' TO %I', role);
            EXECUTE format('GRANT USAGE ON ALL SEQUENCES IN SCHEMA %I TO %I',
                           current_schema(), role);
        END $$
        """
    )


def _apply(session: Session, migration: Migration) -> bool:
    session.rows("SET LOCAL statement_timeout = 0")
    session.rows("SET LOCAL lock_timeout = 0")
    session.rows(_STOP_WITH_CLIENT)
    session.rows("SELECT pg_advisory_xact_lock(:lock)", lock=_LOCK)
    session.rows(
        "CREATE TABLE IF NOT EXISTS schema_migrations"
        " (number integer PRIMARY KEY, name text NOT NULL,"
        " applied_at timestamptz NOT NULL DEFAULT now())"
    )
    if session.row("SELECT 1 FROM schema_migrations WHERE number = :n", n=migration.number):
        return False
    try:
        session.rows(migration.sql)
    except DatabaseError as error:
        raise ConfigError(f"migration {migration.name} failed: {words(error)}") from error
    session.rows(
        "INSERT INTO schema_migrations (number, name) VALUES (:n, :name)",
        n=migration.number,
        name=migration.name,
    )
    return True
