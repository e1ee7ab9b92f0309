"""A rehearsal: a database of the predecessor's shape is taken over while its backend works on.

Old reads show nothing that is rejected, no video is touched, every photo that waits gets its
verdict, and the way back is open.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from photogate.adapters.memory.photos import MemoryPhotoStore
from photogate.adapters.memory.vision import ScriptedAnalyzer, ScriptedCopies
from photogate.adapters.postgres.migrate import migrate, set_timeouts
from photogate.adapters.postgres.migration_plan import plan
from photogate.adapters.postgres.pool import Pool
from photogate.adapters.postgres.queue import PostgresQueue
from photogate.domain import NewBatch, NewPhoto, Principal, Role, Signals, Status, Verdict
from photogate.domain.changes import By
from photogate.errors import Conflict, InvalidRequest
from photogate.messages import CopyJob, Job, decode
from photogate.policies import preset
from photogate.service.copying import Copying
from photogate.service.moderate import Moderation
from photogate.service.sweep import Sweep
from tests import authors, predecessor
from tests.conftest import new_database
from tests.predecessor import OldBackend, ask, value
from tests.records import PostgresRecords
from tests.service.conftest import FINE
from tests.service.test_copying import Events
from tests.service.test_moderate import Recorder

GUIDE = Path(__file__).parents[2] / "docs/migrating.md"
MODERATOR = Principal(user_id="mod", role=Role.MODERATOR)
WAITING = "SELECT count(*) FROM media WHERE media_type = 'photo' AND moderation_status = 'pending'"


class Analyzer(ScriptedAnalyzer):
    """Finds photos blurred whose bytes say that they are bad."""

    def analyze(self, data: bytes, *args: object) -> list[Signals]:
        """See ``PhotoAnalyzer.analyze``."""
        return [replace(FINE, blur_variance=1.0) if data.startswith(b"old/bad-") else FINE]


class Photogate:
    """Two workers and a sweep, on a real database and queue, that see by a script."""

    def __init__(self, url: str) -> None:
        self.pool = Pool(url, size=8)
        self.records = PostgresRecords(self.pool)
        self.store = MemoryPhotoStore()
        self.queue = PostgresQueue(self.pool, visibility_s=30)
        self.moderation = Moderation(
            deliveries=self.records.deliveries,
            changes=self.records.changes,
            store=self.store,
            sender=self.queue,
            analyzer=Analyzer(FINE),
            policy=preset("community"),
            lease_s=60,
            max_bytes=1000,
            watcher=Recorder(),
        )
        self.copying = Copying(
            copies=self.records.copies,
            changes=self.records.changes,
            store=self.store,
            maker=ScriptedCopies(),
            lease_s=60,
            max_bytes=1000,
            watcher=Events(),
        )
        self.sweep = Sweep(
            outbox=self.records.outbox,
            changes=self.records.changes,
            sender=self.queue,
            monitor=self.queue,
            store=self.store,
            rounds=self.records.rounds,
            copies=self.records.copies,
            earlier_at_once=100_000,
        )

    @contextmanager
    def working(self) -> Iterator[None]:
        """Work until the end of the block."""
        over = threading.Event()

        def work() -> None:
            while not over.is_set():
                if not self.deliver_one():
                    over.wait(0.02)

        def sweep() -> None:
            while not over.wait(0.2):
                self.sweep.run(time_left_s=lambda: 5.0)

        with ThreadPoolExecutor(3) as threads:
            running = [threads.submit(work), threads.submit(work), threads.submit(sweep)]
            try:
                yield
            finally:
                over.set()
                for thread in running:
                    thread.result()

    def put(self, key: str) -> None:
        """Let the bucket hold a photo that is told by its name."""
        self.store.put(key, key.encode())

    def deliver_one(self) -> bool:
        """Do one job; False when there is none."""
        delivery = self.queue.receive(wait_s=0)
        if delivery is None:
            return False
        job = decode(delivery.body)
        if isinstance(job, CopyJob):
            self.copying.run(job, time_left_s=lambda: 60.0)
        elif isinstance(job, Job):
            self.moderation.run(job, job_id=delivery.job_id, time_left_s=lambda: 60.0)
        self.queue.ack(delivery)
        return True


def put_all(photogate: Photogate) -> None:
    """Let the bucket hold what the table names."""
    for row in ask(photogate.pool, "SELECT url FROM media WHERE url LIKE 'old/%'"):
        photogate.put(row["url"])


def until(condition: Any, *, within_s: float) -> None:
    ends = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < ends, "it took too long"
        time.sleep(0.1)


def way_back() -> str:
    """Give the statements that the guide names."""
    text = GUIDE.read_text("utf-8")
    return text.partition("<!-- the way back -->\n```sql\n")[2].partition("```")[0]


#: PHOTOGATE_MOVING_ROWS=20000 takes more than ten minutes.
MANY = int(os.environ.get("PHOTOGATE_MOVING_ROWS", "2000"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rows", "status"),
    [
        (200, "varchar"),
        (MANY, "enum"),
    ],
)
def test_rehearsal(fresh_url: str, rows: int, status: str) -> None:
    photogate = Photogate(fresh_url)
    with closing(Pool(fresh_url)) as admin, closing(photogate.pool):
        predecessor.create(admin, rows=rows, status=status)
        types = columns(admin)
        videos = value(admin, predecessor.VIDEOS)
        put_all(photogate)

        with OldBackend(fresh_url, put=photogate.put).working() as backend:
            migrate(admin)
            backend.strict.set()
            # What it approved while the table was migrated is not recorded yet.
            turns = backend.turns
            until(lambda: backend.turns > turns + 1, within_s=1800)
            earlier = set(backend.approved)
            with photogate.working():
                until(lambda: backend.turns > turns + 20, within_s=1800)
        # The rest of the table, and what the old backend handed in last, follow.
        with photogate.working():
            until(lambda: not value(admin, WAITING), within_s=1800)
            until(lambda: not photogate.records.copies.progress().waiting, within_s=1800)

        assert backend.shown_wrongly == 0
        assert value(admin, predecessor.REJECTED_BUT_SHOWN) == 0
        assert value(admin, predecessor.VIDEOS) == videos
        assert unlike_the_flag(admin) == 0
        assert unapproved(admin, backend.handed_in) == []
        assert (
            value(
                admin,
                "SELECT count(*) FROM media WHERE user_name IS NULL"
                " AND moderated_at IS NOT NULL AND url LIKE 'copies/%'",
            )
            == 0
        )
        assert value(admin, "SELECT max(cardinality(file_keys)) FROM batches") <= 9
        assert backend.approved - earlier <= {
            row["photo_id"] for row in ask(admin, "SELECT photo_id FROM history WHERE by = 'other'")
        }
        assert {name: kind for name, kind in columns(admin).items() if name in types} == types

        for statement in way_back().split(";\n"):
            if statement.strip():
                ask(admin, statement)
        assert columns(admin) == types
        assert value(admin, predecessor.VIDEOS) == videos
        assert value(admin, predecessor.REJECTED_BUT_SHOWN) == 0
        # Whatever is named can be read by the old worker and by people.
        for row in ask(admin, "SELECT url FROM media WHERE media_type = 'photo'"):
            assert photogate.store.head(row["url"]) is not None
        old = OldBackend(fresh_url, put=photogate.put)
        with old.working():
            until(lambda: old.turns > 8, within_s=1800)
        assert value(admin, "SELECT count(*) FROM media WHERE moderation_status = 'failed'") > 0


def columns(pool: Pool) -> dict[str, str]:
    """Give names and types of the table's columns."""
    rows = ask(
        pool,
        "SELECT attname AS name, format_type(atttypid, atttypmod) AS type FROM pg_attribute"
        " WHERE attrelid = 'media'::regclass AND attnum > 0 AND NOT attisdropped",
    )
    return {row["name"]: row["type"] for row in rows}


