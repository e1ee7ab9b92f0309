"""The one door for changes: what goes with a change, and what others write beside it."""

from __future__ import annotations

import re
from functools import partial

import pytest
from pg8000.exceptions import DatabaseError

from photogate.adapters.postgres.pool import Pool, Session
from photogate.domain import Finding, Principal, Role, Rule, Signals, Status, Verdict
from photogate.domain.changes import Change, Outcome, decided, judged
from photogate.errors import Conflict
from photogate.messages import Job
from photogate.service.changes import ReportedChanges
from tests.authors import conclude, decide, finish, reopen, undo, verify, withdraw
from tests.conftest import on_postgres
from tests.contract.test_intake import new_batch
from tests.docs import ROOT
from tests.records import Records

MODERATOR = Principal(user_id="mod", role=Role.MODERATOR)
OWNER = Principal(user_id="u")
APPROVED = Verdict(status=Status.APPROVED, policy="community@2")
REJECTED = Verdict(
    status=Status.REJECTED,
    reason="nsfw",
    policy="community@2",
    rule=Rule(name="nsfw.explicit", value=0.95, bound=0.9),
)
DOUBT = Verdict(status=Status.REVIEW, policy="community@2")


@pytest.fixture
def job(records: Records) -> Job:
    """A batch of three photos in a worker's hands."""
    batch = records.intake.accept(new_batch("a", "b", "c"), photos_per_day=30)
    job = Job(batch_id=batch.id, generation=batch.generation)
    records.deliveries.begin(job, job_id="m", lease_s=60)
    return job


@pytest.fixture
def ids(records: Records, job: Job) -> dict[str, str]:
    """Photo ids by key."""
    return {m.file_key: m.id for m in records.views.of_user("u")}


def found(photo_id: str, verdict: Verdict, error: str | None = None) -> Finding:
    signals = Signals(blur_variance=100.0, model="0a1b")
    return Finding(photo_id=photo_id, verdict=verdict, signals=signals, error=error)


def test_a_verdict_is_told_in_full(records: Records, job: Job, ids: dict[str, str]) -> None:
    change = judged(found(ids["a"], REJECTED), generation=1, correlation_id="request-1")
    records.changes.make([change])
    (row,) = records.history(ids["a"])
    told = ("action", "by", "person", "generation", "before", "after", "reason", "failed", "rule")
    assert [row[name] for name in told] == [
        "judge", "machine", None, 1, "pending", "rejected", "nsfw", False, "nsfw.explicit",
    ]  # fmt: skip
    assert (row["value"], row["bound"], row["policy"]) == (0.95, 0.9, "community@2")
    assert (row["model"], row["correlation_id"]) == ("0a1b", "request-1")


def test_several_are_made_or_refused_each_by_itself(
    records: Records, job: Job, ids: dict[str, str]
) -> None:
    decide(records, ids["b"], Verdict(status=Status.APPROVED), by=MODERATOR)
    outcomes = records.changes.make(
        [judged(found(ids[key], REJECTED), generation=1) for key in "abc"]
        + [judged(found("unknown", REJECTED), generation=1)]
    )
    assert [outcome.changed for outcome in outcomes] == [True, False, True, False]
    assert outcomes[1].refusal
    assert not outcomes[1].refusal.missing
    assert outcomes[3].refusal
    assert outcomes[3].refusal.missing


def test_nothing_is_made_of_nothing(records: Records) -> None:
    assert records.changes.make([]) == []


def test_what_is_committed_is_reported_whoever_did_it(
    records: Records, job: Job, ids: dict[str, str]
) -> None:
    heard: list[Outcome] = []
    changes = ReportedChanges(records.changes, heard.append)
    changes.make([judged(found(ids["a"], DOUBT), generation=1)])
    again: list[Change] = [judged(found(ids["a"], DOUBT), generation=1)]
    changes.make(again)
    changes.make([decided(ids["a"], APPROVED, by=MODERATOR)])
    assert [(o.change.by, o.after and o.after.status) for o in heard] == [
        ("machine", Status.REVIEW),
        ("person", Status.APPROVED),
    ]


