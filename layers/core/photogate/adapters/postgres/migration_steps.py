"""Does the steps of a migration, and notes in the database which are done.

Nothing here is repeated after a connection broke: what was done is not known then. The next run
finds it in ``migration_steps``, which is written in the same transaction.
"""

from __future__ import annotations

import logging
import math
import re
import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from pg8000.exceptions import DatabaseError, InterfaceError
from pg8000.native import Connection

from photogate.adapters.postgres.database_words import plain
from photogate.adapters.postgres.migration_files import Migration, Step
from photogate.adapters.postgres.migration_lease import Lease
from photogate.adapters.postgres.pool import Session, is_gone, sqlstate, words
from photogate.errors import ConfigError, DatabaseUnavailable, MigrationUnfinished

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: A statement that waits for a lock on a table keeps all later ones waiting: it gives up after
#: this, lets them through, and tries again.
_LOCK_WAIT = "2s"
_BETWEEN_TRIES_S = 1.0
#: A lock that was not had in time, and a deadlock: all of the transaction is undone.
_TRY_AGAIN = {"55P03", "40P01"}
_CANCELLED = "57014"

#: A batch locks its rows until it is committed; whoever wants to change one waits as long.
_BATCH_S = 0.2
_FIRST_BLOCKS, _LEAST_BLOCKS, _MOST_BLOCKS = 64, 16, 4096
#: A row that is changed meanwhile may move to a part of the table that is behind us. Walks end
#: when one touches no row; and here, for with much traffic there is always one.
_WALKS = 3

_INDEX = re.compile(
    r"CREATE (?:UNIQUE )?INDEX CONCURRENTLY (?:IF NOT EXISTS )?(\w+)", re.IGNORECASE
)

_SESSION = """
SET lock_timeout = 0;
DO $$ BEGIN
    -- A statement whose client is gone must not go on holding locks. Not every system can tell.
    PERFORM set_config('client_connection_check_interval', '1s', false);
EXCEPTION WHEN invalid_parameter_value THEN NULL;
END $$;
SET tcp_keepalives_idle = 10;
SET tcp_keepalives_interval = 5;
SET tcp_keepalives_count = 3;
"""


class _TimeIsUp(Exception):
    """The moment has come at which this run must end."""


