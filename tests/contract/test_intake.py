"""Accepting batches: idempotence, the rate limit, and the outbox."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from threading import Barrier
from typing import Any, TypeVar

import pytest

from photogate.adapters.postgres.intake import PostgresIntake
from photogate.adapters.postgres.migrate import migrate
from photogate.adapters.postgres.pool import Pool, Session
from photogate.domain import Batch, NewBatch, NewPhoto, StoredObject
from photogate.errors import Conflict, PhotogateError, RateLimited
from tests.conftest import on_postgres
from tests.records import PostgresRecords, Records
from tests.servers import eventually

T = TypeVar("T")


def new_batch(*keys: str, user: str = "u") -> NewBatch:
    stored = StoredObject(size_bytes=10, etag="e")
    photos = tuple(NewPhoto(file_key=key, stored=stored) for key in keys)
    return NewBatch(user_id=user, user_name="Ada", photos=photos)


def accept(records: Records, batch: NewBatch, limit: int = 30) -> Batch:
    return records.intake.accept(batch, photos_per_day=limit)


def test_a_batch_is_stored_with_its_photos_in_order(records: Records) -> None:
    batch = accept(records, new_batch("b", "a", "c"))
    assert batch.created
    rows = records.photos()
    assert [row["url"] for row in rows] == ["b", "a", "c"]
    assert {(r["etag"], r["size_bytes"], r["user_name"]) for r in rows} == {("e", 10, "Ada")}
    assert {r["moderation_status"] for r in rows} == {"pending"}


def test_the_same_keys_give_the_same_batch(records: Records) -> None:
    first = accept(records, new_batch("a", "b"))
    again = accept(records, new_batch("b", "a"))
    assert (again.id, again.created) == (first.id, False)
    found = records.intake.find("u", ["b", "a"])
    assert found is not None
    assert found.id == first.id
    assert records.count("media") == 2


@pytest.fixture
def doubling(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> Records:
    """On a pool whose connection breaks after each COMMIT: every transaction runs twice."""
    once = pool.transaction

    def twice(work: Callable[[Session], Any]) -> Any:
        once(work)
        return once(work)

    monkeypatch.setattr(pool, "transaction", twice)
    return PostgresRecords(pool)


def test_a_break_at_commit_is_not_mistaken_for_an_earlier_call(doubling: Records) -> None:
    assert accept(doubling, new_batch("a", "b")).created
    assert not accept(doubling, new_batch("a", "b")).created
    assert doubling.count("media") == 2


@pytest.mark.parametrize("keys", [("a", "c"), ("a",), ("a", "b", "c")])
def test_overlapping_keys_are_refused_by_name(records: Records, keys: tuple[str, ...]) -> None:
    accept(records, new_batch("a", "b"))
    with pytest.raises(Conflict) as caught:
        accept(records, new_batch(*keys))
    assert set(caught.value.file_keys) == {"a", "b"} & set(keys)
    assert records.count("batches") == 1


def test_the_limit_counts_photos_not_batches(records: Records) -> None:
    for number in range(3):
        accept(records, new_batch(*(f"{number}-{n}" for n in range(9))))
    accept(records, new_batch("x", "y", "z"))
    with pytest.raises(RateLimited) as caught:
        accept(records, new_batch("one more"))
    assert 86_390 < caught.value.retry_after_s <= 86_400
    accept(records, new_batch("another user's", user="v"))


def test_the_window_slides_and_tells_when_it_frees(records: Records) -> None:
    accept(records, new_batch("a", "b"), limit=3)
    records.age_usage(hours=23)
    accept(records, new_batch("c"), limit=3)
    with pytest.raises(RateLimited) as caught:
        accept(records, new_batch("d"), limit=3)
    assert 3590 < caught.value.retry_after_s <= 3600
    with pytest.raises(RateLimited) as later:
        accept(records, new_batch("d", "e", "f"), limit=3)
    assert later.value.retry_after_s > 80_000
    records.age_usage(hours=2)
    accept(records, new_batch("d"), limit=3)


def test_deleting_photos_gives_nothing_back(records: Records) -> None:
    accept(records, new_batch("a", "b"), limit=2)
    records.lose_photos()
    with pytest.raises(RateLimited):
        accept(records, new_batch("c"), limit=2)


def at_once(pool: Pool, url: str, call: Callable[[int], T]) -> list[T]:
    """Call 8 times; none can insert a batch before all have looked at what there is."""
    waiting = "SELECT 1 FROM pg_locks WHERE NOT granted"
    other = Pool(url)
    with closing(other), ThreadPoolExecutor(8) as threads:

        def work(session: Session) -> list[Future[T]]:
            session.rows("LOCK TABLE batches IN EXCLUSIVE MODE")
            calls = [threads.submit(call, number) for number in range(8)]
            eventually(lambda: len(session.rows(waiting)) == 8, within_s=4)
            return calls

        return [called.result() for called in other.transaction(work)]


@on_postgres
def test_thirty_means_thirty_under_concurrency(
    records: Records, pool: Pool, migrated_url: str
) -> None:
    def attempt(number: int) -> bool:
        try:
            return accept(records, new_batch(*(f"{number}-{n}" for n in range(4)))).created
        except RateLimited:
            return False

    assert sum(at_once(pool, migrated_url, attempt)) == 7
    assert records.count("media") == 28


def test_thirty_mean_thirty_whatever_isolation_the_role_defaults_to(fresh_url: str) -> None:
    # REPEATABLE READ would take its snapshot before the lock, and count nobody else's photos.
    with closing(Pool(fresh_url)) as pool:
        migrate(pool)
        pool.transaction(
            lambda s: s.rows(
                "DO $$ BEGIN EXECUTE format('ALTER ROLE CURRENT_USER IN DATABASE %I"
                " SET default_transaction_isolation = ''repeatable read''', current_database());"
                " END $$"
            )
        )
    with closing(Pool(fresh_url, size=40)) as pool, closing(Pool(fresh_url)) as other:
        intake = PostgresIntake(pool)

        def attempt(number: int) -> bool:
            try:
                return intake.accept(new_batch(str(number)), photos_per_day=30).created
            except RateLimited:
                return False

        together = Barrier(40)  # connecting takes longer than a lock is waited for
        with ThreadPoolExecutor(40) as threads:
            for _ in range(40):
                threads.submit(pool.transaction, lambda _: together.wait(30))

        def race(session: Session) -> list[Future[bool]]:
            session.rows("SELECT pg_advisory_xact_lock(hashtextextended('upload:u', 0))")
            calls = [threads.submit(attempt, number) for number in range(60)]
            waiting = "SELECT 1 FROM pg_locks WHERE NOT granted AND locktype = 'advisory'"
            eventually(lambda: len(session.rows(waiting)) == 40, within_s=4)
            return calls

        with ThreadPoolExecutor(60) as threads:
            assert sum(call.result() for call in other.transaction(race)) == 30


@on_postgres
def test_concurrent_repeats_give_one_batch(records: Records, pool: Pool, migrated_url: str) -> None:
    def attempt(_: int) -> str:
        return accept(records, new_batch("a", "b", "c")).id

    assert len(set(at_once(pool, migrated_url, attempt))) == 1
    assert records.count("upload_usage") == 1


def test_a_fresh_batch_is_not_due_yet(records: Records) -> None:
    accept(records, new_batch("a"))
    assert records.outbox.take_due(limit=10) == []


def test_a_due_batch_is_taken_by_one_sweep_only(records: Records) -> None:
    ids = {accept(records, new_batch(str(n), user=str(n))).id for n in range(20)}
    records.due_now()
    outbox = records.outbox
    with ThreadPoolExecutor(4) as threads:
        taken = [
            job.batch_id
            for jobs in threads.map(lambda _: outbox.take_due(limit=7), range(4))
            for job in jobs
        ]
    assert len(taken) == len(set(taken))
    assert set(taken) <= ids
    assert len(taken) == 20


def test_each_sending_rests_twice_as_long(records: Records) -> None:
    batch = accept(records, new_batch("a"))
    outbox, rests = records.outbox, []
    for _ in range(9):
        records.due_now()
        assert [job.batch_id for job in outbox.take_due(limit=5)] == [batch.id]
        outbox.sent([batch.id])
        rests.append(round(records.rests_s() / 60))
    assert rests == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_every_error_of_the_port_is_ours(records: Records) -> None:
    accept(records, new_batch("a"))
    with pytest.raises(PhotogateError):
        accept(records, new_batch("a", "b"))
