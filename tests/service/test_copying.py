"""Copies: what is shown, whatever fails between the verdict and them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import pytest

from photogate.adapters.memory.vision import ScriptedAnalyzer, ScriptedCopies
from photogate.domain import PhotoRow, Signals, Status, Verdict
from photogate.domain.changes import judged, reopened
from photogate.domain.object_keys import COPIES, other_copy
from photogate.domain.verdicts import Finding
from photogate.errors import Conflict, CopyDiffers, DecoderFailed, NotFound, StorageUnavailable
from photogate.messages import CopyJob, Job, decode
from photogate.policies import preset
from photogate.service.attempts import MAX_ATTEMPTS, MAX_FAILURES
from photogate.service.copying import Copying
from photogate.service.moderate import Moderation
from photogate.service.pictures import picture
from tests.authors import decide, withdraw
from tests.records import Records
from tests.service.conftest import FINE, MODERATOR, OWNER, UnsteadyQueue, UnsteadyStore
from tests.service.test_moderate import Crash, Recorder


class Analyzer(ScriptedAnalyzer):
    """Also tells the sha256 of what it saw, as the real one does."""

    def analyze(self, data: bytes, *args: object) -> list[Signals]:
        sha256 = hashlib.sha256(data).hexdigest()
        return [replace(frame, sha256=sha256) for frame in super().analyze(data)]


class Events:
    """Keeps what the use case tells of."""

    def __init__(self) -> None:
        self.made: dict[str, int] = {}
        self.put_off: list[str] = []
        self.impossible: dict[str, str] = {}

    def copies_made(self, photo_id: str, *, size_bytes: int, duration_ms: float) -> None:
        assert duration_ms > 0
        self.made[photo_id] = size_bytes

    def copies_put_off(self, photo_id: str, why: str) -> None:
        self.put_off.append(why)

    def copies_impossible(self, photo_id: str, why: str) -> None:
        self.impossible[photo_id] = why


class Worker:
    """Gives verdicts and makes copies, one job at a time."""

    def __init__(self, records: Records, store: UnsteadyStore, queue: UnsteadyQueue) -> None:
        self.records, self.store, self.queue = records, store, queue
        self.maker = ScriptedCopies()
        self.events = Events()

    def judge(self, job: Job, **answers: Signals | BaseException) -> None:
        """Give a batch its verdicts; jobs for copies are queued."""
        Moderation(
            deliveries=self.records.deliveries,
            changes=self.records.changes,
            store=self.store,
            sender=self.queue,
            analyzer=Analyzer(FINE, **answers),
            policy=preset("community"),
            lease_s=60,
            max_bytes=1000,
            watcher=Recorder(),
        ).run(job, job_id="m", time_left_s=lambda: 60.0)

    def copy(self, *, time_left_s: Callable[[], float] = lambda: 60.0) -> int:
        """Do all jobs for copies that are in the queue; gives how many there were."""
        done = 0
        while (delivery := self.queue.receive(wait_s=0)) is not None:
            job = decode(delivery.body)
            assert isinstance(job, CopyJob)
            self.copy_photos(job, time_left_s=time_left_s)
            self.queue.ack(delivery)
            done += 1
        return done

    def copy_photos(self, job: CopyJob, *, time_left_s: Callable[[], float] = lambda: 60.0) -> None:
        """Do one job, as a process that has just begun."""
        self.copying().run(job, time_left_s=time_left_s)

    def copying(self) -> Copying:
        """Give the use case as it is in a new process."""
        return Copying(
            copies=self.records.copies,
            changes=self.records.changes,
            store=self.store,
            maker=self.maker,
            lease_s=60,
            max_bytes=1000,
            watcher=self.events,
        )

    def again(self, copying: Copying | None = None) -> None:
        """Do what the outbox sends again when its time has come."""
        self.records.end_copy_leases()
        if due := self.records.copies.take_due(limit=100):
            job = CopyJob(photo_ids=tuple(due))
            (copying or self.copying()).run(job, time_left_s=lambda: 60.0)

    def photo(self, key: str) -> PhotoRow:
        """Give a photo by what was handed in."""
        return next(p for p in self.records.views.of_user("u") if p.file_key == key)

    def shown(self, key: str) -> bytes | None:
        """Give what others see of a photo."""
        shown_key = self.photo(key).shown_key
        if shown_key is None:
            return None
        return self.store.get(shown_key, etag=None, max_bytes=1000)


@pytest.fixture
def worker(records: Records, store: UnsteadyStore, queue: UnsteadyQueue) -> Worker:
    return Worker(records, store, queue)


APPROVED = Verdict(status=Status.APPROVED)
REJECTED = Verdict(status=Status.REJECTED, reason="nsfw")
BLURRED = replace(FINE, blur_variance=1.0)


def test_approved_photos_are_shown_as_copies_of_what_was_judged(worker: Worker, job: Job) -> None:
    worker.judge(job, b=BLURRED)
    assert worker.copy() == 1
    assert [worker.shown(key) for key in "abc"] == [b"display of a", None, b"display of c"]
    size_bytes = sum(len(f"{name} of a") for name in COPIES)
    assert worker.events.made == {worker.photo(key).id: size_bytes for key in "abc"}
    rejected = worker.photo("b")
    assert picture(worker.store, rejected, "preview").data == b"preview of b"


def test_what_a_client_puts_later_is_shown_to_nobody(worker: Worker, job: Job) -> None:
    """At every moment of a photo's life."""
    worker.judge(job)
    worker.store.put("a", b"another photo")
    worker.copy()
    worker.store.put("a", b"yet another photo")
    assert worker.shown("a") == b"display of a"
    for name in ("display", "thumb", "preview"):
        assert picture(worker.store, worker.photo("a"), name).data == f"{name} of a".encode()
    decide(worker.records, worker.photo("a").id, Verdict(status=Status.REJECTED), by=MODERATOR)
    assert worker.shown("a") is None
    decide(worker.records, worker.photo("a").id, Verdict(status=Status.APPROVED), by=MODERATOR)
    assert worker.shown("a") == b"display of a"


