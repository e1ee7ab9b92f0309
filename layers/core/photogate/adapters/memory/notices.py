"""What is owed to people and backends, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from itertools import islice
from uuid import uuid4

from photogate.adapters.memory.database import Database, Line, NoticeRow, Owed
from photogate.domain.notices import Failing, Parcel, Receipt
from photogate.ports.notices import Kind


class MemoryNotices:
    """The ``Notices`` port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def plan(self, channels: Sequence[Kind], *, limit: int) -> int:
        """See ``photogate.ports.notices.Notices.plan``."""
        with self._database.lock:
            now = self._database.clock.now()
            due = sorted(
                (row for row in self._database.notices if _due(row) and row.due_at <= now),
                key=lambda row: row.due_at,
            )[:limit]
            for row in due:
                row.planned = True
                for channel in channels:
                    whose = (channel.name, row.notice.user_id)
                    if channel.addressed and whose not in self._database.addresses:
                        continue
                    self._database.owed.append(Owed(row=row, channel=channel.name))
                    gathered = now + timedelta(seconds=channel.gathers_s)
                    self._database.lines.setdefault(whose, Line(next_at=gathered))
            return len(due)

    def take(self, channel: Kind, *, limit: int, lease_s: float) -> list[Parcel]:
        """See ``photogate.ports.notices.Notices.take``."""
        with self._database.lock:
            now, token = self._database.clock.now(), str(uuid4())
            rests = self._database.rests.get(channel.name)
            if rests is not None and rests > now:
                return []
            due = sorted(
                (
                    (line.next_at, user_id)
                    for (name, user_id), line in self._database.lines.items()
                    if name == channel.name and line.next_at <= now
                )
            )[:limit]
            parcels = []
            for _, user_id in due:
                owed = tuple(
                    o.row.notice for o in islice(self._open(channel.name, user_id), channel.at_once)
                )
                line = self._database.lines[channel.name, user_id]
                if not owed:
                    # It only kept its user's rest.
                    del self._database.lines[channel.name, user_id]
                    continue
                line.lease, line.next_at = token, now + timedelta(seconds=lease_s)
                since = line.failing_since
                parcels.append(
                    Parcel(
                        channel=channel.name,
                        user_id=user_id,
                        token=token,
                        address=self._database.addresses.get((channel.name, user_id)),
                        notices=owed,
                        failures=line.failures,
                        failing_s=(now - since).total_seconds() if since else 0.0,
                    )
                )
            return parcels

    def settle(
        self,
        parcel: Parcel,
        receipt: Receipt,
        *,
        rests_s: float,
        retry_in_s: float = 0.0,
        gives_up: bool = False,
    ) -> None:
        """See ``photogate.ports.notices.Notices.settle``."""
        with self._database.lock:
            now, whose = self._database.clock.now(), (parcel.channel, parcel.user_id)
            told = {notice.id for notice in parcel.notices[: receipt.told]}
            for owed in self._of(parcel):
                if owed.row.notice.id in told and owed.told_at is None:
                    owed.told_at, owed.dead_at, owed.error = now, None, None
            line, failure = self._database.lines.get(whose), receipt.failure
            if line is None or line.lease != parcel.token:
                return
            again = failure is not None and not gives_up and failure.kind is not Failing.GONE
            if failure is not None:
                failed = {notice.id for notice in parcel.notices[receipt.told :][:1]}
                for owed in self._of(parcel):
                    if owed.row.notice.id in failed and owed.told_at is None:
                        owed.error = failure.error
                        owed.dead_at = now if gives_up else owed.dead_at
                if failure.kind is Failing.GONE:
                    self._database.addresses.pop(whose, None)
                    for owed in list(self._open(*whose)):
                        owed.dead_at, owed.error = now, failure.error
            line.lease = None
            line.next_at = now + timedelta(seconds=max(retry_in_s if again else 0.0, rests_s))
            if not again:
                line.failures, line.failing_since = 0, None
            elif told:
                line.failures, line.failing_since = 1, now
            else:
                line.failures += 1
                line.failing_since = line.failing_since or now
            if rests_s <= 0 and not any(self._open(*whose)):
                del self._database.lines[whose]

    def release(self, parcel: Parcel) -> None:
        """See ``photogate.ports.notices.Notices.release``."""
        with self._database.lock:
            line = self._database.lines.get((parcel.channel, parcel.user_id))
            if line is not None and line.lease == parcel.token:
                line.lease, line.next_at = None, self._database.clock.now()

    def rest(self, channel: str, *, for_s: float) -> None:
        """See ``photogate.ports.notices.Notices.rest``."""
        with self._database.lock:
            until = self._database.clock.now() + timedelta(seconds=for_s)
            self._database.rests[channel] = max(until, self._database.rests.get(channel, until))

    def review_hours(self) -> float | None:
        """See ``photogate.ports.notices.Notices.review_hours``."""
        with self._database.lock:
            since = self._database.clock.now() - timedelta(days=7)
            waited = sorted(
                (item.closed_at - item.created_at).total_seconds() / 3600
                for item in self._database.review_items
                if item.kind == "doubt"
                and not item.test
                and item.closed_at is not None
                and item.closed_at > since
            )
            if not waited:
                return None
            place = 0.9 * (len(waited) - 1)
            low, share = int(place), place % 1
            high = min(low + 1, len(waited) - 1)
            return waited[low] + (waited[high] - waited[low]) * share

    def prune(self, *, days: float, limit: int) -> int:
        """See ``photogate.ports.notices.Notices.prune``."""
        with self._database.lock:
            since = self._database.clock.now() - timedelta(days=days)
            held = {o.row.notice.id for o in self._database.owed if o.open}
            over = [
                row.notice.id
                for row in self._database.notices
                if row.notice.decided_at < since
                and row.notice.id not in held
                and (row.planned or row.waits)
            ][:limit]
            kept = set(over)
            self._database.notices = [
                row for row in self._database.notices if row.notice.id not in kept
            ]
            self._database.owed = [o for o in self._database.owed if o.row.notice.id not in kept]
            return len(over)

    def _open(self, channel: str, user_id: str) -> Sequence[Owed]:
        return [
            o
            for o in self._database.owed
            if o.open and o.channel == channel and o.row.notice.user_id == user_id
        ]

    def _of(self, parcel: Parcel) -> Sequence[Owed]:
        ids = {notice.id for notice in parcel.notices}
        return [
            o for o in self._database.owed if o.channel == parcel.channel and o.row.notice.id in ids
        ]


def _due(row: NoticeRow) -> bool:
    return not row.planned and not row.waits
