"""Who is signed in at the moderators' page, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from photogate.adapters.memory.database import Database, SessionRow
from photogate.domain import Principal
from photogate.domain.reviews import SESSION_IDLE_S, SESSION_S, OpenSession, SignInLink


class MemorySessions:
    """The ``Sessions`` port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, link: SignInLink, secret_hash: str) -> bool:
        """See ``photogate.ports.reviewing.Sessions.begin``."""
        with self._database.lock:
            if link.id in self._database.used_links:
                return False
            now = self._database.clock.now()
            self._database.used_links.add(link.id)
            rows = self._database.sessions
            for old in [key for key, row in rows.items() if _over(row, now)]:
                del rows[old]
            rows[secret_hash] = SessionRow(principal=link.principal, created_at=now, seen_at=now)
            return True

    def find(self, secret_hash: str) -> Principal | None:
        """See ``photogate.ports.reviewing.Sessions.find``."""
        with self._database.lock:
            row, now = self._database.sessions.get(secret_hash), self._database.clock.now()
            if row is None or _over(row, now):
                return None
            row.seen_at = now
            return row.principal

    def listed(self, *, limit: int) -> Sequence[OpenSession]:
        """See ``photogate.ports.reviewing.Sessions.listed``."""
        with self._database.lock:
            now = self._database.clock.now()
            found = [
                OpenSession(
                    id=key, principal=row.principal, began_at=row.created_at, seen_at=row.seen_at
                )
                for key, row in self._database.sessions.items()
                if not _over(row, now)
            ]
            return sorted(found, key=lambda s: (-s.seen_at.timestamp(), s.id))[:limit]

    def end(self, secret_hash: str) -> bool:
        """See ``photogate.ports.reviewing.Sessions.end``."""
        with self._database.lock:
            return self._database.sessions.pop(secret_hash, None) is not None

    def end_all(self, user_id: str) -> int:
        """See ``photogate.ports.reviewing.Sessions.end_all``."""
        with self._database.lock:
            rows = self._database.sessions
            theirs = [key for key, row in rows.items() if row.principal.user_id == user_id]
            for key in theirs:
                del rows[key]
            return len(theirs)


def _over(row: SessionRow, now: datetime) -> bool:
    return now - row.created_at > timedelta(seconds=SESSION_S) or now - row.seen_at > timedelta(
        seconds=SESSION_IDLE_S
    )