def test_an_upload_that_changed_before_it_was_judged_goes_to_a_person(
    worker: Worker, job: Job
) -> None:
    worker.store.put("a", b"another photo")
    worker.judge(job)
    worker.copy()
    assert worker.photo("a").status is Status.REVIEW
    assert worker.shown("a") is None


def test_what_no_decoder_opened_has_no_picture(worker: Worker, job: Job) -> None:
    worker.judge(job, a=DecoderFailed("its decoder crashed"))
    worker.copy()
    with pytest.raises(NotFound, match="no decoder opened"):
        picture(worker.store, worker.photo("a"), "display")


def test_what_is_judged_again_is_read_where_it_is_kept(worker: Worker, job: Job) -> None:
    worker.judge(job, a=DecoderFailed("its decoder crashed"))
    kept = worker.photo("a").original_key
    assert kept is not None
    worker.store.delete("a")
    assert worker.store.get(kept, etag=None, max_bytes=10) == b"a"


class TestFailures:
    def test_a_store_that_fails_between_verdict_and_copy(self, worker: Worker, job: Job) -> None:
        worker.judge(job)
        worker.store.down = True
        worker.copy()
        assert [worker.photo(key).status for key in "abc"] == [Status.APPROVED] * 3
        assert [worker.shown(key) if not worker.store.down else None for key in "abc"] == [None] * 3
        for _ in range(5):
            worker.again()  # however often: an outage counts no attempt
        assert all(why.startswith("the store is down") for why in worker.events.put_off)
        assert not worker.events.impossible
        worker.store.down = False
        worker.again()
        assert worker.shown("a") == b"display of a"

    def test_a_store_that_cannot_keep_gives_no_verdict(self, worker: Worker, job: Job) -> None:
        class Full(UnsteadyStore):
            def put(self, *args: object, **kwargs: object) -> None:
                self.down = True
                self._fail()

        full = Full()
        for name in "abc":
            UnsteadyStore.put(full, name, name.encode())
        Worker(worker.records, full, worker.queue).judge(job)
        assert [worker.photo(key).status for key in "abc"] == [Status.PENDING] * 3

    def test_a_worker_that_ends_at_the_second_decoding(self, worker: Worker, job: Job) -> None:
        """A photo that kills whatever makes its copies goes to a person, the others are shown."""
        worker.judge(job)
        worker.maker = ScriptedCopies(b=Crash())
        for _ in range(5):
            try:
                worker.again()
            except Crash:
                continue
        assert worker.photo("b").status is Status.REVIEW
        assert "attempts at copies" in str(worker.photo("b").error)
        assert worker.records.review_items() == {(worker.photo("b").id, "doubt")}

    def test_a_copy_that_would_show_something_else(self, worker: Worker, job: Job) -> None:
        worker.judge(job)
        worker.maker = ScriptedCopies(b=CopyDiffers("it differs from what was judged"))
        worker.copy()
        assert [worker.photo(key).status.value for key in "abc"] == [
            "approved", "review", "approved",
        ]  # fmt: skip
        assert worker.photo("b").error == "no copy can be shown: it differs from what was judged"
        assert worker.records.copies.progress().waiting == 0

    def test_an_original_that_is_not_what_was_judged(self, worker: Worker, job: Job) -> None:
        worker.judge(job)
        worker.store.put(str(worker.photo("a").original_key), b"x")
        worker.copy()
        assert worker.photo("a").status is Status.REVIEW

    def test_an_object_that_the_store_never_takes(self, worker: Worker, job: Job) -> None:
        """A person looks after a number of attempts; the others of its job go on at once."""
        worker.judge(job)
        (kept,) = worker.store.unwritable = {
            str(worker.photo("a").original_key).replace("kept/", "copies/thumb/") + ".jpg"
        }
        assert worker.copy() == 1
        assert [worker.shown(key) for key in "bc"] == [b"display of b", b"display of c"]
        for done in range(1, MAX_FAILURES):
            assert worker.photo("a").status is Status.APPROVED, done
            worker.again()
        assert worker.photo("a").status is Status.REVIEW
        assert f"{MAX_FAILURES} attempts failed" in str(worker.photo("a").error)
        assert kept in str(worker.photo("a").error)
        assert worker.records.copies.progress().waiting == 0

    def test_one_that_failed_too_often_is_copied_once_the_machine_has_looked_again(
        self, worker: Worker, job: Job
    ) -> None:
        worker.judge(job)
        worker.maker = ScriptedCopies(a=StorageUnavailable("it fails"), b=Crash())
        for _ in range(MAX_FAILURES + MAX_ATTEMPTS):  # either may come first in a job
            with suppress(Crash):
                worker.again()
        assert [worker.photo(key).status for key in "ab"] == [Status.REVIEW] * 2
        worker.maker = ScriptedCopies()
        worker.records.changes.make([reopened(worker.photo(key).id) for key in "ab"])
        worker.judge(replace(job, generation=2))
        worker.again()
        assert [worker.shown(key) for key in "ab"] == [b"display of a", b"display of b"]

    def test_a_disk_that_takes_nothing_counts_nothing(self, worker: Worker, job: Job) -> None:
        """It can be read, and its probe answers."""
        worker.judge(job)
        worker.store.full = True
        copying = worker.copying()
        for _ in range(MAX_FAILURES + 2):
            worker.again(copying)
        assert [worker.photo(key).status for key in "abc"] == [Status.APPROVED] * 3
        worker.store.full = False
        worker.again()
        assert worker.shown("c") == b"display of c"

    def test_a_photo_that_is_deleted_meanwhile(self, worker: Worker, job: Job) -> None:
        worker.judge(job)
        kept = str(worker.photo("a").original_key)
        photo_id = worker.photo("a").id

        def delete() -> None:
            withdraw(worker.records, photo_id, by=OWNER)

        worker.maker = ScriptedCopies(a=delete)
        worker.copy()
        for key in (kept, other_copy(kept.replace("kept/", "copies/display/") + ".jpg", "thumb")):
            assert worker.store.head(key) is None

    def test_too_little_time_counts_no_attempt(self, worker: Worker, job: Job) -> None:
        worker.judge(job)
        for _ in range(5):
            worker.records.end_copy_leases()
            worker.copy_photos(CopyJob(photo_ids=(worker.photo("a").id,)), time_left_s=lambda: 5.0)
        worker.again()
        assert worker.shown("a") == b"display of a"

    def test_the_same_job_twice_makes_the_same_objects(self, worker: Worker, job: Job) -> None:
        worker.judge(job)
        copies = CopyJob(photo_ids=tuple(worker.photo(key).id for key in "abc"))
        worker.copy_photos(copies)
        first = worker.photo("a").display_key
        worker.copy_photos(copies)
        assert worker.photo("a").display_key == first


