"""A small pool of PostgreSQL connections, and the rules for when one breaks.

Measured with pg8000 1.31: a killed backend raises ``ConnectionResetError`` and then
``InterfaceError``; after a client-side timeout the statement may still have committed
and the connection is unusable. So only a ``DatabaseError`` leaves a connection fit for
use, and every transaction that is given to the pool must be safe to repeat.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from pg8000.exceptions import DatabaseError, InterfaceError
from pg8000.native import Connection as Connection

from photogate.adapters.postgres.connecting import (
    GONE,
    RETRY_AFTER_S,
    SOCKET_TIMEOUT_S,
    Refused,
    connect_probed,
    unavailable,
)
from photogate.adapters.postgres.connecting import connect as connect
from photogate.adapters.postgres.connecting import connect_arguments as connect_arguments
from photogate.adapters.postgres.connecting import is_gone as is_gone
from photogate.adapters.postgres.connecting import sqlstate as sqlstate
from photogate.adapters.postgres.connecting import words as words
from photogate.adapters.postgres.session import Session as Session
from photogate.errors import DatabaseUnavailable, InvalidRequest, PhotogateError

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: SQLSTATEs after which the same transaction may succeed at once.
_REPEAT = {"40001", "40P01"}
#: Statement or lock timeout, disk full, out of memory.
_BUSY = ("57014", "55P03", "53")
#: A NUL character, which PostgreSQL's text cannot hold.
_NOT_TEXT = ("22021", "22P05")

_ATTEMPTS = 3
#: A repetition begins within this time or not at all. So a caller waits at most for a place in
#: the pool (5 s), this, and one last timeout of the socket: less than API Gateway's 30 s.
_REPEAT_WITHIN_S = 5.0
#: Between two questions for a password, while the one that is known is refused.
_ASK_AGAIN_S = 5.0


class Pool:
    """Up to ``size`` connections, made when needed. Thread-safe.

    Args:
        url: ``postgresql://user:password@host:port/database``, with ``?sslmode=require``
            or ``verify-full`` and ``sslrootcert=PATH`` when TLS is wanted.
        size: connections at most; further callers wait up to ``wait_s`` seconds.
        timeout_s: how long a server may be silent before the connection counts as broken.
        renew: gives the URL as it is now, when the server refuses the password: it may have been
            changed since. Connections that are open stay. It is asked every few seconds at most,
            and as long as it gives the refused one, the database counts as unavailable: the
            other may be on its way.
    """

    def __init__(
        self,
        url: str,
        *,
        size: int = 8,
        wait_s: float = 5.0,
        timeout_s: float = SOCKET_TIMEOUT_S,
        renew: Callable[[], str] | None = None,
    ) -> None:
        self._arguments = {**connect_arguments(url), "timeout": timeout_s}
        self._renew = renew
        self._renewing = threading.Lock()
        #: Of ``time.monotonic()``.
        self._ask_not_before = 0.0
        self._idle: list[Connection] = []
        self._lock = threading.Lock()
        self._slots = threading.BoundedSemaphore(size)
        self._wait_s = wait_s

    def transaction(self, work: Callable[[Session], T]) -> T:
        """Run ``work`` in a transaction and give its result.

        When the connection breaks, also at COMMIT, all of it runs again on a new one.

        Raises:
            DatabaseUnavailable: it could not be finished now.
            InvalidRequest: a text holds a NUL character.
            ConfigError: the server refuses this role, password or database, and no other
                password can be had.
        """
        if not self._slots.acquire(timeout=self._wait_s):
            raise DatabaseUnavailable(
                "all database connections are in use", retry_after_s=RETRY_AFTER_S
            )
        try:
            return self._repeat(work)
        finally:
            self._slots.release()

    @contextmanager
    def patient(self) -> Iterator[Connection]:
        """Give a connection outside the pool that waits for an answer as long as it takes.

        Only a peer that is gone ends it, by TCP's own probes.
        """
        connection = self._open(connect_probed)
        try:
            yield connection
        finally:
            _discard(connection)

    def close(self) -> None:
        """Close the idle connections; the pool may be used again."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            _discard(connection)

    def check(self) -> dict[str, Any]:
        """Answer a health probe with the server's version and the newest migration."""
        return self.transaction(
            lambda s: (
                s.row(
                    "SELECT current_setting('server_version') AS version,"
                    " (SELECT max(number) FROM schema_migrations) AS migration"
                )
                or {}
            )
        )

    def _repeat(self, work: Callable[[Session], T]) -> T:
        problem: Exception | None = None
        last_start = time.monotonic() + _REPEAT_WITHIN_S
        for attempt in range(_ATTEMPTS):
            if time.monotonic() > last_start:
                break
            connection = self._take()
            try:
                result = _run(connection, work)
            except DatabaseError as error:
                state = sqlstate(error)
                if state.startswith(GONE):
                    self._purge(connection)
                else:
                    self._end(connection)
                    if state.startswith(_BUSY):
                        raise unavailable(error) from error
                    if state in _NOT_TEXT:
                        raise InvalidRequest("text must not hold NUL characters") from error
                    if state not in _REPEAT:
                        raise
                problem = error
            except (InterfaceError, OSError) as error:
                self._purge(connection)
                problem = error
            except PhotogateError:
                self._end(connection)
                raise
            except BaseException:
                _discard(connection)
                raise
            else:
                self._give_back(connection)
                return result
            logger.warning("transaction is repeated (%d): %s", attempt + 1, words(problem))
            time.sleep(0.02 * 4**attempt)
        raise unavailable(problem) from problem

    def _take(self) -> Connection:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return self._open(connect)

    def _open(self, opening: Callable[[dict[str, Any]], Connection]) -> Connection:
        """Open a connection; with a password that was changed meanwhile, on a second try."""
        used = self._arguments
        try:
            return opening(used)
        except Refused as error:
            if not self._has_another(used, error):
                raise
            try:
                return opening(self._arguments)
            except Refused as again:
                # The secret knows the next one, the server not yet.
                raise unavailable(again) from again

    def _has_another(self, used: dict[str, Any], error: Refused) -> bool:
        """Ask for the password as it is now; tells whether somebody gives one.

        Raises:
            DatabaseUnavailable: it is still the one that was used.
        """
        if self._renew is None:
            return False
        with self._renewing:
            if self._arguments is used:  # nobody asked meanwhile
                if time.monotonic() < self._ask_not_before:
                    raise unavailable(error) from error
                now = {**connect_arguments(self._renew()), "timeout": used["timeout"]}
                self._ask_not_before = time.monotonic() + _ASK_AGAIN_S
                if now["user"] == used["user"] and now["password"] == used["password"]:
                    # It is being changed: the server knows the next one, the secret not yet.
                    raise unavailable(error) from error
                logger.info("the database's password was changed; the new one is used")
                self._arguments = now
        return True

    def _give_back(self, connection: Connection) -> None:
        with self._lock:
            self._idle.append(connection)

    def _end(self, connection: Connection) -> None:
        """Roll back; keep the connection only when that worked."""
        try:
            connection.run("ROLLBACK")
        except (DatabaseError, InterfaceError, OSError):
            _discard(connection)
        else:
            self._give_back(connection)

    def _purge(self, connection: Connection) -> None:
        """Drop a broken connection and the idle ones, which broke with it most likely."""
        _discard(connection)
        self.close()


def _run(connection: Connection, work: Callable[[Session], T]) -> T:
    # Whatever the role defaults to: a snapshot before a lock would miss what others did meanwhile.
    connection.run("BEGIN ISOLATION LEVEL READ COMMITTED")
    result = work(Session(connection))
    connection.run("COMMIT")
    return result


def _discard(connection: Connection) -> None:
    try:
        connection.close()
    except (DatabaseError, InterfaceError, OSError):
        logger.debug("a broken connection did not close cleanly")
