"""Which photos want copies, what is shown of them, and which objects are no longer needed."""

from __future__ import annotations

import pytest

from photogate.domain import Finding, PhotoRow, Principal, Role, Signals, Status, Verdict
from photogate.domain.changes import judged, reopened, withheld
from photogate.domain.object_keys import copies_of, copy_key, kept_key
from photogate.errors import Conflict, RateLimited
from tests.authors import decide, delete, undo, withdraw
from tests.contract.test_intake import new_batch
from tests.records import Records

MODERATOR = Principal(user_id="mod", role=Role.MODERATOR)
OWNER = Principal(user_id="u")
SHA256 = "ab" * 32
LIMITS = {"size_bytes": 100, "expires_in_s": 900, "most_urls": 30, "most_bytes": 10_000}


def handed_in(records: Records, *keys: str) -> dict[str, str]:
    """Hand photos in; gives their ids by key."""
    for key in keys:
        records.intake.issue("u", key, **LIMITS)
    records.intake.accept(new_batch(*keys), photos_per_day=30)
    return {photo.file_key: photo.id for photo in records.views.of_user("u")}


def judge(
    records: Records,
    photo_id: str,
    status: Status = Status.APPROVED,
    *,
    marker: str | None = None,
) -> None:
    """Give a photo that could be decoded its verdict."""
    finding = Finding(
        photo_id=photo_id,
        verdict=Verdict(status=status, reason="nsfw" if status is Status.REJECTED else None),
        signals=Signals(width=640, height=480, sha256=SHA256),
        original_key=kept_key(photo_id, SHA256),
        marker=marker,
    )
    (outcome,) = records.changes.make([judged(finding, generation=1)])
    assert outcome.changed


def made(records: Records, photo_id: str) -> bool:
    display = copy_key("display", photo_id, SHA256, suffix="jpg")
    return records.copies.made(
        photo_id, display_key=display, original_key=kept_key(photo_id, SHA256)
    )


def photo(records: Records, photo_id: str) -> PhotoRow:
    return next(p for p in records.views.of_user("u") if p.id == photo_id)


@pytest.fixture
def approved(records: Records) -> str:
    """A photo that the machine has just approved."""
    photo_id = handed_in(records, "incoming/a")["incoming/a"]
    judge(records, photo_id)
    return photo_id


def test_an_approved_photo_is_shown_once_its_copies_are_there(
    records: Records, approved: str
) -> None:
    before = photo(records, approved)
    assert (before.status, before.told_status) == (Status.APPROVED, Status.PENDING)
    assert before.shown_key is None
    (wanted,) = records.copies.begin([approved], lease_s=60)
    assert (wanted.original_key, wanted.sha256) == (kept_key(approved, SHA256), SHA256)
    assert (wanted.attempts, wanted.earlier_layout) == (1, False)
    assert made(records, approved)
    after = photo(records, approved)
    assert after.told_status is Status.APPROVED
    assert after.shown_key == copy_key("display", approved, SHA256, suffix="jpg")
    assert after.file_key == "incoming/a"
    assert records.copies.begin([approved], lease_s=60) == []


@pytest.mark.parametrize("status", [Status.REJECTED, Status.REVIEW])
def test_what_is_not_approved_has_copies_and_is_shown_to_nobody(
    records: Records, status: Status
) -> None:
    photo_id = handed_in(records, "incoming/a")["incoming/a"]
    judge(records, photo_id, status)
    assert len(records.copies.begin([photo_id], lease_s=60)) == 1
    made(records, photo_id)
    assert photo(records, photo_id).shown_key is None
    decide(records, photo_id, Verdict(status=Status.APPROVED), by=MODERATOR)
    assert photo(records, photo_id).shown_key is not None
    undo(records, photo_id, by=MODERATOR)
    assert photo(records, photo_id).shown_key is None


