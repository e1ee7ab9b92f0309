"""What brings the schema up to date: ``functions/migrate`` and ``photogate migrate``."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from photogate import settings as s
from photogate.bootstrap import choose

if TYPE_CHECKING:
    from photogate.adapters.postgres.migration_plan import MigrationPlan
    from photogate.adapters.postgres.pool import Pool


def migrate(*, until: float = math.inf) -> list[str]:
    """Bring the database's schema up to date; gives the names of what was applied.

    Args:
        until: a moment of ``time.monotonic`` when this run ends, finished or not.

    Raises:
        MigrationUnfinished: it was not; the next run goes on from there.
    """
    from photogate.adapters.postgres.migrate import migrate as apply
    from photogate.adapters.postgres.migrate import set_timeouts
    from photogate.adapters.postgres.pool import connect_arguments
    from photogate.adapters.postgres.roles import make_role

    settings = choose.settings_of(s.MigrateSettings)
    if choose.reads_secrets():  # a process may live longer than a password
        settings = choose.read_again(s.MigrateSettings)
    pool, owner = choose.pool(settings), settings.migrate_database_url
    owners = _owners_pool(settings)
    try:
        login = connect_arguments(settings.database)
        application = login["user"] if owner else None
        if application and settings.migrate_makes_role:
            make_role(owners, application, login["password"] or "")
        applied = apply(
            owners, history_days=settings.history_days, application=application, until=until
        )
    finally:
        owners.close()
    if owner:
        set_timeouts(pool)
    return applied


def plan_migration() -> MigrationPlan:
    """Say what ``migrate`` would do; nothing is written."""
    from photogate.adapters.postgres.migration_plan import plan

    # Counting the rows of a large table takes a while.
    owners = _owners_pool(choose.settings_of(s.MigrateSettings), timeout_s=600.0)
    try:
        return plan(owners)
    finally:
        owners.close()


def _owners_pool(settings: s.MigrateSettings, *, timeout_s: float = 12.0) -> Pool:
    """Give connections of the role that owns the tables."""
    from photogate.adapters.postgres.pool import Pool

    owner = settings.migrate_database_url
    return Pool(
        owner.get_secret_value() if owner else settings.database, size=2, timeout_s=timeout_s
    )
