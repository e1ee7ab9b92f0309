"""What waits for people, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from photogate.adapters.memory.database import Database
from photogate.adapters.memory.database import ReviewItem as Row
from photogate.domain import COUNT_TO, Principal, Role, Rule, Total
from photogate.domain.reviews import (
    ESCALATED,
    EXPOSURE_S,
    LEASE_S,
    POINT_MINUTES,
    Filter,
    Hand,
    Holder,
    Kind,
    ReviewItem,
)

_LEASE = timedelta(seconds=LEASE_S)


class MemoryReviewItems:
    """The ``ReviewItems`` port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def take(
        self, holder: Holder, wanted: Filter, *, count: int, passed: Sequence[int] = ()
    ) -> Hand:
        """See ``photogate.ports.reviewing.ReviewItems.take``."""
        with self._database.lock:
            for id_, row in self._open():
                if row.lease_by == holder.id:
                    if id_ in passed:
                        row.lease_by = row.lease_until = None
                    else:
                        self._lease(row, holder)
            held = [pair for pair in self._open() if pair[1].lease_by == holder.id]
            for id_, row in self._open():
                if len(held) >= count:
                    break
                if id_ not in passed and self._free(row, holder) and self._wanted(row, wanted):
                    self._lease(row, holder)
                    held.append((id_, row))
            seen = [row for _, row in self._open() if _may(row, holder)]
            return Hand(
                items=[
                    self._item(id_, row)
                    for id_, row in self._open()
                    if row.lease_by == holder.id and row.photo_id in self._database.photos
                ],
                waiting=Total.of(min(len(seen), COUNT_TO + 1)),
                oldest_at=min((row.created_at for row in seen), default=None),
            )

    def claim(self, holder: Holder, photo_id: str) -> bool:
        """See ``photogate.ports.reviewing.ReviewItems.claim``."""
        with self._database.lock:
            for _, row in self._open():
                mine = row.lease_by == holder.id
                if row.photo_id == photo_id and self._free(row, holder, or_mine=mine):
                    self._lease(row, holder)
                    return True
            return False

    def folded(self, photo_id: str) -> bool:
        """See ``photogate.ports.reviewing.ReviewItems.folded``."""
        with self._database.lock:
            return any(row.photo_id == photo_id and row.folded for _, row in self._open())

    def release(self, holder: Holder) -> None:
        """See ``photogate.ports.reviewing.ReviewItems.release``."""
        with self._database.lock:
            for _, row in self._open():
                if row.lease_by == holder.id:
                    row.lease_by = row.lease_until = None

    def close(self, holder: Holder, photo_id: str) -> None:
        """See ``photogate.ports.reviewing.ReviewItems.close``."""
        with self._database.lock:
            for _, row in self._open():
                if row.photo_id == photo_id and row.lease_by == holder.id:
                    row.closed_at = self._database.clock.now()

    def escalate(self, holder: Holder, photo_id: str, *, note: str | None) -> bool:
        """See ``photogate.ports.reviewing.ReviewItems.escalate``."""
        with self._database.lock:
            for _, row in self._open():
                held = row.photo_id == photo_id and row.lease_by == holder.id
                if held and row.kind != Kind.ESCALATION and self._first(row):
                    row.kind, row.note, row.priority = Kind.ESCALATION.value, note, ESCALATED
                    row.raised_by = holder.person.user_id
                    row.lease_by = row.lease_until = None
                    return True
            return False

    def reveal(self, photo_id: str, person: Principal, *, most: int | None = None) -> bool:
        """See ``photogate.ports.reviewing.ReviewItems.reveal``."""
        with self._database.lock:
            key = (photo_id, person.user_id)
            known = key in self._database.reveals
            if not known and most is not None and self.exposure(person) >= most:
                return False
            self._database.reveals.setdefault(key, self._database.clock.now())
            return True

    def exposure(self, person: Principal) -> int:
        """See ``photogate.ports.reviewing.ReviewItems.exposure``."""
        with self._database.lock:
            since = self._database.clock.now() - timedelta(seconds=EXPOSURE_S)
            reveals = self._database.reveals.items()
            return sum(who == person.user_id and at > since for (_, who), at in reveals)

    def revealed(self, photo_id: str, person: Principal) -> bool:
        """See ``photogate.ports.reviewing.ReviewItems.revealed``."""
        with self._database.lock:
            return (photo_id, person.user_id) in self._database.reveals

    def _open(self) -> list[tuple[int, Row]]:
        """Give what is open with its number, most urgent first."""
        rows = [(row.id, row) for row in self._database.review_items if not row.closed_at]
        return sorted(rows, key=lambda pair: (_rank(pair[1]), pair[0]))

    def _first(self, row: Row) -> bool:
        rows = self._database.review_items
        return row is next(r for r in rows if r.photo_id == row.photo_id and not r.closed_at)

    def _free(self, row: Row, holder: Holder, *, or_mine: bool = False) -> bool:
        over = row.lease_until is None or row.lease_until < self._database.clock.now()
        return (over or or_mine) and _may(row, holder) and self._first(row)

    def _wanted(self, row: Row, wanted: Filter) -> bool:
        photo = self._database.photos.get(row.photo_id)
        if photo is None:
            return False
        rule = photo.row.rule
        return (
            row.kind in wanted.kinds
            and wanted.user_id in (None, photo.user_id)
            and (wanted.rule is None or (_named(rule) == wanted.rule and not row.folded))
        )

    def _lease(self, row: Row, holder: Holder) -> None:
        row.lease_by, row.lease_until = holder.id, self._database.clock.now() + _LEASE

    def _item(self, id_: int, row: Row) -> ReviewItem:
        assert row.lease_until is not None  # noqa: S101 - it is held
        return ReviewItem(
            id=id_,
            kind=Kind(row.kind),
            folded=row.folded,
            photo=self._database.photos[row.photo_id].row,
            priority=row.priority,
            created_at=row.created_at,
            lease_until=row.lease_until,
            note=row.note,
            raised_by=row.raised_by,
        )


def _rank(row: Row) -> datetime:
    return row.created_at - timedelta(minutes=POINT_MINUTES * row.priority)


def _may(row: Row, holder: Holder) -> bool:
    return row.kind != Kind.ESCALATION or holder.person.role.allows(Role.ADMIN)


def _named(rule: Rule | None) -> str | None:
    return None if rule is None else rule.name