def test_what_was_never_decoded_wants_none(records: Records) -> None:
    photo_id = handed_in(records, "incoming/a")["incoming/a"]
    refused = Finding(photo_id=photo_id, verdict=Verdict(status=Status.REVIEW), error="it crashed")
    records.changes.make([judged(refused, generation=1)])
    assert records.copies.begin([photo_id], lease_s=60) == []
    assert records.copies.progress().waiting == 0


def test_what_a_person_approves_unseen_by_the_machine_is_copied_and_kept_first(
    records: Records,
) -> None:
    photo_id = handed_in(records, "incoming/a")["incoming/a"]
    decide(records, photo_id, Verdict(status=Status.APPROVED), by=MODERATOR)
    records.age_uploads(minutes=60)
    assert records.copies.release_uploads(limit=10) == 0
    (wanted,) = records.copies.begin([photo_id], lease_s=60)
    assert (wanted.original_key, wanted.etag, wanted.sha256) == ("incoming/a", "e", None)
    made(records, photo_id)
    assert photo(records, photo_id).shown_key is not None
    assert records.copies.release_uploads(limit=10) == 1


def test_two_deliveries_do_not_work_on_the_same(records: Records, approved: str) -> None:
    assert len(records.copies.begin([approved], lease_s=60)) == 1
    assert records.copies.begin([approved], lease_s=60) == []
    records.end_copy_leases()
    (again,) = records.copies.begin([approved], lease_s=60)
    assert again.attempts == 2


def test_a_job_that_was_lost_is_sent_again(records: Records, approved: str) -> None:
    assert records.copies.take_due(limit=10) == []
    records.end_copy_leases()
    assert records.copies.take_due(limit=10) == [approved]
    assert records.copies.take_due(limit=10) == []
    assert records.copies.progress().waiting == 1


def test_what_is_put_off_counts_no_attempt(records: Records, approved: str) -> None:
    records.copies.begin([approved], lease_s=60)
    records.copies.put_off([approved], for_s=0)
    assert records.copies.take_due(limit=10) == [approved]
    (again,) = records.copies.begin([approved], lease_s=60)
    assert again.attempts == 1


def test_an_approval_that_cannot_be_shown_goes_to_a_person(records: Records, approved: str) -> None:
    (outcome,) = records.changes.make([withheld(approved, error="no copy")])
    records.copies.abandon(approved)
    assert outcome.changed
    after = photo(records, approved)
    assert (after.status, after.error, after.shown_key) == (Status.REVIEW, "no copy", None)
    assert records.review_items() == {(approved, "doubt")}
    assert records.history(approved)[-1]["action"] == "withhold"
    assert records.copies.progress().waiting == 0


def test_a_persons_approval_stays_and_a_person_looks_again(records: Records, approved: str) -> None:
    decide(records, approved, Verdict(status=Status.APPROVED), by=MODERATOR)
    for changed in (True, False):  # the same again changes nothing
        (outcome,) = records.changes.make([withheld(approved, error="no copy")])
        assert outcome.changed is changed
    after = photo(records, approved)
    assert (after.status, after.decided_by) == (Status.APPROVED, MODERATOR.user_id)
    assert (after.error, after.shown_key) == ("no copy", None)
    assert records.review_items() == {(approved, "doubt")}
    assert records.history(approved)[-1]["after"] == "approved"
    decide(records, approved, Verdict(status=Status.REJECTED), by=MODERATOR)
    assert records.review_items() == set()


def test_what_a_person_rejected_is_not_withheld(records: Records, approved: str) -> None:
    decide(records, approved, Verdict(status=Status.REJECTED), by=MODERATOR)
    (outcome,) = records.changes.make([withheld(approved, error="no copy")])
    assert outcome.refusal
    assert photo(records, approved).status is Status.REJECTED


@pytest.mark.parametrize("status", [Status.REVIEW, Status.REJECTED])
def test_nobody_approves_what_has_no_copy_and_never_will(records: Records, status: Status) -> None:
    photo_id = handed_in(records, "incoming/a")["incoming/a"]
    finding = Finding(
        photo_id=photo_id,
        verdict=Verdict(status=status),
        error="its decoder crashed" if status is Status.REVIEW else None,
        original_key=kept_key(photo_id, SHA256),
    )
    records.changes.make([judged(finding, generation=1)])
    with pytest.raises(Conflict, match="ask its owner for another"):
        decide(records, photo_id, Verdict(status=Status.APPROVED), by=MODERATOR)
    assert photo(records, photo_id).status is status
    decide(records, photo_id, Verdict(status=Status.REJECTED), by=MODERATOR)


