"""Notices: what users and backends are told of decisions, and how telling ended.

A notice is born in the transaction that changes its photo (``notice_of``). Once it is due, it is
planned: from then on it is owed to every channel in use. What is owed to one user over one channel
is a *line*; its notices go out in the order in which they fell due, as *parcels*.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from photogate.domain.changes import UNDO_WITHIN_S, Action, By, Outcome
from photogate.domain.photos import PhotoRow
from photogate.domain.verdicts import Reason, Status

#: What a notice tells of; nobody is told of a photo that waits for the machine.
_TOLD = (Status.APPROVED, Status.REJECTED, Status.REVIEW)
_NOT_TOLD = (Action.UNDO, Action.HOLD, Action.LIFT)
_KNOWN_REASONS = frozenset(Reason)


@dataclass(frozen=True, kw_only=True)
class Notice:
    """One decision about one photo, as it is told."""

    #: Stays the same however often it is told: receivers know by it what they have seen.
    id: str
    photo_id: str
    #: Counts the changes of this photo: of two notices the one with the higher number is newer.
    sequence: int
    user_id: str
    #: None where the photo came without one.
    batch_id: str | None
    #: As the client handed it in.
    file_key: str
    status: Status
    before: Status
    #: A ``Reason``, a person's words, or None.
    reason: str | None
    #: Decided by a person rather than by the machine.
    by_person: bool
    #: Takes back one that was told: the decision was undone meanwhile.
    corrects: bool
    #: Of the bytes that were judged, in hex; None when none were read.
    sha256: str | None
    #: IETF tag of the language that the user wants, such as ``am``.
    language: str
    decided_at: datetime
    #: Of a test photo: a marker in its bytes named its verdict.
    test: bool = False

    @property
    def is_ping(self) -> bool:
        """Whether it tells of no photo: somebody wants to see that a channel works."""
        return self.sequence == 0

    @property
    def reason_code(self) -> str | None:
        """The reason as programs know it: ``other`` for a person's own words."""
        if self.reason is None:
            return None
        return self.reason if self.reason in _KNOWN_REASONS else "other"


@dataclass(frozen=True, kw_only=True)
class Parcel:
    """Notices that are told to one user over one channel now, under a lease."""

    channel: str
    user_id: str
    #: Names the lease. Once it ran out, another sender may have the same notices.
    token: str
    #: Where the user is reached, for channels that need to know, such as a chat's id; else None.
    address: str | None
    #: In the order in which they are to be told.
    notices: tuple[Notice, ...]
    #: Attempts at the first one that failed, one after the other.
    failures: int = 0
    #: Seconds since the first of them; 0 for a first attempt.
    failing_s: float = 0.0
    #: Hours within which most photos had a person's decision lately, for people whose photo waits
    #: for one; None if that is not known, or nobody waits.
    review_hours: float | None = None


class Failing(StrEnum):
    """What it means that a notice was not taken: for others, and for the next attempt."""

    #: The receiver does not answer, or asks to be left alone: nobody is told over this channel for
    #: a while.
    DOWN = "down"
    #: The receiver does not take this one now; others go on.
    REFUSED = "refused"
    #: It will never be taken as it is: dead at once.
    IMPOSSIBLE = "impossible"
    #: This user is not reached over this channel any more: the channel is off for the user.
    GONE = "gone"


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why a notice was not taken."""

    kind: Failing
    #: One line, without secrets.
    error: str
    #: When the receiver wants to be asked again at the earliest; None when it does not say.
    retry_after_s: float | None = None


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """What became of a parcel."""

    #: How many of its notices were taken, counted from the first.
    told: int
    #: Why the one after these was not taken; None when nothing failed. Those behind were not tried.
    failure: Failure | None = None


@dataclass(frozen=True, kw_only=True)
class NewNotice:
    """A notice as it is written with its change."""

    photo_id: str
    sequence: int
    user_id: str
    batch_id: str | None
    file_key: str
    status: Status
    before: Status
    reason: str | None
    by_person: bool
    corrects: bool
    sha256: str | None
    #: Seconds from the change until it may be told.
    due_in_s: int
    #: Is told when there is something to be seen: approved means that the copy exists.
    waits_for_copy: bool


def notice_of(outcome: Outcome, sequence: int, photo: PhotoRow) -> NewNotice | None:
    """Give the notice of a change that was made, or None where nobody is to be told of it.

    A decision is told when it changes state or reason: who confirms a verdict tells nothing new.
    Undoing is not told by itself, see ``takes_back``. Nor is a hold, which would warn the owner.

    Args:
        sequence: number of the change among its photo's.
        photo: its row afterwards.
    """
    before, after, change = outcome.before, outcome.after, outcome.change
    if before is None or after is None or change.action in _NOT_TOLD:
        return None
    changed = before.status is not after.status
    if after.status is Status.REJECTED:
        changed = changed or before.reason != after.reason
    if not changed or after.status not in _TOLD:
        return None
    return _notice(outcome, sequence, photo, corrects=False)


def takes_back(outcome: Outcome) -> bool:
    """Tell whether the change undoes a decision, whose notice then is not told."""
    return outcome.change.action is Action.UNDO


def correction_of(outcome: Outcome, sequence: int, photo: PhotoRow) -> NewNotice | None:
    """Give the notice of an undone decision that was told already; None where it was not."""
    before, after = outcome.before, outcome.after
    if before is None or after is None:
        return None
    if (before.status, before.reason) == (after.status, after.reason):
        return None
    return _notice(outcome, sequence, photo, corrects=True)


def voids_waiting(outcome: Outcome) -> bool:
    """Tell whether an approval that still waits for its copy is not to be told any more."""
    before, after = outcome.before, outcome.after
    return before is not None and (after is None or after.status is not Status.APPROVED)


def _notice(outcome: Outcome, sequence: int, photo: PhotoRow, *, corrects: bool) -> NewNotice:
    before, after, change = outcome.before, outcome.after, outcome.change
    assert before is not None and after is not None  # noqa: S101, PT018 - asked by the callers
    sha256 = (photo.scores or {}).get("sha256")
    undoable = change.action is Action.DECIDE
    return NewNotice(
        photo_id=change.photo_id,
        sequence=sequence,
        user_id=before.user_id,
        batch_id=photo.batch_id,
        file_key=photo.file_key,
        status=after.status,
        before=before.status,
        reason=after.reason,
        by_person=change.by is By.PERSON,
        corrects=corrects,
        sha256=sha256 if isinstance(sha256, str) else None,
        due_in_s=UNDO_WITHIN_S if undoable else 0,
        waits_for_copy=after.status is Status.APPROVED and photo.shown_key is None,
    )


class NoticeState(StrEnum):
    """What an operator asks the list of notices for."""

    #: Not due yet, or to be told.
    OPEN = "open"
    TOLD = "told"
    #: Given up; ``photogate notices resend`` tries them again.
    DEAD = "dead"


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One notice over one channel, as operators see it."""

    notice: Notice
    #: None while it is not due.
    channel: str | None
    state: NoticeState
    #: When it falls due or fell due; None while it waits for the photo's copy.
    due_at: datetime | None
    #: When it was told, or given up.
    ended_at: datetime | None
    #: Why the last attempt failed.
    error: str | None
