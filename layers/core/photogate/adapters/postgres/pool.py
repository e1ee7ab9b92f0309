"""A small pool of PostgreSQL connections, and the rules for when one breaks.

Measured with pg8000 1.31: a killed backend raises ``ConnectionResetError`` and then
``InterfaceError``; after a client-side timeout the statement may still have committed
and the connection is unusable. So only a ``DatabaseError`` leaves a connection fit for
use, and every transaction that is given to the pool must be safe to repeat.
"""

from __future__ import annotations

import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from urllib.parse import parse_qs, unquote, urlsplit

from pg8000.exceptions import DatabaseError, InterfaceError
from pg8000.native import Connection as Connection

from photogate.adapters.postgres.session import Session as Session
from photogate.errors import ConfigError, DatabaseUnavailable, InvalidRequest, PhotogateError

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: SQLSTATEs after which the same transaction may succeed at once.
_REPEAT = {"40001", "40P01"}
#: Classes and states in which the server has ended, or is ending, the session; and read-only:
#: after a failover a connection may have found the old primary, where it would stay for ever.
_GONE = ("08", "57P", "25P03", "25P04", "53300", "25006")
#: Statement or lock timeout, disk full, out of memory.
_BUSY = ("57014", "55P03", "53")
#: A NUL character, which PostgreSQL's text cannot hold.
_NOT_TEXT = ("22021", "22P05")
#: Wrong password, unknown role or database: waiting does not help.
_SETUP = ("28", "3D000")

_ATTEMPTS = 3
#: A repetition begins within this time or not at all. So a caller waits at most for a place in
#: the pool (5 s), this, and one last timeout of the socket: less than API Gateway's 30 s.
_REPEAT_WITHIN_S = 5.0
#: Above the role's statement_timeout of 8 s (migration 0002).
_SOCKET_TIMEOUT_S = 12.0
#: Where the role is another program's too, it has no timeouts, and the connection gets the same.
#: Nothing is set elsewhere: RDS Proxy keeps a connection for whoever sets something on it.
_TIMEOUTS = """
SELECT set_config('statement_timeout', '8s', false), set_config('lock_timeout', '5s', false),
       set_config('idle_in_transaction_session_timeout', '30s', false)
WHERE current_setting('statement_timeout') = '0'
"""
#: For a connection without that timeout: a peer that is gone is noticed within half a minute.
_PROBES = {
    "TCP_KEEPIDLE": 10,
    "TCP_KEEPINTVL": 5,
    "TCP_KEEPCNT": 4,
    "TCP_USER_TIMEOUT": 30_000,
}
#: Advised to clients in ``Retry-After``.
_RETRY_AFTER_S = 2.0


