"""``photogate erase``: removes all that names a user; see docs/privacy.md."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from local.commands.settings import stacks_settings
from local.console import ask, out

if TYPE_CHECKING:
    from photogate.adapters.postgres.erasing import Erased


def erase(
    user: Annotated[str, typer.Argument(help="The user's id: the `sub` of their tokens.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Erase a user for good: their photos, and whatever else names them. May be repeated."""
    from photogate import bootstrap

    with stacks_settings():
        erasing = bootstrap.erasing()
        photos = erasing.knows(user)
        if photos is None:
            _say(f"nothing here names a user {user!r}: is the id right?")
            return
        if not yes:
            what = f"user {user!r}: {_many(photos, 'photo')}, and all that names them"
            ask("erase", what, done="erased")
        done = erasing.erase(user)
    for line in _lines(done):
        _say(line)


def _lines(done: Erased) -> list[str]:
    words = done.words + done.notes
    parts = (
        (done.photos, "photo"),
        (done.batches, "batch"),
        (done.notices, "notice"),
        (done.addresses, "address"),
        (words, "text of moderators"),
    )
    erased = [_many(count, noun) for count, noun in parts if count]
    if done.names:
        erased.append("the name in history")
    lines = [f"erased: {', '.join(erased) or 'nothing more'}"]
    if done.objects:
        lines.append(
            f"{_many(done.objects, 'object')} of the photos (uploads, originals, copies):"
            " the sweep removes them within two minutes"
        )
    if done.history and done.names:
        lines.append(f"kept: {_many(done.history, 'row')} of history, which name nobody now")
    if done.held:
        lines.append(
            f"not erased, with the id: {_many(done.held, 'photo')} withheld for suspected abuse;"
            " an admin may lift that"
        )
    if done.late:
        lines.append(
            f"not erased: {_many(done.late, 'photo')} that came meanwhile; erase once more"
        )
    if done.holds:
        lines.append(
            "not erased, with the id: who withheld, reported or gave back photos, which"
            f" {_many(done.holds, 'record')} of suspected abuse must say"
        )
    if done.decided:
        lines.append(
            "not erased: photos that they decided as a moderator name them while they last"
        )
    if done.other:
        lines.append(f"not erased, with the id: {_many(done.other, 'row')} of another program")
    return lines


def _many(count: int, noun: str) -> str:
    if count == 1:
        return f"1 {noun}"
    head, space, rest = noun.partition(" ")
    return f"{count} {head}{'es' if head.endswith(('s', 'ch')) else 's'}{space}{rest}"


def _say(line: str) -> None:
    out.print(line, highlight=False, markup=False, soft_wrap=True)
