"""Who is told: people and backends of decisions, operators of what is wrong."""

from __future__ import annotations

import re
import shlex
from base64 import b64decode
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, model_validator

from photogate.settings.reading import LogSettings


class SettlingSettings(LogSettings):
    """Who notes what became of notices."""

    notice_give_up_h: float = Field(
        24.0, gt=0, le=720, description="Hours that a notice is tried again before it is given up."
    )


class HandOverSettings(SettlingSettings):
    """Where parcels of notices go, when who has the database has no way out: on AWS."""

    notice_queue_url: str | None = Field(
        None,
        description="URL of the SQS FIFO queue of the notifier; without it, as everywhere but on"
        " AWS, the sweep's process itself tells people and backends.",
    )
    notice_channels: str = Field(
        "", description="The notifier's channels by commas, such as `webhook`; on AWS only."
    )


def _are_webhook_secrets(secret: SecretStr) -> SecretStr:
    for one in secret.get_secret_value().split(","):
        try:
            key = b64decode(one.strip().removeprefix("whsec_"), validate=True)
        except ValueError:
            key = b""
        if not one.strip().startswith("whsec_") or not 24 <= len(key) <= 64:
            raise ValueError(
                'must be like whsec_…; make one with: echo "whsec_$(openssl rand -base64 32)"'
            )
    return secret


def _is_bot_token(token: SecretStr) -> SecretStr:
    if not re.fullmatch(r"\d+:[\w-]{30,}", token.get_secret_value(), re.ASCII):
        raise ValueError("must be like 110201543:AAH…, as @BotFather gives it")
    return token


class ObjectionSettings(LogSettings):
    """What users are told beside a rejection."""

    objection_text: str = Field(
        "",
        max_length=200,
        description="What users are told to do who think that a rejection is wrong: a sentence or"
        " an address.",
    )


class NoticeSettings(ObjectionSettings):
    """The channels over which people and backends are told of decisions."""

    notice_log: bool = Field(False, description="Tell of every decision in the log as well.")
    webhook_url: str | None = Field(
        None, description="Where your backend is told of every decision: an https address."
    )
    webhook_secret: Annotated[SecretStr, AfterValidator(_are_webhook_secrets)] | None = Field(
        None,
        description="Signs them: `whsec_…`; two by a comma while you change it, the new one first.",
    )
    webhook_private: bool = Field(
        False,
        description="Let `WEBHOOK_URL` be http, and an address that is not public: a backend in"
        " your own network.",
    )
    telegram_bot_token: Annotated[SecretStr, AfterValidator(_is_bot_token)] | None = Field(
        None,
        description="Of the bot that tells users and operators by Telegram; @BotFather gives it.",
    )
    telegram_api_url: str = Field(
        "https://api.telegram.org", description="Where a Bot API server answers."
    )

    @property
    def webhook_secrets(self) -> tuple[str, ...]:
        """The newest first."""
        secret = self.webhook_secret.get_secret_value() if self.webhook_secret else ""
        return tuple(one.strip() for one in secret.split(",") if one.strip())

    @model_validator(mode="after")
    def _has_webhook(self) -> NoticeSettings:
        if (self.webhook_url is None) != (self.webhook_secret is None):
            raise ValueError("WEBHOOK_URL and WEBHOOK_SECRET go together")
        return self


def _is_hook(url: SecretStr) -> SecretStr:
    # Not quoted: it may hold a secret.
    wrong = ValueError("must be like https://chat.example.com/hooks/…")
    try:
        parts = urlsplit(url.get_secret_value())
        names_one = bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port beyond 65535, or half of an IPv6 address
        raise wrong from None
    if parts.scheme not in ("http", "https") or not names_one or "@" in parts.netloc:
        raise wrong
    return url


def _is_command(command: str) -> str:
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise ValueError(f"cannot be read as a command: {error}") from None
    if not words:
        raise ValueError("must be a command with its arguments")
    return command


class AlertSettings(NoticeSettings):
    """What operators are told by the local sweep, and how. 0 turns a bound off."""

    alert_webhook_url: Annotated[SecretStr, AfterValidator(_is_hook)] | None = Field(
        None,
        description="Where operators are told what is wrong, as JSON with `text`"
        " ([operate](operate.md#alerts-without-prometheus)).",
    )
    alert_telegram_chat: str | None = Field(
        None, description="A chat that is told the same by the bot of `TELEGRAM_BOT_TOKEN`: its id."
    )
    alert_command: Annotated[str, AfterValidator(_is_command)] | None = Field(
        None,
        description="A command that gets the same on standard input, such as `mail -s Photogate"
        " me@example.com`.",
    )
    alert_state: Path | None = Field(
        None,
        description="File that keeps over a restart what was told; in the folder of `photogate up`"
        " `alerts.json`.",
    )
    alert_queue_s: float = Field(
        600.0, ge=0, description="Told when a batch has waited longer for its verdicts, in seconds."
    )
    alert_dead_jobs: int = Field(1, ge=0, description="Told from so many given-up jobs on.")
    alert_failed_percent: float = Field(
        5.0,
        ge=0,
        le=100,
        description="Told when checking failed for more of the last hour's photos, and for 10.",
    )
    alert_workers: int = Field(1, ge=0, description="Told when fewer workers announce themselves.")
    alert_free_gb: float = Field(
        2.0, ge=0, description="Told when less is free where photos are kept, in GB."
    )
    alert_review_h: float = Field(
        24.0, ge=0, description="Told when a photo has waited longer for a person, in hours."
    )

    @model_validator(mode="after")
    def _has_bot(self) -> AlertSettings:
        if self.alert_telegram_chat is not None and self.telegram_bot_token is None:
            raise ValueError("ALERT_TELEGRAM_CHAT needs TELEGRAM_BOT_TOKEN, the bot that tells it")
        return self


class NotifierSettings(NoticeSettings):
    """``functions/notify``."""

    notice_receipts_url: str = Field(
        description="URL of the SQS queue of its receipts; on AWS only."
    )
