"""Which changes of a photo are allowed, as a table: invariant I2."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from photogate.domain import Finding, Principal, Role, Status, Verdict
from photogate.domain.changes import (
    Change,
    Refusal,
    State,
    decided,
    deleted,
    given_up,
    held,
    judged,
    lifted,
    reopened,
    undone,
    verified,
    withdrawn,
)
from photogate.domain.transitions import applied

CORE = Path(__file__).parents[2] / "layers" / "core" / "photogate"

MODERATOR = Principal(user_id="mod", role=Role.MODERATOR)
OTHER = Principal(user_id="other", role=Role.ADMIN)
OWNER = Principal(user_id="u")
APPROVED, REJECTED, REVIEW = (
    Verdict(status=Status.APPROVED),
    Verdict(status=Status.REJECTED, reason="nsfw"),
    Verdict(status=Status.REVIEW),
)

PENDING = State(user_id="u", status=Status.PENDING, generation=1, batch_open=True)
BY_MACHINE = {
    "approved": State(user_id="u", status=Status.APPROVED, generation=1),
    "rejected": State(user_id="u", status=Status.REJECTED, reason="blurry", generation=1),
    "in doubt": State(user_id="u", status=Status.REVIEW, generation=1),
    "given up": State(user_id="u", status=Status.REVIEW, error="it failed", generation=1),
}
BY_PERSON = {
    "approved by a person": State(
        user_id="u", status=Status.APPROVED, decided_by="mod", generation=1
    ),
    "rejected by a person": State(
        user_id="u", status=Status.REJECTED, reason="nsfw", decided_by="mod", generation=1
    ),
}
REOPENED = State(
    user_id="u",
    status=Status.REVIEW,
    error="it failed",
    reopened=True,
    generation=1,
    batch_open=True,
)
HELD = State(user_id="u", status=Status.REJECTED, decided_by="mod", generation=1, held=True)
STATES = {"pending": PENDING, "reopened": REOPENED, "held": HELD, **BY_MACHINE, **BY_PERSON}


def machine(verdict: Verdict, generation: int = 1) -> Change:
    return judged(Finding(photo_id="p", verdict=verdict), generation=generation)


CHANGES: dict[str, Change] = {
    "judged": machine(APPROVED),
    "judged by an earlier generation": machine(APPROVED, 0),
    "given up": given_up("p", generation=1, error="too often"),
    "given up by an earlier generation": given_up("p", generation=0, error="too often"),
    "reopened": reopened("p"),
    "approved": decided("p", APPROVED, by=MODERATOR),
    "rejected": decided("p", REJECTED, by=MODERATOR),
    "verified": verified("p", by=MODERATOR),
    "undone": undone("p", by=MODERATOR),
    "deleted": deleted("p", by=MODERATOR),
    "withdrawn": withdrawn("p", by=OWNER),
    "withdrawn by somebody else": withdrawn("p", by=MODERATOR),
    "held": held("p", by=MODERATOR),
    "lifted": lifted("p", because="a wrong key", by=OTHER),
}

#: State -> the changes that do something; all others are refused or change nothing.
ALLOWED: dict[str, set[str]] = {
    "pending": {"judged", "given up", "approved", "rejected", "withdrawn", "held"},
    "reopened": {"judged", "given up", "approved", "rejected", "withdrawn", "held"},
    "approved": {"approved", "rejected", "withdrawn", "held"},
    "rejected": {"approved", "rejected", "verified", "deleted", "withdrawn", "held"},
    "in doubt": {"approved", "rejected", "withdrawn", "held"},
    "given up": {"approved", "rejected", "reopened", "withdrawn", "held"},
    "approved by a person": {"rejected", "withdrawn", "held"},
    "rejected by a person": {"approved", "verified", "deleted", "withdrawn", "held"},
    # Suspected abuse of a child: nothing changes or goes until an admin says so.
    "held": {"lifted"},
}


@pytest.mark.parametrize("state", STATES)
def test_what_is_allowed(state: str) -> None:
    outcomes = {name: applied(change, STATES[state]) for name, change in CHANGES.items()}
    changing = {
        name
        for name, after in outcomes.items()
        if not isinstance(after, Refusal) and after != STATES[state]
    }
    assert changing == ALLOWED[state]


@pytest.mark.parametrize("state", STATES)
def test_a_terminal_state_never_goes_back_to_pending(state: str) -> None:
    for name, change in CHANGES.items():
        after = applied(change, STATES[state])
        if isinstance(after, State) and state != "pending":
            assert after.status is not Status.PENDING, name
        # Whatever a person decides can be taken back at once, and is not pending then either.
        if isinstance(after, State) and after.undo is not None:
            again = applied(undone("p", by=MODERATOR), after)
            assert isinstance(again, State), name
            assert again.status is not Status.PENDING, name


@pytest.mark.parametrize("verdict", [APPROVED, REJECTED, REVIEW])
@pytest.mark.parametrize("state", BY_PERSON)
def test_a_machine_never_overwrites_a_person(state: str, verdict: Verdict) -> None:
    for generation in (0, 1, 2):
        assert isinstance(applied(machine(verdict, generation), BY_PERSON[state]), Refusal)


def test_a_person_is_faster_than_the_second_look() -> None:
    decided_first = applied(CHANGES["rejected"], REOPENED)
    assert isinstance(decided_first, State)
    assert not decided_first.open
    assert isinstance(applied(CHANGES["judged"], decided_first), Refusal)


def test_what_a_worker_holds_is_not_given_up() -> None:
    held = replace(PENDING, batch_leased=True)
    assert isinstance(applied(CHANGES["given up"], held), Refusal)


def test_a_photos_own_error_stays() -> None:
    after = applied(CHANGES["given up"], replace(PENDING, error="the decoder crashed"))
    assert isinstance(after, State)
    assert (after.status, after.error) == (Status.REVIEW, "the decoder crashed")


@pytest.mark.parametrize("state", [name for name in STATES if name != "held"])
@pytest.mark.parametrize("decision", ["approved", "rejected"])
def test_undo_gives_back_what_was_there(state: str, decision: str) -> None:
    before = STATES[state]
    after = applied(CHANGES[decision], before)
    if after == before:
        return
    assert isinstance(after, State)
    again = applied(CHANGES["undone"], after)
    assert isinstance(again, State)
    assert again.decided_by == before.decided_by
    if state not in ("pending", "reopened"):
        assert again == before
    # Nobody else may, and not twice.
    assert isinstance(applied(undone("p", by=OTHER), after), Refusal)
    assert isinstance(applied(CHANGES["undone"], again), Refusal)


@pytest.mark.parametrize("state", [name for name in STATES if name != "held"])
def test_what_is_held_tells_no_reason_and_is_in_doubt_again_when_that_is_lifted(
    state: str,
) -> None:
    after = applied(CHANGES["held"], STATES[state])
    assert isinstance(after, State)
    assert (after.status, after.reason, after.open) == (Status.REJECTED, None, False)
    assert isinstance(applied(CHANGES["undone"], after), Refusal)
    again = applied(CHANGES["lifted"], after)
    assert isinstance(again, State)
    assert (again.status, again.decided_by, again.held) == (Status.REVIEW, None, False)


def test_for_its_owner_what_is_held_is_not_there() -> None:
    refusal = applied(CHANGES["withdrawn"], HELD)
    assert isinstance(refusal, Refusal)
    assert (refusal.missing, refusal.why) == (True, "there is no photo p")


def test_a_photo_of_somebody_else_is_not_there() -> None:
    refusal = applied(CHANGES["withdrawn by somebody else"], PENDING)
    assert isinstance(refusal, Refusal)
    assert refusal.missing


def _statements() -> Iterator[tuple[str, str]]:
    """Give every string of the program that is, or is part of, a statement: (module, text)."""
    for path in sorted(CORE.parents[2].rglob("*.py")):
        relative = path.relative_to(CORE.parents[2])
        if relative.parts[0] not in ("layers", "functions", "local"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield relative.name, node.value
            elif isinstance(node, ast.JoinedStr):
                parts = [v.value for v in node.values if isinstance(v, ast.Constant)]
                yield relative.name, " ".join(map(str, parts))


#: What only ``changes.py``, and ``history.py`` and ``samples.py`` for it, may say to the database.
_OURS = re.compile(
    r"UPDATE\s+media\b.*\b(moderation_status|moderation_reason|decided_by|reopened)\s*=(?!=)"
    r"|DELETE\s+FROM\s+media\b|INSERT\s+INTO\s+(history|review_items)\b"
    r"|UPDATE\s+batches\b.*\bfinished_at\s*=\s*now\(\)",
    re.IGNORECASE | re.DOTALL,
)


def test_one_door_alone_writes_a_photos_state() -> None:
    writers = {name for name, text in _statements() if _OURS.search(text)}
    assert writers == {"changes.py", "history.py", "samples.py"}
