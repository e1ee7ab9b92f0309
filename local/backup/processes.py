"""Processes of Photogate's on a restored database: none may be there, and none is remembered."""

from __future__ import annotations

from photogate.adapters.postgres.pool import Pool, Session
from photogate.domain import ALIVE_WITHIN_S
from photogate.errors import ConfigError

_ANNOUNCED = """
    SELECT (SELECT count(*) FROM workers
            WHERE seen_at > now() - make_interval(secs => :s)) AS workers,
        (SELECT count(*) FROM sweeps WHERE held_until > now()) AS sweeps,
        (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
            AND application_name = 'photogate' AND pid <> pg_backend_pid()) AS connected
"""
#: No worker holds anything any more, and each job is sent anew.
_FORGET = (
    "DELETE FROM sessions",
    "DELETE FROM sign_in_links",
    "DELETE FROM workers",
    "DELETE FROM jobs",
    "DELETE FROM sweeps",
    "UPDATE batches SET queued = false, next_enqueue_at = now(), lease_job_id = NULL,"
    " lease_until = NULL, attempt_id = NULL WHERE finished_at IS NULL",
)


def check_none(pool: Pool) -> None:
    """Refuse a database on which something of Photogate's is at work.

    Args:
        pool: has no connection yet, as each of another process counts.

    Raises:
        ConfigError: workers or a sweep announce themselves, or a process is connected.
    """
    row = pool.transaction(lambda s: s.row(_ANNOUNCED, s=ALIVE_WITHIN_S)) or {}
    if found := [f"{name}: {n}" for name, n in row.items() if n]:
        raise ConfigError(
            f"something of Photogate's is at work on this database ({', '.join(found)}): stop it,"
            " and try again in half a minute"
        )


def forget(pool: Pool) -> None:
    """Let a restored database forget who was signed in, and what processes were at.

    Safe to repeat, while nothing runs on it.
    """

    def work(session: Session) -> None:
        for statement in _FORGET:
            session.rows(statement)

    pool.transaction(work)
