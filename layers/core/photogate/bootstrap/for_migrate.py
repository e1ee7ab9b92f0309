"""What brings the schema up to date: ``functions/migrate`` and ``photogate migrate``."""

from __future__ import annotations

from photogate import settings as s
from photogate.bootstrap import choose

#: A migration may rewrite a large table: as long as a function may run.
_MIGRATE_WITHIN_S = 900.0


def migrate() -> list[str]:
    """Bring the database's schema up to date; gives the names of what was applied."""
    from photogate.adapters.postgres.migrate import migrate as apply
    from photogate.adapters.postgres.migrate import set_timeouts
    from photogate.adapters.postgres.pool import Pool, connect_arguments

    settings = choose.settings_of(s.MigrateSettings)
    pool, owner = choose.pool(settings), settings.migrate_database_url
    # A server that does not answer at all is found out within the usual time.
    pool.transaction(lambda session: session.row("SELECT 1"))
    patient = Pool(
        owner.get_secret_value() if owner else settings.database,
        size=1,
        timeout_s=_MIGRATE_WITHIN_S,
    )
    try:
        application = connect_arguments(settings.database)["user"] if owner else None
        applied = apply(patient, history_days=settings.history_days, application=application)
    finally:
        patient.close()
    if owner:
        set_timeouts(pool)
    return applied