def test_failures_are_counted_apart_until_copies_are_wanted_anew(
    records: Records, approved: str
) -> None:
    for failures in range(3):
        (wanted,) = records.copies.begin([approved], lease_s=60)
        assert (wanted.attempts, wanted.failures) == (1, failures)
        records.copies.failed(approved, for_s=0)
    (wanted,) = records.copies.begin([approved], lease_s=60)
    records.changes.make([withheld(approved, error="no copy")])
    records.copies.abandon(approved)
    records.changes.make([reopened(approved)])
    finding = Finding(
        photo_id=approved,
        verdict=Verdict(status=Status.APPROVED),
        signals=Signals(width=640, height=480, sha256=SHA256),
        original_key=kept_key(approved, SHA256),
    )
    records.changes.make([judged(finding, generation=2)])
    (wanted,) = records.copies.begin([approved], lease_s=60)
    assert (wanted.attempts, wanted.failures) == (1, 0)


def test_with_a_photo_all_of_its_objects_go(records: Records, approved: str) -> None:
    made(records, approved)
    withdraw(records, approved, by=OWNER)
    kept = kept_key(approved, SHA256)
    noted = records.outbox.take_deletions(limit=100)
    assert {"incoming/a", kept, *copies_of(kept)} == set(noted)
    assert not made(records, approved)


def test_they_go_also_when_copies_are_just_being_made(records: Records, approved: str) -> None:
    records.copies.begin([approved], lease_s=60)
    withdraw(records, approved, by=OWNER)
    assert set(copies_of(kept_key(approved, SHA256))) <= set(
        records.outbox.take_deletions(limit=100)
    )


def test_what_was_deleted_cannot_be_handed_in_again(records: Records) -> None:
    ids = handed_in(records, "incoming/a", "incoming/b")
    judge(records, ids["incoming/a"], Status.REJECTED)
    delete(records, ids["incoming/a"], by=MODERATOR)
    with pytest.raises(Conflict, match="deleted") as raised:
        records.intake.find("u", ["incoming/a", "incoming/b"])
    assert raised.value.file_keys == ("incoming/a",)
    with pytest.raises(Conflict, match="deleted"):
        records.intake.accept(new_batch("incoming/a", "incoming/b"), photos_per_day=30)


def test_originals_of_approved_photos_go_after_a_time(records: Records, approved: str) -> None:
    records.age_verdicts(days=31)
    assert records.copies.release_originals(days=30, limit=10) == 0  # there is no copy yet
    made(records, approved)
    assert records.copies.release_originals(days=32, limit=10) == 0
    assert records.copies.release_originals(days=30, limit=10) == 1
    assert records.copies.release_originals(days=30, limit=10) == 0
    assert records.outbox.take_deletions(limit=10) == [kept_key(approved, SHA256)]
    after = photo(records, approved)
    assert after.original_key is None
    assert after.shown_key is not None
    withdraw(records, approved, by=OWNER)
    assert after.shown_key in records.outbox.take_deletions(limit=100)


def test_uploads_that_nobody_handed_in_go_when_their_time_is_over(records: Records) -> None:
    records.intake.issue("u", "incoming/x", **LIMITS)
    records.age_uploads(minutes=19)
    assert records.copies.release_uploads(limit=10) == 0
    records.age_uploads(minutes=2)
    assert records.copies.release_uploads(limit=10) == 1
    assert records.outbox.take_deletions(limit=10) == ["incoming/x"]
    with pytest.raises(Conflict, match="time of some uploads is over"):
        records.intake.accept(new_batch("incoming/x"), photos_per_day=30)
    assert records.count("media") == 0


