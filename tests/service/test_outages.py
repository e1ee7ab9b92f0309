"""A part that is down: nobody is blamed for it, and all is done soon after its return."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Event
from typing import Any

import pytest

from photogate.adapters.memory.vision import ScriptedAnalyzer
from photogate.domain import (
    NEVER,
    Deadline,
    NewBatch,
    NewPhoto,
    OpenBatch,
    Signals,
    outage_pause_s,
)
from photogate.errors import (
    ConfigError,
    FacesUnavailable,
    NotFound,
    OutOfTime,
    PartUnavailable,
    RetryableError,
    StorageUnavailable,
)
from photogate.messages import CopyJob, Job, decode
from photogate.policies import preset
from photogate.service.moderate import Moderation
from photogate.service.outages import Guard, working_on
from photogate.service.sweep import Sweep
from tests.authors import conclude
from tests.records import Records
from tests.service.conftest import FINE, UnsteadyQueue, UnsteadyStore, statuses


class Clock:
    """Goes when the test says so."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Part:
    """Answers calls and probes as the test says."""

    def __init__(self) -> None:
        self.fault: Exception | None = None
        self.probe_fault: Exception | None = None
        self.calls = self.probes = 0

    def call(self) -> str:
        """Answer a photo's call."""
        self.calls += 1
        if self.fault is not None:
            raise self.fault
        return "answer"

    def check(self) -> dict[str, Any]:
        """Answer a probe."""
        self.probes += 1
        if self.probe_fault is not None:
            raise self.probe_fault
        return {}


DOWN = StorageUnavailable("the store is down")


@pytest.fixture
def part() -> Part:
    return Part()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def guard(part: Part, clock: Clock) -> Guard:
    return Guard("storage", part, clock=clock)


class TestGuard:
    def ask(
        self, guard: Guard, part: Part, batch: str = "a", deadline: Deadline = NEVER
    ) -> str | Exception:
        """Call for a photo of a batch; gives the error instead of raising it."""
        try:
            with working_on(batch):
                return guard.call(part.call, deadline=deadline)
        except Exception as error:
            return error

    def test_a_call_that_fails_while_the_probe_succeeds_is_the_photos_own_fault(
        self, guard: Guard, part: Part
    ) -> None:
        part.fault = DOWN
        assert [self.ask(guard, part) for _ in range(9)] == [DOWN] * 9
        assert guard.outage() is None

    @pytest.mark.parametrize("fault", [DOWN, ConfigError("the key was taken back")])
    def test_when_the_probe_fails_too_the_part_is_down_and_left_alone(
        self, guard: Guard, part: Part, clock: Clock, fault: Exception
    ) -> None:
        part.fault = part.probe_fault = fault
        outages = [self.ask(guard, part) for _ in range(5)]
        assert {type(outage) for outage in outages} == {PartUnavailable}
        assert part.calls == 1
        clock.now += 4
        outage = guard.outage()
        assert outage is not None
        assert (outage.part, outage.retry_after_s) == ("storage", 6.0)
        assert str(outage) == f"{fault} (it is asked again in 6 s)"

    def test_calls_for_three_batches_in_a_row_need_no_probe(self, guard: Guard, part: Part) -> None:
        part.fault = DOWN
        assert [self.ask(guard, part, photo) for photo in "abab"] == [DOWN] * 4
        assert isinstance(self.ask(guard, part, "c"), PartUnavailable)

    def test_failures_that_are_not_in_a_row_are_no_outage(self, guard: Guard, part: Part) -> None:
        for photo in "abcdef":
            part.fault = DOWN
            assert self.ask(guard, part, photo) == DOWN
            part.fault = None
            assert self.ask(guard, part, photo) == "answer"

    def test_one_trial_a_rest(self, guard: Guard, part: Part, clock: Clock) -> None:
        part.fault = part.probe_fault = DOWN
        self.ask(guard, part)
        for trials in (2, 3, 4):
            clock.now += 10
            assert guard.outage() is None
            for _ in range(3):
                self.ask(guard, part)
            assert part.calls == trials

    def test_others_do_not_wait_for_a_trial(self, guard: Guard, part: Part, clock: Clock) -> None:
        part.fault = part.probe_fault = DOWN
        self.ask(guard, part)
        clock.now += 10
        begun, ended = Event(), Event()

        def trial() -> str:
            begun.set()
            ended.wait(10)
            return "answer"

        with ThreadPoolExecutor(1) as threads:
            answer = threads.submit(guard.call, trial, deadline=NEVER)
            assert begun.wait(10)
            assert isinstance(self.ask(guard, part), PartUnavailable)
            ended.set()
            assert answer.result(10) == "answer"
        part.fault = None
        assert self.ask(guard, part) == "answer"

    @pytest.mark.parametrize("answer", [None, NotFound("there is no object a")])
    def test_an_answer_ends_it(
        self, guard: Guard, part: Part, clock: Clock, answer: Exception | None
    ) -> None:
        part.fault = part.probe_fault = DOWN
        self.ask(guard, part)
        clock.now += 10
        part.fault = answer
        assert [self.ask(guard, part) for _ in range(3)] == [answer or "answer"] * 3

    def test_one_bad_batch_does_not_keep_it_down(
        self, guard: Guard, part: Part, clock: Clock
    ) -> None:
        part.fault = DOWN
        for photo in "abc":
            self.ask(guard, part, photo)
        # given that all but x can be read again
        said = []
        for _ in range(4):
            clock.now += 10
            said.append(type(self.ask(guard, part, "x")))
        assert said[-1] is StorageUnavailable
        assert guard.outage() is None

    def test_without_time_nothing_is_known(self, guard: Guard, part: Part) -> None:
        part.fault, part.probe_fault = OutOfTime("ran out of time"), DOWN
        for photo in "abcd":
            assert self.ask(guard, part, photo) == part.fault
        assert part.probes == 0
        part.fault = DOWN
        assert self.ask(guard, part, "a", Deadline.after(0)) == DOWN

    def test_a_probe_that_hangs_has_failed(self, part: Part) -> None:
        hung, part.fault = Event(), DOWN

        class Hangs:
            def check(self) -> dict[str, Any]:
                hung.wait(30)
                return {}

        guard = Guard("storage", Hangs(), probe_within_s=0.05)
        assert isinstance(self.ask(guard, part), PartUnavailable)
        hung.set()


