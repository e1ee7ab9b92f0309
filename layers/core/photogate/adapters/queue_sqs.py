"""The queue on Amazon SQS, or on whatever speaks its API: a standard queue.

SQS itself counts deliveries: the queue's redrive policy says after how many a job moves to
the dead-letter queue, the next time that it would be delivered. Why a job died SQS does
not keep; the batch's row does. A stale receipt is noticed only when SQS says so, and it may
accept one without doing anything.
"""

from __future__ import annotations

import json
import math
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
)

from photogate.adapters.sqs_client import taken, translated, way_out
from photogate.domain import DeadJob, Delivery, QueueStats
from photogate.errors import ConfigError, QueueUnavailable

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

#: Limits of SQS.
_MAX_DELAY_S = 900
_MAX_VISIBILITY_S = 43_200
_MOST_PER_CALL = 10

#: SQS allows 20. A longer wait is several polls, so that the read timeout, which is the
#: same for every call of a client, can be short: a sender never waits 25 s for no answer.
_LONGEST_POLL_S = 5
#: SQS waits for whole seconds; what is left of a wait is spent in polls that begin this far
#: apart.
_PAUSE_S = 0.25
#: Counts as a whole second, or a wait of 1 s would never be one by the time it is sent.
_NEARLY_S = 0.05

#: How long a look at the dead jobs hides them, should putting them back fail.
_PEEK_S = 30