class Steps:
    """Works through migrations on one connection, under the lease.

    Args:
        connection: waits for an answer as long as it takes.
        lease: held, and renewed by somebody else.
        until: a moment of ``time.monotonic``; PostgreSQL cancels what still runs then.
    """

    def __init__(self, connection: Connection, lease: Lease, *, until: float = math.inf) -> None:
        self._connection, self._lease, self._until = connection, lease, until
        self._session = Session(connection)
        #: The names of the files that were finished.
        self.applied: list[str] = []
        #: Whether anything was committed; a run that gets nothing done must not be repeated.
        self._advanced = False
        connection.run(_SESSION)

    def apply(self, migration: Migration) -> None:
        """Do what is left of a migration; nothing where it is applied.

        Raises:
            ConfigError: a step failed, or takes longer than the time that there is. The steps
                before it stay done; this one is undone, or safe to repeat.
            MigrationUnfinished: the time is up; the next run goes on here.
            DatabaseUnavailable: the connection broke; so does the next run.
        """
        step = migration.steps[0]
        try:
            if self._is_applied(migration):
                return
            for step in migration.steps:
                self._do(migration, step)
            self._transaction(partial(self._note_applied, migration))
        except _TimeIsUp:
            raise self._unfinished(migration, step) from None
        except (DatabaseError, InterfaceError, OSError) as error:
            raise _failure(migration, step, error) from error
        self.applied.append(migration.name)

    def _do(self, migration: Migration, step: Step) -> None:
        noted = self._session.row(
            "SELECT done_at, walk, block FROM migration_steps WHERE number = :n AND step = :s",
            n=migration.number,
            s=step.name,
        ) or {"done_at": None, "walk": 1, "block": 0}
        if noted["done_at"] is not None:
            return
        if step.table is not None:
            self._in_batches(migration, step, step.table, noted["walk"], noted["block"])
        elif step.in_transaction:
            self._transaction(partial(self._whole, migration, step))
        else:
            self._outside(step)
            self._transaction(partial(self._note_done, migration, step))
        self._advanced = True
        logger.info("migration %s: %s: done", migration.name, step.name)

    def _whole(self, migration: Migration, step: Step) -> None:
        self._session.rows(step.sql)
        self._note_done(migration, step)

    def _outside(self, step: Step) -> None:
        # Tells whether the lease is still ours.
        self._transaction(lambda: None)
        if index := _INDEX.search(step.sql):
            left_invalid = self._session.row(
                "SELECT 1 FROM pg_index WHERE indexrelid = to_regclass(:name) AND NOT indisvalid",
                name=index[1],
            )
            if left_invalid:
                logger.warning("the index %s was left invalid: it is built anew", index[1])
                self._statement(f"DROP INDEX CONCURRENTLY {index[1]}")
        self._statement(step.sql)

    def _in_batches(
        self, migration: Migration, step: Step, table: str, walk: int, block: int
    ) -> None:
        blocks, resumed = _FIRST_BLOCKS, block > 0
        for number in range(walk, _WALKS + 1):
            touched = int(resumed)
            size = self._session.row(
                "SELECT pg_relation_size(CAST(:t AS regclass))"
                " / CAST(current_setting('block_size') AS bigint) AS blocks",
                t=table,
            )
            end = size["blocks"] if size else 0
            while block < end:
                started = time.monotonic()
                batch = partial(self._batch, migration, step, block, block + blocks, number)
                touched += self._transaction(batch)
                self._advanced = True
                block += blocks
                took_s = max(time.monotonic() - started, 0.001)
                fitting = min(int(blocks * _BATCH_S / took_s), blocks * 2, _MOST_BLOCKS)
                blocks = max(fitting, _LEAST_BLOCKS)
            if not touched:
                break
            block, resumed = 0, False
        self._transaction(partial(self._note_done, migration, step))

    def _batch(self, migration: Migration, step: Step, first: int, until: int, walk: int) -> int:
        touched = self._session.count(step.sql, **{"from": f"({first},0)", "until": f"({until},0)"})
        self._session.rows(
            "INSERT INTO migration_steps (number, step, walk, block)"
            " VALUES (:n, :s, :walk, :block)"
            " ON CONFLICT (number, step)"
            " DO UPDATE SET walk = excluded.walk, block = excluded.block",
            n=migration.number,
            s=step.name,
            walk=walk,
            block=until,
        )
        return touched

    def _transaction(self, work: Callable[[], T]) -> T:
        """Do it in a transaction that nobody who lost the lease can commit."""
        while True:
            try:
                self._statement("BEGIN ISOLATION LEVEL READ COMMITTED")
                self._connection.run(f"SET LOCAL lock_timeout = '{_LOCK_WAIT}'")
                result = work()
                self._lease.hold(self._session)
                self._connection.run("COMMIT")
            except DatabaseError as error:
                self._connection.run("ROLLBACK")
                if sqlstate(error) == _CANCELLED and time.monotonic() >= self._until:
                    raise _TimeIsUp from error
                if sqlstate(error) not in _TRY_AGAIN:
                    raise
                logger.warning("a migration lets others pass: %s", words(error))
                time.sleep(_BETWEEN_TRIES_S)
            else:
                return result

    def _statement(self, sql: str) -> None:
        """Run it, with what is left of the time for it and for what follows."""
        left_s = self._until - time.monotonic()
        if left_s <= 0:
            raise _TimeIsUp
        timeout_ms = 0 if math.isinf(left_s) else max(1, math.ceil(left_s * 1000))
        self._connection.run(f"SET statement_timeout = {timeout_ms}")
        try:
            self._connection.run(sql)
        except DatabaseError as error:
            if sqlstate(error) == _CANCELLED and time.monotonic() >= self._until:
                raise _TimeIsUp from error
            raise

    def _is_applied(self, migration: Migration) -> bool:
        applied = "SELECT 1 FROM schema_migrations WHERE number = :n"
        return self._session.row(applied, n=migration.number) is not None

    def _note_done(self, migration: Migration, step: Step) -> None:
        self._session.rows(
            "INSERT INTO migration_steps (number, step, done_at) VALUES (:n, :s, now())"
            " ON CONFLICT (number, step) DO UPDATE SET done_at = excluded.done_at",
            n=migration.number,
            s=step.name,
        )

    def _note_applied(self, migration: Migration) -> None:
        self._session.rows(
            "INSERT INTO schema_migrations (number, name) VALUES (:n, :name)",
            n=migration.number,
            name=migration.name,
        )
        self._session.rows("DELETE FROM migration_steps WHERE number = :n", n=migration.number)

    def _unfinished(self, migration: Migration, step: Step) -> Exception:
        where = f'migration {migration.name}, step "{step.name}"'
        if self._advanced:
            return MigrationUnfinished(f"{where}: the time is up; the next run goes on there")
        return ConfigError(
            f"{where} took longer than the function may run, and would again; run `photogate"
            " migrate` with DATABASE_URL on a machine that reaches the database"
        )


def _failure(migration: Migration, step: Step, error: Exception) -> Exception:
    where = f'step "{step.name}"; the steps before it stay done'
    if isinstance(error, DatabaseError) and not is_gone(error):
        return ConfigError(f"migration {migration.name} failed: {plain(error)} ({where})")
    return DatabaseUnavailable(
        f"migration {migration.name}: the connection broke: {words(error)} ({where}; run it again)"
    )
