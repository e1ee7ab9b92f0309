"""What brings the schema up to date: ``functions/migrate`` and ``photogate migrate``."""

from __future__ import annotations

import math

from photogate import settings as s
from photogate.bootstrap import choose


def migrate(*, until: float = math.inf) -> list[str]:
    """Bring the database's schema up to date; gives the names of what was applied.

    Args:
        until: a moment of ``time.monotonic`` when this run ends, finished or not.

    Raises:
        MigrationUnfinished: it was not; the next run goes on from there.
    """
    from photogate.adapters.postgres.migrate import migrate as apply
    from photogate.adapters.postgres.migrate import set_timeouts
    from photogate.adapters.postgres.pool import Pool, connect_arguments

    settings = choose.settings_of(s.MigrateSettings)
    pool, owner = choose.pool(settings), settings.migrate_database_url
    owners = Pool(owner.get_secret_value() if owner else settings.database, size=2)
    try:
        application = connect_arguments(settings.database)["user"] if owner else None
        applied = apply(
            owners, history_days=settings.history_days, application=application, until=until
        )
    finally:
        owners.close()
    if owner:
        set_timeouts(pool)
    return applied
