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
from photogate.domain import NEVER, Deadline, Delivery, OpenBatch, OpenPhoto, Signals
from photogate.domain.changes import Change, Outcome
from photogate.messages import Job
from photogate.ports.queue import Queue
from photogate.ports.records import Changes, Deliveries
from photogate.ports.vision import PhotoAnalyzer
from photogate_vision.analyzer import VisionAnalyzer
from photogate_vision.decoding.sandbox import Sandbox
from tests.faults.photos import Truth, mark_of

#: In the order in which a job passes them.
HANGS = 0
STAGES = ("received", "attempt committed", "inferred", "verdict committed", "before ack")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How one worker process behaves; travels to it as JSON."""

    #: File to which it appends what it does.
    notes: str
    #: One of ``STAGES`` at which it is stopped; None for a worker that lives.
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
            self._recorder.batch_id = Job.decode(delivery.body).batch_id
            self._recorder.note("received")
            self._recorder.reach("received")
        return delivery

    def send(self, body: str, *, delay_s: float = 0.0) -> str:
        """Send a fresh job, sooner than it was meant."""
        self._recorder.note("put off" if delay_s else "woke", batch_id=Job.decode(body).batch_id)
        shortened_s = delay_s * self._recorder.plan.delay_factor
        return str(self._inner.send(body, delay_s=shortened_s))

    def ack(self, delivery: Delivery) -> bool:
        """Acknowledge, or die before it."""
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
        return replace(
            ports,
            queue=cast(Queue, _Queue(ports.queue, self.recorder)),
            deliveries=cast(Deliveries, _Deliveries(ports.deliveries, self.recorder)),
            changes=cast(Changes, _Changes(ports.changes, self.recorder)),
            analyzer=cast(PhotoAnalyzer, _Analyzer(analyzer, self.recorder)),
        )
