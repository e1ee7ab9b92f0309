"""PostgreSQL's refusals as one plain line each, with the way out where one is known."""

from __future__ import annotations

from pg8000.exceptions import DatabaseError

from photogate.adapters.postgres.pool import sqlstate, words

_PLAN = "`photogate migrate --dry-run` says what is in the way"
#: By SQLSTATE, or its first two characters.
_WAYS_OUT = {
    "42501": "migrate as the role that owns the tables (MIGRATE_DATABASE_URL), or grant the right",
    "0A000": f"{_PLAN}, such as a view on a column whose type changes",
    "2BP01": f"{_PLAN}: something depends on it",
    "42P07": f"{_PLAN}: a table of this name is there already",
    "42710": f"{_PLAN}: something of this name is there already",
    "42P01": "run `photogate migrate`",
    "42703": "run `photogate migrate`",
    "42883": "run `photogate migrate`",
    "23": "rows that are there contradict it: mend them, and run it again",
}


def plain(error: DatabaseError) -> str:
    """Give the server's message, and what helps."""
    state = sqlstate(error)
    way_out = _WAYS_OUT.get(state) or _WAYS_OUT.get(state[:2])
    said = " ".join(words(error).split())
    return f"{said}; {way_out}" if way_out else said


def refusal(error: Exception) -> str | None:
    """Give ``plain`` of an error of the database; None for any other."""
    return plain(error) if isinstance(error, DatabaseError) else None
