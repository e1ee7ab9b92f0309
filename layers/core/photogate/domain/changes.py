"""Changes of a photo's state: what is asked for, by whom, and the outcome.

``photogate.domain.transitions`` says which are allowed; the ``Changes`` port makes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from photogate.domain.people import Principal
from photogate.domain.photos import PhotoRow
from photogate.domain.verdicts import Finding, Rule, Status, Verdict

#: How long a person may take back a decision. Nobody else is told of it before that time is over.
UNDO_WITHIN_S = 10


class Action(StrEnum):
    """What is done to a photo."""

    #: By the machine: what the policy says of the photo.
    JUDGE = "judge"
    #: By the machine: an approved photo cannot be shown, as no copy of it can be made. What a
    #: person approved stays so, and a person looks at it again.
    WITHHOLD = "withhold"
    #: By the sweep: automatic moderation gave up.
    GIVE_UP = "give_up"
    #: By an operator: the machine looks at it once more.
    REOPEN = "reopen"
    #: By a person: approved or rejected.
    DECIDE = "decide"
    #: By a person: a rejection was right.
    VERIFY = "verify"
    #: By the person who decided: as it was before.
    UNDO = "undo"
    #: By the owner, or by a person.
    DELETE = "delete"
    #: By a person who suspects abuse of a child: nobody is shown it, and nothing of it goes.
    HOLD = "hold"
    #: By an admin: that suspicion was a mistake.
    LIFT = "lift"


class By(StrEnum):
    """Who makes a change."""

    MACHINE = "machine"
    SWEEP = "sweep"
    OPERATOR = "operator"
    #: Who uploaded it.
    OWNER = "owner"
    #: A moderator.
    PERSON = "person"
    #: Another program, in a database that is shared with it; a trigger notes these.
    OTHER = "other"


@dataclass(frozen=True, kw_only=True)
class State:
    """What a photo's row says, and what its batch says, at the moment of a change."""

    user_id: str
    status: Status
    #: A ``Reason``, a person's words, or None.
    reason: str | None = None
    #: Why automatic moderation could not finish.
    error: str | None = None
    #: The person who decided; None for a machine's verdict.
    decided_by: str | None = None
    verified_by: str | None = None
    #: In review because the machine could not finish, and it looks once more.
    reopened: bool = False
    #: It has no copy, and none is to be made: nobody could see it.
    unshowable: bool = False
    #: Of the batch; None for a photo without one.
    generation: int | None = None
    #: Whether the batch still has a job.
    batch_open: bool = False
    #: Whether a worker holds the batch now.
    batch_leased: bool = False
    #: Withheld for suspected abuse of a child.
    held: bool = False
    #: A verdict of it came from a marker, once: nothing about it is in any figure.
    test: bool = False
    #: What a decision can be taken back to, while that is allowed.
    undo: Undo | None = None

    @property
    def open(self) -> bool:
        """Whether the photo waits for the machine."""
        return self.status is Status.PENDING or self.reopened

    @property
    def given_up(self) -> bool:
        """Whether it waits for a person because automatic moderation could not finish."""
        return (
            self.status is Status.REVIEW
            and self.error is not None
            and self.decided_by is None
            and not self.reopened
        )


@dataclass(frozen=True, kw_only=True)
class Undo:
    """What a person's decision replaced."""

    by: str
    status: Status
    reason: str | None
    error: str | None
    decided_by: str | None
    verified_by: str | None


