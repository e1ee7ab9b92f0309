"""Cursors: what was spelled is read, and anything else is refused, whatever it is."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from photogate.domain import Place

NOW = datetime.now(UTC).isoformat()
ID = str(uuid4())


@given(
    st.datetimes(timezones=st.just(UTC)),
    st.integers(-(2**31), 2**31 - 1),
    st.uuids().map(str) | st.integers(0, 10**18 - 1).map(str),
)
def test_what_was_spelled_is_read(at: datetime, order: int, id_: str) -> None:
    place = Place(created_at=at, display_order=order, id=id_)
    assert Place.read(place.cursor()) == place
    assert len(place.cursor()) <= 200  # as the routes take it


@given(st.text(max_size=200))
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - it has no words of its own
        Place.read(text)


@pytest.mark.parametrize(
    "parts",
    [
        [NOW, 0],
        [NOW, 0, ID, 1],
        {"at": NOW},
        [NOW[:19], 0, ID],
        ["yesterday", 0, ID],
        [1, 0, ID],
        [NOW, "0", ID],
        [NOW, 0.5, ID],
        [NOW, True, ID],
        [NOW, 2**31, ID],
        [NOW, None, ID],
        [NOW, 0, "x'; --"],
        [NOW, 0, "a\0"],
        [NOW, 0, 12],
        [NOW, 0, "9" * 19],
    ],
)
def test_what_is_no_place_is_refused(parts: object) -> None:
    cursor = base64.urlsafe_b64encode(json.dumps(parts).encode()).decode()
    with pytest.raises(ValueError):  # noqa: PT011 - it has no words of its own
        Place.read(cursor)
