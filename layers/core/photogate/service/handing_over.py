"""Tells people and backends through somebody else, who has the way out and not the database.

Parcels go to a queue, receipts come back through another. A parcel that is lost, or whose receipt
is, comes again when its lease runs out, under the same ids.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from photogate.domain import Deadline
from photogate.notice_messages import HandedBack, HandedOver
from photogate.ports.notices import Channel, Kind, Notices, Parcels, Receipts
from photogate.service.notices import PARCEL_S, Settling, plan, told_by
from photogate.service.review_time import ReviewTime

logger = logging.getLogger(__name__)

#: So long a parcel may take from being taken to its receipt.
LEASE_S = 180.0
#: Parcels that are taken in one transaction.
_AT_ONCE = 20


class HandingOver:
    """Plans what is due, and hands it over, until nothing is left, or no time.

    Args:
        kinds: of all channels that the notifier has.
    """

    def __init__(
        self, notices: Notices, kinds: Sequence[Kind], parcels: Parcels, settling: Settling
    ) -> None:
        self._notices = notices
        self._kinds = {kind.name: kind for kind in kinds}
        self._parcels = parcels
        self._settling = settling
        self._review_time = ReviewTime(notices)

    def run(self, *, time_left_s: Callable[[], float]) -> int:
        """Hand over what is due; return how many parcels.

        Raises:
            RetryableError: the database or the queue does not answer.
        """
        plan(self._notices, tuple(self._kinds.values()), time_left_s)
        sent = 0
        for kind in self._kinds.values():
            while time_left_s() > 0:
                until = datetime.now(UTC) + timedelta(seconds=LEASE_S)
                taken = self._notices.take(kind, limit=_AT_ONCE, lease_s=LEASE_S)
                for parcel in self._review_time.said_on(kind, taken):
                    self._parcels.send(HandedOver(until=until, parcel=parcel))
                sent += len(taken)
                if len(taken) < _AT_ONCE:
                    break
        return sent

    def settle(self, back: HandedBack) -> None:
        """Record a receipt; may be called again.

        Raises:
            RetryableError: the database does not answer.
        """
        kind = self._kinds.get(back.parcel.channel)
        if kind is None:
            logger.warning("a receipt of %s, which is not set up here", back.parcel.channel)
            return
        self._settling.settle(kind, back.parcel, back.receipt)


class Notifying:
    """Tells what was handed over, and hands the receipts back.

    Args:
        channels: all that are set up here.
    """

    def __init__(self, channels: Sequence[Channel], receipts: Receipts) -> None:
        self._channels = {channel.name: channel for channel in channels}
        self._receipts = receipts

    def tell(self, message: HandedOver, *, time_left_s: float) -> None:
        """Tell one parcel, unless its lease has run out.

        Raises:
            RetryableError: the queue for receipts does not answer; it may be told again.
        """
        parcel = message.parcel
        left_s = (message.until - datetime.now(UTC)).total_seconds() - PARCEL_S
        channel = self._channels.get(parcel.channel)
        if left_s <= 0 or channel is None:
            logger.warning("a parcel for %s is left to the next one", parcel.channel)
            return
        deadline = Deadline.after(max(0.001, min(PARCEL_S, time_left_s)))
        receipt = told_by(channel, parcel, deadline)
        self._receipts.send(HandedBack(parcel=parcel, receipt=receipt))
