"""Moderates one delivery of one batch, from its job to its verdicts: the worker's use case."""

from __future__ import annotations

import contextlib
import logging
import random
import time
from collections.abc import Callable
from typing import Protocol

from photogate.domain import Finding, OpenBatch, OpenPhoto, Reason, Signals, Status, Verdict
from photogate.domain.changes import judged
from photogate.domain.policy import Policy, decide_all
from photogate.errors import (
    ConfigError,
    DecoderFailed,
    PhotoChanged,
    PhotogateError,
    PhotoRefused,
    RetryableError,
)
from photogate.messages import Job
from photogate.ports.photos import PhotoStore
from photogate.ports.records import Changes, Deliveries
from photogate.ports.vision import PhotoAnalyzer

logger = logging.getLogger(__name__)

#: A job that was delivered this often is dead, and the sweep concludes its batch.
MAX_DELIVERIES = 5
#: A photo whose attempts ended this often without an answer is not decoded again.
MAX_ATTEMPTS = 3
#: Kept for writing what is done before the process is stopped from outside.
_SPARE_S = 2.0


def backoff_s(receive_count: int) -> float:
    """Give the delay before delivery ``receive_count + 1``: full jitter, at most 900 s."""
    return random.uniform(0, min(900.0, 5.0 * 2 ** (receive_count - 1)))  # noqa: S311 - jitter


class Watcher(Protocol):
    """Is told what happens, for logs and metrics. What it does changes no verdict."""

    def batch_opened(self, batch: OpenBatch) -> None:
        """A delivery begins."""

    def photo_settled(self, batch: OpenBatch, finding: Finding) -> None:
        """A verdict was committed."""


class Moderation:
    """The use case behind ``functions/moderate``.

    Args:
        lease_s: how long a delivery may take; until then no delivery with another job id may work
            on the batch.
        max_bytes: larger objects are not read.
        watcher: told of what happens, for logs and metrics.
        longest_wait_s: how long another service may take over one photo; none is begun
            that could outlast the process.
    """

    def __init__(
        self,
        *,
        deliveries: Deliveries,
        changes: Changes,
        store: PhotoStore,
        analyzer: PhotoAnalyzer,
        policy: Policy,
        lease_s: float,
        max_bytes: int,
        watcher: Watcher,
        longest_wait_s: float = 0.0,
    ) -> None:
        self._deliveries = deliveries
        self._changes = changes
        self._store = store
        self._analyzer = analyzer
        self._policy = policy
        self._lease_s = lease_s
        self._max_bytes = max_bytes
        self._watcher = watcher
        self._enough_s = _SPARE_S + longest_wait_s

    def run(self, job: Job, *, job_id: str, time_left_s: Callable[[], float]) -> None:
        """Give every open photo of the batch its verdict.

        A first attempt writes all verdicts in one transaction. When an earlier one did
        not finish, each photo is counted, looked at and written by itself, so that one
        that kills its worker never holds the others back. May be called again at any
        time: what is terminal is skipped.

        Args:
            job_id: names the message; the same one takes over its own lease.
            time_left_s: seconds until this process is stopped from outside.

        Raises:
            RetryableError: some photos have no verdict yet; the job must come again.
        """
        batch = self._deliveries.begin(job, job_id=job_id, lease_s=self._lease_s)
        if batch is None:
            return
        self._watcher.batch_opened(batch)
        counted: set[str] = set()
        try:
            failed = self._work(job, batch, counted, time_left_s)
        except RetryableError as error:
            # The database failed, not a photo.
            with contextlib.suppress(RetryableError):
                self._hand_back(job, batch, counted, error)
            raise
        if failed:
            first = next(iter(failed.values()))
            self._hand_back(job, batch, counted, first)
            raise RetryableError(
                f"{len(failed)} of {len(batch.photos)} photos have no verdict yet: {first}",
                retry_after_s=getattr(first, "retry_after_s", None),
            ) from first

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
            if time_left_s() < self._enough_s:
                failed[photo.id] = RetryableError("ran out of time")
                continue
            if singly and photo.unfinished_attempts < MAX_ATTEMPTS:
                self._deliveries.count(photo, attempt_id=batch.attempt_id)
                counted.add(photo.id)
            try:
                finding = self._look(photo)
            except RetryableError as error:
                failed[photo.id] = error
                continue
            except Exception as error:
                # An unexpected error: the attempt stays counted, like a crash.
                logger.exception("photo %s could not be looked at", photo.id)
                counted.discard(photo.id)
                failed[photo.id] = error
                continue
            if singly:
                self._write(job, batch, [finding], counted)
            else:
                findings.append(finding)
        if findings:
            self._write(job, batch, findings, counted)
        return failed

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
        for finding, outcome in zip(findings, outcomes, strict=True):
            if outcome.changed:  # else a person or another worker decided first
                self._watcher.photo_settled(batch, finding)

    def _hand_back(self, job: Job, batch: OpenBatch, counted: set[str], error: Exception) -> None:
        self._deliveries.hand_back(
            job, sorted(counted), attempt_id=batch.attempt_id, error=str(error)
        )

    def _look(self, photo: OpenPhoto) -> Finding:
        if photo.unfinished_attempts >= MAX_ATTEMPTS:
            return _to_person(
                photo, f"{photo.unfinished_attempts} attempts ended without an answer"
            )
        try:
            data = self._store.get(photo.file_key, etag=photo.etag, max_bytes=self._max_bytes)
        except PhotoChanged as error:
            return _to_person(photo, str(error))
        except PhotoRefused as error:
            return Finding(photo_id=photo.id, verdict=_refusal(error))
        except RetryableError:
            raise
        except PhotogateError as error:
            # Not there: deleted meanwhile, or not uploaded. Retried, as it may still come.
            raise RetryableError(str(error)) from error
        try:
            verdict, signals = judge(data, self._analyzer, self._policy)
        except DecoderFailed as error:
            return _to_person(photo, str(error))
        return Finding(photo_id=photo.id, verdict=verdict, signals=signals)


def judge(data: bytes, analyzer: PhotoAnalyzer, policy: Policy) -> tuple[Verdict, Signals]:
    """Look at one photo's bytes and decide; the whole of moderation without any service.

    Raises:
        RetryableError: a fault of ours, or of this installation, which may be mended.
        DecoderFailed: nobody knows what it shows; to be looked at by a person.
    """
    started = time.perf_counter()
    try:
        frames = analyzer.analyze(data)
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
