"""Changes as services ask for them: one with its error, and all of them reported."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from photogate.domain.changes import Change, Outcome
from photogate.errors import Conflict, NotFound
from photogate.ports.records import Changes


def make_one(changes: Changes, change: Change) -> Outcome:
    """Make one change that a person asked for.

    Raises:
        NotFound: there is no such photo, or not for this person.
        Conflict: it is not allowed; says why.
    """
    (outcome,) = changes.make([change])
    if outcome.refusal is not None:
        problem = NotFound if outcome.refusal.missing else Conflict
        raise problem(outcome.refusal.why)
    return outcome


class ReportedChanges:
    """A ``Changes`` that reports what was committed, whoever asked for it.

    Args:
        inner: makes them.
        report: called once for each that changed something, after its commit.
    """

    def __init__(self, inner: Changes, report: Callable[[Outcome], None]) -> None:
        self._inner = inner
        self._report = report

    def make(self, changes: Sequence[Change]) -> list[Outcome]:
        """See ``photogate.ports.records.Changes.make``."""
        outcomes = self._inner.make(changes)
        for outcome in outcomes:
            if outcome.changed:
                self._report(outcome)
        return outcomes
