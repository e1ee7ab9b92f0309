"""Reviewing one photo after the other: leases, reveals, decisions, undo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from photogate.domain import LastHour, PhotoRow, Principal, Status, UserSummary, Verdict
from photogate.domain.changes import decided, undone
from photogate.domain.policy import Policy
from photogate.domain.reviews import Filter, Hand, Holder
from photogate.errors import Conflict, InvalidRequest, NotFound
from photogate.ports.holds import Holds
from photogate.ports.records import Changes, Views
from photogate.ports.reviewing import ReviewItems
from photogate.service.changes import make_one

#: Long enough for any sentence, short enough for a row in a table.
MAX_WORDS = 500
#: So many of an owner's photos are shown beside one.
_OTHERS = 8


@dataclass(frozen=True, kw_only=True)
class Owner:
    """What is known of who uploaded a photo, besides that photo, whose verdict may be folded."""

    summary: UserSummary
    #: The newest, without the photo that is looked at.
    others: Sequence[PhotoRow]
    #: How many more are held for suspected abuse of a child.
    held: int


@dataclass(frozen=True, kw_only=True)
class Exposure:
    """How much somebody has looked at today."""

    revealed: int
    #: None where there is no limit.
    limit: int | None


class Reviewing:
    """The use cases of somebody who decides photos one by one. Thread-safe."""

    def __init__(
        self,
        *,
        items: ReviewItems,
        views: Views,
        changes: Changes,
        holds: Holds,
        policy: Policy,
        reveals_per_day: int | None = None,
    ) -> None:
        self._holds = holds
        self._reveals_per_day = reveals_per_day
        self._items = items
        self._views = views
        self._changes = changes
        #: Whose bounds are drawn beside the values.
        self.policy = policy

    def take(self, holder: Holder, wanted: Filter, *, count: int, passed: Sequence[int]) -> Hand:
        """Give the next photos to this holder, and to nobody else for a while."""
        return self._items.take(holder, wanted, count=count, passed=passed)

    def release(self, holder: Holder) -> None:
        """Give back what the holder holds."""
        self._items.release(holder)

    def owner(self, photo_id: str) -> Owner:
        """Tell what else the owner of a photo has uploaded."""
        photo = self._photo(photo_id)
        newest = self._views.of_user(photo.user_id, limit=_OTHERS + 1)
        return Owner(
            summary=_besides(photo, self._views.summary(photo.user_id)),
            held=self._holds.of_user(photo.user_id),
            others=[other for other in newest if other.id != photo_id][:_OTHERS],
        )

    def reveal(self, photo_id: str, *, by: Principal) -> None:
        """Note that this person sees the photo as it is.

        Raises:
            Conflict: there is no picture of it, or this person has looked at enough today.
        """
        if self._photo(photo_id).display_key is None:
            raise Conflict(f"there is no picture of photo {photo_id}")
        if not self._items.reveal(photo_id, by, most=self._reveals_per_day):
            raise Conflict(enough(self._reveals_per_day))

    def last_hour(self) -> LastHour:
        """Tell what the machine did lately: for whoever has nothing to decide."""
        return self._views.last_hour()

    def exposure(self, person: Principal) -> Exposure:
        """Tell how much this person has looked at today."""
        return Exposure(revealed=self._items.exposure(person), limit=self._reveals_per_day)

    def seen(self, photo_id: str, *, by: Principal) -> None:
        """Refuse to approve what this person has not seen.

        Raises:
            Conflict: it was not revealed.
        """
        if not self._items.revealed(photo_id, by):
            raise Conflict("look at the photo before you approve it: reveal it first")

    def approve(self, photo_id: str, *, holder: Holder) -> PhotoRow:
        """Approve what the holder has revealed; see ``reject``."""
        self.seen(photo_id, by=holder.person)
        return self._decide(photo_id, Verdict(status=Status.APPROVED), holder)

    def reject(self, photo_id: str, *, reason: str, holder: Holder) -> PhotoRow:
        """Reject with a known reason or words. Safe to repeat.

        Raises:
            Conflict: somebody else decided, or holds it.
            InvalidRequest: the reason is blank or too long.
            NotFound: there is no such photo.
        """
        return self._decide(photo_id, rejection(reason), holder)

    def redecide(self, photo_id: str, verdict: Verdict, *, by: Principal) -> PhotoRow:
        """Decide anew what this person decided last; nobody else has done so since.

        Raises:
            Conflict: somebody else decided it since, or it was not revealed before an approval.
            InvalidRequest: the reason is blank or too long.
            NotFound: there is no such photo.
        """
        photo = self._photo(photo_id)
        if photo.decided_by != by.user_id:
            raise Conflict(why_not(photo))
        if verdict.status is Status.APPROVED:
            self.seen(photo_id, by=by)
        outcome = make_one(self._changes, decided(photo_id, verdict, by=by))
        assert outcome.photo is not None  # noqa: S101 - only deleting leaves none
        return outcome.photo

    def undo(self, photo_id: str, *, holder: Holder) -> PhotoRow:
        """Take back the decision just made; the holder holds the photo again."""
        outcome = make_one(self._changes, undone(photo_id, by=holder.person))
        self._items.claim(holder, photo_id)
        assert outcome.photo is not None  # noqa: S101 - only deleting leaves none
        return as_waiting(outcome.photo) if self._items.folded(photo_id) else outcome.photo

    def escalate(self, photo_id: str, *, note: str | None, holder: Holder) -> None:
        """Pass the photo on to the admins; words may help them, and are not asked for.

        Raises:
            Conflict: somebody else holds or decided it, or it is with the admins already.
        """
        words = (note or "").strip()
        if len(words) > MAX_WORDS:
            raise InvalidRequest(f"note must have at most {MAX_WORDS} characters")
        held = self._items.claim(holder, photo_id)
        if not held or not self._items.escalate(holder, photo_id, note=words or None):
            raise Conflict(why_not(self._photo(photo_id)))

    def _decide(self, photo_id: str, verdict: Verdict, holder: Holder) -> PhotoRow:
        # Who holds the lease decides: between here and the change nobody else gets it.
        if not self._items.claim(holder, photo_id):
            photo = self._photo(photo_id)
            mine = photo.decided_by == holder.person.user_id
            if mine and (photo.status, photo.reason) == (verdict.status, verdict.reason):
                return photo
            raise Conflict(why_not(photo))
        outcome = make_one(self._changes, decided(photo_id, verdict, by=holder.person))
        self._items.close(holder, photo_id)
        assert outcome.photo is not None  # noqa: S101 - only deleting leaves none
        return outcome.photo

    def _photo(self, photo_id: str) -> PhotoRow:
        photo = self._views.photo(photo_id)
        if photo is None:
            raise NotFound(f"there is no photo {photo_id}")
        return photo


def _besides(photo: PhotoRow, summary: UserSummary) -> UserSummary:
    return replace(
        summary,
        total_photos=summary.total_photos - 1,
        # As the summary has it: approved means that it can be seen.
        approved=summary.approved
        - (
            photo.status is Status.APPROVED
            and (photo.display_key is not None or photo.earlier_layout)
        ),
        rejected=summary.rejected - (photo.status is Status.REJECTED),
    )


def why_not(photo: PhotoRow) -> str:
    """Say why nobody can claim it who does not hold it."""
    if photo.held:
        return "it is withheld from everybody"
    if photo.decided_by is not None:
        return f"{photo.decided_by} has decided already: {photo.status}"
    if photo.status in (Status.REVIEW, Status.APPROVED):
        # It may be a sample that somebody else looks at: nobody is to tell it from a doubt.
        return (
            "somebody else looks at it now, or the admins do, or nobody waits for a decision on it"
        )
    return f"nobody waits for a decision on it any more: it is {photo.status}"


def as_waiting(photo: PhotoRow) -> PhotoRow:
    """Give it as what it looks like while it waits folded."""
    return replace(photo, status=Status.REVIEW, reason=None, error=None)


def enough(most: int | None) -> str:
    """Say that somebody has looked at as many photos as an installation wants."""
    return (
        f"you have looked at {most} photos today, which is the limit of this installation;"
        " escalate, skip or reject what you need not see"
    )


def rejection(reason: str) -> Verdict:
    """Make a person's verdict of a known reason or words.

    Raises:
        InvalidRequest: the reason is blank or too long.
    """
    words = reason.strip()
    if not 1 <= len(words) <= MAX_WORDS:
        raise InvalidRequest(f"reason must have 1 to {MAX_WORDS} characters")
    return Verdict(status=Status.REJECTED, reason=words)
