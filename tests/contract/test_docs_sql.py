"""The statements of the pages for operators, on a real database."""

from __future__ import annotations

import re

import pytest

from photogate.adapters.postgres.pool import Pool, Session
from tests.docs import ROOT

PAGES = ("logs", "privacy", "troubleshoot")
STATEMENTS = [
    pytest.param(sql, id=f"{page} {n}")
    for page in PAGES
    for n, sql in enumerate(
        re.findall(r"```sql\n(.*?)```", (ROOT / "docs" / f"{page}.md").read_text(), re.DOTALL)
    )
]


@pytest.mark.parametrize("sql", STATEMENTS)
def test_postgresql_takes_it(pool: Pool, sql: str) -> None:
    pool.transaction(lambda s: s.rows(sql))


def test_an_erased_user_stands_nowhere_any_more(pool: Pool) -> None:
    (sql,) = re.findall(
        r"```sql\n(DELETE.*?)```", (ROOT / "docs" / "privacy.md").read_text(), re.DOTALL
    )

    def fill(session: Session) -> None:
        session.rows(
            "INSERT INTO batches (id, user_id, file_keys, finished_at)"
            "   VALUES ('b-anna', 'anna', '{}', now());"
            " INSERT INTO media (user_id, user_name, url, batch_id)"
            "   VALUES ('anna', 'anna', 'k', 'b-anna');"
            " INSERT INTO upload_usage (batch_id, user_id, photos) VALUES ('b-anna', 'anna', 1);"
            " INSERT INTO subjects (user_id) VALUES ('anna') ON CONFLICT DO NOTHING;"
            " INSERT INTO notices (photo_id, n, user_id, file_key, status, before, by_person,"
            "   corrects, due_at, waits) VALUES ('p-words', 1, 'anna', 'k', 'rejected', 'review',"
            "   true, false, now(), false);"
            " INSERT INTO notice_lines (channel, user_id, next_at) VALUES ('log', 'anna', now());"
            " INSERT INTO notice_addresses (channel, user_id, address)"
            "   VALUES ('telegram', 'anna', '1')"
        )
        session.rows(
            "INSERT INTO history (photo_id, n, action, by, owner, before, after)"
            " SELECT CAST(gen_random_uuid() AS text), 1, 'decide', 'person', id, 'review',"
            " 'rejected' FROM subjects WHERE user_id = 'anna'"
        )
        session.rows(
            "INSERT INTO history_words SELECT photo_id, 1, 'of anna' FROM history"
            " JOIN subjects ON subjects.id = owner WHERE user_id = 'anna'"
        )

    pool.transaction(fill)
    pool.transaction(lambda s: s.rows(sql))
    for table in set(_tables(pool)) - {"object_deletions"}:
        telling = f"CAST(row_to_json({table}) AS text) LIKE '%anna%'"
        with pool.patient() as connection:
            assert connection.run(f"SELECT 1 FROM {table} WHERE {telling}") == [], table  # noqa: S608


def _tables(pool: Pool) -> list[str]:
    rows = pool.transaction(
        lambda s: s.rows("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")
    )
    return [row["tablename"] for row in rows]


def test_the_page_on_privacy_names_every_table(pool: Pool) -> None:
    page = (ROOT / "docs" / "privacy.md").read_text()
    named = set(re.findall(r"`(\w+)`", page))
    #: Of rows without anybody's data, or that nothing writes any more.
    others = {"jobs", "sweeps", "history_retention", "notice_channels", "audit_log"}
    ours = {name for name in _tables(pool) if not name.startswith("migration_")}
    assert ours - {"schema_migrations"} - others <= named
