"""The statements of the pages for operators, on a real database."""

from __future__ import annotations

import re

import pytest

from photogate.adapters.postgres.pool import Pool
from tests.docs import ROOT

PAGES = ("logs", "troubleshoot")
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
