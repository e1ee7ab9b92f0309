"""Looks at one photo of a batch: reads its bytes, keeps them, and decides."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import replace

from photogate.domain import (
    NEVER,
    Deadline,
    Finding,
    OpenPhoto,
    Reason,
    Signals,
    Status,
    Verdict,
)
from photogate.domain.markers import as_marked
from photogate.domain.policy import Policy, decide_all
from photogate.errors import (
    ConfigError,
    DecoderFailed,
    OutOfTime,
    PhotoChanged,
    PhotogateError,
    PhotoRefused,
    RetryableError,
)
from photogate.ports.photos import PhotoStore
from photogate.ports.vision import PhotoAnalyzer
from photogate.service.attempts import MAX_ATTEMPTS
from photogate.service.originals import Original
from photogate.service.outages import Guard


class Looking:
    """Gives findings, one photo at a time.

    Args:
        store: is asked through ``storage``.
        max_bytes: larger objects are not read.
        test_mode: whether a marker in a photo's bytes names its verdict.
    """

    def __init__(
        self,
        *,
        store: PhotoStore,
        storage: Guard,
        analyzer: PhotoAnalyzer,
        policy: Policy,
        max_bytes: int,
        test_mode: bool = False,
    ) -> None:
        self._store = store
        self._storage = storage
        self._analyzer = analyzer
        self._policy = policy
        self._max_bytes = max_bytes
        self._test_mode = test_mode
        #: Bytes are kept while they are looked at.
        self._keeper = ThreadPoolExecutor(1, thread_name_prefix="keep")

    def look(self, photo: OpenPhoto, deadline: Deadline) -> Finding:
        """Read the photo, keep its bytes where no client can write, and decide.

        Raises:
            RetryableError: there is no finding yet; ``PartUnavailable`` while the store or the face
                service is down, ``OutOfTime`` when the deadline passed.
        """
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
        original = Original(photo_id=photo.id, data=data)
        # In this context: a guard asks whose photo it is.
        kept = self._keeper.submit(copy_context().run, self._keep, original, deadline)
        try:
            verdict, signals = judge(data, self._analyzer, self._policy, deadline)
            finding = Finding(photo_id=photo.id, verdict=verdict, signals=signals)
            if self._test_mode:
                finding = as_marked(finding, data)
        except DecoderFailed as error:
            finding = _to_person(photo, str(error))
        try:
            kept.result(timeout=min(deadline.left_s(), threading.TIMEOUT_MAX))
        except TimeoutError as error:
            raise OutOfTime("the store took too long to keep a photo") from error
        return replace(finding, original_key=original.key)

    def _keep(self, original: Original, deadline: Deadline) -> None:
        self._storage.call(lambda: original.keep(self._store, deadline), deadline=deadline)


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
