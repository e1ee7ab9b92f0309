"""Statements inside a transaction: text with ``:names`` in, rows as dictionaries out."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeAlias

from pg8000.native import Connection, to_statement

#: Gives the values of a statement's placeholders, in their order.
_Values: TypeAlias = Callable[[dict[str, Any]], tuple[Any, ...]]

#: More than there are different statements: all are made of constants.
_STATEMENTS = 512


@lru_cache(_STATEMENTS)
def _read(sql: str) -> tuple[str, _Values]:
    """Replace ``:names`` by PostgreSQL's own placeholders.

    pg8000 does it anew at each call, one character after the other: .34 ms for a statement of 1,400
    characters, and 2 ms for all those between upload-complete and a verdict's commit (measured
    2026-11-27, pg8000 1.31).
    """
    statement, values = to_statement(sql)
    return str(statement), values


class Session:
    """One connection inside a transaction. What it reads of a statement is kept for the next."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def rows(self, sql: str, **params: Any) -> list[dict[str, Any]]:
        """Run a statement and give its rows, in order; [] when it returns none."""
        done = self._run(sql, params)
        names = [column["name"] for column in done.columns or ()]
        return [dict(zip(names, row, strict=True)) for row in done.rows or ()]

    def row(self, sql: str, **params: Any) -> dict[str, Any] | None:
        """Give the first row, or None."""
        found = self.rows(sql, **params)
        return found[0] if found else None

    def count(self, sql: str, **params: Any) -> int:
        """Run a statement and tell how many rows it touched."""
        return max(0, int(self._run(sql, params).row_count))

    def _run(self, sql: str, params: dict[str, Any]) -> Any:
        if not params:
            return self._connection.execute_simple(sql)
        statement, values = _read(sql)
        return self._connection.execute_unnamed(statement, values(params))
