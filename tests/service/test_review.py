"""Decisions of people, and what they are shown."""

from __future__ import annotations

import pytest

from photogate.domain import Finding, Status, Verdict
from photogate.errors import Conflict, InvalidRequest, NotFound
from photogate.messages import Job
from photogate.service.review import MAX_REASON_LENGTH, Reviews
from tests.authors import finish
from tests.records import Records
from tests.service.conftest import MODERATOR, UnsteadyQueue, UnsteadyStore, statuses


@pytest.fixture
def reviews(records: Records, queue: UnsteadyQueue, store: UnsteadyStore) -> Reviews:
    """The service."""
    return Reviews(
        store=store,
        views=records.views,
        changes=records.changes,
        outbox=records.outbox,
        copies=records.copies,
        monitor=queue,
        workers=records.workers,
    )


@pytest.fixture
def ids(records: Records, job: Job) -> dict[str, str]:
    """Photos by key: a was approved, b rejected, c is in doubt."""
    found = {m.file_key: m.id for m in records.views.of_user("u")}
    verdicts = {
        "a": Verdict(status=Status.APPROVED),
        "b": Verdict(status=Status.REJECTED, reason="blurry"),
        "c": Verdict(status=Status.REVIEW),
    }
    findings = [Finding(photo_id=found[key], verdict=verdicts[key]) for key in "abc"]
    assert len(finish(records, job, findings)) == 3
    return found


def test_what_waits_is_shown_until_it_is_decided(
    reviews: Reviews, records: Records, store: UnsteadyStore, ids: dict[str, str]
) -> None:
    ((photo, url),) = reviews.waiting(limit=5)
    assert (photo.id, url) == (ids["c"], f"/api/v1/admin/moderation/{ids['c']}/photo")
    with pytest.raises(NotFound, match="no picture"):
        reviews.picture(photo.id, "display")
    store.put("copies/thumb/c.jpg", b"a thumb of c")
    records.copies.made(photo.id, display_key="copies/display/c.jpg", original_key="kept/c")
    assert reviews.picture(photo.id, "thumb").data == b"a thumb of c"
    assert reviews.approve(photo.id, by=MODERATOR).decided_by == "mod"
    assert reviews.waiting(limit=5) == []
    assert records.review_items() == set()


def test_pages_and_figures(reviews: Reviews, ids: dict[str, str]) -> None:
    pages = [reviews.dashboard(status=None, page=page, limit=2) for page in (1, 2, 3)]
    assert [(len(page.photos), page.total.n) for page in pages] == [(2, 3), (1, 3), (0, 3)]
    assert {photo.id for page in pages for photo, _ in page.photos} == set(ids.values())
    rejected = reviews.dashboard(status=Status.REJECTED, page=1, limit=5)
    assert [photo.id for photo, _ in rejected.photos] == [ids["b"]]
    assert (rejected.total.n, rejected.total.exactness) == (1, "exact")
    day = reviews.queue_report().last_day
    assert (day.total, day.approved, day.rejected, day.failed) == (3, 1, 1, 0)
    assert (day.rejection_reasons, day.oldest_age_s) == ({"blurry": 1}, None)
    assert (day.pending_media.n, day.pending_media.exactness) == (0, "exact")


@pytest.mark.parametrize("reason", ["", "  ", "x" * (MAX_REASON_LENGTH + 1)])
def test_a_rejection_needs_words(
    reviews: Reviews, records: Records, ids: dict[str, str], reason: str
) -> None:
    with pytest.raises(InvalidRequest):
        reviews.reject(ids["a"], reason=reason, by=MODERATOR)
    assert statuses(records)["a"] == "approved"


def test_a_rejection_keeps_a_persons_words(
    reviews: Reviews, records: Records, ids: dict[str, str]
) -> None:
    assert reviews.reject(ids["a"], reason=" rude ", by=MODERATOR).reason == "rude"
    row = records.history(ids["a"])[-1]
    assert (row["person"], row["role"], row["words"]) == ("mod", "moderator", "rude")


def test_only_what_is_rejected_is_verified_or_deleted(
    reviews: Reviews, records: Records, store: UnsteadyStore, ids: dict[str, str]
) -> None:
    for call in (reviews.verify, reviews.delete):
        with pytest.raises(Conflict):
            call(ids["a"], by=MODERATOR)
    assert reviews.verify(ids["b"], by=MODERATOR).verified_by == "mod"
    reviews.delete(ids["b"], by=MODERATOR)
    assert store.head("b") is None
    assert set(statuses(records)) == {"a", "c"}


def test_a_store_that_is_down_costs_no_deletion(
    reviews: Reviews, records: Records, store: UnsteadyStore, ids: dict[str, str]
) -> None:
    store.failures = 1
    reviews.delete(ids["b"], by=MODERATOR)
    assert records.outbox.take_deletions(limit=5) == ["b"]


def test_an_unknown_photo_is_not_found(reviews: Reviews) -> None:
    with pytest.raises(NotFound):
        reviews.approve("nope", by=MODERATOR)
