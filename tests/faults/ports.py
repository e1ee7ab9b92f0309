"""Wraps a worker's ports: the worker dies where the plan says, and logs what it does."""

from __future__ import annotations

import json
import os
import random
import signal
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from photogate.bootstrap import ModeratePorts
from photogate.domain import (
    NEVER,
    Copy,
    Deadline,
    Delivery,
    OpenBatch,
    OpenPhoto,
    Signals,
    UncopiedPhoto,
)
from photogate.domain.changes import Change, Outcome
from photogate.errors import StorageUnavailable
from photogate.messages import Job, decode
from photogate.ports.photos import Store
from photogate.ports.queue import Queue
from photogate.ports.records import Changes, Copies, Deliveries
from photogate.ports.vision import CopyMaker, PhotoAnalyzer
from photogate_vision.analyzer import VisionAnalyzer
from photogate_vision.copies.encoding import CopyForm
from photogate_vision.copies.maker import Copier
from photogate_vision.decoding.sandbox import Sandbox
from tests.faults.photos import Truth, mark_of

#: In the order in which a job passes them.
HANGS = 0
STAGES = ("received", "attempt committed", "inferred", "verdict committed", "before ack")
#: The same for a job that makes copies.
COPY_STAGES = ("copies begun", "copies encoded", "copy put", "copies committed")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How one worker process behaves; travels to it as JSON."""

    #: File to which it appends what it does.
    notes: str
    #: One of ``STAGES`` or ``COPY_STAGES`` at which it is stopped; None for a worker that lives.
    stops_at: str | None = None
    #: The signal that stops it: SIGKILL, or SIGSTOP, until a test sends SIGCONT; ``HANGS`` lets
    #: its loop wait for ever while its other threads go on.
    by: int = signal.SIGKILL
    #: At which occurrence of that stage, from 1.
    occurrence: int = 1
    #: Jobs that are handed back or put off wait this share of their delay.
    delay_factor: float = 1.0
    #: Each delivery comes this many times, in an order that the seed gives.
    deliveries: int = 1
    seed: str = ""
    #: What its sandbox runs, as ``module:function``, and for how long; None as shipped.
    decoder: str | None = None
    decoding_limit_s: float = 0.0
    #: What it runs instead for pictures that are to be shown; None as shipped.
    shower: str | None = None
    #: Share of the copies that the store does not take.
    copies_refused: float = 0.0

    def encode(self) -> str:
        """Give it as an argument of the process."""
        return json.dumps(asdict(self))

    @classmethod
    def decode(cls, text: str) -> Plan:
        """Read what ``encode`` wrote."""
        return cls(**json.loads(text))


@dataclass
class Recorder:
    """Logs what the worker does in a file that survives ``kill -9``, and carries the plan out."""

    plan: Plan
    #: Of the job in hand.
    batch_id: str | None = None
    #: The store has refused a copy, and nothing was written about it since.
    refused: bool = False
    _passed: int = 0

    def note(self, what: str, **more: str) -> None:
        """Write one line."""
        line = {"at": time.time(), "pid": os.getpid(), "batch": self.batch_id, "what": what}
        with Path(self.plan.notes).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line | more) + "\n")

    def reach(self, stage: str) -> None:
        """Note that a stage is reached; send the plan's signal when it is the one to stop at."""
        if stage != self.plan.stops_at:
            return
        self._passed += 1
        if self._passed == self.plan.occurrence:
            self.note("stopped", stage=stage)
            if self.plan.by == HANGS:
                threading.Event().wait()
            os.kill(os.getpid(), self.plan.by)


class _Wrapper:
    """Passes every other call to the wrapped port."""

    def __init__(self, inner: Any, recorder: Recorder) -> None:
        self._inner = inner
        self._recorder = recorder

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class _Queue(_Wrapper):
    """A queue whose deliveries are noted, doubled and hurried as the plan says."""

    def __init__(self, inner: Queue, recorder: Recorder) -> None:
        super().__init__(inner, recorder)
        self._again: list[Delivery] = []
        self._random = random.Random(recorder.plan.seed)

    def receive(self, *, wait_s: float) -> Delivery | None:
        """Take a job, or one that was taken before."""
        plan, delivery = self._recorder.plan, None
        if not self._again or self._random.random() < 0.5:
            delivery = self._inner.receive(wait_s=0.01 if self._again else wait_s)
            if delivery is not None:
                self._again += [delivery] * (plan.deliveries - 1)
        if delivery is None and self._again:
            delivery = self._again.pop(self._random.randrange(len(self._again)))
        if delivery is not None:
            job = decode(delivery.body)
            self._recorder.batch_id = job.batch_id if isinstance(job, Job) else None
            if isinstance(job, Job):
                self._recorder.note("received")
                self._recorder.reach("received")
            else:
                self._recorder.note("copies received")
        return delivery

    def send(self, body: str, *, delay_s: float = 0.0) -> str:
        """Send a fresh job, sooner than it was meant."""
        job = decode(body)
        if isinstance(job, Job):
            self._recorder.note("put off" if delay_s else "woke", batch_id=job.batch_id)
        shortened_s = delay_s * self._recorder.plan.delay_factor
        return str(self._inner.send(body, delay_s=shortened_s))

    def ack(self, delivery: Delivery) -> bool:
        """Acknowledge, or die before it."""
        if self._recorder.batch_id is not None:
            self._recorder.reach("before ack")
        done = bool(self._inner.ack(delivery))
        self._recorder.note("acknowledged")
        return done

    def nack(self, delivery: Delivery, *, delay_s: float, error: str) -> bool:
        """Hand back, sooner than it was meant."""
        self._recorder.note("handed back", error=error)
        shortened_s = delay_s * self._recorder.plan.delay_factor
        return bool(self._inner.nack(delivery, delay_s=shortened_s, error=error))


