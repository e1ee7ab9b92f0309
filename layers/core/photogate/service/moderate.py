"""Moderates one delivery of one batch, from its job to its verdicts: the worker's use case."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Collection
from random import SystemRandom
from typing import Protocol

from photogate.domain import (
    Deadline,
    Finding,
    OpenBatch,
)
from photogate.domain.changes import judged
from photogate.domain.policy import Policy
from photogate.domain.samples import folded_share
from photogate.errors import (
    OutOfTime,
    PartUnavailable,
    RetryableError,
)
from photogate.messages import CopyJob, Job
from photogate.ports.photos import Store
from photogate.ports.queue import JobSender
from photogate.ports.records import Changes, Deliveries
from photogate.ports.vision import PhotoAnalyzer
from photogate.service.attempts import MAX_ATTEMPTS, Margins
from photogate.service.looking import Looking
from photogate.service.outages import Guard, working_on
from photogate.service.waiting import Waiting

logger = logging.getLogger(__name__)
#: Nobody is to foretell which photo is drawn.
_random = SystemRandom()

#: A job that was delivered this often is dead, and the sweep concludes its batch.
MAX_DELIVERIES = 5


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
        sample_share: share, 0..1, of approved photos that a person looks at as well.
        test_mode: whether a marker in a photo's bytes names its verdict.
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
        sample_share: float = 0.0,
        test_mode: bool = False,
    ) -> None:
        self._sample_share = sample_share
        self._folded_share = folded_share(sample_share)
        self._deliveries = deliveries
        self._changes = changes
        storage = Guard("storage", store)
        self._guards = (storage,) if faces is None else (storage, faces)
        self._looking = Looking(
            store=store,
            storage=storage,
            analyzer=analyzer,
            policy=policy,
            max_bytes=max_bytes,
            test_mode=test_mode,
        )
        self._waiting = Waiting(deliveries, sender)
        self._sender = sender
        self._lease_s = lease_s
        self._watcher = watcher
        self._margins = Margins.of(lease_s)

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
        if time_left_s() < self._margins.begin_s:
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
            self._waiting.wake(
                batch.waited_for, has_time=lambda: time_left_s() >= self._margins.begin_s
            )

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
            if left_s < 2 * self._margins.begin_s and findings:
                # This photo may use up what is left.
                self._write(job, batch, findings, counted)
                findings = []
            if left_s < self._margins.begin_s:
                failed[photo.id] = OutOfTime("ran out of time")
                continue
            if singly and photo.unfinished_attempts < MAX_ATTEMPTS:
                self._deliveries.count(photo, attempt_id=batch.attempt_id)
                counted.add(photo.id)
            try:
                finding = self._looking.look(
                    photo, Deadline.after(time_left_s() - self._margins.spare_s)
                )
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
        share = self._sample_share
        outcomes = self._changes.make(
            [
                judged(
                    finding,
                    generation=job.generation,
                    correlation_id=batch.correlation_id,
                    # Before the transaction, which may run more than once.
                    sampled_at=share if _random.random() < share else None,
                    folded=_random.random() < self._folded_share,
                )
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
