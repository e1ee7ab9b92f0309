"""What moderators and operators do."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from urllib.parse import quote

from .admin_models import (
    Dashboard,
    Decided,
    Held,
    ItemKind,
    NoticeItem,
    NoticeItems,
    NoticeState,
    OwnerOf,
    Pending,
    QueueStats,
    Resent,
    ReviewedPhoto,
    Tried,
)
from .client import Copy
from .models import Health, Status
from .transport import Transport


class PhotogateAdmin(Transport):
    """What a token with the role viewer, moderator or admin may do. See ``Transport``.

    Every method raises ``Refused``, ``Unreachable`` or ``UnexpectedAnswer`` (``errors``), after
    it repeated what may be repeated.
    """

    def dashboard(
        self,
        *,
        status: Status | None = None,
        page: int | None = None,
        limit: int = 20,
        cursor: str | None = None,
        test: bool = False,
    ) -> Dashboard:
        """Get one page of 1 to 100 photos, newest first. Needs viewer.

        With ``test`` test photos alone, which are else not among them.
        """
        return self.get(
            Dashboard,
            "/admin/moderation/dashboard",
            status=status,
            page=page,
            limit=limit,
            cursor=cursor,
            test=test or None,
        )

    def photos(self, *, status: Status | None = None) -> Iterator[ReviewedPhoto]:
        """Go through all photos, newest first; a page is asked for when it is needed."""
        cursor: str | None = None
        while True:
            page = self.dashboard(status=status, limit=100, cursor=cursor)
            yield from page.media
            if (cursor := page.pagination.next_cursor) is None:
                return

    def pending(self, *, limit: int = 100) -> tuple[ReviewedPhoto, ...]:
        """List 1 to 500 photos that wait for a person, oldest first. Needs moderator."""
        return self.get(Pending, "/admin/moderation/pending", limit=limit).photos

    def picture(self, photo_id: str, copy: Copy = "display") -> bytes:
        """Get a copy of any photo: JPEG or WebP. Needs moderator."""
        return self.answer("GET", f"{_photo(photo_id)}/photo", params={"copy": copy}).content

    def approve(self, photo_id: str) -> ReviewedPhoto:
        """Approve a photo. Needs moderator, as all that follows down to ``desk``."""
        return self.call(ReviewedPhoto, "PUT", f"{_photo(photo_id)}/approve")

    def reject(self, photo_id: str, reason: str) -> ReviewedPhoto:
        """Reject a photo.

        Args:
            reason: a known code such as ``nsfw``, or words that the owner will read, at most
                500 characters.
        """
        return self.call(
            ReviewedPhoto, "PUT", f"{_photo(photo_id)}/reject", json={"reason": reason}
        )

    def verify(self, photo_id: str) -> ReviewedPhoto:
        """Confirm that a rejection was right.

        Raises:
            Conflict: the photo is not rejected.
        """
        return self.call(ReviewedPhoto, "PUT", f"{_rejected(photo_id)}/verify")

    def delete_rejected(self, photo_id: str) -> None:
        """Delete a rejected photo for good.

        Raises:
            Conflict: the photo is not rejected.
        """
        self.delete(_rejected(photo_id))

    def desk(self) -> Desk:
        """Begin to review one photo after the other."""
        return Desk(self)

    def notices(
        self, *, state: NoticeState | None = None, user_id: str | None = None, limit: int = 100
    ) -> tuple[NoticeItem, ...]:
        """List what people and backends are told, newest first, 1 to 500. Needs admin."""
        found = self.get(NoticeItems, "/admin/notices", state=state, user_id=user_id, limit=limit)
        return found.notices

    def resend_notices(self, ids: Sequence[str], *, channel: str | None = None) -> int:
        """Tell 1 to 1000 notices again, dead or told; count them. Needs admin.

        Args:
            channel: only over this one.
        """
        body = {"ids": list(ids), "channel": channel}
        return self.call(Resent, "POST", "/admin/notices/resend", json=body).resent

    def test_channel(self, channel: str, *, user_id: str | None = None) -> str:
        """Tell a user, or oneself, of no photo, to see that a channel works. Needs admin.

        Not repeated without an answer.

        Returns:
            The notice's id: look for it in ``notices``.
        """
        body = {"channel": channel, "user_id": user_id}
        path = "/admin/notices/test"
        return self.call(Tried, "POST", path, json=body, repeatable=False).id

    def link_telegram(self, user_id: str, chat_id: int | None) -> None:
        """Tell a user by Telegram in this chat from now on, or no more. Needs admin.

        Args:
            chat_id: the user's id at Telegram; None: tell the user nothing there.
        """
        body = {"user_id": user_id, "chat_id": chat_id}
        self.answer("PUT", "/admin/notices/telegram", json=body)

    def queue_stats(self) -> QueueStats:
        """Count jobs, verdicts and workers. Needs admin."""
        return self.get(QueueStats, "/admin/queue-stats")

    def health(self) -> Health:
        """Ask every part of the installation whether it works. Needs admin.

        Raises:
            Unavailable: something is not well; ``problem`` says what.
        """
        return self.get(Health, "/admin/health")


class Desk:
    """Holds photos for one moderator: nobody else gets them for two minutes.

    Args:
        transport: the moderator's.
        tab: names this desk, 8 to 64 letters, digits and ``-``; at random when it is None.
    """

    def __init__(self, transport: Transport, *, tab: str | None = None) -> None:
        self._transport = transport
        self._tab = {"tab": tab or str(uuid.uuid4())}

    def take(
        self,
        *,
        count: int = 4,
        kind: ItemKind | None = None,
        rule: str | None = None,
        user_id: str | None = None,
        passed: Sequence[int] = (),
    ) -> Held:
        """Hold the most urgent photos; call it again to keep them and to fill up.

        Args:
            count: so many at once, 1 to 60; an installation may give fewer.
            kind: only such.
            rule: only what this measure stopped, e.g. ``nsfw.explicit``.
            user_id: only this user's.
            passed: ids of items that others shall get.
        """
        wanted = {"count": count, "kind": kind, "rule": rule, "user_id": user_id}
        return self._transport.call(
            Held,
            "POST",
            "/admin/review/take",
            json={**self._tab, **wanted, "passed": list(passed)},
        )

    def release(self) -> None:
        """Give back what is held: others get it at once."""
        self._transport.answer("POST", "/admin/review/release", json=self._tab)

    def owner(self, photo_id: str) -> OwnerOf:
        """See what else the owner has uploaded."""
        return self._transport.get(OwnerOf, _reviewed(photo_id, "owner"))

    def reveal(self, photo_id: str) -> None:
        """Note that the moderator looks at the photo itself; approving needs it."""
        self._transport.answer("POST", _reviewed(photo_id, "reveal"))

    def approve(self, photo_id: str) -> Decided:
        """Approve what was revealed. Safe to repeat.

        Raises:
            Conflict: it was not revealed, or somebody else decided or holds it.
        """
        return self._decide(photo_id, "approve")

    def reject(self, photo_id: str, reason: str) -> Decided:
        """Reject, with a known code or words for the owner. Safe to repeat.

        Raises:
            Conflict: somebody else decided or holds it.
        """
        return self._decide(photo_id, "reject", reason=reason)

    def undo(self, photo_id: str) -> Decided:
        """Take back one's decision, within 10 seconds; not repeated without an answer."""
        return self._decide(photo_id, "undo", repeatable=False)

    def escalate(self, photo_id: str, note: str | None = None) -> None:
        """Pass the photo on to the admins; not repeated without an answer.

        Raises:
            Conflict: somebody else holds or decided it, or it is with the admins already.
        """
        self._transport.answer(
            "POST",
            _reviewed(photo_id, "escalate"),
            json={**self._tab, "note": note},
            repeatable=False,
        )

    def _decide(self, photo_id: str, what: str, *, repeatable: bool = True, **more: str) -> Decided:
        path = _reviewed(photo_id, what)
        body = {**self._tab, **more}
        return self._transport.call(Decided, "POST", path, json=body, repeatable=repeatable)


def _photo(photo_id: str) -> str:
    return f"/admin/moderation/{quote(photo_id, safe='')}"


def _rejected(photo_id: str) -> str:
    return f"/admin/moderation/rejected/{quote(photo_id, safe='')}"


def _reviewed(photo_id: str, what: str) -> str:
    return f"/admin/review/{quote(photo_id, safe='')}/{what}"
