"""Rows of CSV that spreadsheets show as they are: no cell is taken for a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

#: What spreadsheets take a formula by, wide forms included (OWASP, "CSV Injection").
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def csv_row(cells: Iterable[str | float | bool | None]) -> str:
    """Write one row, with CRLF at its end.

    Text that begins like a formula gets an apostrophe before it. Numbers stay numbers; None is an
    empty cell, and a truth value is ``true`` or ``false``.
    """
    line = io.StringIO()
    csv.writer(line).writerow([_cell(cell) for cell in cells])
    return line.getvalue()


def _cell(cell: str | float | bool | None) -> str | float | None:
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, str) and cell.lstrip(" ").startswith(_FORMULA):
        return f"'{cell}"
    return cell
