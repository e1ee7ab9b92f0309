"""Lists in pages, counts that end, and the last day's figures, however much there is."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from photogate.adapters.postgres.migrate import migrate, shipped
from photogate.adapters.postgres.pool import Pool
from photogate.adapters.postgres.views import PostgresViews
from photogate.domain import COUNT_TO, Finding, Place, Principal, Role, Status, Verdict
from photogate.errors import InvalidRequest
from photogate.messages import Job
from tests.authors import decide, finish, reopen, undo, withdraw
from tests.conftest import on_postgres
from tests.contract.test_intake import new_batch
from tests.records import Records

MODERATOR = Principal(user_id="mod", role=Role.MODERATOR)
APPROVED = Verdict(status=Status.APPROVED)
BLURRY = Verdict(status=Status.REJECTED, reason="blurry")
WORDS = Verdict(status=Status.REJECTED, reason="Show your own face.")
DOUBT = Verdict(status=Status.REVIEW)


def hand_in(records: Records, *keys: str, user: str = "u") -> tuple[Job, dict[str, str]]:
    """Accept a batch; gives its job and the ids by key."""
    batch = records.intake.accept(new_batch(*keys, user=user), photos_per_day=1000)
    job = Job(batch_id=batch.id, generation=1)
    opened = records.deliveries.begin(job, job_id="m", lease_s=60)
    assert opened
    return job, {photo.file_key: photo.id for photo in opened.photos}


@pytest.fixture
def keys(records: Records) -> list[str]:
    """Photos of one user in the order in which they are told: the last batch first."""
    handed_in = [[f"{batch}-{n}" for n in range(4)] for batch in range(3)]
    for batch in handed_in:
        hand_in(records, *batch)
    return [key for batch in reversed(handed_in) for key in batch]


@pytest.mark.parametrize("limit", [1, 3, 5, 12, 100])
def test_a_users_pages_are_the_whole_list_without_gap_or_repeat(
    records: Records, keys: list[str], limit: int
) -> None:
    hand_in(records, "another's", user="v")
    seen: list[str] = []
    after: Place | None = None
    while page := records.views.of_user("u", limit=limit, after=after):
        assert len(page) <= limit
        seen += [photo.file_key for photo in page]
        after = Place.of(page[-1])
    assert seen == keys


def test_a_photo_that_is_deleted_between_two_pages_takes_no_other_with_it(
    records: Records, keys: list[str]
) -> None:
    first = records.views.of_user("u", limit=5)
    withdraw(records, first[-1].id, by=Principal(user_id="u"))
    rest = records.views.of_user("u", after=Place.of(first[-1]))
    assert [photo.file_key for photo in rest] == keys[5:]


@pytest.mark.parametrize("status", [None, Status.PENDING])
def test_the_dashboard_by_number_and_by_cursor_is_the_same(
    records: Records, keys: list[str], status: Status | None
) -> None:
    whole, total = records.views.page(status=status, limit=100)
    assert (total.n, total.exactness) == (12, "exact")
    assert {photo.file_key for photo in whole} == set(keys)
    after: Place | None = None
    for skip in range(0, 15, 3):
        by_number, _ = records.views.page(status=status, limit=3, skip=skip)
        by_cursor, total = records.views.page(status=status, limit=3, after=after)
        assert by_number == by_cursor == whole[skip : skip + 3]
        assert total.n == 12
        after = Place.of(by_cursor[-1]) if by_cursor else after


def test_what_comes_meanwhile_moves_no_page(records: Records, keys: list[str]) -> None:
    first, _ = records.views.page(status=None, limit=4)
    hand_in(records, "newer")
    second, _ = records.views.page(status=None, limit=100, after=Place.of(first[-1]))
    assert {photo.file_key for photo in (*first, *second)} == set(keys)


@on_postgres
def test_a_place_of_another_kind_of_table_is_refused(records: Records) -> None:
    place = Place(created_at=datetime.now(UTC), display_order=0, id="12")
    for read in (
        lambda: records.views.page(status=None, limit=1, after=place),
        lambda: records.views.of_user("u", after=place),
    ):
        with pytest.raises(InvalidRequest, match="cursor"):
            read()


def test_counts_end_and_say_so(records: Records) -> None:
    records.add_photos(COUNT_TO)
    _, total = records.views.page(status=Status.PENDING, limit=1)
    assert (total.n, total.exactness) == (COUNT_TO, "exact")
    records.add_photos(5)
    for status in (None, Status.PENDING):
        _, total = records.views.page(status=status, limit=1)
        assert (total.n, total.exactness) == (COUNT_TO, "at least")
    _, total = records.views.page(status=Status.REVIEW, limit=1)
    assert (total.n, total.exactness) == (0, "exact")
    pending = records.views.last_day().pending_media
    assert (pending.n, pending.exactness) == (COUNT_TO, "at least")


def figures(records: Records) -> tuple[int, int, int, int, dict[str, int]]:
    day = records.views.last_day()
    return day.total, day.approved, day.rejected, day.failed, day.rejection_reasons


def test_the_last_day_counts_each_photo_once_by_its_present_state(records: Records) -> None:
    job, ids = hand_in(records, "a", "b", "c", "d")
    assert figures(records) == (0, 0, 0, 0, {})
    verdicts = {"a": APPROVED, "b": BLURRY, "c": DOUBT}
    found = [Finding(photo_id=ids[key], verdict=verdict) for key, verdict in verdicts.items()]
    finish(records, job, [*found, Finding(photo_id=ids["d"], verdict=DOUBT, error="no store")])
    assert figures(records) == (4, 1, 1, 1, {"blurry": 1})

    decide(records, ids["c"], WORDS, by=MODERATOR)
    assert figures(records) == (4, 1, 2, 1, {"blurry": 1, "other": 1})
    undo(records, ids["c"], by=MODERATOR)
    assert figures(records) == (4, 1, 1, 1, {"blurry": 1})

    reopen(records, [job.batch_id])
    again = Finding(photo_id=ids["d"], verdict=APPROVED)
    finish(records, Job(batch_id=job.batch_id, generation=2), [again])
    assert figures(records) == (4, 2, 1, 0, {"blurry": 1})
    withdraw(records, ids["b"], by=Principal(user_id="u"))
    assert figures(records) == (3, 2, 0, 0, {})


def test_the_last_hour_counts_what_the_machine_said(records: Records) -> None:
    # The history of other tests is kept.
    before = records.views.last_hour()
    assert before.newest_photo_at is None
    job, ids = hand_in(records, "a", "b", "c", "d")
    verdicts = {"a": APPROVED, "b": BLURRY, "c": DOUBT}
    found = [Finding(photo_id=ids[key], verdict=verdict) for key, verdict in verdicts.items()]
    finish(records, job, [*found, Finding(photo_id=ids["d"], verdict=DOUBT, error="no store")])
    # What a person decides changes nothing about what the machine did.
    decide(records, ids["c"], WORDS, by=MODERATOR)

    hour = records.views.last_hour()

    assert (hour.judged.n - before.judged.n, hour.judged.exactness) == (4, "exact")
    assert hour.approved - before.approved == 1
    assert hour.rejected - before.rejected == 1
    assert hour.to_people - before.to_people == 2
    photo = records.views.photo(ids["a"])
    assert photo is not None
    assert hour.newest_photo_at == photo.created_at


def test_the_last_day_begins_with_a_whole_hour(records: Records) -> None:
    job, ids = hand_in(records, "a", "b")
    finish(records, job, [Finding(photo_id=id_, verdict=APPROVED) for id_ in ids.values()])
    since = records.views.last_day().since
    records.moderated_at("a", since)
    assert figures(records)[:2] == (2, 2)
    records.moderated_at("a", since - timedelta(microseconds=1))
    assert figures(records)[:2] == (1, 1)


@on_postgres
def test_hours_are_what_the_photos_say_whoever_changes_them(records: Records, pool: Pool) -> None:
    """Given changes of our own, of another program, and photos that it brings along."""
    job, ids = hand_in(records, *"abcdefgh")
    verdicts = [APPROVED, BLURRY, DOUBT, WORDS]
    finish(
        records,
        job,
        [Finding(photo_id=id_, verdict=verdicts[n % 4]) for n, id_ in enumerate(ids.values())],
    )
    for statement in (
        "UPDATE media SET moderation_status = 'review' WHERE url IN ('a', 'b')",
        "UPDATE media SET moderated_at = moderated_at - interval '3 hours' WHERE url IN ('c', 'd')",
        "UPDATE media SET moderated_at = now() - interval '90 hours' WHERE url = 'e'",
        "DELETE FROM media WHERE url = 'f'",
        "INSERT INTO media (user_id, url, moderation_status, moderated_at)"
        " SELECT 'v', 'x', 'approved', now() - n * interval '50 minutes'"
        " FROM generate_series(1, 20) AS n",
        "UPDATE media SET retry_count = retry_count + 1",
    ):
        pool.transaction(lambda s, sql=statement: s.rows(sql))  # type: ignore[misc]
        assert differences(pool) == []


def differences(pool: Pool) -> list[dict[str, object]]:
    """Compare the counts by hour with the photos."""
    return pool.transaction(
        lambda s: s.rows(
            "SELECT hour, status, reason, failed, sum(n) AS n FROM ("
            " SELECT hour, status, reason, failed, n FROM hourly_counts"
            " UNION ALL SELECT date_trunc('hour', moderated_at, 'UTC'), moderation_status,"
            "   counted_reason(moderation_reason), moderation_error IS NOT NULL, -1 FROM media"
            "   WHERE moderated_at > now() - interval '2 days') AS compared"
            " GROUP BY 1, 2, 3, 4 HAVING sum(n) <> 0"
        )
    )


def test_photos_that_were_moderated_before_the_migration_are_counted(fresh_url: str) -> None:
    with closing(Pool(fresh_url)) as pool:
        migrate(pool, migrations=[m for m in shipped() if m.number < 6])
        pool.transaction(
            lambda s: s.rows(
                "INSERT INTO media (user_id, url, moderation_status, moderation_reason,"
                "   moderated_at)"
                " SELECT 'v', 'x', 'rejected', (ARRAY['nsfw', 'No.', NULL])[n % 3 + 1],"
                "   now() - n * interval '50 minutes' FROM generate_series(1, 60) AS n"
            )
        )
        migrate(pool)
        assert differences(pool) == []
        day = PostgresViews(pool).last_day()
        assert day.total == day.rejected == sum(day.rejection_reasons.values()) >= 28
