"""The sweep and the redrive: what was lost, given up or left behind."""

from __future__ import annotations

import pytest

from photogate.domain import Finding, Status, Verdict
from photogate.messages import Job
from photogate.service.redrive import Redrive
from photogate.service.sweep import Sweep
from tests.authors import finish, withdraw
from tests.records import Records
from tests.service.conftest import OWNER, UnsteadyQueue, UnsteadyStore, statuses


@pytest.fixture
def sweep(records: Records, queue: UnsteadyQueue, store: UnsteadyStore) -> Sweep:
    """Runs when it is told to."""
    return Sweep(
        outbox=records.outbox, changes=records.changes, sender=queue, monitor=queue, store=store
    )


@pytest.fixture
def redrive(records: Records, queue: UnsteadyQueue, sweep: Sweep) -> Redrive:
    """An operator's."""
    return Redrive(
        unfinished=records.unfinished, changes=records.changes, monitor=queue, sweep=sweep
    )


def bodies(queue: UnsteadyQueue) -> list[str]:
    found = []
    while (delivery := queue.receive(wait_s=0)) is not None:
        found.append(delivery.body)
        queue.ack(delivery)
    return found


def photo_id(records: Records, key: str) -> str:
    return next(m.id for m in records.views.of_user("u") if m.file_key == key)


class TestSweep:
    def test_a_lost_job_is_sent_again(
        self, records: Records, sweep: Sweep, queue: UnsteadyQueue, job: Job
    ) -> None:
        assert sweep.run().resent == 0
        records.due_now()
        assert sweep.run().resent == 1
        assert bodies(queue) == [job.encode()]
        assert sweep.run().resent == 0

    def test_a_queue_that_is_down_keeps_nothing_from_being_sent_later(
        self, records: Records, sweep: Sweep, queue: UnsteadyQueue, job: Job
    ) -> None:
        queue.down = True
        records.due_now()
        assert sweep.run().resent == 0
        queue.down = False
        records.due_now()
        assert sweep.run().resent == 1
        assert bodies(queue) == [job.encode()]

    def test_a_finished_batch_is_not_sent(
        self, records: Records, sweep: Sweep, queue: UnsteadyQueue, job: Job
    ) -> None:
        verdict = Verdict(status=Status.APPROVED)
        photos = records.views.of_user("u")
        finish(records, job, [Finding(photo_id=photo.id, verdict=verdict) for photo in photos])
        records.due_now()
        assert sweep.run().resent == 0
        assert bodies(queue) == []

    def test_rows_that_nobody_asks_for_any_more_are_removed(
        self, records: Records, sweep: Sweep, job: Job
    ) -> None:
        sweep.run()
        assert records.count("upload_usage") == 1
        records.age_usage(hours=49)
        sweep.run()
        assert records.count("upload_usage") == 0

    def test_what_was_delivered_too_often_goes_to_a_person(
        self, records: Records, sweep: Sweep, job: Job
    ) -> None:
        records.deliver_too_often()
        assert sweep.run().concluded == 3
        assert set(statuses(records).values()) == {"review"}
        assert [row["by"] for row in records.history(photo_id(records, "a"))] == ["sweep"]
        assert len(records.review_items()) == 3
        assert sweep.run().concluded == 0

    def test_a_deletion_that_failed_is_done_later(
        self, records: Records, sweep: Sweep, store: UnsteadyStore, job: Job
    ) -> None:
        withdraw(records, photo_id(records, "a"), by=OWNER)
        store.failures = 1
        sweep.run()
        assert store.head("a") is not None
        sweep.run()
        assert store.head("a") is None
        assert records.outbox.take_deletions(limit=5) == []

    def test_a_deleted_photo_that_comes_back_is_removed_again(
        self, records: Records, sweep: Sweep, store: UnsteadyStore, job: Job
    ) -> None:
        withdraw(records, photo_id(records, "a"), by=OWNER)
        sweep.run()
        store.put("a", b"through an upload URL that still holds")
        sweep.run()
        assert store.head("a") is not None
        records.age_deletions(hours=1)
        sweep.run()
        assert store.head("a") is None
        assert records.count("object_deletions") == 0


class TestRedrive:
    def test_what_was_given_up_is_moderated_once_more(
        self, records: Records, sweep: Sweep, redrive: Redrive, queue: UnsteadyQueue, job: Job
    ) -> None:
        approved = Verdict(status=Status.APPROVED)
        finish(records, job, [Finding(photo_id=photo_id(records, "a"), verdict=approved)])
        records.deliver_too_often()
        sweep.run()
        (given_up,) = redrive.given_up(limit=5).batches
        assert (given_up.photos, given_up.deliveries) == (2, 5)
        done = redrive.run(limit=5)
        assert (done.batches, done.photos, done.jobs) == (1, 2, 0)
        assert statuses(records) == {"a": "approved", "b": "review", "c": "review"}
        again = Job(batch_id=job.batch_id, generation=2)
        assert bodies(queue) == [again.encode()]
        assert redrive.run(limit=5).photos == 0
        for key in "bc":
            found = Finding(photo_id=photo_id(records, key), verdict=approved)
            assert len(finish(records, again, [found])) == 1
        assert redrive.given_up(limit=5).batches == []

    def test_dead_jobs_are_visible_again(
        self, redrive: Redrive, queue: UnsteadyQueue, job: Job
    ) -> None:
        queue.send(job.encode())
        for _ in range(5):
            delivery = queue.receive(wait_s=0)
            assert delivery is not None
            queue.nack(delivery, delay_s=0, error="the model failed")
        (dead,) = redrive.given_up(limit=5).jobs
        assert (dead.body, dead.last_error) == (job.encode(), "the model failed")
        assert redrive.run(limit=5).jobs == 1
        assert bodies(queue) == [job.encode()]
