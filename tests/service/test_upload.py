"""Handing photos in: limits, repeated and conflicting keys, a store or queue that is down."""

from __future__ import annotations

from dataclasses import replace

import pytest

from photogate.domain import Principal
from photogate.errors import Conflict, InvalidRequest, NotFound, RateLimited
from photogate.file_keys import FileKeys
from photogate.messages import Job
from photogate.service.upload import UploadLimits, Uploads
from tests.conftest import SECRET
from tests.records import Records
from tests.service.conftest import OWNER, UnsteadyQueue, UnsteadyStore, statuses

LIMITS = UploadLimits(max_bytes=1000, photos_per_day=10)
STRANGER = Principal(user_id="v")


@pytest.fixture
def uploads(records: Records, store: UnsteadyStore, queue: UnsteadyQueue) -> Uploads:
    """The service."""
    return Uploads(
        keys=FileKeys(SECRET),
        store=store,
        intake=records.intake,
        views=records.views,
        changes=records.changes,
        outbox=records.outbox,
        sender=queue,
        addresses=records.addresses,
        limits=LIMITS,
    )


def put(uploads: Uploads, store: UnsteadyStore, count: int = 1, *, size: int = 10) -> list[str]:
    """Upload so many photos; gives their keys."""
    keys = []
    for _ in range(count):
        key, ticket = uploads.upload_url(OWNER, content_type="image/jpeg", size_bytes=None)
        store.upload(ticket.url, b"x" * size, content_type=ticket.headers["Content-Type"])
        keys.append(key)
    return keys


def test_who_hands_in_is_told_where_the_token_says(
    uploads: Uploads, store: UnsteadyStore, records: Records
) -> None:
    keys = put(uploads, store, 2)
    uploads.complete(OWNER, keys[:1])
    assert records.addresses.of("telegram", "u") is None
    uploads.complete(replace(OWNER, addresses=(("telegram", "4711"),)), keys[1:])
    assert records.addresses.of("telegram", "u") == "4711"


def test_what_is_handed_in_waits_and_has_a_job(
    uploads: Uploads, store: UnsteadyStore, records: Records, queue: UnsteadyQueue
) -> None:
    keys = put(uploads, store, 2)
    batch = uploads.complete(OWNER, keys, correlation_id="request-1")
    assert batch.created
    assert statuses(records) == dict.fromkeys(keys, "pending")
    delivery = queue.receive(wait_s=0)
    assert delivery is not None
    assert Job.decode(delivery.body) == Job(batch_id=batch.id, generation=1)
    status = uploads.status(OWNER, limit=5)
    summary, photos = status.summary, status.photos
    assert (summary.total_photos, summary.pending, summary.pending_batches) == (2, 2, 1)
    assert {url for _, url in photos} == {
        f"/api/v1/users/media/{photo.id}/photo" for photo, _ in photos
    }


def test_the_same_keys_again_are_the_same_batch_and_no_second_job(
    uploads: Uploads, store: UnsteadyStore, queue: UnsteadyQueue
) -> None:
    keys = put(uploads, store, 2)
    first = uploads.complete(OWNER, keys)
    again = uploads.complete(OWNER, keys[::-1])
    assert (again.id, again.created) == (first.id, False)
    assert queue.stats().visible == 1


@pytest.mark.parametrize(
    ("type_", "size"), [("text/html", None), ("image/heic", None), ("image/jpeg", 1001)]
)
def test_what_cannot_be_uploaded_gets_no_url(
    uploads: Uploads, type_: str, size: int | None
) -> None:
    with pytest.raises(InvalidRequest):
        uploads.upload_url(OWNER, content_type=type_, size_bytes=size)


def test_a_request_that_makes_no_sense(uploads: Uploads, store: UnsteadyStore) -> None:
    keys = put(uploads, store, 10)
    for wrong in ([], keys, [keys[0], keys[0]]):
        with pytest.raises(InvalidRequest):
            uploads.complete(OWNER, wrong)


def test_a_key_of_somebody_else_is_not_there(uploads: Uploads, store: UnsteadyStore) -> None:
    with pytest.raises(NotFound):
        uploads.complete(STRANGER, put(uploads, store))


def test_what_was_not_uploaded_is_named_and_nothing_is_accepted(
    uploads: Uploads, store: UnsteadyStore, records: Records
) -> None:
    missing, _ = uploads.upload_url(OWNER, content_type="image/jpeg", size_bytes=None)
    with pytest.raises(Conflict) as caught:
        uploads.complete(OWNER, [*put(uploads, store), missing])
    assert caught.value.file_keys == (missing,)
    assert records.count("media") == 0


def test_an_object_above_the_limit_is_not_accepted(
    uploads: Uploads, store: UnsteadyStore, records: Records
) -> None:
    with pytest.raises(InvalidRequest, match="at most 1000"):
        uploads.complete(OWNER, put(uploads, store, size=1001))
    assert records.count("media") == 0


def test_keys_of_another_batch_conflict(uploads: Uploads, store: UnsteadyStore) -> None:
    first, second = put(uploads, store, 2)
    uploads.complete(OWNER, [first])
    with pytest.raises(Conflict) as caught:
        uploads.complete(OWNER, [first, second])
    assert caught.value.file_keys == (first,)
    assert uploads.complete(OWNER, [second]).created


def test_the_limit_of_a_day(uploads: Uploads, store: UnsteadyStore, records: Records) -> None:
    uploads.complete(OWNER, put(uploads, store, 9))
    two = put(uploads, store, 2)
    with pytest.raises(RateLimited):
        uploads.complete(OWNER, two)
    assert uploads.complete(OWNER, two[:1]).created
    records.age_usage(hours=25)
    assert uploads.complete(OWNER, two[1:]).created


def test_a_store_that_is_silent_costs_no_upload(
    uploads: Uploads, store: UnsteadyStore, records: Records
) -> None:
    (key,) = put(uploads, store)
    store.failures = 1
    assert uploads.complete(OWNER, [key]).created
    (row,) = records.photos()
    assert (row["url"], row["etag"], row["size_bytes"]) == (key, None, None)


def test_a_queue_that_is_down_costs_no_upload(
    uploads: Uploads, store: UnsteadyStore, records: Records, queue: UnsteadyQueue
) -> None:
    queue.down = True
    batch = uploads.complete(OWNER, put(uploads, store))
    assert batch.created
    records.due_now()
    assert [job.batch_id for job in records.outbox.take_due(limit=5)] == [batch.id]


def test_a_photo_is_deleted_by_its_owner_only(
    uploads: Uploads, store: UnsteadyStore, records: Records
) -> None:
    keys = put(uploads, store)
    uploads.complete(OWNER, keys)
    (photo,) = records.views.of_user("u")
    with pytest.raises(NotFound):
        uploads.delete(STRANGER, photo.id)
    for _ in range(2):  # whose first answer was lost
        uploads.delete(OWNER, photo.id)
    assert store.head(keys[0]) is None
    assert statuses(records) == {}


def test_a_store_that_is_down_costs_no_deletion(
    uploads: Uploads, store: UnsteadyStore, records: Records
) -> None:
    keys = put(uploads, store)
    uploads.complete(OWNER, keys)
    store.failures = 1
    uploads.delete(OWNER, records.views.of_user("u")[0].id)
    assert store.head(keys[0]) is not None
    assert records.outbox.take_deletions(limit=5) == keys


@pytest.mark.quick
def test_heic_is_accepted_where_it_is_read() -> None:
    assert "image/heic" not in LIMITS.content_types
    assert "image/heic" in replace(LIMITS, heic=True).content_types
