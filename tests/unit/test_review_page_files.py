"""The moderators' pages as files: what scripts and styles find by id is one thing."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from tests.docs import ROOT

FOLDER = ROOT / "layers/core/photogate/review_page"


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.glob("*.html")))
def test_an_id_names_one_part_of_a_page(name: str) -> None:
    ids = re.findall(r'\bid="([^"]*)"', (FOLDER / name).read_text(encoding="utf-8"))
    assert ids
    assert [id_ for id_, count in Counter(ids).items() if count > 1] == []