def unlike_the_flag(pool: Pool) -> Any:
    return value(
        pool,
        "SELECT count(*) FROM media WHERE media_type = 'photo'"
        " AND is_approved <> (moderation_status = 'approved')",
    )


def unapproved(pool: Pool, keys: list[str]) -> list[dict[str, Any]]:
    return ask(
        pool,
        "SELECT url, moderation_status, moderation_error FROM media WHERE upload_key ="
        " ANY (CAST(:keys AS text[])) AND moderation_status <> 'approved'",
        keys=keys,
    )


@pytest.fixture(scope="module")
def adopted_url(postgres_url: str) -> Iterator[str]:
    """A small table that was just adopted, to be copied."""
    with new_database(postgres_url) as url:
        with closing(Pool(url)) as pool:
            predecessor.create(pool, rows=60)
            migrate(pool)
        yield url


@pytest.fixture
def adopted(postgres_url: str, adopted_url: str) -> Iterator[Photogate]:
    """A copy of it, and nobody at work."""
    with new_database(postgres_url, like=adopted_url) as url:
        photogate = Photogate(url)
        with closing(photogate.pool):
            set_timeouts(photogate.pool)
            yield photogate


def state(photogate: Photogate, photo_id: str) -> tuple[str, bool]:
    (row,) = ask(
        photogate.pool,
        "SELECT CAST(moderation_status AS text) AS status, is_approved FROM media"
        " WHERE CAST(id AS text) = :id",
        id=photo_id,
    )
    return row["status"], row["is_approved"]