class SqsQueue:
    """``JobSender``, ``JobReceiver``, ``JobMonitor`` and ``Probe`` on one SQS queue. Thread-safe.

    Args:
        client: from ``sqs_client.connect``.
        url: the queue's; its redrive policy says when a job is dead.
        dead_url: the dead-letter queue's; without it no dead job is counted, listed or redriven.
        visibility_s: how long a received job stays invisible unless it is extended, rounded
            up to whole seconds like every time here.
    """

    def __init__(
        self, client: SQSClient, url: str, *, dead_url: str | None = None, visibility_s: float
    ) -> None:
        self._sqs = client
        self._url = url
        self._dead_url = dead_url
        self._visibility_s = _seconds(visibility_s, _MAX_VISIBILITY_S)

    @translated
    def send(self, body: str, *, delay_s: float = 0.0) -> str:
        """See ``photogate.ports.queue.JobSender.send``."""
        return self._send(body, _seconds(delay_s, _MAX_DELAY_S))

    @translated
    def receive(self, *, wait_s: float) -> Delivery | None:
        """See ``photogate.ports.queue.JobReceiver.receive``."""
        deadline = time.monotonic() + wait_s
        while True:
            began = time.monotonic()
            poll_s = min(_LONGEST_POLL_S, max(0, int(deadline - began + _NEARLY_S)))
            found = self._take(self._url, most=1, wait_s=poll_s, visibility_s=self._visibility_s)
            if found:
                return _delivery(found[0])
            now = time.monotonic()
            if now >= deadline:
                return None
            # After a poll without waiting, and where the server does not know how to wait.
            time.sleep(max(0.0, min(began + _PAUSE_S, deadline) - now))

    @translated
    def extend(self, delivery: Delivery, *, visibility_s: float) -> bool:
        """See ``photogate.ports.queue.JobReceiver.extend``."""
        return self._hide(delivery, visibility_s)

    @translated
    def ack(self, delivery: Delivery) -> bool:
        """See ``photogate.ports.queue.JobReceiver.ack``."""
        return taken(
            lambda: self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=delivery.token)
        )

    @translated
    def nack(
        self,
        delivery: Delivery,
        *,
        delay_s: float,
        error: str,  # noqa: ARG002 - SQS has no place for it
    ) -> bool:
        """See ``photogate.ports.queue.JobReceiver.nack``; meanwhile the job counts as in flight."""
        return self._hide(delivery, delay_s)

    @translated
    def stats(self) -> QueueStats:
        """See ``photogate.ports.queue.JobMonitor.stats``; SQS calls its numbers approximate."""
        visible, in_flight, delayed = self._counts(self._url)
        return QueueStats(
            visible=visible,
            in_flight=in_flight,
            delayed=delayed,
            dead=sum(self._counts(self._dead_url)) if self._dead_url else 0,
        )

    @translated
    def dead(self, *, limit: int) -> list[DeadJob]:
        """See ``photogate.ports.queue.JobMonitor.dead``.

        Takes a second when it lists them all. The deliveries count each such look too.
        """
        if self._dead_url is None:
            return []
        seen: dict[str, MessageTypeDef] = {}
        try:
            while len(seen) < limit:
                known = len(seen)
                most = min(_MOST_PER_CALL, limit - known)
                for message in self._take(
                    self._dead_url, most=most, wait_s=1, visibility_s=_PEEK_S
                ):
                    seen[message["MessageId"]] = message
                if len(seen) == known:
                    break
        finally:
            self._put_back(self._dead_url, list(seen.values()))
        oldest_first = sorted(map(_delivery, seen.values()), key=lambda job: job.sent_at)
        return [
            DeadJob(
                job_id=job.job_id, body=job.body, receive_count=job.receive_count, last_error=None
            )
            for job in oldest_first
        ]

    @translated
    def redrive(self, *, limit: int) -> int:
        """See ``photogate.ports.queue.JobMonitor.redrive``.

        Each is sent before it is removed, under a new id: when this breaks off between the
        two, the job exists twice.
        """
        moved = 0
        while self._dead_url is not None and moved < limit:
            most = min(_MOST_PER_CALL, limit - moved)
            found = self._take(self._dead_url, most=most, wait_s=1, visibility_s=_PEEK_S)
            if not found:
                break
            for message in found:
                self._send(message["Body"], 0)
                self._sqs.delete_message(
                    QueueUrl=self._dead_url, ReceiptHandle=message["ReceiptHandle"]
                )
                moved += 1
        return moved

    @translated
    def purge(self, *, dead: bool) -> int:
        """See ``photogate.ports.queue.JobMonitor.purge``; the number is approximate.

        It takes up to a minute until nothing is given any more.
        """
        url = self._dead_url if dead else self._url
        if url is None:
            return 0
        purged = sum(self._counts(url))
        try:
            self._sqs.purge_queue(QueueUrl=url)
        except self._sqs.exceptions.PurgeQueueInProgress as error:
            raise QueueUnavailable(
                "SQS empties a queue once in 60 s: try again in a minute", retry_after_s=60.0
            ) from error
        return purged

    @translated
    def check(self) -> dict[str, Any]:
        """Answer a health probe; says after how many deliveries a job is dead.

        Raises:
            ConfigError: a queue that does not exist, or to which access is denied.
        """
        try:
            found = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["All"])
            if self._dead_url is not None:
                self._counts(self._dead_url)
        except (ClientError, BotoCoreError) as error:
            if mend := way_out(error):
                raise ConfigError(mend) from error
            raise
        policy = json.loads(found["Attributes"].get("RedrivePolicy", "{}"))
        return {
            "queue": self._url.rpartition("/")[2],
            "max_receives": int(policy["maxReceiveCount"]) if policy else None,
        }

    def close(self) -> None:
        """Close the connections; the queue may be used again."""
        self._sqs.close()

    def _send(self, body: str, delay_s: int) -> str:
        sent = self._sqs.send_message(QueueUrl=self._url, MessageBody=body, DelaySeconds=delay_s)
        if "MessageId" not in sent:
            raise QueueUnavailable("SQS gave the job no id: is QUEUE_ENDPOINT an SQS API?")
        return sent["MessageId"]

    def _take(self, url: str, *, most: int, wait_s: int, visibility_s: int) -> list[MessageTypeDef]:
        answer = self._sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=most,
            WaitTimeSeconds=wait_s,
            VisibilityTimeout=visibility_s,
            MessageSystemAttributeNames=["ApproximateReceiveCount", "SentTimestamp"],
        )
        return answer.get("Messages", [])

    def _hide(self, delivery: Delivery, for_s: float) -> bool:
        return taken(
            lambda: self._sqs.change_message_visibility(
                QueueUrl=self._url,
                ReceiptHandle=delivery.token,
                VisibilityTimeout=_seconds(for_s, _MAX_VISIBILITY_S),
            )
        )

    def _put_back(self, url: str, messages: list[MessageTypeDef]) -> None:
        for start in range(0, len(messages), _MOST_PER_CALL):
            self._sqs.change_message_visibility_batch(
                QueueUrl=url,
                Entries=[
                    {
                        "Id": str(number),
                        "ReceiptHandle": message["ReceiptHandle"],
                        "VisibilityTimeout": 0,
                    }
                    for number, message in enumerate(messages[start : start + _MOST_PER_CALL])
                ],
            )

    def _counts(self, url: str) -> tuple[int, int, int]:
        """Count visible, in flight, delayed."""
        found = self._sqs.get_queue_attributes(
            QueueUrl=url,
            AttributeNames=[
                "ApproximateNumberOfMessages",
                "ApproximateNumberOfMessagesNotVisible",
                "ApproximateNumberOfMessagesDelayed",
            ],
        ).get("Attributes", {})
        return (
            int(found.get("ApproximateNumberOfMessages", 0)),
            int(found.get("ApproximateNumberOfMessagesNotVisible", 0)),
            int(found.get("ApproximateNumberOfMessagesDelayed", 0)),
        )


def _delivery(message: MessageTypeDef) -> Delivery:
    attributes = message["Attributes"]
    return Delivery(
        job_id=message["MessageId"],
        token=message["ReceiptHandle"],
        body=message["Body"],
        receive_count=int(attributes["ApproximateReceiveCount"]),
        sent_at=datetime.fromtimestamp(int(attributes["SentTimestamp"]) / 1000, UTC),
    )


def _seconds(time_s: float, most: int) -> int:
    return min(most, max(0, math.ceil(time_s)))
