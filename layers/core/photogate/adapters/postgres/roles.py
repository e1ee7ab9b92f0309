"""Makes the role that Photogate runs under, where it is not the one that owns the tables."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os

from pg8000.exceptions import DatabaseError

from photogate.adapters.postgres.database_words import plain
from photogate.adapters.postgres.pool import Pool, Session
from photogate.errors import ConfigError

#: PostgreSQL's own default.
_ROUNDS = 4096


def make_role(pool: Pool, name: str, password: str) -> None:
    """Make a role that may connect and nothing else, or give it this password. Safe to repeat.

    The server is told what verifies the password, not the password: statements are logged.

    Raises:
        ConfigError: the role of ``pool`` may not, or the password is not ASCII.
        DatabaseUnavailable: the database does not answer.
    """
    if not password or not password.isascii():
        raise ConfigError(f"the password of the role {name} must be ASCII, and not empty")
    told = verifier(password)

    def work(session: Session) -> None:
        # Only what has to be said: on RDS nobody may speak of SUPERUSER, not even to deny it.
        (made,) = session.rows(
            "SELECT format(CASE WHEN EXISTS (SELECT FROM pg_roles WHERE rolname = :name)"
            " THEN 'ALTER ROLE %I LOGIN PASSWORD %L' ELSE 'CREATE ROLE %I LOGIN PASSWORD %L' END,"
            " CAST(:name AS text), CAST(:told AS text)) AS statement",
            name=name,
            told=told,
        )
        session.rows(made["statement"])

    try:
        pool.transaction(work)
    except DatabaseError as error:
        raise ConfigError(f"the role {name} cannot be made: {plain(error)}") from error


def verifier(password: str) -> str:
    """Give what PostgreSQL keeps of a password: SCRAM-SHA-256 of RFC 5803, with a new salt."""
    salt = os.urandom(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, _ROUNDS)
    client = hmac.digest(salted, b"Client Key", "sha256")
    server = hmac.digest(salted, b"Server Key", "sha256")
    stored = hashlib.sha256(client).digest()
    parts = (base64.b64encode(part).decode() for part in (salt, stored, server))
    return "SCRAM-SHA-256${}:{}${}:{}".format(_ROUNDS, *parts)