def an_id(photogate: Photogate, where: str) -> str:
    query = f"SELECT id FROM media WHERE {where} ORDER BY url LIMIT 1"  # noqa: S608 - a literal
    return str(value(photogate.pool, query))


class TestTheFlag:
    def test_it_falls_with_the_commit_that_rejects_and_rises_with_the_copy(
        self, adopted: Photogate
    ) -> None:
        put_all(adopted)
        photo_id = an_id(adopted, "media_type = 'photo' AND moderation_status = 'approved'")
        assert state(adopted, photo_id) == ("approved", True)
        words = "x" * 400
        authors.decide(
            adopted.records, photo_id, Verdict(status=Status.REJECTED, reason=words), by=MODERATOR
        )
        assert state(adopted, photo_id) == ("rejected", False)
        assert adopted.records.history(photo_id)[-1]["words"] == words
        authors.decide(adopted.records, photo_id, Verdict(status=Status.APPROVED), by=MODERATOR)
        adopted.records.copies.take_due(limit=10)
        adopted.copying.run(CopyJob(photo_ids=(photo_id,)), time_left_s=lambda: 60.0)
        assert state(adopted, photo_id) == ("approved", True)

    def test_what_the_other_program_says_by_it_is_a_change(self, adopted: Photogate) -> None:
        photo_id = an_id(adopted, "media_type = 'photo' AND moderation_status = 'approved'")
        ask(
            adopted.pool,
            "UPDATE media SET is_approved = false WHERE CAST(id AS text) = :id",
            id=photo_id,
        )
        assert state(adopted, photo_id) == ("rejected", False)
        change = adopted.records.history(photo_id)[-1]
        assert (change["by"], change["action"]) == (By.OTHER.value, "set")
        assert (change["before"], change["after"]) == ("approved", "rejected")

    def test_a_persons_decision_is_looked_at_again_by_a_person_only(
        self, adopted: Photogate
    ) -> None:
        photo_id = an_id(adopted, "media_type = 'photo' AND moderation_status = 'approved'")
        authors.decide(
            adopted.records, photo_id, Verdict(status=Status.REJECTED, reason="rude"), by=MODERATOR
        )
        ask(
            adopted.pool,
            "UPDATE media SET moderation_status = 'pending' WHERE CAST(id AS text) = :id",
            id=photo_id,
        )
        assert state(adopted, photo_id) == ("review", False)
        assert (photo_id, "doubt") in adopted.records.review_items()


