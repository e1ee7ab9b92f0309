"""Test photos: judged by their marker, marked for good, and in no figure."""

from __future__ import annotations

import pytest

from photogate.adapters.memory.vision import ScriptedAnalyzer
from photogate.adapters.postgres.condition import condition
from photogate.adapters.postgres.pool import Pool
from photogate.domain import NewBatch, NewPhoto, PhotoRow, Status, Verdict
from photogate.domain.history import HistoryFilter
from photogate.errors import DecoderFailed
from photogate.messages import CopyJob, Job, decode
from photogate.policies import preset
from photogate.service.moderate import Moderation
from tests.authors import decide, undo, withdraw
from tests.conftest import on_postgres
from tests.records import Records
from tests.service.conftest import FINE, MODERATOR, OWNER, UnsteadyQueue, UnsteadyStore
from tests.service.test_moderate import Recorder

NSFW = Verdict(status=Status.REJECTED, reason="nsfw")


class Desk:
    """Hands photos in and lets a worker judge them."""

    def __init__(self, records: Records, store: UnsteadyStore, queue: UnsteadyQueue) -> None:
        self._records, self._store, self.queue = records, store, queue
        self.analyzer = ScriptedAnalyzer(FINE)

    def judge(self, *photos: str, test_mode: bool = True) -> list[PhotoRow]:
        """Give their rows; a photo's text is its bytes."""
        for photo in photos:
            self._store.put(photo, photo.encode())
        new = tuple(NewPhoto(file_key=p, stored=self._store.head(p)) for p in photos)
        batch = self._records.intake.accept(
            NewBatch(user_id="u", user_name="Ada", photos=new), photos_per_day=30
        )
        Moderation(
            deliveries=self._records.deliveries,
            changes=self._records.changes,
            store=self._store,
            sender=self.queue,
            analyzer=self.analyzer,
            policy=preset("community"),
            lease_s=60,
            max_bytes=1000,
            watcher=Recorder(),
            test_mode=test_mode,
        ).run(Job(batch_id=batch.id, generation=1), job_id="m", time_left_s=lambda: 60.0)
        rows = {row.file_key: row for row in self._records.views.of_user("u")}
        return [rows[photo] for photo in photos]


@pytest.fixture
def desk(records: Records, store: UnsteadyStore, queue: UnsteadyQueue) -> Desk:
    """A worker."""
    return Desk(records, store, queue)


def figures(records: Records) -> tuple[int, int, int, int, dict[str, int]]:
    day = records.views.last_day()
    return day.total, day.approved, day.rejected, day.failed, day.rejection_reasons


def test_a_marker_names_the_verdict_and_all_else_goes_its_way(
    records: Records, desk: Desk, store: UnsteadyStore
) -> None:
    (photo,) = desk.judge("a PHOTOGATE-TEST:rejected:nsfw")
    assert desk.analyzer.seen == ["a PHOTOGATE-TEST:rejected:nsfw"]
    assert (photo.status, photo.reason, photo.error) == (Status.REJECTED, "nsfw", None)
    assert photo.test
    assert photo.marker == "rejected:nsfw"
    assert photo.original_key
    assert bytes(store.get(photo.original_key, etag=None, max_bytes=99)) == photo.file_key.encode()
    delivery = desk.queue.receive(wait_s=0)
    assert delivery
    assert decode(delivery.body) == CopyJob(photo_ids=(photo.id,))
    (entry,) = records.history(photo.id)
    assert (entry["after"], entry["reason"], entry["policy"]) == ("rejected", "nsfw", None)
    assert entry["test"]
    (told,) = records.histories.entries(HistoryFilter(photo_id=photo.id), limit=5)
    assert told.test


def test_without_test_mode_a_marker_does_nothing(records: Records, desk: Desk) -> None:
    (photo,) = desk.judge("a PHOTOGATE-TEST:rejected:nsfw", test_mode=False)
    assert (photo.status, photo.test, photo.marker) == (Status.APPROVED, False, None)
    assert records.history(photo.id)[0]["test"] is False
    assert figures(records) == (1, 1, 0, 0, {})


def test_a_photo_without_marker_is_judged_as_ever(records: Records, desk: Desk) -> None:
    (photo,) = desk.judge("a")
    assert (photo.status, photo.test) == (Status.APPROVED, False)
    assert figures(records) == (1, 1, 0, 0, {})


