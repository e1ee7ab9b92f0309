"""Who migrates: a row that is renewed while the work goes on, over any number of transactions.

A lock of PostgreSQL would end with its transaction, or need a session of its own, which poolers
and RDS Proxy refuse or pin.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from uuid import uuid4

from pg8000.exceptions import DatabaseError

from photogate.adapters.postgres.pool import Pool, Session
from photogate.errors import DatabaseUnavailable, MigrationUnfinished, PhotogateError

logger = logging.getLogger(__name__)

#: After a migrator was killed, another one goes on when this time is over.
LEASE_S = 20.0
_RENEW_EVERY_S = LEASE_S / 4
_ASK_EVERY_S = 0.5

#: Makes one process at a time create the tables below; earlier versions migrated under it.
_LOCK = 7_467_283_001

_TABLES = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    number     integer PRIMARY KEY,
    name       text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE IF NOT EXISTS migration_lease (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    holder text NOT NULL,
    until  timestamptz NOT NULL
);
CREATE TABLE IF NOT EXISTS migration_steps (
    number  integer NOT NULL,
    step    text NOT NULL,
    done_at timestamptz,
    walk    integer NOT NULL DEFAULT 1,
    block   bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (number, step)
);
"""


class Lease:
    """The right to migrate, while it is renewed."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._me = f"{socket.gethostname()} {os.getpid()} {uuid4()}"

    def take(self) -> str | None:
        """Take or renew it; gives who has it when another one does."""
        return self._pool.transaction(self._take)

    def release(self) -> None:
        """Let another one have it at once."""
        gone = "DELETE FROM migration_lease WHERE holder = :me"
        self._pool.transaction(partial(Session.rows, sql=gone, me=self._me))

    def hold(self, session: Session) -> None:
        """Keep the lease as it is until this transaction ends.

        Raises:
            DatabaseUnavailable: another one has it: this process was stopped for too long.
        """
        mine = "SELECT 1 FROM migration_lease WHERE holder = :me FOR UPDATE"
        if session.row(mine, me=self._me) is None:
            raise DatabaseUnavailable("another migration has taken over; it goes on there")

    def _take(self, session: Session) -> str | None:
        taken = session.count(
            "INSERT INTO migration_lease (holder, until)"
            " VALUES (:me, now() + make_interval(secs => :s))"
            " ON CONFLICT (single) DO UPDATE SET holder = excluded.holder, until = excluded.until"
            " WHERE migration_lease.holder = :me OR migration_lease.until < now()",
            me=self._me,
            s=LEASE_S,
        )
        if taken:
            return None
        other = session.row("SELECT holder FROM migration_lease")
        return str(other["holder"]) if other else "another one"


@contextmanager
def leased(pool: Pool, *, until: float) -> Iterator[Lease]:
    """Hold the lease inside; waits for whoever has it.

    Args:
        until: a moment of ``time.monotonic`` when waiting ends.

    Raises:
        MigrationUnfinished: another migration still runs then.
    """
    pool.transaction(_create_tables)
    lease, told = Lease(pool), False
    while (other := lease.take()) is not None:
        if time.monotonic() > until:
            raise MigrationUnfinished("another migration still runs")
        if not told:
            logger.warning("waiting for the migration of %s", other)
            told = True
        time.sleep(_ASK_EVERY_S)
    over = threading.Event()
    keeper = threading.Thread(target=_keep, args=(lease, over), daemon=True)
    keeper.start()
    try:
        yield lease
    except Exception:
        _release(lease, keeper, over)
        raise
    else:
        _release(lease, keeper, over)
    finally:
        # Who is interrupted has no time to ask a database that may not answer.
        over.set()


def _release(lease: Lease, keeper: threading.Thread, over: threading.Event) -> None:
    over.set()
    # A renewal that is under way would take it again.
    keeper.join()
    try:
        lease.release()
    except (PhotogateError, DatabaseError) as error:
        logger.warning("the lease ends by itself in %d s: %s", LEASE_S, error)


def _keep(lease: Lease, over: threading.Event) -> None:
    while not over.wait(_RENEW_EVERY_S):
        try:
            if lease.take() is not None:
                return
        except (PhotogateError, DatabaseError) as error:
            logger.warning("the lease was not renewed: %s", error)


def _create_tables(session: Session) -> None:
    # Nothing is created, and no lock taken, where all is there.
    there = "SELECT to_regclass('schema_migrations') AS a, to_regclass('migration_steps') AS b"
    found = session.row(there)
    if found and found["a"] and found["b"]:
        return
    session.rows("SELECT pg_advisory_xact_lock(:lock)", lock=_LOCK)
    session.rows(_TABLES)
