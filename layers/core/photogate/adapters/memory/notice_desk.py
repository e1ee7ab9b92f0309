"""Notices as operators see them, and where users are reached, in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import uuid4

from photogate.adapters.memory.database import Database, Line, NoticeRow, Owed
from photogate.domain import Status
from photogate.domain.notices import Delivery, Notice, NoticeState


class MemoryNoticeDesk:
    """The ``NoticeDesk`` port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def deliveries(
        self, *, state: NoticeState | None, user_id: str | None = None, limit: int
    ) -> list[Delivery]:
        """See ``photogate.ports.notices.NoticeDesk.deliveries``."""
        with self._database.lock:
            found = [
                _delivery(row, owed)
                for row in reversed(self._database.notices)
                for owed in self._of(row)
                if user_id in (None, row.notice.user_id)
            ]
            return [d for d in found if state in (None, d.state)][:limit]

    def resend(self, ids: Sequence[str], *, channel: str | None = None) -> int:
        """See ``photogate.ports.notices.NoticeDesk.resend``."""
        return len(
            self._each_ended(
                lambda owed: owed.row.notice.id in ids and channel in (None, owed.channel)
            )
        )

    def test(self, channel: str, user_id: str) -> str:
        """See ``photogate.ports.notices.NoticeDesk.test``."""
        with self._database.lock:
            now, photo_id = self._database.clock.now(), f"test-{uuid4()}"
            notice = Notice(
                id=f"{photo_id}.0",
                photo_id=photo_id,
                sequence=0,
                user_id=user_id,
                batch_id=None,
                file_key="",
                status=Status.REVIEW,
                before=Status.PENDING,
                reason=None,
                by_person=False,
                corrects=False,
                sha256=None,
                language="en",
                decided_at=now,
            )
            row = NoticeRow(notice=notice, due_at=now, waits=False, planned=True)
            self._database.notices.append(row)
            self._database.owed.append(Owed(row=row, channel=channel))
            self._database.lines.setdefault((channel, user_id), Line(next_at=now))
            return notice.id

    def dead(self, *, channel: str | None = None, limit: int) -> list[str]:
        """See ``photogate.ports.notices.NoticeDesk.dead``."""
        with self._database.lock:
            dead = sorted(
                (o.dead_at, o.row.notice.id)
                for o in self._database.owed
                if o.dead_at is not None and channel in (None, o.channel)
            )
            return list(dict.fromkeys(id_ for _, id_ in dead[:limit]))

    def _each_ended(self, wanted: Callable[[Owed], bool]) -> set[str]:
        with self._database.lock:
            ended = [o for o in self._database.owed if not o.open and wanted(o)]
            for owed in ended:
                owed.told_at = owed.dead_at = owed.error = None
                self._database.lines.setdefault(
                    (owed.channel, owed.row.notice.user_id),
                    Line(next_at=self._database.clock.now()),
                )
            return {o.row.notice.id for o in ended}

    def _of(self, row: NoticeRow) -> list[Owed | None]:
        owed: list[Owed | None] = [o for o in self._database.owed if o.row is row]
        owed.sort(key=lambda o: o.channel if o else "")
        return owed or ([] if row.planned else [None])


class MemoryAddresses:
    """The ``Addresses`` port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def link(self, channel: str, user_id: str, address: str) -> None:
        """See ``photogate.ports.notices.Addresses.link``."""
        with self._database.lock:
            self._database.addresses[channel, user_id] = address

    def unlink(self, channel: str, user_id: str) -> None:
        """See ``photogate.ports.notices.Addresses.unlink``."""
        with self._database.lock:
            self._database.addresses.pop((channel, user_id), None)
            self._database.owed = [
                o
                for o in self._database.owed
                if not (o.open and (o.channel, o.row.notice.user_id) == (channel, user_id))
            ]

    def of(self, channel: str, user_id: str) -> str | None:
        """See ``photogate.ports.notices.Addresses.of``."""
        with self._database.lock:
            return self._database.addresses.get((channel, user_id))


def _delivery(row: NoticeRow, owed: Owed | None) -> Delivery:
    told = owed.told_at if owed else None
    dead = owed.dead_at if owed else None
    return Delivery(
        notice=row.notice,
        channel=owed.channel if owed else None,
        state=NoticeState.TOLD if told else NoticeState.DEAD if dead else NoticeState.OPEN,
        due_at=None if row.waits else row.due_at,
        ended_at=told or dead,
        error=owed.error if owed else None,
    )
