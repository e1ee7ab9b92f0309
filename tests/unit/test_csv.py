"""CSV that no spreadsheet takes for a program."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.admin.csv_rows import csv_row

pytestmark = pytest.mark.quick


@pytest.mark.parametrize(
    "cell",
    ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\t=1", "\r=1", "\n=1", "\uff1d1", '=HYPERLINK("x")'],
)
def test_what_begins_like_a_formula_is_text(cell: str) -> None:
    assert read(csv_row([cell])) == [f"'{cell}"]


@pytest.mark.parametrize(
    ("cell", "written"),
    [(None, ""), (True, "true"), (False, "false"), (-0.5, "-0.5"), (12, "12"), ("a=b", "a=b")],
)
def test_other_cells_stay_what_they_are(cell: str | float | None, written: str) -> None:
    assert read(csv_row([cell, "x"])) == [written, "x"]


@given(
    st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), min_size=2)
)
def test_whatever_was_written_is_read_and_is_no_formula(cells: list[str]) -> None:
    got = read(csv_row(cells))
    assert [cell.removeprefix("'") for cell in got] == [cell.removeprefix("'") for cell in cells]
    assert not any(cell.lstrip(" ").startswith(("=", "+", "-", "@")) for cell in got)


def read(row: str) -> list[str]:
    (cells,) = csv.reader(io.StringIO(row, newline=""))
    return cells
