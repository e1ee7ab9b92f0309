"""``photogate erase``: a user stands nowhere any more, and only they are gone."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import pytest
from typer.testing import CliRunner

from local.cli import app
from photogate import bootstrap
from photogate.adapters.postgres import erasing
from photogate.adapters.postgres.changes import PostgresChanges
from photogate.adapters.postgres.erasing import PostgresErasing
from photogate.adapters.postgres.holds import PostgresHolds
from photogate.adapters.postgres.migrate import migrate
from photogate.adapters.postgres.pool import Pool, Session
from photogate.adapters.postgres.roles import make_role
from photogate.domain import Principal, Role
from photogate.domain.changes import Change, Outcome, held

MODERATOR = Principal(user_id="a-moderator", role=Role.MODERATOR)


def fill(session: Session, user: str) -> None:
    """Put a row of this user into every table that can name one."""
    id_ = str(uuid4())
    for sql in (
        "INSERT INTO batches (id, user_id, file_keys, finished_at)"
        " VALUES ('b-' || :u, :u, '{}', now())",
        "INSERT INTO media (user_id, user_name, url, batch_id, moderation_status)"
        " SELECT :u, :u, 'incoming/' || :u || '/' || n, 'b-' || :u, 'rejected'"
        " FROM generate_series(1, 3) AS n",
        "INSERT INTO upload_usage (batch_id, user_id, photos) VALUES ('b-' || :u, :u, 3)",
        "INSERT INTO subjects (user_id) VALUES (:u) ON CONFLICT DO NOTHING",
        "INSERT INTO notices (photo_id, n, user_id, file_key, status, before, by_person,"
        " corrects, due_at, waits) VALUES (:id, 1, :u, 'k', 'rejected', 'review',"
        " true, false, now(), false)",
        "INSERT INTO notice_lines (channel, user_id, next_at) VALUES ('log', :u, now())",
        "INSERT INTO notice_addresses (channel, user_id, address) VALUES ('telegram', :u, '1')",
        "INSERT INTO history (photo_id, n, action, by, owner, before, after)"
        " SELECT CAST(:id AS text), 1, 'decide', 'person', id, 'review', 'rejected'"
        " FROM subjects WHERE user_id = :u",
        "INSERT INTO history_words VALUES (:id, 1, 'of ' || :u)",
        "INSERT INTO review_items (photo_id, kind, closed_at, note)"
        " VALUES (CAST(:id AS text), 'escalation', now(), 'is this ' || :u || '?')",
    ):
        known = {"u": user, "id": id_}
        session.rows(sql, **{name: known[name] for name in known if f":{name}" in sql})


@pytest.fixture
def two_users(pool: Pool, monkeypatch: pytest.MonkeyPatch, migrated_url: str) -> Iterator[Pool]:
    monkeypatch.setenv("DATABASE_URL", migrated_url)
    for user in ("anna", "berta"):
        pool.transaction(lambda s, u=user: fill(s, u))  # type: ignore[misc]  # bound now
    yield pool
    bootstrap.reset()


def naming(pool: Pool, user: str) -> set[str]:
    """The tables in which this user is named."""
    tables = pool.transaction(
        lambda s: s.rows("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")
    )
    found = set()
    for table in (row["tablename"] for row in tables):
        telling = f"CAST(row_to_json({table}) AS text) LIKE '%{user}%'"
        with pool.patient() as connection:
            if connection.run(f"SELECT 1 FROM {table} WHERE {telling}"):  # noqa: S608
                found.add(table)
    return found


def erase(*arguments: str, says: str = "") -> tuple[int, str]:
    done = CliRunner().invoke(app, ["erase", *arguments], input=says)
    return done.exit_code, done.output


def test_an_erased_user_stands_nowhere_any_more(two_users: Pool) -> None:
    of_berta = naming(two_users, "berta")
    assert len(of_berta) == 9
    code, said = erase("anna", "--yes")
    assert code == 0, said
    assert "erased: 3 photos, 1 batch, 1 notice, 1 address, 2 texts of moderators" in said
    assert "3 objects of the photos" in said
    # Deleting three photos told history so.
    assert "kept: 4 rows of history, which name nobody now" in said
    # For the sweep, until the objects are gone.
    assert naming(two_users, "anna") == {"object_deletions"}
    assert naming(two_users, "berta") == of_berta
    code, said = erase("anna", "--yes")
    assert (code, said) == (0, "nothing here names a user 'anna': is the id right?\n")


def test_it_asks_first(two_users: Pool) -> None:
    before = naming(two_users, "anna")
    code, said = erase("anna")
    assert code == 1
    assert "to erase user 'anna': 3 photos, and all that names them, say --yes" in said
    assert naming(two_users, "anna") == before


def test_what_is_withheld_stays_and_with_it_the_name(two_users: Pool) -> None:
    rows = two_users.transaction(
        lambda s: s.rows("SELECT CAST(id AS text) AS id FROM media WHERE user_id = 'anna' LIMIT 1")
    )
    id_ = rows[0]["id"]
    PostgresChanges(two_users).make([held(id_, by=MODERATOR)])
    words = "INSERT INTO history_words VALUES (:id, 1, 'why')"
    two_users.transaction(lambda s: s.rows(words, id=id_))
    code, said = erase("anna", "--yes")
    assert code == 0
    assert "erased: 2 photos" in said
    assert "not erased, with the id: 1 photo withheld for suspected abuse" in said
    assert "kept:" not in said
    assert {"media", "subjects", "batches"} <= naming(two_users, "anna")
    left = two_users.transaction(lambda s: s.rows("SELECT photo_id, words FROM history_words"))
    assert {"photo_id": id_, "words": "why"} in left
    assert not any("anna" in row["words"] for row in left)
    assert PostgresErasing(two_users).knows("anna") == 0


def test_who_withheld_a_photo_stays_with_it(two_users: Pool) -> None:
    """A moderator may be a user, too: admins still see the photo, and who withheld it."""
    rows = two_users.transaction(
        lambda s: s.rows("SELECT CAST(id AS text) AS id FROM media WHERE user_id = 'anna' LIMIT 1")
    )
    PostgresChanges(two_users).make([held(rows[0]["id"], by=MODERATOR)])
    code, said = erase(MODERATOR.user_id, "--yes")
    assert code == 0
    assert "not erased, with the id: who withheld" in said
    assert "the name in history" not in said
    assert "photos that they decided" in said
    (open_,) = PostgresHolds(two_users).open(limit=2)
    assert open_.held_by == MODERATOR.user_id


def test_what_came_meanwhile_is_told(two_users: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    class Late(PostgresChanges):
        """Somebody hands in a photo between the last look at photos and the rest."""

        def make(self, changes: Sequence[Change]) -> list[Outcome]:
            outcomes = super().make(changes)
            two_users.transaction(
                lambda s: s.rows(
                    "INSERT INTO media (id, user_id, url) VALUES (CAST(:id AS uuid), 'anna', 'k')",
                    id=str(UUID(int=0)),
                )
            )
            return outcomes

    monkeypatch.setattr(erasing, "PostgresChanges", Late)
    code, said = erase("anna", "--yes")
    assert code == 0
    assert "not erased: 1 photo that came meanwhile; erase once more" in said
    assert "the name in history" not in said
    assert PostgresErasing(two_users).knows("anna") == 1


def test_the_applications_role_may_erase(fresh_url: str) -> None:
    """As on AWS, where it owns no table."""
    role = f"app_{time.time_ns()}"
    with closing(Pool(fresh_url)) as owner:
        make_role(owner, role, "x")
        migrate(owner, application=role)
        owner.transaction(lambda s: fill(s, "anna"))
        place = urlsplit(fresh_url)
        netloc = f"{role}:x@{place.hostname}:{place.port}"
        with closing(Pool(place._replace(netloc=netloc).geturl())) as application:
            assert PostgresErasing(application).knows("anna") == 3
            assert PostgresErasing(application).erase("anna").names == 1
        assert naming(owner, "anna") == {"object_deletions"}
        owner.transaction(lambda s: s.rows(f"DROP OWNED BY {role}; DROP ROLE {role}"))


def test_photos_go_a_few_at_a_time(two_users: Pool) -> None:
    two_users.transaction(
        lambda s: s.rows(
            "INSERT INTO media (user_id, url) SELECT 'anna', 'k' || n"
            " FROM generate_series(1, 450) AS n"
        )
    )
    assert PostgresErasing(two_users).erase("anna").photos == 453
