"""The HTTP functions while connections to PostgreSQL break: a right answer, or 503."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis

from local.client import ApiRefused, PhotogateClient, Upload
from photogate.adapters.postgres.pool import Pool
from photogate.adapters.queue_redis import READ_TIMEOUT_S
from photogate.domain import Role
from tests.contract.conftest import Fault, misbehaving
from tests.contract.test_broken_connections import CUTS
from tests.functions.conftest import Installation, reset_bootstrap
from tests.proxy import Break, Cut, Script, scripted


@pytest.fixture
def script(
    installation: Installation, migrated_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Script]:
    """What breaks the installation's way to its database."""
    with scripted(migrated_url) as (script, url):
        monkeypatch.setenv("DATABASE_URL", url)
        reset_bootstrap()
        yield script
        reset_bootstrap()


@pytest.mark.parametrize("point", CUTS)
def test_upload_complete_gives_one_batch(
    installation: Installation, script: Script, pool: Pool, portrait: bytes, point: str
) -> None:
    script.cuts.append(CUTS[point])
    installation.hand_in(portrait, portrait)
    assert script.done == [CUTS[point]]
    # The one break may have been in looking for the batch; so break the writing one, too.
    script.cuts += [Cut(at=b"pg_advisory_xact_lock", how=Break.AFTER), CUTS[point]]
    installation.hand_in(portrait, user="u-2")
    assert script.cuts == []
    batches = pool.transaction(lambda s: s.rows("SELECT user_id FROM batches ORDER BY user_id"))
    assert [row["user_id"] for row in batches] == ["u-1", "u-2"]
    usage = pool.transaction(lambda s: s.rows("SELECT sum(photos) AS n FROM upload_usage"))
    assert usage[0]["n"] == 3


@pytest.mark.parametrize("point", CUTS)
def test_an_outage_is_a_503_with_retry_after_and_the_same_call_works_later(
    installation: Installation, script: Script, pool: Pool, portrait: bytes, point: str
) -> None:
    client, admin = installation.client(), installation.client("a", Role.ADMIN)
    installation.hand_in(portrait)
    photo_id = client.photos()[0]["id"]
    keys = [client.put(Upload(name="x", data=portrait)) for _ in range(2)]
    calls: list[Callable[[], Any]] = [
        lambda: client.complete(keys),
        client.photos,
        lambda: admin.call("PUT", f"/admin/moderation/{photo_id}/approve"),
        lambda: admin.call("GET", "/admin/queue-stats"),
    ]
    script.cuts += [CUTS[point]] * 1000
    for call in calls:
        started = time.monotonic()
        with pytest.raises(ApiRefused) as caught:
            call()
        assert caught.value.status == 503
        assert caught.value.retry_after_s >= 1
        # the API gateway waits 30 s
        assert time.monotonic() - started < 20
    script.cuts.clear()
    for call in calls:
        call()
    found = {photo["file_key"]: photo["moderation_status"] for photo in client.photos()}
    assert len(found) == 3
    assert [found[key] for key in keys] == ["pending", "pending"]
    audit = pool.transaction(
        lambda s: s.rows("SELECT 1 FROM history WHERE photo_id = :id", id=photo_id)
    )
    assert len(audit) == 1


def test_upload_complete_waits_2_s_for_a_frozen_queue(
    installation: Installation, redis_client: redis.Redis, pool: Pool, portrait: bytes
) -> None:
    client = installation.client()
    keys = [[client.put(Upload(name="x", data=portrait))] for _ in range(2)]
    client.complete(keys[0])  # and so it is connected
    pid = int(redis_client.info()["process_id"])
    os.kill(pid, signal.SIGSTOP)
    try:
        started = time.monotonic()
        client.complete(keys[1])
        # a worker would wait twice for READ_TIMEOUT_S
        assert time.monotonic() - started < 2 * READ_TIMEOUT_S
    finally:
        os.kill(pid, signal.SIGCONT)
    assert _left_to_the_sweep(pool) == 1


@pytest.mark.slow
def test_upload_complete_answers_while_nothing_else_on_aws_does(
    on_aws: Installation,
    moto_server: str,
    pool: Pool,
    portrait: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with misbehaving() as silent:
        silent.fault = Fault(then="stall")
        monkeypatch.setenv("S3_PUBLIC_ENDPOINT", moto_server)
        monkeypatch.setenv("S3_ENDPOINT", silent.url)
        monkeypatch.setenv("QUEUE_ENDPOINT", silent.url)
        reset_bootstrap()
        client = on_aws.client()
        keys = [client.put(Upload(name="x", data=portrait)) for _ in range(9)]
        started = time.monotonic()
        client.complete(keys)
        # Lambda gives it 20 s: 7 of them for the store, 3 for the queue.
        assert time.monotonic() - started < 20
        assert len(silent.bodies) == 2 * 9 + 2
    assert _left_to_the_sweep(pool) == 1


@pytest.mark.slow
def test_a_store_that_stalls_is_waited_for_once_however_many_ask(
    on_aws: Installation,
    moto_server: str,
    pool: Pool,
    portrait: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with misbehaving() as silent:
        silent.fault = Fault(then="stall")
        monkeypatch.setenv("S3_PUBLIC_ENDPOINT", moto_server)
        monkeypatch.setenv("S3_ENDPOINT", silent.url)
        reset_bootstrap()
        uploads = []
        for number in range(5):
            client = on_aws.client(f"u-{number}")
            uploads.append(
                (client, [client.put(Upload(name="x", data=portrait)) for _ in range(9)])
            )

        def answered_in_s(upload: tuple[PhotogateClient, list[str]]) -> float:
            started = time.monotonic()
            upload[0].complete(upload[1])
            return time.monotonic() - started

        with ThreadPoolExecutor(5) as threads:
            assert max(threads.map(answered_in_s, uploads)) < 20
    rows = pool.transaction(lambda s: s.rows("SELECT etag FROM media"))
    assert [row["etag"] for row in rows] == [None] * 45


def _left_to_the_sweep(pool: Pool) -> int:
    """Count batches whose job was never sent; each sending doubles the interval."""
    rows = pool.transaction(
        lambda s: s.rows("SELECT 1 FROM batches WHERE enqueue_interval = interval '1 minute'")
    )
    return len(rows)
