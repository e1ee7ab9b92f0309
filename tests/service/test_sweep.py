"""The sweep and the redrive: what was lost, given up or left behind."""

from __future__ import annotations

from typing import Any

import pytest

from photogate.domain import Finding, NewBatch, NewPhoto, Status, Verdict
from photogate.errors import ConfigError, DatabaseUnavailable, QueueUnavailable
from photogate.messages import CopyJob, Job, decode
from photogate.service.redrive import Redrive
from photogate.service.sweep import Sweep
from tests.authors import finish, reopen, withdraw
from tests.contract.test_copies import handed_in, judge
from tests.records import Records
from tests.service.conftest import OWNER, UnsteadyQueue, UnsteadyStore, statuses


@pytest.fixture
def sweep(records: Records, queue: UnsteadyQueue, store: UnsteadyStore) -> Sweep:
    """Runs when it is told to."""
    return Sweep(
        outbox=records.outbox,
        changes=records.changes,
        sender=queue,
        monitor=queue,
        store=store,
        rounds=records.rounds,
        copies=records.copies,
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


def die(queue: UnsteadyQueue, job: Job) -> None:
    queue.send(job.encode())
    for _ in range(5):
        delivery = queue.receive(wait_s=0)
        assert delivery is not None
        queue.nack(delivery, delay_s=0, error="the model failed")


class Failing:
    """A port of which one method fails."""

    def __init__(self, inner: Any, method: str, error: Exception) -> None:
        self._inner, self._method, self._error = inner, method, error

    def __getattr__(self, name: str) -> Any:
        if name == self._method:
            raise self._error
        return getattr(self._inner, name)


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
        records.age_failed_deletions(minutes=1)
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


class TestBacklog:
    """Jobs that merely wait in the queue are not sent again, and those that it lost are."""

    def accept(self, records: Records, queue: UnsteadyQueue, count: int) -> list[Job]:
        jobs = []
        for number in range(count):
            photos = (NewPhoto(file_key=f"photo-{number}", stored=None),)
            batch = records.intake.accept(
                NewBatch(user_id=f"u-{number}", user_name=None, photos=photos), photos_per_day=30
            )
            jobs.append(Job(batch_id=batch.id, generation=1))
            queue.send(jobs[-1].encode())
        records.outbox.sent([job.batch_id for job in jobs])
        return jobs

    def test_what_waits_in_the_queue_is_not_sent_again(
        self, records: Records, sweep: Sweep, queue: UnsteadyQueue
    ) -> None:
        jobs = self.accept(records, queue, 5)
        held = queue.receive(wait_s=0)
        handed_back = queue.receive(wait_s=0)
        assert held
        assert handed_back
        queue.nack(handed_back, delay_s=60, error="not now")
        records.due_now()
        assert sweep.run().resent == 0
        assert bodies(queue) == [job.encode() for job in jobs[2:]]

    def test_as_many_are_sent_again_as_were_lost(
        self, records: Records, sweep: Sweep, queue: UnsteadyQueue
    ) -> None:
        jobs = self.accept(records, queue, 5)
        for _ in range(2):
            lost = queue.receive(wait_s=0)
            assert lost
            queue.ack(lost)
        records.due_now()
        assert sweep.run().resent == 2
        assert sweep.run().resent == 0
        # Which they were nobody knows; the queue and the outbox agree again in number.
        found = bodies(queue)
        assert len(found) == 5
        assert set(found) <= {job.encode() for job in jobs}
        # When all is taken and some have no verdict still, those are sent.
        records.due_now()
        assert sweep.run().resent == 5

    def test_what_was_never_sent_is_sent_in_a_backlog_too(
        self, records: Records, sweep: Sweep, queue: UnsteadyQueue, job: Job
    ) -> None:
        self.accept(records, queue, 5)
        queue.send("of others, and of no batch")
        records.due_now()
        assert sweep.run().resent == 1
        assert bodies(queue)[-1] == job.encode()

    def test_what_was_never_sent_takes_nothing_from_what_was_lost(
        self, records: Records, sweep: Sweep, queue: UnsteadyQueue, job: Job
    ) -> None:
        self.accept(records, queue, 3)
        assert len(bodies(queue)) == 3
        records.due_now()
        assert sweep.run().resent == 4
        assert job.encode() in bodies(queue)

    def test_what_was_reopened_is_sent_in_a_backlog_too(
        self, records: Records, sweep: Sweep, queue: UnsteadyQueue
    ) -> None:
        (reopened, *_) = self.accept(records, queue, 5)
        records.deliver_too_often()
        assert sweep.run().concluded == 5
        assert reopen(records, [reopened.batch_id]) == 1
        assert sweep.run().resent == 1
        again = Job(batch_id=reopened.batch_id, generation=2)
        assert bodies(queue)[-1] == again.encode()

    def test_what_is_due_for_an_hour_is_sent_whatever_the_queue_holds(
        self, records: Records, sweep: Sweep, queue: UnsteadyQueue
    ) -> None:
        self.accept(records, queue, 2)
        records.due_now(since_hours=1.1)
        assert sweep.run().resent == 2

    def test_more_than_a_portion_is_sent_in_one_round(
        self, records: Records, sweep: Sweep, queue: UnsteadyQueue
    ) -> None:
        jobs = self.accept(records, queue, 1_050)
        assert len(bodies(queue)) == 1_050  # all are lost
        records.due_now()
        assert sweep.run().resent == 1_050
        assert sorted(bodies(queue)) == sorted(job.encode() for job in jobs)

    def test_a_round_ends_with_its_time(
        self, records: Records, sweep: Sweep, queue: UnsteadyQueue
    ) -> None:
        self.accept(records, queue, 600)
        assert len(bodies(queue)) == 600
        records.due_now()
        assert sweep.run(time_left_s=lambda: 0.0).resent == 1
        records.due_now()
        assert sweep.run().resent == 599


class TestPurge:
    """An operator empties the queue: nothing is lost."""

    def test_what_waited_is_sent_again(
        self, records: Records, sweep: Sweep, queue: UnsteadyQueue, job: Job
    ) -> None:
        jobs = [job, *TestBacklog().accept(records, queue, 5)]
        queue.send(job.encode(), delay_s=60)
        records.outbox.sent([job.batch_id])
        held = queue.receive(wait_s=0)
        assert held
        known = handed_in(records, "incoming/a", "incoming/b")
        ids = {id_ for key, id_ in known.items() if key.startswith("incoming/")}
        for id_ in ids:
            judge(records, id_)
        queue.send(CopyJob(photo_ids=tuple(ids)).encode())
        assert queue.purge(dead=False) == 6
        records.due_now()
        records.end_copy_leases()
        assert sweep.run().copies == 2
        found = [decode(body) for body in bodies(queue)]
        copies = [one for one in found if isinstance(one, CopyJob)]
        assert {id_ for one in copies for id_ in one.photo_ids} == ids
        verdicts = {one.batch_id for one in found if isinstance(one, Job)}
        # What is at work is no more lost than what was sent again.
        assert verdicts | {Job.decode(held.body).batch_id} >= {one.batch_id for one in jobs}

    def test_what_was_given_up_can_still_be_redriven(
        self, records: Records, sweep: Sweep, redrive: Redrive, queue: UnsteadyQueue, job: Job
    ) -> None:
        die(queue, job)
        records.deliver_too_often()
        sweep.run()
        assert queue.purge(dead=True) == 1
        (batch,) = redrive.given_up(limit=5).batches
        assert (batch.batch_id, batch.photos) == (job.batch_id, 3)
        done = redrive.run(limit=5)
        assert (done.photos, done.jobs) == (3, 0)
        assert bodies(queue) == [Job(batch_id=job.batch_id, generation=2).encode()]

    def test_a_job_that_died_early_is_sent_again(
        self, records: Records, sweep: Sweep, queue: UnsteadyQueue, job: Job
    ) -> None:
        records.outbox.sent([job.batch_id])
        die(queue, job)
        assert queue.purge(dead=True) == 1
        records.due_now()
        assert sweep.run().resent == 1
        assert bodies(queue) == [job.encode()]


class TestParts:
    """One part that fails keeps none of the others from its work."""

    @pytest.fixture
    def work(self, records: Records, store: UnsteadyStore, job: Job) -> None:
        """Something to do for each part: a lost job, a hopeless batch, a deletion."""
        withdraw(records, photo_id(records, "a"), by=OWNER)
        records.deliver_too_often()
        photos = (NewPhoto(file_key="d", stored=None),)
        records.intake.accept(
            NewBatch(user_id="v", user_name=None, photos=photos), photos_per_day=30
        )
        records.due_now()

    def sweep_with(
        self, records: Records, queue: UnsteadyQueue, store: UnsteadyStore, **parts: Any
    ) -> Sweep:
        usual: dict[str, Any] = {
            "outbox": records.outbox,
            "changes": records.changes,
            "sender": queue,
            "monitor": queue,
            "store": store,
            "rounds": records.rounds,
            "copies": records.copies,
        }
        return Sweep(**usual | parts)

    @pytest.mark.usefixtures("work")
    @pytest.mark.parametrize("error", [QueueUnavailable("not now"), ConfigError("no"), KeyError(1)])
    def test_a_queue_that_cannot_be_counted(
        self, records: Records, queue: UnsteadyQueue, store: UnsteadyStore, error: Exception
    ) -> None:
        sweep = self.sweep_with(records, queue, store, monitor=Failing(queue, "stats", error))
        swept = sweep.run()
        assert (swept.failed, swept.resent, swept.concluded) == (("count",), 1, 2)
        assert store.head("a") is None

    @pytest.mark.usefixtures("work")
    @pytest.mark.parametrize(
        ("method", "part", "resent", "concluded", "deleted"),
        [
            ("exhausted", "conclude", 2, 0, True),
            ("take_due", "resend", 0, 2, True),
            ("take_deletions", "delete", 1, 2, False),
            ("prune", "prune", 1, 2, True),
        ],
    )
    def test_a_database_that_fails_one_part(
        self,
        records: Records,
        queue: UnsteadyQueue,
        store: UnsteadyStore,
        method: str,
        part: str,
        resent: int,
        concluded: int,
        deleted: bool,
    ) -> None:
        broken = Failing(records.outbox, method, DatabaseUnavailable("not now"))
        swept = self.sweep_with(records, queue, store, outbox=broken).run()
        assert swept.failed == (part,)
        assert (swept.resent, swept.concluded) == (resent, concluded)
        assert (store.head("a") is None) == deleted
        after = self.sweep_with(records, queue, store).run()
        assert after.failed == ()
        assert store.head("a") is None

    def test_one_sweep_works_at_a_time(
        self, records: Records, sweep: Sweep, queue: UnsteadyQueue, job: Job
    ) -> None:
        records.due_now()
        assert records.rounds.begin("another", lasts_s=60)
        assert sweep.run().resent == 0
        records.rounds.end("another")
        assert sweep.run().resent == 1

    def test_a_sweep_that_was_killed_keeps_others_away_for_a_time(
        self, records: Records, sweep: Sweep, job: Job
    ) -> None:
        records.due_now()
        assert records.rounds.begin("killed", lasts_s=60)
        assert records.rounds.begin("killed", lasts_s=60)
        assert not records.rounds.begin("another", lasts_s=60)
        records.end_rounds()
        assert sweep.run().resent == 1
        assert records.rounds.begin("another", lasts_s=60)
        records.rounds.end("killed")
        assert not records.rounds.begin("a third", lasts_s=60)


class TestDeletions:
    def test_one_that_always_fails_waits_longer_and_starves_nobody(
        self, records: Records, sweep: Sweep, store: UnsteadyStore, job: Job
    ) -> None:
        store.broken = {"a"}
        withdraw(records, photo_id(records, "a"), by=OWNER)
        sweep.run()
        assert records.outbox.take_deletions(limit=5) == []
        records.age_failed_deletions(minutes=1)
        assert records.outbox.take_deletions(limit=5) == ["a"]
        withdraw(records, photo_id(records, "b"), by=OWNER)
        assert records.outbox.take_deletions(limit=5) == ["b", "a"]
        sweep.run()
        assert (store.head("b"), records.outbox.take_deletions(limit=5)) == (None, [])
        records.age_failed_deletions(minutes=1)
        assert records.outbox.take_deletions(limit=5) == []
        records.age_failed_deletions(minutes=1)
        assert records.outbox.take_deletions(limit=5) == ["a"]
        for _ in range(20):
            records.outbox.put_off("a")
        records.age_failed_deletions(hours=1)
        store.broken = set()
        sweep.run()
        assert store.head("a") is None

    def test_an_error_that_nobody_foresaw_costs_one_object(
        self, records: Records, queue: UnsteadyQueue, store: UnsteadyStore, job: Job
    ) -> None:
        class Odd(UnsteadyStore):
            def delete(self, key: str) -> None:
                if key == "a":
                    raise KeyError(key)
                store.delete(key)

        for key in "ab":
            withdraw(records, photo_id(records, key), by=OWNER)
        Sweep(
            outbox=records.outbox,
            changes=records.changes,
            sender=queue,
            monitor=queue,
            store=Odd(),
            rounds=records.rounds,
            copies=records.copies,
        ).run()
        assert store.head("a") is not None
        assert store.head("b") is None
        assert records.outbox.take_deletions(limit=5) == []


class TestCopies:
    def test_jobs_are_sent_again_and_what_nobody_needs_is_removed(
        self,
        records: Records,
        queue: UnsteadyQueue,
        store: UnsteadyStore,
        sweep: Sweep,
    ) -> None:
        ids = handed_in(records, "incoming/a", "incoming/b")
        for key, photo_id in ids.items():
            judge(records, photo_id)
            store.put(key, b"an upload")
        records.end_copy_leases()
        records.age_uploads(minutes=60)
        assert sweep.run().copies == 2
        jobs = [decode(body) for body in bodies(queue)]
        copies = [job for job in jobs if isinstance(job, CopyJob)]
        assert [sorted(job.photo_ids) for job in copies] == [sorted(ids.values())]
        assert store.head("incoming/a") is store.head("incoming/b") is None
        assert sweep.run().copies == 0


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
        die(queue, job)
        (dead,) = redrive.given_up(limit=5).jobs
        assert (dead.body, dead.last_error) == (job.encode(), "the model failed")
        assert redrive.run(limit=5).jobs == 1
        assert bodies(queue) == [job.encode()]
