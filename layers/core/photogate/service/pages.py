"""Cursors, as clients give them back."""

from __future__ import annotations

from photogate.domain import Place
from photogate.errors import InvalidRequest


def place_of(cursor: str | None) -> Place | None:
    """Read a cursor; None begins at the newest photo.

    Raises:
        InvalidRequest: no answer gave this cursor.
    """
    try:
        return None if cursor is None else Place.read(cursor)
    except ValueError as error:
        raise no_cursor() from error


def no_cursor() -> InvalidRequest:
    """Say that a text is no cursor."""
    return InvalidRequest("cursor must be the next_cursor of an earlier answer; begin without one")