@dataclass(frozen=True, kw_only=True)
class Change:
    """A request to change one photo; made with the functions below."""

    photo_id: str
    action: Action
    by: By
    #: For PERSON and OWNER: who.
    person: Principal | None = None
    #: For JUDGE, GIVE_UP and DECIDE: what the photo becomes.
    verdict: Verdict | None = None
    #: Why automatic moderation could not finish.
    error: str | None = None
    #: The generation that the author saw; None allows any.
    generation: int | None = None
    #: The ``moderation_scores`` document; None leaves them.
    scores: dict[str, Any] | None = None
    #: sha256 of the model that looked.
    model: str | None = None
    correlation_id: str | None = None
    #: For JUDGE: where the bytes that were judged are kept; None when none were read.
    original_key: str | None = None
    #: For JUDGE: whether copies are to be made.
    copies_wanted: bool = False
    #: For JUDGE: the rate at which the photo was drawn as a sample, where it is approved; None
    #: where it was not drawn.
    sampled_at: float | None = None
    #: For JUDGE: whether what the machine says is folded away where a person looks.
    folded: bool = False
    #: For JUDGE: whether the verdict came from a marker.
    test: bool = False
    #: For DECIDE: the state that the person saw; in another one it is refused. None allows any.
    seen: Status | None = None
    #: For LIFT: why.
    words: str | None = None

    @property
    def rule(self) -> Rule | None:
        """The comparison that decided."""
        return self.verdict.rule if self.verdict else None


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why a change is not made. Nothing was written."""

    why: str
    #: There is no such photo, or not for this person.
    missing: bool = False


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a change that was asked for."""

    change: Change
    #: None when it was refused or changed nothing.
    before: State | None = None
    after: State | None = None
    refusal: Refusal | None = None
    #: The photo's row afterwards; None when it is gone, or the change was refused.
    photo: PhotoRow | None = None
    #: Of the photo's objects, when it was deleted: to be removed.
    object_keys: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether something was written."""
        return self.before is not None

    @property
    def test(self) -> bool:
        """Whether it is about a test photo: such changes are in no figure."""
        state = self.after or self.before
        return state is not None and state.test


def judged(
    finding: Finding,
    *,
    generation: int,
    correlation_id: str | None = None,
    sampled_at: float | None = None,
    folded: bool = False,
) -> Change:
    """The machine's verdict on a photo."""
    return Change(
        photo_id=finding.photo_id,
        action=Action.JUDGE,
        by=By.MACHINE,
        verdict=finding.verdict,
        error=finding.error,
        generation=generation,
        scores=finding.scores(),
        model=finding.signals.model,
        correlation_id=correlation_id,
        original_key=finding.original_key,
        copies_wanted=finding.decoded,
        sampled_at=sampled_at,
        folded=folded,
        test=finding.marker is not None,
    )


def withheld(photo_id: str, *, error: str) -> Change:
    """No copy can be made of an approved photo: a person looks."""
    return Change(
        photo_id=photo_id,
        action=Action.WITHHOLD,
        by=By.MACHINE,
        verdict=Verdict(status=Status.REVIEW),
        error=error,
    )


def given_up(photo_id: str, *, generation: int, error: str) -> Change:
    """Nothing more is tried: a person looks. An earlier error of the photo's own stays."""
    return Change(
        photo_id=photo_id,
        action=Action.GIVE_UP,
        by=By.SWEEP,
        verdict=Verdict(status=Status.REVIEW),
        error=error,
        generation=generation,
    )


def reopened(photo_id: str) -> Change:
    """The machine looks once more; the photo stays in review until then."""
    return Change(photo_id=photo_id, action=Action.REOPEN, by=By.OPERATOR)


def decided(
    photo_id: str, verdict: Verdict, *, by: Principal, seen: Status | None = None
) -> Change:
    """A person approves or rejects, perhaps only what is still as it was ``seen``."""
    return Change(
        photo_id=photo_id,
        action=Action.DECIDE,
        by=By.PERSON,
        person=by,
        verdict=verdict,
        seen=seen,
    )


def verified(photo_id: str, *, by: Principal) -> Change:
    """A person confirms a rejection."""
    return Change(photo_id=photo_id, action=Action.VERIFY, by=By.PERSON, person=by)


def undone(photo_id: str, *, by: Principal) -> Change:
    """A person takes back the decision just made."""
    return Change(photo_id=photo_id, action=Action.UNDO, by=By.PERSON, person=by)


def deleted(photo_id: str, *, by: Principal) -> Change:
    """A person removes a rejected photo."""
    return Change(photo_id=photo_id, action=Action.DELETE, by=By.PERSON, person=by)


def withdrawn(photo_id: str, *, by: Principal) -> Change:
    """The owner removes a photo."""
    return Change(photo_id=photo_id, action=Action.DELETE, by=By.OWNER, person=by)


def held(photo_id: str, *, by: Principal) -> Change:
    """A person suspects abuse of a child: it is withheld from everybody, and kept as it is."""
    return Change(photo_id=photo_id, action=Action.HOLD, by=By.PERSON, person=by)


def lifted(photo_id: str, *, because: str, by: Principal) -> Change:
    """An admin says that it was a mistake: the photo waits for a person again."""
    return Change(photo_id=photo_id, action=Action.LIFT, by=By.PERSON, person=by, words=because)
