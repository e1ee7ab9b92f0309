"""Who is signed in at the moderators' page."""

from __future__ import annotations

from collections.abc import Sequence

from photogate.adapters.postgres.pool import Pool, Session
from photogate.domain import Principal, Role
from photogate.domain.reviews import SESSION_IDLE_S, SESSION_S, OpenSession, SignInLink

_OVER = (
    "(created_at < now() - make_interval(secs => :most)"
    " OR seen_at < now() - make_interval(secs => :idle))"
)


class PostgresSessions:
    """The ``Sessions`` port. Each sign-in removes what has ended."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def begin(self, link: SignInLink, secret_hash: str) -> bool:
        """See ``photogate.ports.reviewing.Sessions.begin``."""

        def work(session: Session) -> bool:
            if session.row("SELECT 1 AS yes FROM sessions WHERE secret_hash = :h", h=secret_hash):
                return True  # this very call, before its connection broke
            used = session.count(
                "INSERT INTO sign_in_links (jti, expires_at) VALUES (:jti, :at)"
                " ON CONFLICT DO NOTHING",
                jti=link.id,
                at=link.expires_at,
            )
            if not used:
                return False
            session.rows(
                "INSERT INTO sessions (secret_hash, user_id, user_name, role)"
                " VALUES (:h, :u, :name, :role)",
                h=secret_hash,
                u=link.principal.user_id,
                name=link.principal.name,
                role=link.principal.role.value,
            )
            # A clock may be wrong by some seconds; the link must not come back for it.
            session.rows("DELETE FROM sign_in_links WHERE expires_at < now() - interval '1 hour'")
            session.rows(f"DELETE FROM sessions WHERE {_OVER}", most=SESSION_S, idle=SESSION_IDLE_S)
            return True

        return self._pool.transaction(work)

    def find(self, secret_hash: str) -> Principal | None:
        """See ``photogate.ports.reviewing.Sessions.find``."""

        def work(session: Session) -> Principal | None:
            row = session.row(
                "SELECT user_id, user_name, role, seen_at < now() - interval '1 minute' AS stale"
                f" FROM sessions WHERE secret_hash = :h AND NOT {_OVER}",
                h=secret_hash,
                most=SESSION_S,
                idle=SESSION_IDLE_S,
            )
            if row is None:
                return None
            if row["stale"]:
                session.rows(
                    "UPDATE sessions SET seen_at = now() WHERE secret_hash = :h", h=secret_hash
                )
            return Principal(user_id=row["user_id"], role=Role(row["role"]), name=row["user_name"])

        return self._pool.transaction(work)

    def listed(self, *, limit: int) -> Sequence[OpenSession]:
        """See ``photogate.ports.reviewing.Sessions.listed``."""
        rows = self._pool.transaction(
            lambda s: s.rows(
                "SELECT secret_hash, user_id, user_name, role, created_at, seen_at FROM sessions"
                f" WHERE NOT {_OVER} ORDER BY seen_at DESC, secret_hash LIMIT :n",
                most=SESSION_S,
                idle=SESSION_IDLE_S,
                n=limit,
            )
        )
        return [
            OpenSession(
                id=row["secret_hash"],
                principal=Principal(
                    user_id=row["user_id"], role=Role(row["role"]), name=row["user_name"]
                ),
                began_at=row["created_at"],
                seen_at=row["seen_at"],
            )
            for row in rows
        ]

    def end(self, secret_hash: str) -> bool:
        """See ``photogate.ports.reviewing.Sessions.end``."""
        ended = self._pool.transaction(
            lambda s: s.count("DELETE FROM sessions WHERE secret_hash = :h", h=secret_hash)
        )
        return ended > 0

    def end_all(self, user_id: str) -> int:
        """See ``photogate.ports.reviewing.Sessions.end_all``."""
        return self._pool.transaction(
            lambda s: s.count("DELETE FROM sessions WHERE user_id = :u", u=user_id)
        )
