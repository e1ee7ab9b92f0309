"""What goes with a change that was made: its row of history, and what its photo's row keeps.

Pure, so that every adapter of the ``Changes`` port writes the same.
"""

from __future__ import annotations

from dataclasses import dataclass

from photogate.domain.changes import Action, By, Change, Outcome
from photogate.domain.object_keys import is_kept
from photogate.domain.photos import PhotoRow
from photogate.domain.verdicts import Reason, Status

#: A person's own words are kept apart from these, so that they can be erased.
_KNOWN_REASONS = frozenset(Reason)
#: More than any photo has.
_ALL_ATTEMPTS = 1_000_000


@dataclass(frozen=True, kw_only=True)
class HistoryRow:
    """One change of one photo, as it is told later."""

    photo_id: str
    #: Counts the changes of this photo, from 1.
    n: int
    action: str
    by: str
    #: Who made it; None for a machine.
    person: str | None
    role: str | None
    #: Whose photo it is.
    owner: str
    generation: int | None
    before: str
    #: None when the photo was deleted.
    after: str | None
    #: A known reason; None when a person gave ``words`` instead.
    reason: str | None
    words: str | None
    #: Automatic moderation could not finish.
    failed: bool
    rule: str | None
    value: float | None
    bound: float | None
    policy: str | None
    model: str | None
    correlation_id: str | None
    #: Of a photo that a marker gave a verdict.
    test: bool


def history_row(outcome: Outcome, n: int) -> HistoryRow:
    """Describe a change that was made; ``n`` is its number among its photo's."""
    change, before, after = outcome.change, outcome.before, outcome.after
    assert before is not None  # noqa: S101 - only changes are written
    rule, verdict = change.rule, change.verdict
    reason = after.reason if after else None
    return HistoryRow(
        photo_id=change.photo_id,
        n=n,
        action=change.action.value,
        by=change.by.value,
        person=change.person.user_id if change.person else None,
        role=change.person.role.value if change.by is By.PERSON and change.person else None,
        owner=before.user_id,
        generation=before.generation,
        before=before.status.value,
        after=after.status.value if after else None,
        reason=reason if reason in _KNOWN_REASONS else None,
        words=reason if reason not in _KNOWN_REASONS else None,
        failed=bool(after and after.error is not None),
        rule=rule.name if rule else None,
        value=rule.value if rule else None,
        bound=rule.bound if rule else None,
        policy=verdict.policy if verdict else None,
        model=change.model,
        correlation_id=change.correlation_id,
        test=outcome.test,
    )


def settles(change: Change) -> bool:
    """Tell whether the photo is moderated at that moment."""
    return change.action not in (Action.VERIFY, Action.REOPEN)


def released_upload(outcome: Outcome) -> str | None:
    """Give the key of a client's upload that no worker reads any more, or None.

    It is read until we keep its bytes ourselves, which making copies does as well.
    """
    if outcome.change.action is Action.HOLD:
        return None
    if outcome.photo is None:
        return None  # its row is gone, and all of its objects are noted for removal
    kept = outcome.change.original_key is not None
    rejected = outcome.after is not None and outcome.after.status is Status.REJECTED
    return outcome.photo.file_key if kept or rejected else None


def wants_copies(outcome: Outcome) -> bool:
    """Tell whether copies are to be made, unless they are there.

    Of what the machine could decode, and of what a person approves without its having looked.
    """
    change, after = outcome.change, outcome.after
    approved = after is not None and after.status is Status.APPROVED
    return change.copies_wanted or (change.action is Action.DECIDE and approved)


def unshowable(photo: PhotoRow, *, copies_due: bool, copies_tried: bool) -> bool:
    """Tell whether a photo has no copy and none is to be made.

    Its copies were tried in vain, or the machine kept its bytes and no decoder opened them.

    Args:
        copies_due: whether copies are wanted.
        copies_tried: whether an attempt at them began.
    """
    if photo.display_key is not None or photo.earlier_layout or copies_due:
        return False
    return copies_tried or is_kept(photo.original_key or "")


def needs_person(outcome: Outcome) -> bool:
    """Tell whether a person has to look at the photo after a change."""
    after = outcome.after
    if after is None:
        return False
    # What a person approved and nobody can see stays approved, with its error.
    unseen = after.status is Status.APPROVED and after.error is not None
    return after.status is Status.REVIEW or unseen


def ends_earlier_layout(outcome: Outcome) -> bool:
    """Tell whether nothing but copies is shown of the photo from now on.

    What an earlier version showed goes on being shown until its copies are made; what becomes
    visible now waits for them, as a client may have put something else in its place.
    """
    change, before = outcome.change, outcome.before
    if change.action is Action.HOLD:
        return True
    was_shown = before is not None and before.status is Status.APPROVED
    return change.original_key is not None or (wants_copies(outcome) and not was_shown)


def attempts_returned(outcome: Outcome) -> int:
    """Say how many counted attempts are taken off the photo: one that gave an answer, or all."""
    after = outcome.after
    if outcome.change.action is Action.REOPEN:
        return _ALL_ATTEMPTS
    failed = after is not None and after.error is not None and after.status is Status.REVIEW
    return 1 if outcome.change.action is Action.JUDGE and not failed else 0
