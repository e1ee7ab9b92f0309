"""What goes around a worker's ports: it dies where the plan says, and writes down what it does."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from photogate.bootstrap import ModeratePorts
from photogate.domain import Delivery, OpenBatch, OpenPhoto, Signals
from photogate.domain.changes import Change, Outcome
from photogate.messages import Job
from photogate.ports.queue import Queue
from photogate.ports.records import Changes, Deliveries
from photogate.ports.vision import PhotoAnalyzer
from photogate_vision.analyzer import VisionAnalyzer
from photogate_vision.decoding.sandbox import Sandbox
from tests.faults.photos import Truth, mark_of

#: In the order in which a job passes them.
STAGES = ("received", "attempt committed", "inferred", "verdict committed", "before ack")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How one worker process behaves; travels to it as JSON."""

    #: File to which it appends what it does.
    notes: str
    #: One of ``STAGES`` at which it falls; None for a worker that lives.
    falls_at: str | None = None
    #: The signal by which it falls: SIGKILL, or SIGSTOP, until somebody wakes it.
    by: int = signal.SIGKILL
    #: At which passing of that stage, from 1.
    passing: int = 1
    #: Handed-back jobs wait this part of their time.
    haste: float = 1.0
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
class Diary:
    """Appends lines that ``kill -9`` cannot take back, and carries the plan out."""

    plan: Plan
    #: Of the job in hand.
    batch_id: str | None = None
    _passed: int = 0

    def note(self, what: str, **more: str) -> None:
        """Write one line."""
        line = {"at": time.time(), "pid": os.getpid(), "batch": self.batch_id, "what": what}
        with Path(self.plan.notes).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line | more) + "\n")

    def passes(self, stage: str) -> None:
        """Go through a stage, or fall in it."""
        if stage != self.plan.falls_at:
            return
        self._passed += 1
        if self._passed == self.plan.passing:
            self.note("fallen", stage=stage)
            os.kill(os.getpid(), self.plan.by)


class _Around:
    """Hands on whatever it does not say itself."""

    def __init__(self, inner: Any, diary: Diary) -> None:
        self._inner = inner
        self._diary = diary

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class _Queue(_Around):
    """A queue whose deliveries are noted, doubled and hurried as the plan says."""

    def __init__(self, inner: Queue, diary: Diary) -> None:
        super().__init__(inner, diary)
        self._again: list[Delivery] = []
        self._random = random.Random(diary.plan.seed)

    def receive(self, *, wait_s: float) -> Delivery | None:
        """Take a job, or one that was taken before."""
        plan, delivery = self._diary.plan, None
        if not self._again or self._random.random() < 0.5:
            delivery = self._inner.receive(wait_s=0.01 if self._again else wait_s)
            if delivery is not None:
                self._again += [delivery] * (plan.deliveries - 1)
        if delivery is None and self._again:
            delivery = self._again.pop(self._random.randrange(len(self._again)))
        if delivery is not None:
            self._diary.batch_id = Job.decode(delivery.body).batch_id
            self._diary.note("received")
            self._diary.passes("received")
        return delivery

    def ack(self, delivery: Delivery) -> bool:
        """Acknowledge, or die before it."""
        self._diary.passes("before ack")
        done = bool(self._inner.ack(delivery))
        self._diary.note("acknowledged")
        return done

    def nack(self, delivery: Delivery, *, delay_s: float, error: str) -> bool:
        """Hand back, sooner than it was meant."""
        self._diary.note("handed back", error=error)
        hurried_s = delay_s * self._diary.plan.haste
        return bool(self._inner.nack(delivery, delay_s=hurried_s, error=error))


class _Deliveries(_Around):
    def begin(self, job: Job, *, job_id: str, lease_s: float) -> OpenBatch | None:
        """Begin, and perhaps never end."""
        batch: OpenBatch | None = self._inner.begin(job, job_id=job_id, lease_s=lease_s)
        if batch is not None:
            self._diary.passes("attempt committed")
        return batch

    def count(self, photo: OpenPhoto, *, attempt_id: str) -> None:
        """Count a photo's attempt."""
        self._inner.count(photo, attempt_id=attempt_id)
        self._diary.passes("attempt committed")


class _Changes(_Around):
    def make(self, changes: Sequence[Change]) -> list[Outcome]:
        """Write verdicts."""
        outcomes: list[Outcome] = self._inner.make(changes)
        self._diary.passes("verdict committed")
        return outcomes


class _Analyzer(_Around):
    def analyze(self, data: bytes) -> Sequence[Signals]:
        """Look at a photo; what it measured of an unmeasured one goes missing."""
        mark = mark_of(data)
        self._diary.note("looked at", mark=mark)
        found: Sequence[Signals] = self._inner.analyze(data)
        self._diary.passes("inferred")
        if mark.endswith(f"/{Truth.UNMEASURED}"):
            return [_worsened(signals, mark) for signals in found]
        return found


def _worsened(signals: Signals, mark: str) -> Signals:
    """Lose a signal, or make it no number, as the mark has it."""
    ways: tuple[dict[str, Any], ...] = (
        {"nsfw_scores": None},
        {"nsfw_scores": {name: float("nan") for name in signals.nsfw_scores or {}}},
        {"blur_variance": None},
        {"blur_variance": float("inf")},
        {"width": None, "height": None},
    )
    return replace(signals, **ways[sum(mark.encode()) % len(ways)])


@dataclass
class Around:
    """Puts all of it around the ports that ``bootstrap`` has chosen."""

    plan: Plan
    diary: Diary = field(init=False)

    def __post_init__(self) -> None:
        self.diary = Diary(self.plan)

    def __call__(self, ports: ModeratePorts) -> ModeratePorts:
        """Wrap them."""
        analyzer = ports.analyzer
        if (decoder := self.plan.decoder) is not None:
            sandbox = Sandbox(decoder=decoder, time_limit_s=self.plan.decoding_limit_s)
            analyzer = VisionAnalyzer(Path(os.environ["MODEL_DIR"]), decode=sandbox.decode)
        return replace(
            ports,
            queue=cast(Queue, _Queue(ports.queue, self.diary)),
            deliveries=cast(Deliveries, _Deliveries(ports.deliveries, self.diary)),
            changes=cast(Changes, _Changes(ports.changes, self.diary)),
            analyzer=cast(PhotoAnalyzer, _Analyzer(analyzer, self.diary)),
        )