def test_a_video_is_neither_read_nor_changed(adopted: Photogate) -> None:
    video = an_id(adopted, "media_type = 'video'")
    views = adopted.records.views
    assert views.photo(video) is None
    listed, _ = views.page(status=None, limit=100)
    assert video not in {photo.id for photo in listed}
    (owner,) = ask(
        adopted.pool,
        "SELECT CAST(user_id AS text) AS id FROM media WHERE CAST(id AS text) = :id",
        id=video,
    )
    assert video not in {photo.id for photo in views.of_user(owner["id"])}
    with pytest.raises(Exception, match="there is no photo"):
        authors.decide(adopted.records, video, Verdict(status=Status.APPROVED), by=MODERATOR)


def test_what_a_foreign_key_deletes_is_removed_here_too(adopted: Photogate) -> None:
    put_all(adopted)
    photo_id = an_id(adopted, "media_type = 'photo' AND moderation_status = 'approved'")
    authors.decide(adopted.records, photo_id, Verdict(status=Status.REJECTED), by=MODERATOR)
    authors.decide(adopted.records, photo_id, Verdict(status=Status.APPROVED), by=MODERATOR)
    adopted.records.copies.take_due(limit=10)
    adopted.copying.run(CopyJob(photo_ids=(photo_id,)), time_left_s=lambda: 60.0)
    photo = adopted.records.views.photo(photo_id)
    assert photo is not None
    ask(adopted.pool, "DELETE FROM users WHERE CAST(id AS text) = :id", id=photo.user_id)
    assert adopted.records.views.photo(photo_id) is None
    removed = {
        row["file_key"]
        for row in ask(
            adopted.pool, "SELECT file_key FROM object_deletions WHERE media_id = :id", id=photo_id
        )
    }
    assert removed == set(photo.object_keys) - {photo.file_key}
    assert not {item for item in adopted.records.review_items() if item[0] == photo_id}


class TestUploadsIntoAnAdoptedTable:
    def test_a_known_user_hands_in(self, adopted: Photogate) -> None:
        user = str(value(adopted.pool, "SELECT id FROM users ORDER BY username LIMIT 1"))
        self._hand_in(adopted, user)
        (photo,) = [p for p in adopted.records.views.of_user(user) if p.file_key == "new"]
        assert (photo.user_id, photo.user_name) == (user, "user 0")

    def test_one_who_is_unknown_there_is_told_so(self, adopted: Photogate) -> None:
        with pytest.raises(Conflict, match="users does not know you"):
            self._hand_in(adopted, "9" * 8 + "-1111-1111-1111-111111111111")

    def test_an_id_of_another_kind_is_told_so(self, adopted: Photogate) -> None:
        with pytest.raises(InvalidRequest, match="JWT_USER_CLAIM"):
            self._hand_in(adopted, "ada")

    def _hand_in(self, photogate: Photogate, user: str) -> None:
        photo = NewPhoto(file_key="new", stored=None)
        photogate.records.intake.accept(
            NewBatch(user_id=user, user_name=None, photos=(photo,), correlation_id=None),
            photos_per_day=30,
        )


def test_statuses_come_from_the_flag_where_there_were_none(fresh_url: str) -> None:
    with closing(Pool(fresh_url)) as pool:
        ask(
            pool,
            "CREATE TABLE media (id bigserial PRIMARY KEY, user_id bigint NOT NULL,"
            " url text NOT NULL, is_approved boolean NOT NULL);"
            "INSERT INTO media (user_id, url, is_approved)"
            " SELECT n, 'p' || n, n > 1 FROM generate_series(1, 2) AS n",
        )
        migrate(pool)
        photos, _ = PostgresRecords(pool).views.page(status=None, limit=10)
        assert {p.file_key: p.status.value for p in photos} == {"p1": "pending", "p2": "approved"}


