"""The history of all photos, in memory."""

from __future__ import annotations

from photogate.adapters.memory.database import Database, Entry
from photogate.domain import Rule
from photogate.domain.history import HistoryEntry, HistoryFilter, HistoryPlace


class MemoryHistories:
    """The ``Histories`` port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def entries(
        self, wanted: HistoryFilter, *, limit: int, after: HistoryPlace | None = None
    ) -> list[HistoryEntry]:
        """See ``photogate.ports.listing.Histories.entries``."""
        with self._database.lock:
            found = [_told(entry) for entry in self._database.history if _wanted(entry, wanted)]
            found.sort(key=_place, reverse=True)
            if after is not None:
                begin = (after.at, after.photo_id, after.n)
                found = [entry for entry in found if _place(entry) < begin]
            return found[:limit]


def _wanted(entry: Entry, wanted: HistoryFilter) -> bool:
    row = entry.row
    return (
        wanted.person in (None, row.person)
        and wanted.by in (None, row.by)
        and wanted.action in (None, row.action)
        and wanted.after in (None, row.after)
        and wanted.reason in (None, row.reason)
        and (row.failed or not wanted.failed)
        and wanted.owner in (None, row.owner)
        and wanted.photo_id in (None, row.photo_id)
        and (wanted.since is None or entry.at >= wanted.since)
        and (wanted.until is None or entry.at < wanted.until)
    )


def _place(entry: HistoryEntry) -> tuple[object, str, int]:
    return entry.at, entry.photo_id, entry.n


def _told(entry: Entry) -> HistoryEntry:
    row = entry.row
    return HistoryEntry(
        at=entry.at,
        photo_id=row.photo_id,
        n=row.n,
        action=row.action,
        by=row.by,
        person=row.person,
        role=row.role,
        owner=row.owner,
        before=row.before,
        after=row.after,
        reason=row.reason or row.words,
        failed=row.failed,
        rule=Rule(name=row.rule, value=row.value, bound=row.bound) if row.rule else None,
        policy=row.policy,
        test=row.test,
    )
