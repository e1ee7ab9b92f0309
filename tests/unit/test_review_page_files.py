"""The moderators' pages as files: what scripts and styles find by id is one thing."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from photogate import review_page

PAGES = ("review", "grid", "rejected", "user", "history", "sign-in")


@pytest.mark.parametrize("name", PAGES)
def test_an_id_names_one_part_of_a_page(name: str) -> None:
    ids = re.findall(r'\bid="([^"]*)"', review_page.html(f"{name}.html").decode())
    assert ids
    assert [id_ for id_, count in Counter(ids).items() if count > 1] == []
