"""A database of the predecessor's shape, and a backend that goes on working on it.

Written anew from the names that Photogate keeps; nothing of the predecessor is in it.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import Any
from uuid import uuid4

from photogate.adapters.postgres.pool import Pool, Session

NIL = "00000000-0000-0000-0000-000000000000"
USERS = 50
#: The backend reads and writes with these, and knows nothing of Photogate.
ENUM = "CREATE TYPE moderation_state AS ENUM ('pending', 'approved', 'rejected', 'failed');"
STATUS = {
    "enum": "moderation_state NOT NULL DEFAULT 'pending'",
    "varchar": "varchar(20) DEFAULT 'pending' CHECK (moderation_status IN"
    " ('pending', 'approved', 'rejected', 'failed'))",
}
SCHEMA = """
CREATE TABLE users (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    username varchar(100) NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE media (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    media_type varchar(10) NOT NULL DEFAULT 'photo',
    url varchar(500) NOT NULL,
    display_order integer DEFAULT 0,
    is_primary boolean NOT NULL DEFAULT false,
    is_approved boolean NOT NULL DEFAULT false,
    moderation_status {status},
    moderation_reason varchar(60),
    moderation_scores jsonb,
    batch_id uuid,
    moderated_at timestamptz,
    retry_count integer DEFAULT 0,
    created_at timestamptz DEFAULT now(),
    updated_at timestamptz DEFAULT now()
);
CREATE INDEX idx_media_user ON media (user_id);
CREATE TABLE likes (
    media_id uuid NOT NULL REFERENCES media (id) ON DELETE CASCADE,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    PRIMARY KEY (media_id, user_id)
);
CREATE VIEW public_photos AS
    SELECT media.id, user_id, username, url, batch_id, moderation_reason FROM media
    JOIN users ON users.id = media.user_id
    WHERE is_approved AND media_type = 'photo';
CREATE VIEW media_states AS
    SELECT moderation_status, media_type, count(*) AS n FROM media GROUP BY 1, 2;
"""
#: All statuses, videos, the nil batch that everybody shares, batches of two users and of many
#: photos, and flags that say something else than the status.
ROWS = """
INSERT INTO users (id, username)
    SELECT md5('user' || n)::uuid, 'user ' || n FROM generate_series(0, {users} - 1) AS n;
INSERT INTO media (user_id, media_type, url, display_order, is_approved, moderation_status,
                   moderation_reason, batch_id, retry_count, created_at)
SELECT md5('user' || (n / 7) % {users})::uuid,
       CASE WHEN n % 10 = 3 THEN 'video' ELSE 'photo' END,
       CASE WHEN n % 4 = 1 THEN 'old/bad-' ELSE 'old/good-' END || n,
       n % 7,
       n % 4 = 0,
       (ARRAY['pending', 'approved', 'rejected', 'failed', 'approved', 'pending'])[1 + n % 6]{cast},
       CASE WHEN n % 6 = 2 THEN 'nsfw' END,
       CASE n % 5 WHEN 0 THEN '{nil}'::uuid WHEN 1 THEN NULL
                  WHEN 2 THEN md5('shared' || n / 40)::uuid ELSE md5('batch' || n / 7)::uuid END,
       n % 4, timestamptz '2026-01-01' + make_interval(secs => n)
FROM generate_series(0, {rows} - 1) AS n;
INSERT INTO likes SELECT id, user_id FROM media WHERE is_approved;
"""
#: What must never be shown, asked as the old backend shows it.
REJECTED_BUT_SHOWN = """
    SELECT count(*) AS n FROM public_photos JOIN media USING (id)
    WHERE media.moderation_status = 'rejected'
"""
VIDEOS = """
    SELECT md5(string_agg(concat_ws('/', id, user_id, url, display_order, is_approved, retry_count,
        moderation_status, moderation_reason, batch_id, created_at), ',' ORDER BY id)) AS whole
    FROM media WHERE media_type = 'video' AND url LIKE 'old/%'
"""


def create(pool: Pool, *, rows: int, status: str = "enum") -> None:
    """Make the schema and fill it."""
    cast = "::moderation_state" if status == "enum" else ""
    sql = ENUM if status == "enum" else ""
    sql += SCHEMA.format(status=STATUS[status])
    sql += ROWS.format(users=USERS, rows=rows, nil=NIL, cast=cast)
    pool.transaction(partial(Session.rows, sql=sql))


def ask(pool: Pool, sql: str, **values: Any) -> list[dict[str, Any]]:
    """Ask the database as any program may."""
    return pool.transaction(lambda session: session.rows(sql, **values))


def value(pool: Pool, sql: str) -> Any:
    """Give the one value of the one row."""
    (row,) = ask(pool, sql)
    (found,) = row.values()
    return found


class OldBackend:
    """Reads and writes as before while Photogate is there; keeps what it saw and did."""

    def __init__(self, url: str, *, put: Callable[[str], None]) -> None:
        self._pool, self._put = Pool(url, size=2), put
        self._random = random.Random(7)  # the same each time
        #: Rejected photos that one read showed; looked at from the migration's end on.
        self.shown_wrongly = 0
        self.strict = threading.Event()
        self.turns = 0
        self.errors: list[Exception] = []
        #: Keys of photos that it handed in itself.
        self.handed_in: list[str] = []
        self.approved: set[str] = set()

    @contextmanager
    def working(self) -> Iterator[OldBackend]:
        """Work in a thread of its own."""
        over = threading.Event()

        def work() -> None:
            try:
                while not over.wait(0.005):
                    self.turn()
            except Exception as error:  # told in the test
                self.errors.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        try:
            with closing(self._pool):
                try:
                    yield self
                finally:
                    over.set()
                    thread.join()
        finally:
            assert self.errors == []

    def turn(self) -> None:
        """Read what people are shown, then write one thing."""
        wrong = value(self._pool, REJECTED_BUT_SHOWN)
        if self.strict.is_set():
            self.shown_wrongly += wrong
        ask(self._pool, "SELECT * FROM public_photos ORDER BY id LIMIT 20")
        ask(self._pool, "SELECT * FROM media_states")
        turns = (self._hand_in, self._approve, self._fail, self._reorder, self._group)
        turns[self.turns % len(turns)]()
        self.turns += 1

    def _hand_in(self) -> None:
        batch, user = uuid4(), f"user{self._random.randrange(USERS)}"
        for place in range(2):
            key = f"old/good-live-{batch}-{place}"
            self._put(key)
            ask(
                self._pool,
                "INSERT INTO media (user_id, media_type, url, display_order, batch_id)"
                " VALUES (CAST(md5(:user) AS uuid), 'photo', :key, :place, CAST(:batch AS uuid))",
                user=user,
                key=key,
                place=place,
                batch=str(batch),
            )
            self.handed_in.append(key)

    def _group(self) -> None:
        """Insert a photo first, and put it into its batch later."""
        key, batch = f"old/good-grouped-{uuid4()}", str(uuid4())
        self._put(key)
        ask(
            self._pool,
            "INSERT INTO media (user_id, url) VALUES (CAST(md5('user0') AS uuid), :key)",
            key=key,
        )
        ask(
            self._pool,
            "UPDATE media SET batch_id = CAST(:batch AS uuid)"
            " WHERE url = :key AND moderation_status = 'pending'",
            batch=batch,
            key=key,
        )
        self.handed_in.append(key)

    def _approve(self) -> None:
        """An old moderator approves a photo, by the flag alone."""
        rows = ask(
            self._pool,
            "UPDATE media SET is_approved = true WHERE id = (SELECT id FROM media"
            " WHERE media_type = 'photo' AND moderation_status = 'rejected'"
            " ORDER BY md5(CAST(id AS text) || :n) LIMIT 1) RETURNING CAST(id AS text) AS id",
            n=str(self.turns),
        )
        self.approved |= {row["id"] for row in rows}

    def _fail(self) -> None:
        """The old worker could not finish one."""
        ask(
            self._pool,
            "UPDATE media SET moderation_status = 'failed', retry_count = 3"
            " WHERE id = (SELECT id FROM media WHERE media_type = 'photo'"
            " AND moderation_status = 'pending' AND url LIKE 'old/%'"
            " ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED)",
        )

    def _reorder(self) -> None:
        ask(
            self._pool,
            "UPDATE media SET display_order = 1, updated_at = now() WHERE user_id ="
            " CAST(md5(:user) AS uuid) AND display_order = 2 AND media_type = 'photo'",
            user=f"user{self._random.randrange(USERS)}",
        )