class TestReviewItems:
    def test_what_a_person_has_to_look_at_has_one(
        self, records: Records, job: Job, ids: dict[str, str]
    ) -> None:
        finish(records, job, [found(ids["a"], DOUBT), found(ids["b"], APPROVED)])
        assert records.review_items() == {(ids["a"], "doubt")}
        decide(records, ids["a"], APPROVED, by=MODERATOR)
        assert records.review_items() == set()

    def test_what_was_given_up_has_one_and_keeps_it_until_its_verdict(
        self, records: Records, job: Job, ids: dict[str, str]
    ) -> None:
        finish(records, job, [found(ids["b"], APPROVED), found(ids["c"], APPROVED)])
        records.deliver_too_often()
        assert conclude(records) == 1
        assert reopen(records, [job.batch_id]) == 1
        assert records.review_items() == {(ids["a"], "doubt")}
        finish(records, Job(batch_id=job.batch_id, generation=2), [found(ids["a"], APPROVED)])
        assert records.review_items() == set()

    def test_a_deleted_photo_leaves_none(
        self, records: Records, job: Job, ids: dict[str, str]
    ) -> None:
        finish(records, job, [found(ids["a"], DOUBT)])
        withdraw(records, ids["a"], by=OWNER)
        assert records.review_items() == set()

    def test_a_sample_stays_while_its_photo_is_approved(
        self, records: Records, job: Job, ids: dict[str, str]
    ) -> None:
        finish(records, job, [found(ids["a"], APPROVED)])
        records.add_review_item(ids["a"], "sample")
        assert records.review_items() == {(ids["a"], "sample")}
        decide(records, ids["a"], REJECTED, by=MODERATOR)
        assert records.review_items() == set()


class TestUndo:
    def test_a_decision_is_taken_back(
        self, records: Records, job: Job, ids: dict[str, str]
    ) -> None:
        finish(records, job, [found(ids["a"], DOUBT)])
        decide(records, ids["a"], REJECTED, by=MODERATOR)
        photo = undo(records, ids["a"], by=MODERATOR)
        assert (photo.status, photo.reason, photo.decided_by) == (Status.REVIEW, None, None)
        assert photo.scores
        assert records.review_items() == {(ids["a"], "doubt")}
        assert [row["action"] for row in records.history(ids["a"])] == ["judge", "decide", "undo"]

    def test_only_by_who_made_it(self, records: Records, job: Job, ids: dict[str, str]) -> None:
        decide(records, ids["a"], REJECTED, by=MODERATOR)
        with pytest.raises(Conflict, match="only who decided"):
            undo(records, ids["a"], by=Principal(user_id="boss", role=Role.ADMIN))

    def test_only_in_time(self, records: Records, job: Job, ids: dict[str, str]) -> None:
        decide(records, ids["a"], REJECTED, by=MODERATOR)
        records.end_undo()
        with pytest.raises(Conflict, match="within 10 s"):
            undo(records, ids["a"], by=MODERATOR)

    def test_not_past_what_came_after(
        self, records: Records, job: Job, ids: dict[str, str]
    ) -> None:
        decide(records, ids["a"], REJECTED, by=MODERATOR)
        verify(records, ids["a"], by=MODERATOR)
        with pytest.raises(Conflict, match="decide anew"):
            undo(records, ids["a"], by=MODERATOR)


@on_postgres
def test_the_statement_of_the_docs_tells_it(
    records: Records, pool: Pool, job: Job, ids: dict[str, str]
) -> None:
    finish(records, job, [found(ids["a"], DOUBT)])
    decide(records, ids["a"], Verdict(status=Status.REJECTED, reason="rude"), by=MODERATOR)
    page = (ROOT / "docs" / "logs.md").read_text(encoding="utf-8")
    (statement,) = re.findall(r"```sql\n([^`]*FROM history[^`]*)```", page)
    sql = statement.replace("…", ids["a"])
    rows = pool.transaction(partial(Session.rows, sql=sql))
    assert [(row["action"], row["before"], row["after"], row["reason"]) for row in rows] == [
        ("judge", "pending", "review", None),
        ("decide", "review", "rejected", "rude"),
    ]