class Pool:
    """Up to ``size`` connections, made when needed. Thread-safe.

    Args:
        url: ``postgresql://user:password@host:port/database``, with ``?sslmode=require``
            or ``verify-full`` and ``sslrootcert=PATH`` when TLS is wanted.
        size: connections at most; further callers wait up to ``wait_s`` seconds.
        timeout_s: how long a server may be silent before the connection counts as broken.
    """

    def __init__(
        self,
        url: str,
        *,
        size: int = 8,
        wait_s: float = 5.0,
        timeout_s: float = _SOCKET_TIMEOUT_S,
    ) -> None:
        self._arguments = {**connect_arguments(url), "timeout": timeout_s}
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
            ConfigError: the server refuses this role, password or database.
        """
        if not self._slots.acquire(timeout=self._wait_s):
            raise DatabaseUnavailable(
                "all database connections are in use", retry_after_s=_RETRY_AFTER_S
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
        arguments = {**self._arguments, "timeout": None}
        try:
            arguments["sock"] = _probed_socket(arguments)
        except OSError as error:
            raise _unavailable(error) from error
        connection = connect(arguments)
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
                if state.startswith(_GONE):
                    self._purge(connection)
                else:
                    self._end(connection)
                    if state.startswith(_BUSY):
                        raise _unavailable(error) from error
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
        raise _unavailable(problem) from problem

    def _take(self) -> Connection:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return connect(self._arguments)

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


def connect(arguments: dict[str, Any]) -> Connection:
    """Open one connection.

    Raises:
        ConfigError: refused for good.
        DatabaseUnavailable: not reachable now.
    """
    try:
        connection = Connection(**arguments)
        connection.run(_TIMEOUTS)
    except DatabaseError as error:
        if sqlstate(error).startswith(_SETUP):
            raise ConfigError(f"PostgreSQL refuses: {words(error)}; see DATABASE_URL") from error
        raise _unavailable(error) from error
    except (InterfaceError, OSError) as error:
        raise _unavailable(error) from error
    return connection


def _probed_socket(arguments: dict[str, Any]) -> socket.socket:
    if path := arguments.pop("unix_sock", None):
        local = socket.socket(socket.AF_UNIX)
        local.connect(path)
        return local
    place = (arguments["host"], arguments["port"])
    connected = socket.create_connection(place, _SOCKET_TIMEOUT_S)
    connected.settimeout(None)
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _PROBES.items():
        if hasattr(socket, name):
            connected.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return connected


def connect_arguments(url: str) -> dict[str, Any]:
    """Translate a libpq URL into pg8000's arguments.

    Raises:
        ConfigError: it is not a URL of PostgreSQL, or asks for something unknown.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or 5432
    except ValueError:
        # Python's own message quotes what may be half of a password.
        raise ConfigError(
            "DATABASE_URL: Port or host cannot be read;"
            " write special characters of the password as %XX"
        ) from None
    # A password with a / or # ends the host too early, and would be taken for host and name.
    if "@" in parts.path + parts.query + parts.fragment:
        raise ConfigError("DATABASE_URL: write special characters of the password as %XX")
    if parts.scheme not in ("postgres", "postgresql") or not parts.path.strip("/"):
        raise ConfigError("DATABASE_URL must look like postgresql://user:password@host:5432/name")
    options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    arguments: dict[str, Any] = {
        "user": unquote(parts.username or "postgres"),
        "password": unquote(parts.password) if parts.password else None,
        "host": parts.hostname or "localhost",
        "port": port,
        "database": unquote(parts.path.strip("/")),
        "application_name": "photogate",
    }
    if options.get("host", "").startswith("/"):
        arguments["unix_sock"] = f"{options['host']}/.s.PGSQL.{arguments['port']}"
    mode = options.get("sslmode", "prefer")
    if mode not in ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"):
        raise ConfigError("DATABASE_URL: unknown sslmode")
    if mode in ("require", "verify-ca", "verify-full"):
        try:
            context = ssl.create_default_context(cafile=options.get("sslrootcert"))
        except OSError as error:
            raise ConfigError(f"DATABASE_URL: sslrootcert cannot be read: {error}") from error
        context.check_hostname = mode == "verify-full"
        if mode == "require":
            context.verify_mode = ssl.CERT_NONE
        arguments["ssl_context"] = context
    return arguments


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


def sqlstate(error: DatabaseError) -> str:
    """Give PostgreSQL's five characters for what went wrong; "" when it gave none."""
    fields = error.args[0] if error.args else None
    return str(fields.get("C", "")) if isinstance(fields, dict) else ""


def is_gone(error: DatabaseError) -> bool:
    """Tell whether the server has ended, or is ending, the session."""
    return sqlstate(error).startswith(_GONE)


def words(error: Exception | None) -> str:
    """Give PostgreSQL's message alone: its other fields may quote rows."""
    fields = error.args[0] if error is not None and error.args else None
    return str(fields.get("M", error)) if isinstance(fields, dict) else str(error)


def _unavailable(error: Exception | None) -> DatabaseUnavailable:
    return DatabaseUnavailable(
        f"the database does not answer: {words(error)}", retry_after_s=_RETRY_AFTER_S
    )