class _Deliveries(_Wrapper):
    def begin(self, job: Job, *, job_id: str, lease_s: float) -> OpenBatch | None:
        """Begin an attempt, and perhaps stop after it."""
        batch: OpenBatch | None = self._inner.begin(job, job_id=job_id, lease_s=lease_s)
        if batch is not None:
            self._recorder.reach("attempt committed")
        return batch

    def count(self, photo: OpenPhoto, *, attempt_id: str) -> None:
        """Count a photo's attempt."""
        self._inner.count(photo, attempt_id=attempt_id)
        self._recorder.reach("attempt committed")


class _Changes(_Wrapper):
    def make(self, changes: Sequence[Change]) -> list[Outcome]:
        """Write verdicts."""
        outcomes: list[Outcome] = self._inner.make(changes)
        self._recorder.reach("verdict committed")
        return outcomes


class _Copies(_Wrapper):
    def begin(self, photo_ids: Sequence[str], *, lease_s: float) -> list[UncopiedPhoto]:
        """Begin an attempt at copies, and perhaps stop after it."""
        photos: list[UncopiedPhoto] = self._inner.begin(photo_ids, lease_s=lease_s)
        if photos:
            self._recorder.reach("copies begun")
        return photos

    def made(self, photo_id: str, *, display_key: str, original_key: str) -> bool:
        """Note that copies are there."""
        there = bool(self._inner.made(photo_id, display_key=display_key, original_key=original_key))
        self._recorder.reach("copies committed")
        return there

    def put_off(self, photo_ids: Sequence[str], *, for_s: float) -> None:
        """Put copies off, and note it after a refusal."""
        self._end_refused()
        self._inner.put_off(photo_ids, for_s=for_s)

    def failed(self, photo_id: str, *, for_s: float) -> None:
        """Count a failure, and note it after a refusal."""
        self._end_refused()
        self._inner.failed(photo_id, for_s=for_s)

    def _end_refused(self) -> None:
        if self._recorder.refused:
            self._recorder.refused = False
            self._recorder.note("copies put off")


class _Maker(_Wrapper):
    def copies(self, data: bytes, deadline: Deadline = NEVER) -> Sequence[Copy]:
        """Make copies."""
        made: Sequence[Copy] = self._inner.copies(data, deadline)
        self._recorder.reach("copies encoded")
        return made


class _Store(_Wrapper):
    def __init__(self, inner: Any, recorder: Recorder) -> None:
        super().__init__(inner, recorder)
        self._random = random.Random(f"{recorder.plan.seed}/{os.getpid()}")

    def put(self, key: str, data: bytes, *, content_type: str, deadline: Deadline = NEVER) -> None:
        """Write, or refuse a copy."""
        is_copy = key.startswith("copies/")
        if is_copy and self._random.random() < self._recorder.plan.copies_refused:
            self._recorder.refused = True
            self._recorder.note("copy refused")
            raise StorageUnavailable("the store takes no copy, as the plan says")
        self._inner.put(key, data, content_type=content_type, deadline=deadline)
        if is_copy:
            self._recorder.reach("copy put")


class _Analyzer(_Wrapper):
    def analyze(self, data: bytes, deadline: Deadline = NEVER) -> Sequence[Signals]:
        """Analyze a photo; remove a measure when the photo is marked as unmeasured."""
        mark = mark_of(data)
        self._recorder.note("looked at", mark=mark)
        if mark.endswith(f"/{Truth.HANGS}"):
            threading.Event().wait()
        found: Sequence[Signals] = self._inner.analyze(data, deadline)
        self._recorder.reach("inferred")
        if mark.endswith(f"/{Truth.UNMEASURED}"):
            return [_worsened(signals, mark) for signals in found]
        return found


def _worsened(signals: Signals, mark: str) -> Signals:
    """Remove a signal, or make it NaN or infinite, as the mark says."""
    ways: tuple[dict[str, Any], ...] = (
        {"nsfw_scores": None},
        {"nsfw_scores": {name: float("nan") for name in signals.nsfw_scores or {}}},
        {"blur_variance": None},
        {"blur_variance": float("inf")},
        {"width": None, "height": None},
    )
    return replace(signals, **ways[sum(mark.encode()) % len(ways)])


@dataclass
class FaultyPorts:
    """Wraps the ports that ``bootstrap`` has chosen."""

    plan: Plan
    recorder: Recorder = field(init=False)

    def __post_init__(self) -> None:
        self.recorder = Recorder(self.plan)

    def __call__(self, ports: ModeratePorts) -> ModeratePorts:
        """Wrap them."""
        analyzer = ports.analyzer
        if (decoder := self.plan.decoder) is not None:
            sandbox = Sandbox(decoder=decoder, time_limit_s=self.plan.decoding_limit_s)
            analyzer = VisionAnalyzer(Path(os.environ["MODEL_DIR"]), decode=sandbox.decode)
        maker = ports.maker
        if (shower := self.plan.shower) is not None:
            maker = Copier(Sandbox(shower=shower).show, CopyForm())
        return replace(
            ports,
            copies=cast(Copies, _Copies(ports.copies, self.recorder)),
            maker=cast(CopyMaker, _Maker(maker, self.recorder)),
            store=cast(Store, _Store(ports.store, self.recorder)),
            queue=cast(Queue, _Queue(ports.queue, self.recorder)),
            deliveries=cast(Deliveries, _Deliveries(ports.deliveries, self.recorder)),
            changes=cast(Changes, _Changes(ports.changes, self.recorder)),
            analyzer=cast(PhotoAnalyzer, _Analyzer(analyzer, self.recorder)),
        )
