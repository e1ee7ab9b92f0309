"""A worker process: feeds the moderate function with jobs, in the shape that SQS has."""

from __future__ import annotations

import hashlib
import logging
import os
import resource
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.moderate import app
from local.process import begin, on_termination, run_main
from local.watchdog import OVERRUN_S, Progress, watch
from photogate.bootstrap import ModerateParts
from photogate.domain import ANNOUNCE_EVERY_S, Delivery
from photogate.errors import RetryableError

logger = logging.getLogger("local.worker")  # under -m __name__ is another

_WAIT_S = 1.0
#: Longer than any queue lets one wait for an answer.
_RECEIVED_WITHIN_S = 30.0
_NICENESS = 10
#: Of private memory, threads' stacks included; a worker has 0.1 GB when it starts.
_MOST_MEMORY_BYTES = 1_000_000_000
#: After SIGTERM the batch in hand is finished or handed back within this time.
_GRACE_S = 8.0


class Worker:
    """Takes one job at a time until it is told to stop.

    Args:
        parts: from ``functions.moderate.app.parts``.
        handler: the function that is fed; runs on the same parts.
    """

    def __init__(self, parts: ModerateParts, handler: app.Handler = app.handler) -> None:
        self._parts = parts
        self._handler = handler
        self._queue = parts.queue
        self._stopping = threading.Event()
        self._stop_at = float("inf")
        self._done = threading.Event()
        self._info = parts.introduce()
        #: Of the loop; who runs the worker watches it.
        self.progress = Progress()

    def stop(self) -> None:
        """Take no new job; called from a signal handler."""
        self._stop_at = time.monotonic() + _GRACE_S
        self._stopping.set()

    def run(self) -> None:
        """Work until ``stop``."""
        announcing = threading.Thread(target=self._announce, name="announce", daemon=True)
        announcing.start()
        while not self._stopping.is_set():
            self.progress.step(_RECEIVED_WITHIN_S)
            try:
                delivery = self._queue.receive(wait_s=_WAIT_S)
                if delivery is not None:
                    self._work(delivery)
            except RetryableError as error:
                logger.warning("%s", error)
                self._stopping.wait(1.0)
        self._done.set()
        announcing.join(timeout=2.0)

    def _work(self, delivery: Delivery) -> None:
        self.progress.step(self._parts.settings.job_deadline_s)
        context = _Context(self, time.monotonic() + self._parts.settings.job_deadline_s)
        with self._kept(delivery):
            answer = self._handler(_event(delivery), cast(LambdaContext, context))
        self._info = replace(self._info, last_photo_at=datetime.now(UTC))
        # What failed was handed back by the function already.
        if not answer["batchItemFailures"]:
            self._queue.ack(delivery)

    @contextmanager
    def _kept(self, delivery: Delivery) -> Iterator[None]:
        """Extend the job at a third of its visibility, up to the deadline."""
        visibility_s = self._parts.settings.queue_visibility_s
        finished = threading.Event()
        deadline = time.monotonic() + self._parts.settings.job_deadline_s

        def extend() -> None:
            while not finished.wait(visibility_s / 3) and time.monotonic() < deadline:
                try:
                    self._queue.extend(delivery, visibility_s=visibility_s)
                except RetryableError as error:
                    logger.warning("could not extend a job: %s", error)

        heart = threading.Thread(target=extend, name="extend", daemon=True)
        heart.start()
        try:
            yield
        finally:
            finished.set()
            heart.join()

    def _announce(self) -> None:
        """Renew the row of this worker while its loop moves: one that hangs is not alive."""
        while True:
            try:
                if self.progress.late_s <= 0:
                    self._parts.workers.announce(self._info)
                if self._done.wait(ANNOUNCE_EVERY_S):
                    self._parts.workers.leave(self._info.id)
                    return
            except RetryableError as error:
                logger.warning("could not announce this worker: %s", error)
                if self._done.wait(1.0):
                    return


class _Context:
    """The part of Lambda's context that the function uses."""

    def __init__(self, worker: Worker, deadline: float) -> None:
        self._worker = worker
        self._deadline = deadline

    def get_remaining_time_in_millis(self) -> int:
        end = min(self._deadline, self._worker._stop_at)
        return max(0, int((end - time.monotonic()) * 1000))


def _event(delivery: Delivery) -> dict[str, Any]:
    """Give the event that Lambda's SQS source would send for this delivery."""
    return {
        "Records": [
            {
                "messageId": delivery.job_id,
                "receiptHandle": delivery.token,
                "body": delivery.body,
                "attributes": {
                    "ApproximateReceiveCount": str(delivery.receive_count),
                    "SentTimestamp": str(int(delivery.sent_at.timestamp() * 1000)),
                    "SenderId": "local",
                    "ApproximateFirstReceiveTimestamp": str(int(time.time() * 1000)),
                },
                "messageAttributes": {},
                "md5OfBody": hashlib.md5(delivery.body.encode()).hexdigest(),  # noqa: S324 - SQS's checksum
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:local:000000000000:photo_moderation_queue",
                "awsRegion": "local",
            }
        ]
    }


def main(
    make_worker: Callable[[], Worker] = lambda: Worker(app.parts()),
    *,
    overrun_s: float = OVERRUN_S,
) -> None:
    """Run one worker until SIGTERM or Ctrl-C, or until a job takes that much too long."""
    begin()
    # Users wait for the API; nobody waits for a worker's last millisecond.
    os.nice(_NICENESS)
    # What the decoder's own limits let through costs one photo, not this machine.
    resource.setrlimit(resource.RLIMIT_DATA, (_MOST_MEMORY_BYTES, _MOST_MEMORY_BYTES))
    worker = make_worker()
    on_termination(worker.stop)
    watch(worker.progress, overrun_s=overrun_s)
    worker.run()


if __name__ == "__main__":
    run_main(main)