def test_an_unknown_verdict_goes_to_a_person_and_says_so(records: Records, desk: Desk) -> None:
    (photo,) = desk.judge("a PHOTOGATE-TEST:rejected:ugly")
    assert (photo.status, photo.reason, photo.test) == (Status.REVIEW, None, True)
    assert photo.error
    assert "PHOTOGATE-TEST:rejected:ugly names no verdict" in photo.error
    assert figures(records) == (0, 0, 0, 0, {})


def test_what_kills_its_decoder_goes_to_a_person_whatever_it_says(desk: Desk) -> None:
    name = "a PHOTOGATE-TEST:approved"
    desk.analyzer.answers[name] = DecoderFailed("the decoder was killed")
    (photo,) = desk.judge(name)
    assert (photo.status, photo.test) == (Status.REVIEW, False)


def test_no_figure_has_them_whatever_people_do(records: Records, desk: Desk) -> None:
    real, approved, doubt = desk.judge(
        "real", "b PHOTOGATE-TEST:approved", "c PHOTOGATE-TEST:review:nsfw"
    )
    assert figures(records) == (1, 1, 0, 0, {})
    decide(records, doubt.id, NSFW, by=MODERATOR)
    assert records.notices.review_hours() is None
    undo(records, doubt.id, by=MODERATOR)
    decide(records, approved.id, NSFW, by=MODERATOR)
    assert figures(records) == (1, 1, 0, 0, {})
    assert all(row["test"] for row in records.history(doubt.id))
    withdraw(records, doubt.id, by=OWNER)
    withdraw(records, approved.id, by=OWNER)
    assert all(row["test"] for row in records.history(doubt.id))
    assert figures(records) == (1, 1, 0, 0, {})
    decide(records, real.id, NSFW, by=MODERATOR)
    assert figures(records) == (1, 0, 1, 0, {"nsfw": 1})


def test_a_real_persons_time_counts(records: Records, desk: Desk) -> None:
    test, real = desk.judge("a PHOTOGATE-TEST:review", "b")
    assert (test.id, "doubt") in records.review_items()
    decide(records, test.id, NSFW, by=MODERATOR)
    assert records.notices.review_hours() is None
    records.add_review_item(real.id, "doubt")
    decide(records, real.id, NSFW, by=MODERATOR)
    assert records.notices.review_hours() is not None


def test_the_dashboard_has_them_only_when_asked(records: Records, desk: Desk) -> None:
    names = ["real", "a PHOTOGATE-TEST:approved", "b PHOTOGATE-TEST:rejected:nsfw"]
    real, approved, rejected = desk.judge(*names)

    def page(status: Status | None = None, *, test: bool = False) -> tuple[set[str], int]:
        photos, total = records.views.page(status=status, limit=10, test=test)
        return {photo.id for photo in photos}, total.n

    assert page() == page(Status.APPROVED) == ({real.id}, 1)
    assert page(Status.REJECTED) == (set(), 0)
    assert page(test=True) == ({approved.id, rejected.id}, 2)
    assert page(Status.REJECTED, test=True) == ({rejected.id}, 1)


@on_postgres
def test_what_waits_longest_is_no_test_photo(records: Records, desk: Desk, pool: Pool) -> None:
    desk.judge("a PHOTOGATE-TEST:review")
    assert condition(pool).oldest_review_at is None
    (real,) = desk.judge("b")
    records.add_review_item(real.id, "doubt")
    assert condition(pool).oldest_review_at is not None


@on_postgres
def test_what_another_program_does_to_them_is_marked(
    records: Records, desk: Desk, pool: Pool
) -> None:
    (photo,) = desk.judge("a PHOTOGATE-TEST:approved")
    pool.transaction(lambda s: s.rows("UPDATE media SET moderation_status = 'review'"))
    assert [(row["by"], row["test"]) for row in records.history(photo.id)] == [
        ("machine", True),
        ("other", True),
    ]
    assert (photo.id, "doubt") in records.review_items()
    assert condition(pool).oldest_review_at is None
    assert figures(records) == (0, 0, 0, 0, {})


@on_postgres
def test_passing_over_photos_reads_the_index_alone(records: Records, pool: Pool) -> None:
    records.add_photos(3000)
    pool.transaction(lambda s: s.rows("ANALYZE media"))
    plan = pool.transaction(
        lambda s: s.rows(
            "EXPLAIN SELECT created_at, id FROM media WHERE media_type = 'photo' AND NOT test"
            " ORDER BY created_at DESC, id DESC OFFSET 100 LIMIT 1"
        )
    )
    assert "Index Only Scan Backward using media_photos_" in str(plan)