class TestApprovedByPeople:
    def test_nobody_approves_what_no_decoder_opened(self, worker: Worker, job: Job) -> None:
        worker.judge(job, a=DecoderFailed("its decoder crashed"))
        with pytest.raises(Conflict, match="ask its owner for another"):
            decide(worker.records, worker.photo("a").id, APPROVED, by=MODERATOR)
        assert worker.photo("a").status is Status.REVIEW
        decide(worker.records, worker.photo("a").id, REJECTED, by=MODERATOR)
        with pytest.raises(Conflict, match="ask its owner for another"):
            decide(worker.records, worker.photo("a").id, APPROVED, by=MODERATOR)

    def test_nobody_approves_what_copies_were_tried_of(self, worker: Worker, job: Job) -> None:
        worker.judge(job)
        worker.maker = ScriptedCopies(b=CopyDiffers("it differs from what was judged"))
        worker.copy()
        with pytest.raises(Conflict, match="no copy of it can be made"):
            decide(worker.records, worker.photo("b").id, APPROVED, by=MODERATOR)

    @pytest.mark.usefixtures("job")
    def test_what_is_approved_before_the_machine_looked(self, worker: Worker) -> None:
        """It stays as the person said, and a person looks where nobody can see it."""
        for key in "ab":
            decide(worker.records, worker.photo(key).id, APPROVED, by=MODERATOR)
        worker.maker = ScriptedCopies(b=DecoderFailed("its decoder crashed"))
        worker.again()
        assert worker.shown("a") == b"display of a"
        unseen = worker.photo("b")
        assert (unseen.status, unseen.told_status) == (Status.APPROVED, Status.PENDING)
        assert unseen.decided_by == MODERATOR.user_id
        assert unseen.error == "no copy can be shown: its decoder crashed"
        assert worker.records.review_items() == {(unseen.id, "doubt")}
        decide(worker.records, unseen.id, REJECTED, by=MODERATOR)
        assert worker.records.review_items() == set()


