"""Which changes of a photo are allowed, to whom, and what the photo is like afterwards.

Pure, so that the rules can be tested as a table; ``changes.py`` of each records adapter is its one
place that writes what ``applied`` answers. The rules, by who acts:

- The *machine* decides photos that wait for it, once in each generation of their batch. It never
  overwrites a person's decision, and no terminal state goes back to pending. It takes back its
  own approval where no copy can be made, so that a person looks; beside a person's it notes that.
- The *sweep* sends to a person what was delivered too often.
- A *person* decides at any time, for good; may take that back within ``UNDO_WITHIN_S``. Approved
  means that the photo can be seen, so nobody approves one that never has a copy.
- The *owner* deletes at any time; a person deletes what is rejected.
- A person may *hold* a photo: then nothing of it changes or goes, whoever asks, until an admin
  lifts the hold. For its owner it is not there any more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from photogate.domain.changes import UNDO_WITHIN_S, Action, By, Change, Refusal, State, Undo
from photogate.domain.verdicts import Status


def applied(change: Change, state: State) -> State | Refusal | None:
    """Say what a photo is like after a change: None when it is gone, ``state`` when it is the same.

    The same input gives the same answer.
    """
    if state.held and change.action not in (Action.HOLD, Action.LIFT):
        if change.by is By.OWNER:
            return Refusal(why=f"there is no photo {change.photo_id}", missing=True)
        return Refusal(why=f"photo {change.photo_id} is held; nothing of it may change")
    return _RULES[change.action](change, state)


def _judge(change: Change, state: State) -> State | Refusal:
    if refusal := _stale(change, state):
        return refusal
    assert change.verdict is not None  # noqa: S101 - ``judged`` gives it
    return replace(
        state,
        status=change.verdict.status,
        reason=change.verdict.reason,
        error=change.error,
        reopened=False,
        test=state.test or change.test,
    )


def _withhold(change: Change, state: State) -> State | Refusal:
    if state.status is not Status.APPROVED:
        return Refusal(why=f"it is not approved, but {state.status}")
    if state.decided_by is not None:
        return replace(state, error=change.error)
    return replace(state, status=Status.REVIEW, reason=None, error=change.error)


def _give_up(change: Change, state: State) -> State | Refusal:
    if refusal := _stale(change, state):
        return refusal
    if state.batch_leased:
        return Refusal(why="a worker holds its batch")
    error = state.error or change.error
    return replace(state, status=Status.REVIEW, error=error, reopened=False)


def _stale(change: Change, state: State) -> Refusal | None:
    """Refuse the machine when another worker or a person has decided already."""
    if state.generation != change.generation:
        return Refusal(why=f"its batch is of generation {state.generation} by now")
    if not state.open:
        return Refusal(why=f"it is {state.status} already")
    return None


def _reopen(_: Change, state: State) -> State | Refusal:
    if state.batch_open or not state.given_up:
        return Refusal(why="automatic moderation did not give it up")
    return replace(state, reopened=True)


def _decide(change: Change, state: State) -> State | Refusal:
    assert change.verdict is not None  # noqa: S101 - ``decided`` gives it
    assert change.person is not None  # noqa: S101
    verdict = change.verdict
    if verdict.status is Status.APPROVED and state.unshowable:
        return Refusal(
            why=f"nobody could see photo {change.photo_id}, as no copy of it can be made:"
            " reject it, or ask its owner for another"
        )
    if state.decided_by is not None and (state.status, state.reason) == (
        verdict.status,
        verdict.reason,
    ):
        return state
    if change.seen not in (None, state.status):
        who = f"{state.decided_by} has decided" if state.decided_by else "it was changed"
        return Refusal(why=f"{who} meanwhile: it is {state.status}")
    return replace(
        state,
        status=verdict.status,
        reason=verdict.reason,
        error=None,
        decided_by=change.person.user_id,
        verified_by=None,
        reopened=False,
        undo=Undo(
            by=change.person.user_id,
            # Its batch may be closed by then, and no machine would look at it any more.
            status=Status.REVIEW if state.status is Status.PENDING else state.status,
            reason=state.reason,
            error=state.error,
            decided_by=state.decided_by,
            verified_by=state.verified_by,
        ),
    )


def _verify(change: Change, state: State) -> State | Refusal:
    assert change.person is not None  # noqa: S101 - ``verified`` gives it
    if state.status is not Status.REJECTED:
        return Refusal(why=f"photo {change.photo_id} is not rejected")
    if state.verified_by is not None:
        return state
    who = change.person.user_id
    return replace(state, verified_by=who, decided_by=state.decided_by or who, undo=None)


def _undo(change: Change, state: State) -> State | Refusal:
    assert change.person is not None  # noqa: S101 - ``undone`` gives it
    before = state.undo
    if before is None or before.by != change.person.user_id:
        return Refusal(
            why=f"only who decided can take it back, within {UNDO_WITHIN_S} s: decide anew"
        )
    return replace(
        state,
        status=before.status,
        reason=before.reason,
        error=before.error,
        decided_by=before.decided_by,
        verified_by=before.verified_by,
        undo=None,
    )


def _delete(change: Change, state: State) -> Refusal | None:
    assert change.person is not None  # noqa: S101 - ``deleted`` and ``withdrawn`` give it
    if change.by is By.OWNER and change.person.user_id != state.user_id:
        return Refusal(why=f"there is no photo {change.photo_id}", missing=True)
    if change.by is By.PERSON and state.status is not Status.REJECTED:
        return Refusal(why=f"photo {change.photo_id} is not rejected")
    return None


def _hold(change: Change, state: State) -> State:
    assert change.person is not None  # noqa: S101 - ``held`` gives it
    if state.held:
        return state
    return replace(
        state,
        status=Status.REJECTED,
        # Its owner may read a reason, and is not to be warned.
        reason=None,
        error=None,
        decided_by=change.person.user_id,
        verified_by=None,
        reopened=False,
        held=True,
        undo=None,
    )


def _lift(_: Change, state: State) -> State | Refusal:
    if not state.held:
        return Refusal(why="it is not held")
    return replace(state, status=Status.REVIEW, reason=None, decided_by=None, held=False, undo=None)


_RULES: dict[Action, Callable[[Change, State], State | Refusal | None]] = {
    Action.JUDGE: _judge,
    Action.WITHHOLD: _withhold,
    Action.GIVE_UP: _give_up,
    Action.REOPEN: _reopen,
    Action.DECIDE: _decide,
    Action.VERIFY: _verify,
    Action.UNDO: _undo,
    Action.DELETE: _delete,
    Action.HOLD: _hold,
    Action.LIFT: _lift,
}
