"""A photo store that answers 500, stalls, resets and truncates: retried, never approved."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from urllib.parse import urlsplit
from uuid import uuid4

import boto3
import pytest

from tests.contract.conftest import AWS_KEY, AWS_SECRET, answer
from tests.faults.client import Load
from tests.faults.conftest import Close, Scale
from tests.faults.installation import Installation, Servers, fleet, steady
from tests.faults.ledger import Ledger
from tests.faults.photos import Album
from tests.proxy import Break, Proxy, by_chance, proxied

pytestmark = pytest.mark.slow

#: upload-complete waits for a store that stalls, but not for long.
ACCEPTED_WITHIN_S = 10.0


@pytest.mark.parametrize(
    ("kinds", "share", "photos", "words"),
    [
        pytest.param(
            (Break.REFUSED, Break.BEFORE, Break.HALF, Break.SHORT),
            0.4,
            600,
            "answers 500, resets, truncates",
            id="breaks",
        ),
        pytest.param((Break.SILENCE,), 0.3, 60, "stalls", id="stalls", marks=pytest.mark.long),
    ],
)
def test_storage(
    kinds: tuple[Break, ...],
    share: float,
    photos: int,
    words: str,
    servers: Servers,
    moto_server: str,
    installation: Installation,
    ledger: Ledger,
    album: Album,
    scale: Scale,
    close: Close,
) -> None:
    """Reads break in the worker, and looking an upload up breaks in the API."""
    with behind_proxy(servers, moto_server) as (proxy, broken):
        proxy.decide = by_chance(
            scale.seed, share, *kinds, when=lambda sent: sent.startswith((b"GET ", b"HEAD "))
        )
        slot = steady(delay_factor=0.05)
        with fleet(broken, *[slot] * scale.of(2, 4)) as workers:
            with Load(broken, ledger, album, photos=scale.of(30, photos)) as load:
                load.join(120)
            broken.settle(within_s=600, hasten=True)
        handed_back = sum(line["what"] == "handed back" for line in workers.notes.lines)
    account = close(
        f"storage: {words}",
        injected=proxy.count,
        photos_of=broken,
        note=f"{handed_back} jobs handed back; slowest 200 {max(ledger.accepting_s):.1f} s",
    )
    assert max(ledger.accepting_s) < ACCEPTED_WITHIN_S
    assert ledger.statuses.keys() == {200}
    assert set(proxy.broken) == set(kinds)
    assert handed_back > 0
    assert account.statuses["approved"] > account.photos / 2


@contextmanager
def behind_proxy(servers: Servers, moto: str) -> Iterator[tuple[Proxy, Installation]]:
    """Run an API and a sweep whose way to the bucket leads through a proxy."""
    bucket = f"photos-{uuid4()}"
    boto3.client(
        "s3",
        region_name="us-east-1",
        endpoint_url=moto,
        aws_access_key_id=AWS_KEY,
        aws_secret_access_key=AWS_SECRET,
    ).create_bucket(Bucket=bucket)
    with proxied(urlsplit(moto).port or 0) as proxy:
        proxy.refusal = answer(HTTPStatus.INTERNAL_SERVER_ERROR, b"<Error/>")
        broken = Installation(
            servers,
            settings={
                "PHOTOS_DIR": "",
                "PHOTOS_URL_SECRET": "",
                "S3_BUCKET_PHOTOS": bucket,
                "S3_ENDPOINT": f"http://127.0.0.1:{proxy.port}",
                "S3_PUBLIC_ENDPOINT": moto,
                "S3_ACCESS_KEY": AWS_KEY,
                "S3_SECRET_KEY": AWS_SECRET,
                "JOB_DEADLINE_S": "120",
            },
        )
        try:
            broken.start()
            yield proxy, broken
        finally:
            proxy.decide = lambda _: Break.NOT
            broken.stop()