@on_postgres
class TestOthers:
    """Another program, or an older version, writes the same table."""

    def test_what_they_write_is_noted(
        self, records: Records, pool: Pool, job: Job, ids: dict[str, str]
    ) -> None:
        for status in ("review", "approved"):
            statement = "UPDATE media SET moderation_status = :to WHERE upload_key = 'a'"
            pool.transaction(partial(Session.rows, sql=statement, to=status))
            expected = {(ids["a"], "doubt")} if status == "review" else set()
            assert records.review_items() == expected
        rows = records.history(ids["a"])
        assert [(r["n"], r["by"], r["action"], r["before"], r["after"]) for r in rows] == [
            (1, "other", "set", "pending", "review"),
            (2, "other", "set", "review", "approved"),
        ]
        decide(records, ids["a"], REJECTED, by=MODERATOR)
        assert [row["n"] for row in records.history(ids["a"])] == [1, 2, 3]

    def test_what_is_no_change_is_not(
        self, records: Records, pool: Pool, job: Job, ids: dict[str, str]
    ) -> None:
        pool.transaction(
            lambda s: s.rows("UPDATE media SET moderation_status = 'pending', retry_count = 2")
        )
        assert records.history(ids["a"]) == []

    def test_an_older_version_still_writes_its_audit_log(
        self, records: Records, pool: Pool, job: Job, ids: dict[str, str]
    ) -> None:
        pool.transaction(
            lambda s: s.rows(
                "UPDATE media SET moderation_status = 'rejected', decided_by = 'mod'"
                " WHERE upload_key = 'a';"
                "INSERT INTO audit_log (actor, actor_role, action, media_id, user_id, before,"
                " after) SELECT 'mod', 'moderator', 'reject', CAST(id AS text), 'u',"
                ' \'{"status": "pending"}\', \'{"status": "rejected", "reason": "rude"}\''
                " FROM media WHERE upload_key = 'a'"
            )
        )
        assert [(r["n"], r["by"]) for r in records.history(ids["a"])] == [
            (1, "other"),
            (2, "person"),
        ]
        decide(records, ids["a"], APPROVED, by=MODERATOR)
        assert records.history(ids["a"])[-1]["n"] == 3


@on_postgres
class TestAppendOnly:
    @pytest.fixture
    def old_and_new(self, records: Records, pool: Pool, job: Job, ids: dict[str, str]) -> None:
        """Two rows of history, one of them older than any may be."""
        decide(records, ids["a"], Verdict(status=Status.REJECTED, reason="rude"), by=MODERATOR)
        pool.transaction(
            lambda s: s.rows(
                "INSERT INTO history (photo_id, n, at, action, by, owner, before)"
                " SELECT photo_id, 0, now() - interval '3 years', 'set', 'other', owner, 'pending'"
                " FROM history WHERE photo_id = :id",
                id=ids["a"],
            )
        )

    @pytest.mark.usefixtures("old_and_new")
    @pytest.mark.parametrize(
        "statement",
        ["DELETE FROM history", "UPDATE history SET role = 'x'", "TRUNCATE history"],
    )
    def test_nothing_is_changed_or_removed(
        self, records: Records, pool: Pool, statement: str
    ) -> None:
        with pytest.raises(DatabaseError, match="append-only"):
            pool.transaction(lambda s: s.rows(statement))

    @pytest.mark.usefixtures("old_and_new")
    def test_but_what_is_old_enough(
        self, records: Records, pool: Pool, ids: dict[str, str]
    ) -> None:
        gone = pool.transaction(lambda s: s.rows("SELECT prune_history(1000) AS n"))[0]["n"]
        assert gone >= 1
        assert [row["n"] for row in records.history(ids["a"])] == [1]
