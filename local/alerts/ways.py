"""How operators are told: a webhook, a Telegram chat, a command of their own."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import subprocess
import tempfile
from dataclasses import asdict, dataclass
from typing import IO, Protocol
from urllib.parse import urlsplit

from local.alerts.incidents import Alert
from local.process import for_strangers
from photogate.adapters.channels.telegram import TelegramChannel
from photogate.adapters.exchange import Exchange
from photogate.domain import Deadline
from photogate.errors import RetryableError

#: For a way that does not answer.
TIMEOUT_S = 10.0
#: A command may reach mail servers; what takes longer is ended, and all that it started.
COMMAND_S = 30.0
#: Characters of what a command said.
_MOST_SAID = 200


@dataclass(frozen=True, kw_only=True)
class Told:
    """What came back."""

    ok: bool
    says: str


class Way(Protocol):
    """One way to tell operators."""

    @property
    def name(self) -> str:
        """Which one it is; noted with each incident."""

    def tell(self, alert: Alert) -> Told:
        """Tell it, within a bounded time. Never raises for what a receiver does."""

    def stop(self) -> None:
        """End what is under way: the process ends."""


def text_of(alert: Alert, installation: str) -> str:
    """Say it in a line or two."""
    said = {
        "raised": f"⚠ {alert.says}",
        "recovered": f"✓ over: {alert.says} (since {alert.since})",
        "test": f"✓ {alert.says}",
    }[alert.state]
    return "\n".join(filter(None, [f"Photogate, {installation}: {said}", alert.first]))


class _NoAnswer(RetryableError):
    """Nothing came back, or not in time."""


class WebhookWay:
    """POSTs JSON with ``text``, and the alert's members; a 2xx takes it. Nothing is signed.

    Args:
        url: whole; it may hold a secret, and is not told to anybody.
    """

    name = "webhook"

    def __init__(self, url: str, *, installation: str, timeout_s: float = TIMEOUT_S) -> None:
        self._url, self._installation, self._timeout_s = url, installation, timeout_s

    def tell(self, alert: Alert) -> Told:
        """See ``Way.tell``."""
        body = {
            "text": text_of(alert, self._installation),
            "installation": self._installation,
            **asdict(alert),
        }
        # A new connection each time: a kept one would be closed by the next alert.
        url = urlsplit(self._url)
        where = Exchange(
            f"{url.scheme}://{url.netloc}",
            timeout_s=self._timeout_s,
            name="the webhook",
            setting="ALERT_WEBHOOK_URL",
            failure=_NoAnswer,
        )
        try:
            answer = where.call(
                "POST",
                (url.path or "/") + (f"?{url.query}" if url.query else ""),
                body=json.dumps(body).encode(),
                headers={"Content-Type": "application/json"},
                deadline=Deadline.after(self._timeout_s),
            )
        except _NoAnswer as error:
            return Told(ok=False, says=str(error).removeprefix("the webhook "))
        finally:
            where.close()
        return Told(ok=200 <= answer.status < 300, says=f"HTTP {answer.status}")

    def stop(self) -> None:
        """See ``Way.stop``; its time is short."""


class TelegramWay:
    """A message to one chat, by the bot that tells users, too."""

    name = "telegram"

    def __init__(self, channel: TelegramChannel, chat: str, *, installation: str) -> None:
        self._channel, self._chat, self._installation = channel, chat, installation

    def tell(self, alert: Alert) -> Told:
        """See ``Way.tell``."""
        text = text_of(alert, self._installation)
        failure = self._channel.send(self._chat, text, Deadline.after(TIMEOUT_S))
        return Told(ok=failure is None, says="taken" if failure is None else failure.error)

    def stop(self) -> None:
        """See ``Way.stop``; its time is short."""


class CommandWay:
    """Runs a command: the text on its standard input, and parts of it in its environment.

    ``PHOTOGATE_ALERT`` is the name, ``PHOTOGATE_ALERT_STATE`` the state, ``PHOTOGATE_ALERT_TEXT``
    the text. No shell reads the command, and it gets no secrets: neither our settings nor AWS's.
    """

    name = "command"

    def __init__(self, command: str, *, installation: str, within_s: float = COMMAND_S) -> None:
        self._words = shlex.split(command)
        self._installation, self._within_s = installation, within_s
        self._running: subprocess.Popen[bytes] | None = None

    def tell(self, alert: Alert) -> Told:
        """See ``Way.tell``."""
        text = text_of(alert, self._installation)
        environment = for_strangers(os.environ) | {
            "PHOTOGATE_ALERT": alert.name,
            "PHOTOGATE_ALERT_STATE": alert.state,
            "PHOTOGATE_ALERT_TEXT": text,
        }
        # Files: whoever it leaves behind with a pipe would keep us waiting.
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as said:
            given.write(f"{text}\n".encode())
            given.seek(0)
            try:
                running = self._running = subprocess.Popen(  # noqa: S603 - the operator's own
                    self._words,
                    env=environment,
                    stdin=given,
                    stdout=said,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            except OSError as error:
                return Told(ok=False, says=f"it cannot be started: {error}")
            try:
                status = running.wait(self._within_s)
            except subprocess.TimeoutExpired:
                return Told(ok=False, says=f"it was ended after {self._within_s:g} s")
            finally:
                self.stop()
            words = f"status {status}{_last_words(said)}"
        return Told(ok=status == 0, says=words)

    def stop(self) -> None:
        """See ``Way.stop``: end the command, and what it started."""
        running, self._running = self._running, None
        if running is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(running.pid, signal.SIGKILL)
            running.wait()


def _last_words(said: IO[bytes]) -> str:
    said.seek(0, os.SEEK_END)
    said.seek(max(0, said.tell() - 4 * _MOST_SAID))
    words = " ".join(said.read().decode(errors="replace").split())[-_MOST_SAID:]
    return f": {words}" if words else ""
