"""Parcels and receipts through SQS, between who has the database and who has the way out."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from photogate.adapters.sqs_client import translated
from photogate.notice_messages import HandedBack, HandedOver

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


class SqsParcels:
    """The ``Parcels`` port, over a FIFO queue: a parcel is there once, and users stay in order."""

    def __init__(self, client: SQSClient, url: str) -> None:
        self._client = client
        self._url = url

    @translated
    def send(self, message: HandedOver) -> None:
        """See ``photogate.ports.notices.Parcels.send``."""
        parcel = message.parcel
        # Ids of users may hold what SQS refuses.
        line = hashlib.sha256(f"{parcel.channel}:{parcel.user_id}".encode()).hexdigest()
        self._client.send_message(
            QueueUrl=self._url,
            MessageBody=message.model_dump_json(),
            MessageGroupId=line,
            MessageDeduplicationId=f"{parcel.token}:{line[:32]}",
        )


class SqsReceipts:
    """The ``Receipts`` port."""

    def __init__(self, client: SQSClient, url: str) -> None:
        self._client = client
        self._url = url

    @translated
    def send(self, message: HandedBack) -> None:
        """See ``photogate.ports.notices.Receipts.send``."""
        self._client.send_message(QueueUrl=self._url, MessageBody=message.model_dump_json())
