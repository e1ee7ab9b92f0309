"""Shortcuts that change photos as the machine, the sweep, an operator or a person does."""

from __future__ import annotations

from collections.abc import Sequence

from photogate.domain import Finding, PhotoRow, Principal, Verdict
from photogate.domain.changes import (
    Change,
    decided,
    deleted,
    given_up,
    judged,
    reopened,
    undone,
    verified,
    withdrawn,
)
from photogate.messages import Job
from photogate.service.changes import make_one
from tests.records import Records


def finish(records: Records, job: Job, findings: Sequence[Finding]) -> list[str]:
    """The machine: write verdicts; gives the ids of photos that got theirs."""
    outcomes = records.changes.make(
        [judged(finding, generation=job.generation) for finding in findings]
    )
    return [outcome.change.photo_id for outcome in outcomes if outcome.changed]


def conclude(records: Records, *, limit: int = 10) -> int:
    """The sweep: give up what was delivered five times."""
    outcomes = records.changes.make(
        [
            given_up(photo_id, generation=batch.generation, error=batch.error)
            for batch in records.outbox.exhausted(max_deliveries=5, limit=limit)
            for photo_id in batch.photo_ids
        ]
    )
    return sum(outcome.changed for outcome in outcomes)


def reopen(records: Records, batch_ids: Sequence[str]) -> int:
    """An operator: let the machine look at all photos of these batches once more."""
    photo_ids = records.unfinished.photos(batch_ids)
    outcomes = records.changes.make([reopened(photo_id) for photo_id in photo_ids])
    return sum(outcome.changed for outcome in outcomes)


def decide(records: Records, photo_id: str, verdict: Verdict, *, by: Principal) -> PhotoRow:
    """A person: approve or reject."""
    return _media(records, decided(photo_id, verdict, by=by))


def verify(records: Records, photo_id: str, *, by: Principal) -> PhotoRow:
    """A person: a rejection was right."""
    return _media(records, verified(photo_id, by=by))


def undo(records: Records, photo_id: str, *, by: Principal) -> PhotoRow:
    """A person: take a decision back."""
    return _media(records, undone(photo_id, by=by))


def delete(records: Records, photo_id: str, *, by: Principal) -> str | None:
    """A moderator: remove a rejected photo; gives its key."""
    return make_one(records.changes, deleted(photo_id, by=by)).object_keys[0]


def withdraw(records: Records, photo_id: str, *, by: Principal) -> str | None:
    """The owner: remove a photo; gives its key."""
    return make_one(records.changes, withdrawn(photo_id, by=by)).object_keys[0]


def _media(records: Records, change: Change) -> PhotoRow:
    photo = make_one(records.changes, change).photo
    assert photo is not None
    return photo