def test_a_photo_of_the_earlier_layout_is_kept_and_copied(worker: Worker, job: Job) -> None:
    worker.judge(job)
    worker.records.of_earlier_layout()
    assert worker.shown("a") == b"a"
    worker.records.copies.schedule_earlier(limit=10)
    worker.again()
    assert worker.shown("a") == b"display of a"
    kept = worker.photo("a").original_key
    assert kept is not None
    assert kept.startswith("kept/")
    assert worker.store.get(kept, etag=None, max_bytes=10) == b"a"


def test_one_that_was_swapped_before_is_found_out(worker: Worker, job: Job) -> None:
    worker.judge(job)
    worker.records.of_earlier_layout()
    worker.store.put("a", b"another photo")
    worker.records.copies.schedule_earlier(limit=10)
    worker.again()
    assert worker.photo("a").status is Status.REVIEW
    assert worker.photo("a").shown_key is None
    assert list(worker.events.impossible) == [worker.photo("a").id]
    with pytest.raises(Conflict, match="no copy of it can be made"):
        decide(worker.records, worker.photo("a").id, APPROVED, by=MODERATOR)
    worker.again()
    assert worker.photo("a").shown_key is None


def test_a_verdict_for_unknown_bytes_is_not_copied(worker: Worker, job: Job) -> None:
    """Older rows do not say what was judged: their bytes are taken as they are."""
    finding = Finding(photo_id=worker.photo("a").id, verdict=Verdict(status=Status.APPROVED))
    worker.records.deliveries.begin(job, job_id="m", lease_s=60)
    worker.records.changes.make([judged(finding, generation=1)])
    worker.records.of_earlier_layout()
    worker.records.copies.schedule_earlier(limit=10)
    worker.again()
    assert worker.shown("a") == b"display of a"
