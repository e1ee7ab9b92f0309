"""Moderates one delivery of one batch, from its job to its verdicts: the worker's use case."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import random
import threading
import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import replace
from typing import Protocol

from photogate.domain import (
    NEVER,
    Deadline,
    Finding,
    OpenBatch,
    OpenPhoto,
    Reason,
    Signals,
    Status,
    Verdict,
)
from photogate.domain.changes import judged
from photogate.domain.object_keys import kept_key
from photogate.domain.policy import Policy, decide_all
from photogate.errors import (
    ConfigError,
    DecoderFailed,
    OutOfTime,
    PartUnavailable,
    PhotoChanged,
    PhotogateError,
    PhotoRefused,
    RetryableError,
)
from photogate.messages import CopyJob, Job
from photogate.ports.photos import Store
from photogate.ports.queue import JobSender
from photogate.ports.records import Changes, Deliveries
from photogate.ports.vision import PhotoAnalyzer
from photogate.service.outages import Guard, working_on
from photogate.service.waiting import Waiting

logger = logging.getLogger(__name__)

#: A job that was delivered this often is dead, and the sweep concludes its batch.
MAX_DELIVERIES = 5
#: A photo whose attempts ended this often without an answer is not decoded again.
MAX_ATTEMPTS = 3
#: A photo is begun while this much is left, and ends that long before the process is stopped from
#: outside: what is kept is for writing. Of a short lease both are shares.
_BEGIN_S, _SPARE_S = 10.0, 2.0
_BEGIN_SHARE, _SPARE_SHARE = 0.2, 0.05


def backoff_s(receive_count: int) -> float:
    """Give the delay before delivery ``receive_count + 1``: full jitter, at most 900 s."""
    return random.uniform(0, min(900.0, 5.0 * 2 ** (receive_count - 1)))  # noqa: S311 - jitter


class Watcher(Protocol):
    """Is told what happens, for logs and metrics. What it does changes no verdict."""

    def batch_opened(self, batch: OpenBatch) -> None:
        """A delivery begins."""

    def photo_settled(self, batch: OpenBatch, finding: Finding) -> None:
        """A verdict was committed."""

    def put_off(self, job: Job, outage: PartUnavailable, delay_s: float) -> None:
        """The batch waits for a part that is down; its job comes again after this time."""


class Moderation:
    """The use case behind ``functions/moderate``.

    Args:
        store: is read from behind a guard.
        sender: sends fresh jobs of batches that waited for a part that was down.
        lease_s: how long a delivery may take; until then no delivery with another job id may work
            on the batch.
        max_bytes: larger objects are not read.
        watcher: told of what happens, for logs and metrics.
        faces: guards the face service that the analyzer asks, if it asks one.
    """

    def __init__(
        self,
        *,
        deliveries: Deliveries,
        changes: Changes,
        store: Store,
        sender: JobSender,
        analyzer: PhotoAnalyzer,
        policy: Policy,
        lease_s: float,
        max_bytes: int,
        watcher: Watcher,
        faces: Guard | None = None,
    ) -> None:
        self._deliveries = deliveries
        self._changes = changes
        self._store = store
        self._storage = Guard("storage", store)
        self._guards = (self._storage,) if faces is None else (self._storage, faces)
        self._waiting = Waiting(deliveries, sender)
        self._sender = sender
        self._analyzer = analyzer
        self._policy = policy
        self._lease_s = lease_s
        self._max_bytes = max_bytes
        self._watcher = watcher
        #: Bytes are kept while they are looked at.
        self._keeper = ThreadPoolExecutor(1, thread_name_prefix="keep")
        self._begin_s = min(_BEGIN_S, _BEGIN_SHARE * lease_s)
        self._spare_s = min(_SPARE_S, _SPARE_SHARE * lease_s)

    def run(self, job: Job, *, job_id: str, time_left_s: Callable[[], float]) -> None:
        """Give every open photo of the batch its verdict.

        A first attempt writes all verdicts in one transaction. When an earlier one did
        not finish, each photo is counted, looked at and written by itself, so that one
        that kills its worker never holds the others back. May be called again at any
        time: what is terminal is skipped.

        When the store or the face service is down, the batch is put off and this job is done: a
        fresh one comes when the part may be tried again, and nothing is counted.

        Args:
            job_id: names the message; the same one takes over its own lease.
            time_left_s: seconds until this process is stopped from outside.

        Raises:
            RetryableError: some photos have no verdict yet; the job must come again.
        """
        if time_left_s() < self._begin_s:
            raise OutOfTime("ran out of time before it was begun")
        for guard in self._guards:
            if outage := guard.outage():
                self._put_off(job, outage)
                return
        batch = self._deliveries.begin(job, job_id=job_id, lease_s=self._lease_s)
        if batch is None:
            return
        self._watcher.batch_opened(batch)
        counted: set[str] = set()
        try:
            with working_on(batch.id):
                failed = self._work(job, batch, counted, time_left_s)
        except RetryableError as error:
            # The database failed, not a photo.
            with contextlib.suppress(RetryableError):
                self._hand_back(job, batch, counted, error)
            raise
        for fault in failed.values():
            if isinstance(fault, PartUnavailable):
                self._put_off(job, fault, batch, counted)
                return
        if failed:
            first = next(iter(failed.values()))
            # With some verdicts in each delivery it ends; without any it has to be given up.
            slow = all(isinstance(fault, OutOfTime) for fault in failed.values())
            self._hand_back(
                job, batch, counted, first, counts=not (slow and len(failed) < len(batch.photos))
            )
            raise RetryableError(
                f"{len(failed)} of {len(batch.photos)} photos have no verdict yet: {first}",
                retry_after_s=getattr(first, "retry_after_s", None),
            ) from first
        if batch.waited_for is not None:
            self._waiting.wake(batch.waited_for, has_time=lambda: time_left_s() >= self._begin_s)

    def _work(
        self, job: Job, batch: OpenBatch, counted: set[str], time_left_s: Callable[[], float]
    ) -> dict[str, Exception]:
        """Look at each photo and write verdicts; gives what failed, by photo.

        ``counted`` holds, at any time, the photos whose attempt this delivery counted and
        that neither have a verdict nor failed in a way that nobody foresaw.
        """
        photos = batch.photos
        singly = any(photo.unfinished_attempts > 0 for photo in photos)
        if not singly:
            counted.update(photo.id for photo in photos)
        findings: list[Finding] = []
        failed: dict[str, Exception] = {}
        for photo in photos:
            left_s = time_left_s()
            if left_s < 2 * self._begin_s and findings:
                # This photo may use up what is left.
                self._write(job, batch, findings, counted)
                findings = []
            if left_s < self._begin_s:
                failed[photo.id] = OutOfTime("ran out of time")
                continue
            if singly and photo.unfinished_attempts < MAX_ATTEMPTS:
                self._deliveries.count(photo, attempt_id=batch.attempt_id)
                counted.add(photo.id)
            try:
                finding = self._look(photo, Deadline.after(time_left_s() - self._spare_s))
            except RetryableError as error:
                failed[photo.id] = error
                continue
            except Exception as error:
                # An unexpected error: the attempt stays counted, like a crash.
                logger.exception("photo %s could not be looked at", photo.id)
                counted.discard(photo.id)
                failed[photo.id] = error
                continue
            findings.append(finding)
            if singly:
                self._write(job, batch, findings, counted)
                findings = []
        if findings:
            self._write(job, batch, findings, counted)
        return failed

    def _put_off(
        self,
        job: Job,
        outage: PartUnavailable,
        batch: OpenBatch | None = None,
        counted: Collection[str] = (),
    ) -> None:
        delay_s = self._waiting.put_off(job, outage, batch=batch, counted=counted)
        if delay_s is not None:
            self._watcher.put_off(job, outage, delay_s)

    def _write(
        self, job: Job, batch: OpenBatch, findings: list[Finding], counted: set[str]
    ) -> None:
        outcomes = self._changes.make(
            [
                judged(finding, generation=job.generation, correlation_id=batch.correlation_id)
                for finding in findings
            ]
        )
        counted.difference_update(finding.photo_id for finding in findings)
        copied = []
        for finding, outcome in zip(findings, outcomes, strict=True):
            if outcome.changed:  # else a person or another worker decided first
                self._watcher.photo_settled(batch, finding)
                if finding.decoded:
                    copied.append(finding.photo_id)
        if copied:
            try:
                self._sender.send(CopyJob(photo_ids=tuple(copied)).encode())
            except RetryableError as error:
                logger.warning("a job for copies is left to the sweep: %s", error)

    def _hand_back(
        self,
        job: Job,
        batch: OpenBatch,
        counted: set[str],
        error: Exception,
        *,
        counts: bool = True,
    ) -> None:
        self._deliveries.hand_back(
            job,
            sorted(counted),
            attempt_id=batch.attempt_id,
            error=str(error),
            delivery_counts=counts,
        )

    def _look(self, photo: OpenPhoto, deadline: Deadline) -> Finding:
        if photo.unfinished_attempts >= MAX_ATTEMPTS:
            return _to_person(
                photo, f"{photo.unfinished_attempts} attempts ended without an answer"
            )
        try:
            data = self._storage.call(
                lambda: self._store.get(
                    photo.file_key, etag=photo.etag, max_bytes=self._max_bytes, deadline=deadline
                ),
                deadline=deadline,
            )
        except PhotoChanged as error:
            return _to_person(photo, str(error))
        except PhotoRefused as error:
            return Finding(photo_id=photo.id, verdict=_refusal(error))
        except RetryableError:
            raise
        except PhotogateError as error:
            # Not there: deleted meanwhile, or not uploaded. Retried, as it may still come.
            raise RetryableError(str(error)) from error
        original_key = kept_key(photo.id, hashlib.sha256(data).hexdigest())
        # In this context: a guard asks whose photo it is.
        kept = self._keeper.submit(copy_context().run, self._keep, original_key, data, deadline)
        try:
            verdict, signals = judge(data, self._analyzer, self._policy, deadline)
            finding = Finding(photo_id=photo.id, verdict=verdict, signals=signals)
        except DecoderFailed as error:
            finding = _to_person(photo, str(error))
        try:
            kept.result(timeout=min(deadline.left_s(), threading.TIMEOUT_MAX))
        except TimeoutError as error:
            raise OutOfTime("the store took too long to keep a photo") from error
        return replace(finding, original_key=original_key)

    def _keep(self, key: str, data: bytes, deadline: Deadline) -> None:
        """Write the bytes that are judged where no client can: they alone are shown later."""
        self._storage.call(
            lambda: self._store.put(
                key, data, content_type="application/octet-stream", deadline=deadline
            ),
            deadline=deadline,
        )


def judge(
    data: bytes, analyzer: PhotoAnalyzer, policy: Policy, deadline: Deadline = NEVER
) -> tuple[Verdict, Signals]:
    """Look at one photo's bytes and decide; the whole of moderation without any service.

    Raises:
        RetryableError: a fault of ours, or of this installation, which may be mended.
        DecoderFailed: nobody knows what it shows; to be looked at by a person.
    """
    started = time.perf_counter()
    try:
        frames = analyzer.analyze(data, deadline)
    except PhotoRefused as error:
        milliseconds = (time.perf_counter() - started) * 1000
        signals = Signals(size_bytes=len(data), processing_time_ms=round(milliseconds, 2))
        return _refusal(error), signals
    except ConfigError as error:
        # It worked when this process started: a key was taken back, say.
        raise RetryableError(str(error)) from error
    return decide_all(frames, policy)


def _refusal(error: PhotoRefused) -> Verdict:
    return Verdict(status=Status.REJECTED, reason=Reason(error.reason).value, detail=str(error))


def _to_person(photo: OpenPhoto, why: str) -> Finding:
    return Finding(photo_id=photo.id, verdict=Verdict(status=Status.REVIEW), error=why)
