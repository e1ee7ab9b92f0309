"""The history of all photos, read newest first."""

from __future__ import annotations

from typing import Any

from photogate.adapters.postgres.pool import Pool
from photogate.domain import Rule
from photogate.domain.history import HistoryEntry, HistoryFilter, HistoryPlace

_SUBJECT = "(SELECT id FROM subjects WHERE user_id = :{name})"


class PostgresHistories:
    """The ``Histories`` port."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def entries(
        self, wanted: HistoryFilter, *, limit: int, after: HistoryPlace | None = None
    ) -> list[HistoryEntry]:
        """See ``photogate.ports.listing.Histories.entries``."""
        conditions, params = _conditions(wanted)
        if after is not None:
            conditions.append("(at, photo_id, n) < (:place_at, :place_photo, :place_n)")
            params |= {
                "place_at": after.at,
                "place_photo": after.photo_id,
                "place_n": after.n,
            }
        where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
        rows = self._pool.transaction(
            lambda s: s.rows(
                "SELECT entry.*, person_of.user_id AS person_id, owner_of.user_id AS owner_id,"
                " words FROM (SELECT at, photo_id, n, action, by, person, role, owner, before,"
                "   after, reason, failed, rule, value, bound, policy, test"
                f"   FROM history {where} ORDER BY at DESC, photo_id DESC, n DESC LIMIT :most"
                " ) AS entry"
                " LEFT JOIN subjects AS person_of ON person_of.id = person"
                " LEFT JOIN subjects AS owner_of ON owner_of.id = owner"
                " LEFT JOIN history_words USING (photo_id, n)"
                " ORDER BY at DESC, photo_id DESC, n DESC",
                most=limit,
                **params,
            )
        )
        return [_entry(row) for row in rows]


def _conditions(wanted: HistoryFilter) -> tuple[list[str], dict[str, Any]]:
    params = {
        "person": wanted.person,
        "owner": wanted.owner,
        "after": wanted.after,
        "photo_id": wanted.photo_id,
        "since": wanted.since,
        "until": wanted.until,
    }
    by_name = {
        "person": f"person = {_SUBJECT.format(name='person')}",
        "owner": f"owner = {_SUBJECT.format(name='owner')}",
        "after": "after = :after",
        "photo_id": "photo_id = :photo_id",
        "since": "at >= :since",
        "until": "at < :until",
    }
    given = {name: value for name, value in params.items() if value is not None}
    conditions = [by_name[name] for name in given]
    if wanted.failed:
        conditions.append("failed")
    # As words of the statement, for a partial index is used only where these are known in advance.
    # They are members of enumerations, so that nothing else can stand here.
    for column, member in (("by", wanted.by), ("action", wanted.action), ("reason", wanted.reason)):
        if member is not None:
            conditions.append(f"{column} = '{member.value}'")
    return conditions, given


def _entry(row: dict[str, Any]) -> HistoryEntry:
    rule = row["rule"] and Rule(name=row["rule"], value=row["value"], bound=row["bound"])
    return HistoryEntry(
        at=row["at"],
        photo_id=row["photo_id"],
        n=row["n"],
        action=row["action"],
        by=row["by"],
        person=row["person_id"],
        role=row["role"],
        owner=row["owner_id"],
        before=row["before"],
        after=row["after"],
        reason=row["reason"] or row["words"],
        failed=row["failed"],
        rule=rule or None,
        policy=row["policy"],
        test=row["test"],
    )
