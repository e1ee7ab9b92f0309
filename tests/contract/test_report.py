"""The report of some days, and the list of verdicts, on PostgreSQL."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from rich.console import Console

from local.report_tables import report_json, report_parts
from photogate.adapters.postgres import report as module
from photogate.adapters.postgres.accuracy import PostgresAccuracy
from photogate.adapters.postgres.migrate import migrate
from photogate.adapters.postgres.pool import Pool, Session
from photogate.adapters.postgres.report import Report, report
from photogate.domain import Finding, Principal, Role, Rule, Signals, Status, Verdict
from photogate.domain.changes import judged
from tests import authors
from tests.contract.test_intake import new_batch
from tests.records import PostgresRecords

ADA = Principal(user_id="ada", role=Role.MODERATOR)
APPROVED = Verdict(status=Status.APPROVED)
REVIEW = Verdict(status=Status.REVIEW)


@pytest.fixture
def own(fresh_url: str) -> Iterator[Pool]:
    """A database without any history."""
    with closing(Pool(fresh_url)) as pool:
        migrate(pool)
        yield pool


def rejected(reason: str) -> Verdict:
    rule = Rule(name="nsfw.least", value=0.97, bound=0.9)
    return Verdict(status=Status.REJECTED, reason=reason, rule=rule)


def hand_in(records: PostgresRecords, verdicts: dict[str, Verdict | None]) -> dict[str, str]:
    """Hand photos in and let the machine judge them, but for None; gives their ids."""
    for start in range(0, len(verdicts), 9):
        records.intake.accept(new_batch(*list(verdicts)[start : start + 9]), photos_per_day=99)
    ids = {photo.file_key: photo.id for photo in records.views.of_user("u")}
    changes = [
        judged(
            Finding(
                photo_id=ids[key],
                verdict=verdict,
                signals=Signals(width=8, height=8, processing_time_ms=40.0),
            ),
            generation=1,
        )
        for key, verdict in verdicts.items()
        if verdict is not None
    ]
    assert all(outcome.changed for outcome in records.changes.make(changes))
    return ids


def busy(pool: Pool) -> dict[str, str]:
    """Let the machine and people do all kinds of things today."""
    records = PostgresRecords(pool)
    ids = hand_in(
        records,
        {
            "good": APPROVED,
            "withdrawn": APPROVED,
            "nude": rejected("nsfw"),
            "restored": rejected("nsfw"),
            "dull": rejected("blurry"),
            "doubt": REVIEW,
            "doubted": REVIEW,
            "undone": REVIEW,
            "open": REVIEW,
        },
    )
    hand_in(records, {"stuck": None})
    records.deliver_too_often()
    assert authors.conclude(records) == 1
    authors.verify(records, ids["nude"], by=ADA)
    authors.verify(records, ids["dull"], by=ADA)
    authors.decide(records, ids["restored"], APPROVED, by=ADA)
    authors.decide(records, ids["withdrawn"], rejected("nsfw"), by=ADA)
    authors.decide(records, ids["doubt"], APPROVED, by=ADA)
    authors.decide(records, ids["doubt"], rejected("nsfw"), by=ADA)
    authors.decide(records, ids["doubted"], rejected("nsfw"), by=ADA)
    authors.decide(records, ids["undone"], APPROVED, by=ADA)
    authors.undo(records, ids["undone"], by=ADA)
    return ids


def shown(found: Report, *, width: int = 80) -> str:
    console = Console(width=width, record=True, file=io.StringIO())
    for part in report_parts(found):
        console.print(part, highlight=False)
    return console.export_text()


def run(pool: Pool, sql: str, **params: Any) -> None:
    pool.transaction(lambda s: s.rows(sql, **params))


def test_a_day_is_summed_up(own: Pool) -> None:
    busy(own)
    found = report(own, days=1)
    (day,) = found.days
    assert (day.photos, day.approved, day.rejected) == (10, 2, 3)
    assert (day.to_people, day.failed) == (5, 1)
    assert found.reasons == {"nsfw": 2, "blurry": 1}
    assert found.look_ms.p50 == found.look_ms.p95 == 40
    assert found.waited_s.p95 is not None
    assert 0 <= found.waited_s.p95 < 60
    people = found.people
    assert (people.approved, people.rejected, people.confirmed) == (1, 1, 2)
    assert (people.restored, people.withdrawn, people.others) == (1, 1, 1)
    assert people.waiting.n == 3
    assert people.oldest_s is not None
    told = report_json(found)
    json.dumps(told)
    assert (told["overturned"]["hits"], told["overturned"]["of"]) == (2, 4)
    names = {table["name"]: table for table in told["tables"]}
    assert names["media"]["came"] == 10
    assert names["history"]["came"] == 9 + 1 + 9
    assert told["database_bytes"] > 1e6


def test_it_fits_a_narrow_terminal(own: Pool) -> None:
    busy(own)
    text = shown(report(own, days=7))
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "…" not in text.replace("from … to", "")
    assert "█" in text
    many = replace(
        report(own, days=1).days[0], photos=1_234_567, approved=1_234_567, rejected=1_234_567
    )
    text = shown(replace(report(own, days=1), days=(many,)))
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "…" not in text.replace("from … to", "")
    assert re.search(r"approvals of the machine: overturned +│ +1 │", text), text
    words = " ".join(text.split())
    assert re.search(r"overturned: 50.0 % \([\d.-]+\) of what people looked at again", words), words


def test_days_are_told_apart_and_end(own: Pool) -> None:
    busy(own)
    run(own, "ALTER TABLE history DISABLE TRIGGER USER")
    run(own, "UPDATE history SET at = at - interval '2 days' WHERE reason = 'blurry'")
    run(own, "UPDATE history SET at = at - interval '20 days' WHERE after = 'approved'")
    run(own, "UPDATE media SET created_at = created_at - interval '2 days' WHERE url LIKE '%dull%'")
    found = report(own, days=3)
    assert [day.rejected for day in found.days] == [1, 0, 2]
    assert [day.approved for day in found.days] == [0, 0, 0]
    assert sum(day.approved for day in report(own, days=30).days) == 2
    assert found.since.hour == 0


def test_nothing_yet(own: Pool) -> None:
    text = shown(report(own, days=7))
    assert "no photo was handed in, and none had a verdict" in text
    assert re.search(r"waiting now +│ +0 │", text), text


def test_test_photos_are_in_no_figure(own: Pool) -> None:
    """All that happens, happens to photos that a marker gave their verdict."""
    records = PostgresRecords(own)
    for key, verdict in (("good", APPROVED), ("nude", rejected("nsfw")), ("doubt", REVIEW)):
        records.intake.accept(new_batch(key), photos_per_day=99)
        (photo,) = records.views.of_user("u", limit=1)
        finding = Finding(photo_id=photo.id, verdict=verdict, marker="PHOTOGATE-TEST:x")
        records.changes.make([judged(finding, generation=1)])
        if key != "doubt":
            authors.decide(records, photo.id, rejected("blurry"), by=ADA)
    found = report(own, days=1)
    assert [(d.photos, d.approved, d.rejected, d.to_people) for d in found.days] in (
        [],
        [(0, 0, 0, 0)],
    )
    assert (found.people.rejected, found.people.withdrawn, found.people.waiting.n) == (0, 0, 0)
    assert found.waited_s.p50 is None
    assert PostgresAccuracy(own).of_days(1).all.judged == 0


def test_rows_of_another_program_are_no_obstacle(own: Pool) -> None:
    busy(own)
    run(own, """UPDATE media SET moderation_scores = '{"processing_time_ms": "quick"}'""")
    assert report(own, days=1).look_ms.p50 is None


def test_what_is_older_is_not_read(own: Pool) -> None:
    """The costly statements find their rows by an index on a time."""
    run(own, "INSERT INTO subjects (user_id) VALUES ('u')")
    run(own, "ALTER TABLE media DISABLE TRIGGER USER")
    run(
        own,
        "INSERT INTO media (user_id, url, moderation_status, created_at, moderated_at)"
        " SELECT 'u', 'key', 'approved', at, at FROM (SELECT now() - n * interval '1 hour' AS at"
        " FROM generate_series(1, 20000) AS n) AS old",
    )
    run(
        own,
        "INSERT INTO history (photo_id, n, at, action, by, owner, before, after)"
        " SELECT n, 1, now() - n * interval '1 hour',"
        " CASE WHEN n % 50 = 0 THEN 'decide' ELSE 'judge' END,"
        " CASE WHEN n % 50 = 0 THEN 'person' ELSE 'machine' END, 1, 'pending', 'approved'"
        " FROM generate_series(1, 20000) AS n",
    )
    run(own, "ANALYZE")
    for sql in (
        module._VERDICTS,
        module._UPLOADS,
        module._TIMES,
        module._DECISIONS,
        module._CONFIRMED,
        *module._CAME.values(),
    ):
        week = sql.replace(":since", "now() - interval '7 days'")
        plan = own.transaction(partial(Session.rows, sql=f"EXPLAIN {week}"))
        text = "\n".join(row["QUERY PLAN"] for row in plan)
        assert "Seq Scan" not in text, text
    assert sum(day.approved for day in report(own, days=7).days) > 100