class Faces(Part):
    """A face service, and the analyzer that asks it for every photo but b."""

    def __init__(self) -> None:
        super().__init__()
        self.guard = Guard("faces", self)
        answers: dict[str, Callable[[], Signals]] = dict.fromkeys(("a", "c"), self._look)
        self.analyzer = ScriptedAnalyzer(FINE, **answers)

    def _look(self) -> Signals:
        self.guard.call(self.call, deadline=NEVER)
        return FINE


class Heard:
    """A watcher that remembers what was put off."""

    def __init__(self) -> None:
        self.put_offs: list[tuple[str, float]] = []

    def batch_opened(self, batch: OpenBatch) -> None:
        """Nothing to do."""

    def photo_settled(self, batch: OpenBatch, finding: object) -> None:
        """Nothing to do."""

    def put_off(self, job: Job, outage: PartUnavailable, delay_s: float) -> None:
        """Remember it."""
        self.put_offs.append((outage.part, delay_s))


class Worker:
    """Takes jobs from the queue, as ``local.worker`` and Lambda do."""

    def __init__(
        self, records: Records, store: UnsteadyStore, queue: UnsteadyQueue, faces: Faces
    ) -> None:
        self.heard = Heard()
        self._queue = queue
        self._moderation = Moderation(
            deliveries=records.deliveries,
            changes=records.changes,
            store=store,
            sender=queue,
            analyzer=faces.analyzer,
            policy=preset("community"),
            lease_s=60,
            max_bytes=1000,
            watcher=self.heard,
            faces=faces.guard,
        )

    def work(self) -> int:
        """Take what is visible, and give how many jobs were done; what fails is handed back."""
        done = 0
        while (delivery := self._queue.receive(wait_s=0)) is not None:
            assert delivery.receive_count == 1
            job = decode(delivery.body)
            if isinstance(job, CopyJob):
                self._queue.ack(delivery)
                continue
            assert isinstance(job, Job)
            with suppress(RetryableError):
                self._moderation.run(job, job_id=delivery.job_id, time_left_s=lambda: 60.0)
                self._queue.ack(delivery)
                done += 1
                continue
            self._queue.nack(delivery, delay_s=900, error="failed")
        return done


@pytest.fixture
def faces() -> Faces:
    return Faces()


