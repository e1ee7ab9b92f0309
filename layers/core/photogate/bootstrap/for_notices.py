"""What tells people and backends is made of: the list of channels, and who sends."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from photogate import settings as s
from photogate.bootstrap import choose
from photogate.errors import ConfigError

if TYPE_CHECKING:
    from photogate.adapters.channels.telegram import TelegramChannel
    from photogate.domain.notices import Notice
    from photogate.ports.notices import Addresses, Channel, Kind, NoticeDesk
    from photogate.service.handing_over import HandingOver, Notifying
    from photogate.service.notices import Sending


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
        return ping(notice) if notice.is_ping else body_of(notice, reason_words(notice))

    channel = WebhookChannel(
        settings.webhook_url,
        settings.webhook_secrets,
        body=body,
        private=settings.webhook_private,
    )
    choose.close_later(channel.close)
    return channel


def telegram(settings: s.NoticeSettings) -> TelegramChannel | None:
    """Make the bot that tells users, and operators where ``ALERT_TELEGRAM_CHAT`` is set."""
    from photogate.adapters.channels.telegram import TelegramChannel
    from photogate.texts.notices import notice_words

    if settings.telegram_bot_token is None:
        return None
    objection = settings.objection_text

    def words(notices: Sequence[Notice], review_hours: float | None) -> str:
        return notice_words(notices, review_hours=review_hours, objection=objection)

    return TelegramChannel(
        settings.telegram_bot_token.get_secret_value(),
        words=words,
        api_url=settings.telegram_api_url,
    )


#: Every channel: made from settings, or None where it is not set up.
CHANNELS: dict[str, Callable[[s.NoticeSettings], Channel | None]] = {
    "log": _log,
    "telegram": telegram,
    "webhook": _webhook,
}


def _log_kind() -> Kind:
    from photogate.adapters.channels.log import LogChannel

    return LogChannel


def _webhook_kind() -> Kind:
    from photogate.adapters.channels.webhook import WebhookChannel

    return WebhookChannel


def _telegram_kind() -> Kind:
    from photogate.adapters.channels.telegram import TelegramChannel

    return TelegramChannel


#: The same channels, for who plans and does not tell.
KINDS: dict[str, Callable[[], Kind]] = {
    "log": _log_kind,
    "telegram": _telegram_kind,
    "webhook": _webhook_kind,
}


def channels(settings: s.NoticeSettings) -> tuple[Channel, ...]:
    """Make the channels that are set up here."""
    made = (make(settings) for make in CHANNELS.values())
    return tuple(channel for channel in made if channel is not None)


def kinds(names: str) -> tuple[Kind, ...]:
    """Give the channels of these names, by commas.

    Raises:
        ConfigError: there is no such channel.
    """
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    if unknown := [name for name in wanted if name not in KINDS]:
        raise ConfigError(f"NOTICE_CHANNELS: {', '.join(unknown)} is none of {', '.join(KINDS)}")
    return tuple(KINDS[name]() for name in wanted)


def sending() -> Sending:
    """Build what tells people and backends, with the database and a way out."""
    from photogate.adapters.postgres.notices import PostgresNotices
    from photogate.service.notices import Sending, Settling
    from photogate.telemetry import NoticeLog

    settings = choose.settings_of(s.SenderSettings)
    notices = PostgresNotices(choose.pool(settings))
    settling = Settling(notices, NoticeLog("sweep"), give_up_s=settings.notice_give_up_h * 3600)
    return Sending(notices, channels(settings), settling)


def hand_over(settings: s.SweepSettings | s.ModerateSettings, service: str) -> HandingOver | None:
    """Build what hands notices over to the notifier; None where nobody has to.

    On AWS without a channel it only plans, so that what is decided now is not told once there is
    one.
    """
    from photogate.adapters.postgres.notices import PostgresNotices
    from photogate.service.handing_over import HandingOver
    from photogate.service.notices import Settling
    from photogate.telemetry import NoticeLog

    url = settings.notice_queue_url
    if url is None:
        return None
    from photogate.adapters.notices_sqs import SqsParcels
    from photogate.adapters.sqs_client import connect

    client = connect(url, settings.queue_endpoint)
    choose.close_later(client.close)
    notices = PostgresNotices(choose.pool(settings))
    return HandingOver(
        notices,
        kinds(settings.notice_channels),
        SqsParcels(client, url),
        Settling(notices, NoticeLog(service), give_up_s=settings.notice_give_up_h * 3600),
    )


def notifying() -> Notifying:
    """Build the notifier: with a way out, and without the database."""
    from photogate.adapters.notices_sqs import SqsReceipts
    from photogate.adapters.sqs_client import connect
    from photogate.service.handing_over import Notifying

    settings = choose.settings_of(s.NotifierSettings)
    url = settings.notice_receipts_url
    client = connect(url, os.environ.get("QUEUE_ENDPOINT"))
    choose.close_later(client.close)
    return Notifying(channels(settings), SqsReceipts(client, url))


def notice_desk() -> NoticeDesk:
    """Build the operators' side of notices."""
    from photogate.adapters.postgres.notice_desk import PostgresNoticeDesk

    return PostgresNoticeDesk(choose.pool(choose.settings_of(s.DatabaseSettings)))


def addresses() -> Addresses:
    """Build what knows where users are reached."""
    from photogate.adapters.postgres.notice_desk import PostgresAddresses

    return PostgresAddresses(choose.pool(choose.settings_of(s.DatabaseSettings)))
