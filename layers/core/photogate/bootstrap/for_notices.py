"""What tells people and backends is made of: the list of channels, and who sends."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from photogate import settings as s

if TYPE_CHECKING:
    from photogate.domain.notices import Notice
    from photogate.ports.notices import Channel


def _log(settings: s.NoticeSettings) -> Channel | None:
    from photogate.adapters.channels.log import LogChannel

    return LogChannel() if settings.notice_log else None


def _webhook(settings: s.NoticeSettings) -> Channel | None:
    from photogate.adapters.channels.webhook import WebhookChannel
    from photogate.notice_body import body_of, ping
    from photogate.texts.notices import reason_words

    if settings.webhook_url is None:
        return None

    def body(notice: Notice) -> bytes:
        return ping(notice) if notice.is_test else body_of(notice, reason_words(notice))

    return WebhookChannel(
        settings.webhook_url,
        settings.webhook_secrets,
        body=body,
        private=settings.webhook_private,
    )


def _telegram(settings: s.NoticeSettings) -> Channel | None:
    from photogate.adapters.channels.telegram import TelegramChannel
    from photogate.texts.notices import notice_words

    if settings.telegram_bot_token is None:
        return None
    return TelegramChannel(
        settings.telegram_bot_token.get_secret_value(),
        words=partial(notice_words, objection=settings.objection_text),
        api_url=settings.telegram_api_url,
    )


#: Every channel: made from settings, or None where it is not set up.
CHANNELS: dict[str, Callable[[s.NoticeSettings], Channel | None]] = {
    "log": _log,
    "telegram": _telegram,
    "webhook": _webhook,
}


def channels(settings: s.NoticeSettings) -> tuple[Channel, ...]:
    """Make the channels that are set up here."""
    made = (make(settings) for make in CHANNELS.values())
    return tuple(channel for channel in made if channel is not None)
