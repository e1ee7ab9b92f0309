"""What tells people and backends is made of: the list of channels, and who sends."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from photogate import settings as s

if TYPE_CHECKING:
    from photogate.ports.notices import Channel


def _log(settings: s.NoticeSettings) -> Channel | None:
    from photogate.adapters.channels.log import LogChannel

    return LogChannel() if settings.notice_log else None


#: Every channel: made from settings, or None where it is not set up.
CHANNELS: dict[str, Callable[[s.NoticeSettings], Channel | None]] = {
    "log": _log,
}


def channels(settings: s.NoticeSettings) -> tuple[Channel, ...]:
    """Make the channels that are set up here."""
    made = (make(settings) for make in CHANNELS.values())
    return tuple(channel for channel in made if channel is not None)
