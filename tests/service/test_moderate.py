"""The delivery loop: crashes, retries, handing back, and whoever was faster."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from photogate.adapters.memory.vision import ScriptedAnalyzer
from photogate.domain import (
    Finding,
    NewBatch,
    NewPhoto,
    OpenBatch,
    PhotoRow,
    Signals,
    Status,
    Verdict,
)
from photogate.errors import (
    BatchBusy,
    ConfigError,
    DatabaseUnavailable,
    DecoderFailed,
    OutOfTime,
    PartUnavailable,
    PhotoRefused,
    RetryableError,
)
from photogate.messages import Job
from photogate.policies import preset
from photogate.ports.vision import PhotoAnalyzer
from photogate.service.moderate import Moderation
from tests.authors import conclude, decide, reopen, withdraw
from tests.records import Records
from tests.service.conftest import (
    FINE,
    MODERATOR,
    OWNER,
    Database,
    UnsteadyQueue,
    UnsteadyStore,
    statuses,
)

NOT_YOU = Verdict(status=Status.REJECTED, reason="not you")
BROKEN = RetryableError("the model failed")


class Crash(BaseException):
    """The process is gone: nothing after it runs."""


class Recorder:
    """Remembers what it heard."""

    def __init__(self) -> None:
        self.opened: list[OpenBatch] = []
        self.settled: list[Finding] = []

    def batch_opened(self, batch: OpenBatch) -> None:
        """Remember it."""
        self.opened.append(batch)

    def photo_settled(self, batch: OpenBatch, finding: Finding) -> None:
        """Remember it."""
        self.settled.append(finding)

    def put_off(self, job: Job, outage: PartUnavailable, delay_s: float) -> None:
        """Nothing to do."""


class Deliver:
    """Delivers a job to a worker of this database and store."""

    def __init__(self, records: Records, store: UnsteadyStore, queue: UnsteadyQueue) -> None:
        self.database = Database(records)
        self._store = store
        self.queue = queue

    def __call__(
        self,
        analyzer: PhotoAnalyzer,
        job: Job,
        *,
        job_id: str = "m-1",
        time_left_s: Callable[[], float] = lambda: 60.0,
        lease_s: float = 60,
    ) -> list[Finding]:
        """Give what the watcher was told."""
        watcher = Recorder()
        moderation = Moderation(
            deliveries=self.database,
            changes=self.database,
            store=self._store,
            sender=self.queue,
            analyzer=analyzer,
            policy=preset("community"),
            lease_s=lease_s,
            max_bytes=1000,
            watcher=watcher,
        )
        moderation.run(job, job_id=job_id, time_left_s=time_left_s)
        return watcher.settled


@pytest.fixture
def deliver(records: Records, store: UnsteadyStore, queue: UnsteadyQueue) -> Deliver:
    """A worker that is asked by hand."""
    return Deliver(records, store, queue)


def media(records: Records) -> dict[str, PhotoRow]:
    return {m.file_key: m for m in records.views.of_user("u")}


def scripted(**answers: Signals | BaseException | Callable[[], Signals]) -> ScriptedAnalyzer:
    return ScriptedAnalyzer(FINE, **answers)


class TestVerdicts:
    def test_each_photo_gets_its_own(self, records: Records, deliver: Deliver, job: Job) -> None:
        blurred, incomplete = replace(FINE, blur_variance=1.0), replace(FINE, nsfw_scores=None)
        reported = deliver(scripted(b=blurred, c=incomplete), job)
        assert statuses(records) == {"a": "approved", "b": "rejected", "c": "review"}
        assert len(reported) == 3

    def test_history_knows_the_request_and_the_policy(
        self, records: Records, deliver: Deliver, job: Job
    ) -> None:
        deliver(scripted(), job)
        (row,) = records.history(media(records)["a"].id)
        assert (row["action"], row["correlation_id"]) == ("judge", "request-1")
        assert row["policy"] == preset("community").id

    def test_nothing_is_done_twice(self, deliver: Deliver, job: Job) -> None:
        analyzer = scripted()
        assert [len(deliver(analyzer, job)) for _ in range(3)] == [3, 0, 0]
        assert analyzer.seen == ["a", "b", "c"]

    def test_an_unreadable_photo_is_rejected(
        self, records: Records, deliver: Deliver, job: Job
    ) -> None:
        deliver(scripted(b=PhotoRefused("no JPEG", reason="unreadable")), job)
        assert statuses(records) == {"a": "approved", "b": "rejected", "c": "approved"}
        assert media(records)["b"].reason == "unreadable"

    def test_one_that_grew_too_large_is_rejected(
        self, records: Records, deliver: Deliver, store: UnsteadyStore
    ) -> None:
        store.put("big", b"x" * 1001)
        new = NewBatch(user_id="u", user_name=None, photos=(NewPhoto(file_key="big", stored=None),))
        batch = records.intake.accept(new, photos_per_day=30)
        deliver(scripted(), Job(batch_id=batch.id, generation=1))
        assert media(records)["big"].reason == "too_large"

    def test_swapped_bytes_go_to_a_person(
        self, records: Records, deliver: Deliver, store: UnsteadyStore, job: Job
    ) -> None:
        store.put("b", b"swapped")
        deliver(scripted(), job)
        assert statuses(records) == {"a": "approved", "b": "review", "c": "approved"}
        assert "not what upload-complete accepted" in str(media(records)["b"].error)

    def test_one_that_crashes_its_decoder_goes_to_a_person_at_once(
        self, records: Records, deliver: Deliver, job: Job
    ) -> None:
        analyzer = scripted(b=DecoderFailed("the decoder crashed"))
        deliver(analyzer, job)
        assert statuses(records) == {"a": "approved", "b": "review", "c": "approved"}
        assert media(records)["b"].error == "the decoder crashed"
        assert analyzer.seen.count("b") == 1


class TestWhoeverWasFaster:
    def test_a_verdict_that_came_too_late_is_not_told(
        self, records: Records, deliver: Deliver, job: Job
    ) -> None:
        media_id = media(records)["b"].id

        def slow() -> Signals:
            decide(records, media_id, NOT_YOU, by=MODERATOR)
            return FINE

        told = deliver(scripted(a=slow), job)
        assert media_id not in {finding.photo_id for finding in told}
        assert len(told) == 2
        assert media(records)["b"].reason == "not you"

    def test_a_photo_that_its_owner_deleted_is_not_told(
        self, records: Records, deliver: Deliver, job: Job
    ) -> None:
        media_id = media(records)["b"].id

        def slow() -> Signals:
            withdraw(records, media_id, by=OWNER)
            return FINE

        assert len(deliver(scripted(c=slow), job)) == 2
        assert statuses(records) == {"a": "approved", "c": "approved"}

    def test_a_worker_of_an_earlier_generation_changes_nothing(
        self, records: Records, deliver: Deliver, job: Job
    ) -> None:
        def slow() -> Signals:
            records.raise_generation()
            return FINE

        assert deliver(scripted(c=slow), job) == []
        assert set(statuses(records).values()) == {"pending"}
        assert deliver(scripted(), job) == []
        assert len(deliver(scripted(), replace(job, generation=2))) == 3

    def test_two_messages_do_not_share_a_batch(
        self, records: Records, deliver: Deliver, job: Job
    ) -> None:
        def doubled() -> Signals:
            with pytest.raises(BatchBusy):
                deliver(scripted(), job, job_id="m-2")
            return FINE

        assert len(deliver(scripted(b=doubled), job)) == 3

    def test_one_that_comes_again_while_it_is_worked_on_takes_over(
        self, records: Records, deliver: Deliver, job: Job
    ) -> None:
        again: list[Finding] = []

        def doubled() -> Signals:
            again.extend(deliver(scripted(), job))
            return FINE

        assert deliver(scripted(c=doubled), job) == []
        assert len(again) == 3


class TestRetries:
    def test_a_fault_of_ours_costs_its_photo_a_retry_and_the_others_nothing(
        self, records: Records, deliver: Deliver, job: Job
    ) -> None:
        analyzer = scripted(b=BROKEN)
        with pytest.raises(RetryableError, match="1 of 3"):
            deliver(analyzer, job)
        assert statuses(records) == {"a": "approved", "b": "pending", "c": "approved"}
        analyzer.answers.clear()
        deliver(analyzer, job)
        assert statuses(records)["b"] == "approved"
        assert analyzer.seen == ["a", "b", "c", "b"]

    @pytest.mark.parametrize("fault", [BROKEN, ConfigError("the key was taken back")])
    def test_a_fault_of_ours_counts_for_no_photo(
        self, records: Records, deliver: Deliver, job: Job, fault: Exception
    ) -> None:
        with pytest.raises(RetryableError):
            deliver(scripted(b=fault), job)
        assert records.attempts() == {"a": 0, "b": 0, "c": 0}
        assert media(records)["b"].error == str(fault)

    def test_when_to_come_again_is_passed_on(self, deliver: Deliver, job: Job) -> None:
        with pytest.raises(RetryableError) as caught:
            deliver(scripted(b=RetryableError("busy", retry_after_s=7.0)), job)
        assert caught.value.retry_after_s == 7.0

    def test_an_object_that_is_gone_is_never_approved(
        self, records: Records, deliver: Deliver, store: UnsteadyStore, job: Job
    ) -> None:
        store.delete("b")
        with pytest.raises(RetryableError):
            deliver(scripted(), job)
        assert statuses(records)["b"] == "pending"

    def test_what_never_works_ends_with_a_person(
        self, records: Records, deliver: Deliver, job: Job
    ) -> None:
        for _ in range(5):
            with pytest.raises(RetryableError):
                deliver(scripted(b=BROKEN), job)
        conclude(records)
        assert statuses(records) == {"a": "approved", "b": "review", "c": "approved"}
        assert media(records)["b"].error == "the model failed"

    def test_what_was_given_up_and_reopened_gets_its_verdict(
        self, records: Records, deliver: Deliver, job: Job
    ) -> None:
        for _ in range(5):
            with pytest.raises(RetryableError):
                deliver(scripted(b=BROKEN), job)
        conclude(records)
        assert reopen(records, [job.batch_id]) == 1
        analyzer = scripted()
        assert len(deliver(analyzer, replace(job, generation=2))) == 1
        assert (statuses(records)["b"], analyzer.seen) == ("approved", ["b"])


class TestTime:
    """A photo is begun while it can still be finished; what is left has the next delivery."""

    def test_a_job_that_cannot_be_begun_uses_up_no_delivery(
        self, records: Records, deliver: Deliver, job: Job
    ) -> None:
        analyzer = scripted()
        for _ in range(6):
            with pytest.raises(RetryableError, match="ran out of time"):
                deliver(analyzer, job, time_left_s=lambda: 9.0)
        assert records.batch()["deliveries"] == 0
        assert records.attempts() == {"a": 0, "b": 0, "c": 0}
        assert analyzer.seen == []
        deliver(analyzer, job)
        assert set(statuses(records).values()) == {"approved"}

    def test_no_photo_is_begun_below_10_s(
        self, records: Records, deliver: Deliver, job: Job
    ) -> None:
        time_left = [60.0]
        analyzer = scripted(a=_leaving(time_left, 9.9))
        with pytest.raises(RetryableError, match=r"2 of 3 .* ran out of time"):
            deliver(analyzer, job, time_left_s=lambda: time_left[0])
        assert analyzer.seen == ["a"]
        assert statuses(records) == {"a": "approved", "b": "pending", "c": "pending"}
        assert records.attempts() == {"a": 0, "b": 0, "c": 0}

    def test_slow_photos_that_get_on_use_up_no_delivery(
        self, records: Records, deliver: Deliver, job: Job
    ) -> None:
        time_left = [60.0]
        with pytest.raises(RetryableError):
            deliver(scripted(a=_leaving(time_left, 1)), job, time_left_s=lambda: time_left[0])
        assert records.batch()["deliveries"] == 0
        # but one that gives no verdict does, or it would come for ever
        time_left[0] = 60.0
        late = scripted(b=OutOfTime("ran out of time"), c=OutOfTime("ran out of time"))
        with pytest.raises(RetryableError):
            deliver(late, job)
        assert records.batch()["deliveries"] == 1

    def test_verdicts_are_written_before_a_photo_that_may_use_up_the_time(
        self, records: Records, deliver: Deliver, job: Job
    ) -> None:
        time_left = [60.0]
        analyzer = scripted(b=_leaving(time_left, 19.0), c=Crash())
        with pytest.raises(Crash):
            deliver(analyzer, job, time_left_s=lambda: time_left[0])
        assert statuses(records) == {"a": "approved", "b": "approved", "c": "pending"}

    @pytest.mark.parametrize("left_s", [60.0, 11.0])
    def test_a_photo_ends_2_s_before_the_process_does(
        self, deliver: Deliver, job: Job, left_s: float
    ) -> None:
        analyzer = scripted()
        deliver(analyzer, job, time_left_s=lambda: left_s)
        assert analyzer.deadline.left_s() == pytest.approx(left_s - 2, abs=1)

    def test_of_a_short_lease_it_takes_shares(self, deliver: Deliver, job: Job) -> None:
        analyzer = scripted()
        deliver(analyzer, job, time_left_s=lambda: 1.5, lease_s=5)
        assert analyzer.seen == ["a", "b", "c"]


def _leaving(time_left: list[float], left_s: float) -> Callable[[], Signals]:
    """A photo that is fine, and takes all but this much of the time."""

    def look() -> Signals:
        time_left[0] = left_s
        return FINE

    return look


class TestCrashes:
    @pytest.mark.parametrize("crash", [Crash(), ValueError("a bug")])
    def test_a_photo_that_kills_its_worker_does_not_hold_the_others(
        self, records: Records, deliver: Deliver, job: Job, crash: BaseException
    ) -> None:
        analyzer = scripted(a=crash)
        for _ in range(3):
            with pytest.raises((Crash, RetryableError)):
                deliver(analyzer, job)
        deliver(analyzer, job)
        assert statuses(records) == {"a": "review", "b": "approved", "c": "approved"}
        assert "3 attempts" in str(media(records)["a"].error)
        assert analyzer.seen.count("a") == 3

    def test_once_reopened_it_is_looked_at_again(
        self, records: Records, deliver: Deliver, job: Job
    ) -> None:
        for _ in range(3):
            with pytest.raises(Crash):
                deliver(scripted(a=Crash()), job)
        deliver(scripted(a=Crash()), job)
        assert records.attempts()["a"] == 3
        assert reopen(records, [job.batch_id]) == 1
        assert records.attempts()["a"] == 0
        analyzer = scripted()
        assert len(deliver(analyzer, replace(job, generation=2))) == 1
        assert (statuses(records)["a"], analyzer.seen) == ("approved", ["a"])

    def test_after_a_crash_each_photo_is_counted_and_written_by_itself(
        self, records: Records, deliver: Deliver, job: Job
    ) -> None:
        with pytest.raises(Crash):
            deliver(scripted(a=Crash()), job)
        assert records.attempts() == {"a": 1, "b": 1, "c": 1}
        with pytest.raises(Crash):
            deliver(scripted(b=Crash()), job)
        assert statuses(records) == {"a": "approved", "b": "pending", "c": "pending"}
        assert (records.attempts()["b"], records.attempts()["c"]) == (2, 1)
        analyzer = scripted(b=Crash())
        with pytest.raises(Crash):
            deliver(analyzer, job)
        assert analyzer.seen == ["c", "b"]  # the least tried first
        assert statuses(records)["c"] == "approved"


class TestOutages:
    def test_one_at_the_verdicts_counts_for_no_photo_once_the_database_is_back(
        self, records: Records, deliver: Deliver, job: Job
    ) -> None:
        with deliver.database.no_changes(), pytest.raises(DatabaseUnavailable):
            deliver(scripted(), job)
        assert set(statuses(records).values()) == {"pending"}
        assert records.attempts() == {"a": 0, "b": 0, "c": 0}
        assert len(deliver(scripted(), job)) == 3

    def test_one_that_lasts_loses_no_photo(
        self, records: Records, deliver: Deliver, job: Job
    ) -> None:
        with deliver.database.down(), pytest.raises(DatabaseUnavailable):
            deliver(scripted(), job)
        assert len(deliver(scripted(), job)) == 3
