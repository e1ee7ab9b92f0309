"""Telling people and backends: the channels, and the database's side of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from photogate.domain import Deadline
from photogate.domain.notices import Delivery, NoticeState, Parcel, Receipt
from photogate.notice_messages import HandedBack, HandedOver


class Kind(Protocol):
    """How a channel wants its notices; its class, for who plans and does not tell."""

    @property
    def name(self) -> str:
        """As the database and ``photogate notices`` name it: one lower-case word, for ever."""

    @property
    def addressed(self) -> bool:
        """Whether users are only told where an address is known of them (``Addresses``)."""

    @property
    def at_once(self) -> int:
        """Most notices in one parcel."""

    @property
    def gathers_s(self) -> float:
        """Seconds that a user's notices are gathered, so that those of one batch come together.

        0 where each is told by itself anyway.
        """

    @property
    def rests_s(self) -> float:
        """Least seconds between two parcels for one user; what comes meanwhile joins the next."""


class Channel(Kind, Protocol):
    """One way to tell people or a backend: a file in ``adapters/channels``.

    Thread-safe: parcels of different users are told at once. A channel neither waits before it
    tries again nor remembers anything of a user: who sends does.
    """

    def tell(self, parcel: Parcel, deadline: Deadline) -> Receipt:
        """Tell these notices, first to last, until one is not taken or the deadline comes.

        Never raises for what a receiver does. What was told may come again under the same ids,
        when its receipt was lost.
        """


class Notices(Protocol):
    """The sender's side of the database. Notices are written by ``Changes``."""

    def plan(self, channels: Sequence[Kind], *, limit: int) -> int:
        """Let notices that are due be owed to each of these channels; return how many.

        One caller at a time does it; for others there is nothing to do meanwhile.
        """

    def take(self, channel: Kind, *, limit: int, lease_s: float) -> list[Parcel]:
        """Take up to ``limit`` parcels, each of another user, those that wait longest first.

        Nobody else gets notices of these users over this channel until the lease runs out, or the
        parcel is settled. While the channel rests nothing is given.
        """

    def settle(
        self,
        parcel: Parcel,
        receipt: Receipt,
        *,
        rests_s: float,
        retry_in_s: float = 0.0,
        gives_up: bool = False,
    ) -> None:
        """Note what became of a parcel, and end its lease; safe to repeat.

        What was told is noted whoever holds the lease by now; the rest only where it is this
        parcel's. ``Failing.GONE`` forgets the user's address, and all that is open for it is dead.

        Args:
            rests_s: the user's next parcel comes after that time at the earliest.
            retry_in_s: after a failure: when the next attempt may begin.
            gives_up: the notice that failed is dead, and those behind it have their turn.
        """

    def release(self, parcel: Parcel) -> None:
        """Give a parcel back that was not tried."""

    def rest(self, channel: str, *, for_s: float) -> None:
        """Give no parcels of this channel for so long."""

    def review_hours(self) -> float | None:
        """Say within how many hours most photos had a person's decision in the last week.

        Of those that waited for one, nine of ten. None where there were none.
        """

    def prune(self, *, days: float, limit: int) -> int:
        """Remove notices that are older, and dead or told; return how many."""


class Parcels(Protocol):
    """Takes parcels to who has the way out."""

    def send(self, message: HandedOver) -> None:
        """Hand a parcel over: once, and those of a user over a channel in order.

        Raises:
            QueueUnavailable: it may be there all the same.
        """


class Receipts(Protocol):
    """Takes receipts to who has the database."""

    def send(self, message: HandedBack) -> None:
        """Hand a receipt back, at least once.

        Raises:
            QueueUnavailable: it may be there all the same.
        """


class NoticeDesk(Protocol):
    """The operators' side."""

    def deliveries(
        self, *, state: NoticeState | None, user_id: str | None = None, limit: int
    ) -> list[Delivery]:
        """List deliveries, newest first: of notices that are not planned yet one each."""

    def resend(self, ids: Sequence[str], *, channel: str | None = None) -> int:
        """Let these notices be told again, dead or told, over one channel or all; count them.

        They come under the same ids.
        """

    def test(self, channel: str, user_id: str) -> str:
        """Let a notice of no photo be told over one channel, now; return its id."""

    def dead(self, *, channel: str | None = None, limit: int) -> list[str]:
        """Give the ids of notices that were given up, oldest first."""


class Addresses(Protocol):
    """Where users are reached over channels that need to know."""

    def link(self, channel: str, user_id: str, address: str) -> None:
        """Note a user's address, or another one; notices of the last minutes do not follow."""

    def unlink(self, channel: str, user_id: str) -> None:
        """Forget it; what was not told yet over this channel is not told any more."""

    def of(self, channel: str, user_id: str) -> str | None:
        """Give a user's address, or None."""
