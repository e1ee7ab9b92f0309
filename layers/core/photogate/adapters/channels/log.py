"""Tells of decisions in the log: for trying things out, and for who reads logs anyway."""

from __future__ import annotations

import logging

from photogate.domain import Deadline
from photogate.domain.notices import Parcel, Receipt

logger = logging.getLogger(__name__)


class LogChannel:
    """The ``Channel`` port. A line each; never a person's own words."""

    name = "log"
    addressed = False
    at_once = 100
    gathers_s = 0.0
    rests_s = 0.0

    def tell(self, parcel: Parcel, deadline: Deadline) -> Receipt:  # noqa: ARG002 - as all do
        """See ``photogate.ports.notices.Channel.tell``."""
        for notice in parcel.notices:
            logger.info(
                "notice",
                extra={
                    "notice_id": notice.id,
                    "photo_id": notice.photo_id,
                    "user_id": notice.user_id,
                    "status": notice.status.value,
                    "reason": notice.reason_code,
                    "corrects": notice.corrects,
                },
            )
        return Receipt(told=len(parcel.notices))
