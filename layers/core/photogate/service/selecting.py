"""Acts on several photos at once, as people select them in a list; each has its own result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from photogate.domain import PhotoRow, Principal, Status, Verdict
from photogate.domain.changes import Change, Outcome, decided, deleted, undone, verified
from photogate.domain.reviews import Holder
from photogate.ports.listing import Selections
from photogate.ports.photos import PhotoStore
from photogate.ports.records import Changes, Outbox
from photogate.service.deletion import remove_objects
from photogate.service.reviewing import as_waiting, enough, rejection, why_not

#: So many at once; as many as a tab can hold.
MAX_SELECTED = 60


@dataclass(frozen=True, kw_only=True)
class Selected:
    """One photo that a person selected."""

    photo_id: str
    #: The state that the person saw: in another one nothing is decided. None allows any.
    seen: Status | None = None


@dataclass(frozen=True, kw_only=True)
class Result:
    """What became of one photo."""

    photo_id: str
    #: As it is now; None when it is gone or there was none.
    photo: PhotoRow | None = None
    #: Why nothing was done, in words; None when it was.
    problem: str | None = None


class Selecting:
    """The use cases of somebody who acts on several photos at once. Thread-safe.

    Everything may be repeated. What cannot be done for one photo is told, and done for the others.
    """

    def __init__(
        self,
        *,
        selections: Selections,
        changes: Changes,
        store: PhotoStore,
        outbox: Outbox,
        reveals_per_day: int | None = None,
    ) -> None:
        self._reveals_per_day = reveals_per_day
        self._selections = selections
        self._changes = changes
        self._store = store
        self._outbox = outbox

    def reveal(self, photo_ids: Sequence[str], *, by: Principal) -> list[Result]:
        """Note that this person sees the photos as they are."""
        photos = self._selections.photos(photo_ids)
        problems = {photo_id: _not_seen(photo_id, photos.get(photo_id)) for photo_id in photo_ids}
        wanted = [photo_id for photo_id, problem in problems.items() if problem is None]
        shown = self._selections.reveal(wanted, by, most=self._reveals_per_day)
        problems |= {id_: enough(self._reveals_per_day) for id_ in wanted if id_ not in shown}
        return self._told(
            [
                Result(photo_id=photo_id, photo=photos.get(photo_id), problem=problem)
                for photo_id, problem in problems.items()
            ]
        )

    def approve(self, selected: Sequence[Selected], *, holder: Holder) -> list[Result]:
        """Approve those that this person has revealed."""
        ids = [one.photo_id for one in selected]
        revealed = self._selections.revealed(ids, holder.person)
        return self._decide(selected, Verdict(status=Status.APPROVED), holder, revealed=revealed)

    def reject(self, selected: Sequence[Selected], *, reason: str, holder: Holder) -> list[Result]:
        """Reject all with one reason or one's own words.

        Raises:
            InvalidRequest: the reason is blank or too long.
        """
        return self._decide(selected, rejection(reason), holder)

    def verify(self, photo_ids: Sequence[str], *, by: Principal) -> list[Result]:
        """Confirm that rejections were right."""
        return self._told(self._make(photo_ids, lambda photo_id: verified(photo_id, by=by)))

    def undo(self, photo_ids: Sequence[str], *, holder: Holder) -> list[Result]:
        """Take back decisions just made; the holder holds the photos again."""
        results = self._make(photo_ids, lambda photo_id: undone(photo_id, by=holder.person))
        self._selections.claim(holder, [r.photo_id for r in results if r.problem is None])
        return self._told(results)

    def delete(self, photo_ids: Sequence[str], *, by: Principal) -> list[Result]:
        """Remove rejected photos for good."""
        outcomes = self._changes.make([deleted(photo_id, by=by) for photo_id in photo_ids])
        for outcome in outcomes:
            if outcome.refusal is None:
                remove_objects(self._store, self._outbox, outcome)
        return self._told([_result(outcome) for outcome in outcomes])

    def _decide(
        self,
        selected: Sequence[Selected],
        verdict: Verdict,
        holder: Holder,
        *,
        revealed: set[str] | None = None,
    ) -> list[Result]:
        ids = [one.photo_id for one in selected]
        photos = self._selections.photos(ids)
        # Who holds the lease decides, as for single photos.
        held = self._selections.claim(holder, ids)
        problems = {
            one.photo_id: problem
            for one in selected
            if (problem := _in_the_way(one, photos, held, revealed, verdict, holder))
        }
        # The lease says that nobody else decided what was shown as waiting.
        seen = {
            one.photo_id: Status.APPROVED
            if _shown_as_waiting(one, photos.get(one.photo_id))
            else one.seen
            for one in selected
        }
        made = self._make(
            [photo_id for photo_id in ids if photo_id not in problems],
            lambda id_: decided(id_, verdict, by=holder.person, seen=seen[id_]),
        )
        self._selections.close(holder, [r.photo_id for r in made if r.problem is None])
        by_id = {result.photo_id: result for result in made}
        return self._told(
            [
                by_id.get(photo_id)
                or Result(photo_id=photo_id, photo=photos.get(photo_id), problem=problems[photo_id])
                for photo_id in ids
            ]
        )

    def _told(self, results: list[Result]) -> list[Result]:
        """Keep back what became of photos that wait folded: nobody is to know it before."""
        folded = self._selections.folded([result.photo_id for result in results])
        return [
            replace(result, photo=as_waiting(result.photo))
            if result.photo is not None and result.photo_id in folded
            else result
            for result in results
        ]

    def _make(self, photo_ids: Sequence[str], change: Callable[[str], Change]) -> list[Result]:
        outcomes = self._changes.make([change(photo_id) for photo_id in photo_ids])
        return [_result(outcome) for outcome in outcomes]


def _shown_as_waiting(one: Selected, photo: PhotoRow | None) -> bool:
    """Tell whether it is a photo that the machine approved, and that was shown as a doubt."""
    if photo is None or one.seen is not Status.REVIEW:
        return False
    return photo.status is Status.APPROVED and photo.decided_by is None


def _in_the_way(
    one: Selected,
    photos: dict[str, PhotoRow],
    held: set[str],
    revealed: set[str] | None,
    verdict: Verdict,
    holder: Holder,
) -> str | None:
    photo_id = one.photo_id
    photo = photos.get(photo_id)
    if photo is None:
        return f"there is no photo {photo_id}"
    if revealed is not None and photo_id not in revealed:
        return "look at the photo before you approve it: reveal it first"
    if photo.held:
        return why_not(photo)
    mine = photo.decided_by == holder.person.user_id
    if mine and (photo.status, photo.reason) == (verdict.status, verdict.reason):
        return None
    waits = photo.status is Status.REVIEW or _shown_as_waiting(one, photo)
    if waits and photo_id not in held:
        return why_not(photo)
    return None


def _not_seen(photo_id: str, photo: PhotoRow | None) -> str | None:
    if photo is None:
        return f"there is no photo {photo_id}"
    return f"there is no picture of photo {photo_id}" if photo.display_key is None else None


def _result(outcome: Outcome) -> Result:
    return Result(
        photo_id=outcome.change.photo_id,
        photo=outcome.photo,
        problem=outcome.refusal.why if outcome.refusal else None,
    )
