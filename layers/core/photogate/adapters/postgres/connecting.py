"""Opens a connection to PostgreSQL, and tells what its errors mean."""

from __future__ import annotations

import re
import socket
import ssl
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from pg8000.exceptions import DatabaseError, InterfaceError
from pg8000.native import Connection

from photogate.errors import ConfigError, DatabaseUnavailable

#: Classes and states in which the server has ended, or is ending, the session; and read-only:
#: after a failover a connection may have found the old primary, where it would stay for ever.
GONE = ("08", "57P", "25P03", "25P04", "53300", "25006")
#: Wrong password, unknown role or database: waiting does not help.
_SETUP = ("28", "3D000")
#: Above the role's statement_timeout of 8 s (migration 0002).
SOCKET_TIMEOUT_S = 12.0
#: Where the role is another program's too, it has no timeouts, and the connection gets the same.
#: Nothing that could set something is sent elsewhere: RDS Proxy keeps a connection for whoever
#: does, and only it knows how it tells.
_HAS_TIMEOUTS = "SELECT current_setting('statement_timeout') <> '0'"
_TIMEOUTS = """
SELECT set_config('statement_timeout', '8s', false), set_config('lock_timeout', '5s', false),
       set_config('idle_in_transaction_session_timeout', '30s', false)
"""
#: For a connection without that timeout: a peer that is gone is noticed within half a minute.
_PROBES = {
    "TCP_KEEPIDLE": 10,
    "TCP_KEEPINTVL": 5,
    "TCP_KEEPCNT": 4,
    "TCP_USER_TIMEOUT": 30_000,
}
#: How pg8000 says that it could not connect.
_NOT_REACHED = re.compile(r"Can't create a connection to (host \S+ and port \d+) \(")
#: Advised to clients in ``Retry-After``.
RETRY_AFTER_S = 2.0


class Refused(ConfigError):
    """The server knows no such role, or no such password."""


def connect(arguments: dict[str, Any]) -> Connection:
    """Open one connection.

    Raises:
        ConfigError: refused for good.
        DatabaseUnavailable: not reachable now.
    """
    try:
        connection = Connection(**arguments)
        if connection.run(_HAS_TIMEOUTS) != [[True]]:
            connection.run(_TIMEOUTS)
    except DatabaseError as error:
        if sqlstate(error).startswith(_SETUP):
            kind = Refused if sqlstate(error).startswith("28") else ConfigError
            raise kind(f"PostgreSQL refuses: {words(error)}; see DATABASE_URL") from error
        raise unavailable(error) from error
    except (InterfaceError, OSError) as error:
        raise unavailable(error) from error
    return connection


def connect_probed(arguments: dict[str, Any]) -> Connection:
    """Open one that waits as long as its peer is there."""
    patient = {**arguments, "timeout": None}
    try:
        patient["sock"] = _probed_socket(patient)
    except OSError as error:
        raise unavailable(error) from error
    return connect(patient)


def _probed_socket(arguments: dict[str, Any]) -> socket.socket:
    if path := arguments.pop("unix_sock", None):
        local = socket.socket(socket.AF_UNIX)
        local.connect(path)
        return local
    place = (arguments["host"], arguments["port"])
    connected = socket.create_connection(place, SOCKET_TIMEOUT_S)
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


def sqlstate(error: DatabaseError) -> str:
    """Give PostgreSQL's five characters for what went wrong; "" when it gave none."""
    fields = error.args[0] if error.args else None
    return str(fields.get("C", "")) if isinstance(fields, dict) else ""


def is_gone(error: DatabaseError) -> bool:
    """Tell whether the server has ended, or is ending, the session."""
    return sqlstate(error).startswith(GONE)


def words(error: Exception | None) -> str:
    """Give PostgreSQL's message alone: its other fields may quote rows."""
    fields = error.args[0] if error is not None and error.args else None
    if isinstance(fields, dict):
        return str(fields.get("M", error))
    said, cause = str(error), error.__cause__ if error is not None else None
    place = _NOT_REACHED.match(said)
    # The driver tells of its own arguments there, and not why.
    return (
        f"{place[1]}: {cause.strerror or cause}" if place and isinstance(cause, OSError) else said
    )


def unavailable(error: Exception | None) -> DatabaseUnavailable:
    return DatabaseUnavailable(
        f"the database does not answer: {words(error)}", retry_after_s=RETRY_AFTER_S
    )