def test_what_was_handed_in_stays_until_its_bytes_are_kept(records: Records) -> None:
    photo_id = handed_in(records, "incoming/a")["incoming/a"]
    records.age_uploads(minutes=60)
    assert records.copies.release_uploads(limit=10) == 0
    judge(records, photo_id)
    assert records.copies.release_uploads(limit=10) == 1
    assert records.outbox.take_deletions(limit=10) == ["incoming/a"]


def test_only_so_many_uploads_of_a_user_may_be_under_way(records: Records) -> None:
    limits = LIMITS | {"most_urls": 2}
    for key in ("incoming/a", "incoming/b", "incoming/b"):  # the same one again changes nothing
        records.intake.issue("u", key, **limits)
    with pytest.raises(RateLimited) as raised:
        records.intake.issue("u", "incoming/c", **limits)
    assert 900 < raised.value.retry_after_s <= 1201
    records.intake.issue("other", "incoming/d", **limits)
    records.intake.accept(new_batch("incoming/a"), photos_per_day=30)
    records.intake.issue("u", "incoming/c", **limits)


def test_only_so_many_bytes_may_be_under_way(records: Records) -> None:
    limits = LIMITS | {"most_bytes": 250}
    records.intake.issue("u", "incoming/a", **limits)
    records.intake.issue("u", "incoming/b", **limits)
    with pytest.raises(RateLimited):
        records.intake.issue("u", "incoming/c", **limits)


def test_photos_of_the_earlier_layout_are_shown_until_they_have_copies(
    records: Records, approved: str
) -> None:
    records.of_earlier_layout()
    before = photo(records, approved)
    assert (before.shown_key, before.told_status) == ("incoming/a", Status.APPROVED)
    assert records.copies.progress().earlier == 1
    assert records.copies.schedule_earlier(limit=10) == 1
    assert records.copies.schedule_earlier(limit=10) == 0
    assert records.copies.take_due(limit=10) == [approved]
    (wanted,) = records.copies.begin([approved], lease_s=60)
    assert (wanted.original_key, wanted.earlier_layout) == ("incoming/a", True)
    assert made(records, approved)
    after = photo(records, approved)
    assert after.shown_key == copy_key("display", approved, SHA256, suffix="jpg")
    assert (after.file_key, after.earlier_layout) == ("incoming/a", False)
    assert records.copies.progress().earlier == 0


def test_what_a_person_approves_anew_of_the_earlier_layout_waits_for_its_copies(
    records: Records,
) -> None:
    """A client may have put something else in the place of what was judged."""
    photo_id = handed_in(records, "incoming/a")["incoming/a"]
    judge(records, photo_id, Status.REVIEW)
    records.of_earlier_layout()
    decide(records, photo_id, Verdict(status=Status.APPROVED), by=MODERATOR)
    before = photo(records, photo_id)
    assert (before.shown_key, before.told_status) == (None, Status.PENDING)
    assert before.file_key == "incoming/a"
    (wanted,) = records.copies.begin([photo_id], lease_s=60)
    assert (wanted.original_key, wanted.sha256) == ("incoming/a", SHA256)
    made(records, photo_id)
    assert photo(records, photo_id).told_status is Status.APPROVED


@pytest.mark.parametrize("by_person", [False, True])
def test_nothing_is_shown_of_the_earlier_layout_where_no_copies_can_be_made(
    records: Records, approved: str, by_person: bool
) -> None:
    if by_person:
        decide(records, approved, Verdict(status=Status.APPROVED), by=MODERATOR)
    records.of_earlier_layout()
    assert photo(records, approved).shown_key == "incoming/a"
    records.copies.schedule_earlier(limit=10)
    records.copies.abandon(approved)
    assert photo(records, approved).shown_key is None
    assert photo(records, approved).file_key == "incoming/a"
    assert records.copies.progress().waiting == 0
    decide(records, approved, Verdict(status=Status.REJECTED), by=MODERATOR)
    decide(records, approved, Verdict(status=Status.APPROVED), by=MODERATOR)
    assert photo(records, approved).shown_key is None