@pytest.fixture
def worker(
    records: Records, store: UnsteadyStore, queue: UnsteadyQueue, faces: Faces, job: Job
) -> Worker:
    """A worker, and a, b and c in the queue."""
    queue.send(job.encode())
    return Worker(records, store, queue, faces)


class TestDeliveries:
    def test_while_the_store_is_down_nothing_is_counted_however_long(
        self, records: Records, store: UnsteadyStore, queue: UnsteadyQueue, worker: Worker
    ) -> None:
        store.down = True
        for _ in range(20):
            assert worker.work() == 1
            queue.clock.advance(minutes=6)
        assert records.batch()["deliveries"] == 0
        assert records.attempts() == {"a": 0, "b": 0, "c": 0}
        assert queue.stats().dead == 0
        conclude(records)
        assert set(statuses(records).values()) == {"pending"}
        assert "the store is down" in records.batch()["last_error"]

    def test_while_it_is_down_no_batch_is_begun(
        self,
        records: Records,
        store: UnsteadyStore,
        queue: UnsteadyQueue,
        worker: Worker,
        faces: Faces,
    ) -> None:
        store.down = True
        worker.work()
        assert records.batch()["put_off"] == 1
        queue.clock.advance(minutes=1)
        worker.work()
        # the second was put off without a look, before the guard's rest was over
        assert records.batch()["put_off"] == 2
        assert [part for part, _ in worker.heard.put_offs] == ["storage"] * 2
        assert all(delay_s <= 50 for _, delay_s in worker.heard.put_offs)

    def test_what_does_not_need_the_part_has_its_verdict(
        self, records: Records, queue: UnsteadyQueue, worker: Worker, faces: Faces
    ) -> None:
        faces.fault = faces.probe_fault = FacesUnavailable("CompreFace does not answer")
        assert worker.work() == 1
        assert statuses(records) == {"a": "pending", "b": "approved", "c": "pending"}
        assert records.batch()["waits_for"] == "faces"
        assert records.attempts() == {"a": 0, "b": 0, "c": 0}

    def test_a_photo_that_is_at_fault_itself_is_counted(
        self, records: Records, queue: UnsteadyQueue, worker: Worker, faces: Faces
    ) -> None:
        faces.fault = FacesUnavailable("CompreFace answers with 500")
        assert worker.work() == 0
        assert records.batch()["deliveries"] == 1
        assert records.batch()["waits_for"] is None

    def test_without_a_queue_the_sweep_sends_it(
        self, records: Records, store: UnsteadyStore, queue: UnsteadyQueue, worker: Worker
    ) -> None:
        store.down = queue.down = True
        worker.work()
        store.down = queue.down = False
        assert queue.stats().visible + queue.stats().delayed == 0
        assert 60 <= records.rests_s() <= 75
        records.due_now()
        sweep = Sweep(
            outbox=records.outbox,
            changes=records.changes,
            sender=queue,
            monitor=queue,
            store=store,
            rounds=records.rounds,
            copies=records.copies,
        )
        assert sweep.run().resent == 1


class TestReturn:
    def test_the_first_that_succeeds_wakes_the_others(
        self,
        records: Records,
        store: UnsteadyStore,
        queue: UnsteadyQueue,
        faces: Faces,
        worker: Worker,
    ) -> None:
        store.put("x", b"x")
        new = NewBatch(user_id="u", user_name=None, photos=(NewPhoto(file_key="x", stored=None),))
        other = records.intake.accept(new, photos_per_day=30)
        store.down = True
        worker.work()
        records.deliveries.put_off(
            Job(batch_id=other.id, generation=1),
            attempt_id=None,
            part="storage",
            error="down",
            at_least_s=300,
        )
        # when it is back, and a worker that never saw the outage takes the first job
        store.down = False
        queue.clock.advance(seconds=50)
        Worker(records, store, queue, faces).work()
        assert set(statuses(records).values()) == {"approved"}

    @pytest.mark.parametrize(("waiting", "longest_s"), [(1, 40), (20, 40), (60, 120), (999, 300)])
    def test_the_more_wait_the_longer_a_pause_may_be(self, waiting: int, longest_s: float) -> None:
        first = [outage_pause_s(0, waiting) for _ in range(500)]
        later = [outage_pause_s(9, waiting) for _ in range(500)]
        assert 0 <= min(first) < max(first) <= 5
        assert 0.8 * longest_s < max(later) <= longest_s
