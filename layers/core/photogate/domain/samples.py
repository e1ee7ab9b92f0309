"""Approved photos that are drawn at random, to learn how often the machine approves wrongly.

A person looks at a drawn photo as at any other, without being told that it is one: what the
machine says is folded away for all of these and for a share of the others.
"""

from __future__ import annotations

from enum import StrEnum

from photogate.domain.changes import Action, Outcome
from photogate.domain.verdicts import Status

#: As a photo that may be blurred: it waits behind those that may be worse.
PRIORITY = 10


def folded_share(drawn: float) -> float:
    """Give the share of doubts that are folded as well while this share of approvals is drawn.

    So many that a folded photo is a doubt rather than a sample, where one photo of ten is a doubt.
    """
    return min(1.0, 0.2 + 25 * drawn) if drawn else 0.0


class SampleOutcome(StrEnum):
    """How a sample ended."""

    #: A person approved it, too.
    AGREED = "agreed"
    #: A person rejected it, or withheld it for suspected abuse of a child.
    MISSED = "missed"
    #: It went out of view before anybody decided: it says nothing.
    WITHDRAWN = "withdrawn"


def is_drawn(outcome: Outcome) -> bool:
    """Tell whether the change makes its photo a sample."""
    after = outcome.after
    approved = after is not None and after.status is Status.APPROVED
    return outcome.change.sampled_at is not None and approved and not outcome.test


def ended(outcome: Outcome) -> SampleOutcome | None:
    """Say how the change ends its photo's sample, if there is one; None when it goes on."""
    before, after, action = outcome.before, outcome.after, outcome.change.action
    if after is not None and (action is Action.DECIDE or _back_to_a_decision(outcome)):
        # Also of one that has ended: a person's last word counts.
        return SampleOutcome.AGREED if after.status is Status.APPROVED else SampleOutcome.MISSED
    if before is None or before.status is not Status.APPROVED:
        return None
    if after is None:
        return SampleOutcome.WITHDRAWN
    if action is Action.HOLD:
        return SampleOutcome.MISSED
    return None if after.status is Status.APPROVED else SampleOutcome.WITHDRAWN


def goes_on(outcome: Outcome) -> bool:
    """Tell whether the change takes back the decision that ended a sample, so that it waits."""
    return outcome.change.action is Action.UNDO and not _back_to_a_decision(outcome)


def _back_to_a_decision(outcome: Outcome) -> bool:
    """Tell whether an earlier decision of a person holds again."""
    after = outcome.after
    undone = outcome.change.action is Action.UNDO
    return undone and after is not None and after.decided_by is not None
