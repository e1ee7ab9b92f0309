"""Makes the bucket and the queues in a moto, and again whenever it has forgotten them.

moto keeps nothing over a restart. ``python -m local.servers.moto_setup`` looks every few seconds;
once all is there the file ``/tmp/ready`` says so.
"""

from __future__ import annotations

import json
import logging
import signal
import threading
from pathlib import Path
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from local.process import run_main
from photogate.adapters import photos_s3, sqs_client
from photogate.errors import ConfigError
from photogate.service.moderate import MAX_DELIVERIES
from photogate.settings import QueueSettings, StorageSettings, read
from photogate.telemetry import make_logger

logger = logging.getLogger("local.servers.moto_setup")

_READY = Path("/tmp/ready")  # noqa: S108 - the one place that a read-only container may write to
_EVERY_S = 5.0


def ensure() -> None:
    """Make whatever is missing."""
    _ensure_bucket(read(StorageSettings))
    _ensure_queues(read(QueueSettings))


def _ensure_bucket(settings: StorageSettings) -> None:
    bucket, secret = settings.s3_bucket_photos, settings.s3_secret_key
    if bucket is None:
        raise ConfigError("S3_BUCKET_PHOTOS is required")
    s3 = photos_s3.connect(
        region=settings.s3_region,
        endpoint=settings.s3_endpoint,
        access_key=settings.s3_access_key,
        secret_key=secret.get_secret_value() if secret else None,
    )
    if bucket not in {found.get("Name") for found in s3.list_buckets().get("Buckets", [])}:
        s3.create_bucket(Bucket=bucket)
        logger.info("made the bucket %s", bucket)
    s3.close()


def _ensure_queues(settings: QueueSettings) -> None:
    if settings.queue_url is None or settings.queue_dead_url is None:
        raise ConfigError("QUEUE_URL and QUEUE_DEAD_URL are required")
    sqs = sqs_client.connect(settings.queue_url, settings.queue_endpoint)
    dead = sqs.create_queue(QueueName=_name(settings.queue_dead_url))["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])
    redrive = {
        "deadLetterTargetArn": attributes["Attributes"]["QueueArn"],
        "maxReceiveCount": MAX_DELIVERIES,
    }
    sqs.create_queue(
        QueueName=_name(settings.queue_url), Attributes={"RedrivePolicy": json.dumps(redrive)}
    )
    sqs.close()


def _name(url: str) -> str:
    return urlsplit(url).path.rpartition("/")[2]


def main() -> None:
    """Look until SIGTERM or Ctrl-C."""
    make_logger("moto-setup")
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    while not stopping.is_set():
        try:
            ensure()
            _READY.touch()
        except (BotoCoreError, ClientError) as error:
            _READY.unlink(missing_ok=True)
            logger.warning("moto does not answer: %s", error)
        stopping.wait(_EVERY_S)


if __name__ == "__main__":
    run_main(main)