def test_a_role_that_others_use_keeps_its_timeouts(adopted: Photogate) -> None:
    assert (
        value(
            adopted.pool,
            "SELECT count(*) FROM pg_db_role_setting WHERE setdatabase ="
            " (SELECT oid FROM pg_database WHERE datname = current_database())",
        )
        == 0
    )
    assert value(adopted.pool, "SHOW statement_timeout") == "8s"


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 1 FROM media WHERE CAST(batch_id AS text) = 'x'",
        "SELECT id FROM media WHERE CAST(user_id AS text) = 'x' AND media_type = 'photo'"
        " ORDER BY created_at DESC, display_order, id LIMIT 10",
        "SELECT id FROM media WHERE CAST(id AS text) = 'x' AND media_type = 'photo'",
        "SELECT created_at, id FROM media WHERE media_type = 'photo'"
        " AND moderation_status = 'review' ORDER BY created_at DESC, id DESC LIMIT 10",
    ],
)
def test_indexes_serve_the_adopted_types(adopted: Photogate, query: str) -> None:
    def explained(session: Any) -> list[dict[str, Any]]:
        # A table of sixty rows is read whole otherwise.
        session.rows("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off")
        rows: list[dict[str, Any]] = session.rows(f"EXPLAIN {query}")
        return rows

    lines = "\n".join(row["QUERY PLAN"] for row in adopted.pool.transaction(explained))
    assert "Index" in lines
    assert "Seq Scan" not in lines
    assert "Sort" not in lines


class TestDryRun:
    def test_it_says_what_would_be_done_and_does_nothing(self, fresh_url: str) -> None:
        with closing(Pool(fresh_url)) as pool:
            predecessor.create(pool, rows=60, status="varchar")
            before = ask(pool, "SELECT oid FROM pg_class ORDER BY oid")
            found = plan(pool)
            assert ask(pool, "SELECT oid FROM pg_class ORDER BY oid") == before
            assert found.in_the_way == ()
            text = "\n".join(found.lines)
            assert "would adopt the table media of " in text
            assert "media has 60 rows; 26 photos would be moderated" in text
            assert "6 rows are no photos and stay as they are" in text
            assert "would drop the constraint media_moderation_status_check: CHECK" in text
            assert "is_approved would follow the status" in text
            migrate(pool)
            assert plan(pool).lines == ["the schema is up to date"]

    @pytest.mark.parametrize(
        ("sql", "words"),
        [
            ("CREATE TABLE batches (id integer)", "are there already: batches; give Photogate"),
            ("ALTER TABLE media ADD COLUMN album integer NOT NULL", "media.album must be filled"),
            (
                "ALTER TABLE media DROP COLUMN batch_id CASCADE;"
                "ALTER TABLE media ADD COLUMN batch_id bigint;"
                "CREATE VIEW albums AS SELECT batch_id FROM media",
                "the view albums reads media.batch_id, whose type changes: drop it, migrate",
            ),
        ],
    )
    def test_it_says_what_is_in_the_way(self, fresh_url: str, sql: str, words: str) -> None:
        with closing(Pool(fresh_url)) as pool:
            predecessor.create(pool, rows=0)
            ask(pool, sql)
            found = plan(pool)
            assert any(words in line for line in found.in_the_way), found.lines

    def test_who_owns_the_table_is_told(self, fresh_url: str) -> None:
        role = f"guest_{time.time_ns()}"
        with closing(Pool(fresh_url)) as pool:
            predecessor.create(pool, rows=0)
            ask(pool, f"CREATE ROLE {role}; GRANT ALL ON SCHEMA public TO {role}")
            try:
                with closing(Pool(fresh_url, size=1)) as guest:
                    ask(guest, f"SET ROLE {role}")
                    assert any("the table media belongs to" in x for x in plan(guest).in_the_way)
            finally:
                ask(pool, f"DROP OWNED BY {role}; DROP ROLE {role}")
