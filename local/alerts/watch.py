"""The thread beside the sweep that looks each minute, and tells."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

from local.alerts.bounds import Found, look
from local.alerts.incidents import Alert, Incidents
from local.alerts.ways import CommandWay, TelegramWay, Told, Way, WebhookWay
from photogate import bootstrap
from photogate import settings as s
from photogate.bootstrap import choose
from photogate.errors import PhotogateError
from photogate.redaction import redact

logger = logging.getLogger(__name__)


class Watch:
    """Looks, notes and tells until it is stopped.

    A way that fails is tried again at each look, as long as there is something to tell.
    """

    def __init__(
        self,
        ways: Sequence[Way],
        incidents: Incidents,
        *,
        look: Callable[[], Found],
        every_s: float,
    ) -> None:
        self._ways = {way.name: way for way in ways}
        self._incidents = incidents
        self._look = look
        self._every_s = every_s
        #: Way -> why it failed last, so that the log says it once.
        self._failed: dict[str, str] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="alerts", daemon=True)

    def start(self) -> None:
        """Begin; without any way nothing is looked at."""
        if self._ways:
            self._thread.start()

    def stop(self, *, within_s: float = 2.0) -> None:
        """End commands that run, and wait a little for the rest."""
        self._stopping.set()
        for way in self._ways.values():
            way.stop()
        if self._thread.is_alive():
            self._thread.join(within_s)

    def run_once(self) -> None:
        """Look, and tell what is due."""
        self._incidents.note(self._look())
        for alert, name in self._incidents.due(list(self._ways)):
            if self._stopping.is_set():
                break
            told = self._told(alert, name)
            if told.ok:
                self._incidents.tell(alert, name)
                self._failed.pop(name, None)
                # At once: a restart in the next moment must not tell it again.
                self._incidents.save()
                logger.info("%s %s: told by %s: %s", alert.name, alert.state, name, alert.says)
            elif self._failed.get(name) != told.says:
                self._failed[name] = told.says
                logger.warning(
                    "%s %s: not told by %s: %s", alert.name, alert.state, name, told.says
                )
        self._incidents.save()

    def _told(self, alert: Alert, name: str) -> Told:
        """Tell it by one way, whose own faults keep no other from telling it."""
        try:
            return self._ways[name].tell(alert)
        except Exception as error:
            says = f"{type(error).__name__}: {redact(str(error))}"
            if self._failed.get(name) != says:
                logger.exception("a fault in telling by %s", name)
            return Told(ok=False, says=says)

    def _run(self) -> None:
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                self.run_once()
            except PhotogateError as error:
                logger.warning("nothing is looked at for alerts: %s", error)
            except Exception:
                logger.exception("nothing is looked at for alerts")
            self._stopping.wait(max(1e-3, began + self._every_s - time.monotonic()))


def ways(settings: s.AlertSettings, installation: str) -> list[Way]:
    """Make the ways that are set."""
    made: list[Way] = []
    if settings.alert_webhook_url is not None:
        url = settings.alert_webhook_url.get_secret_value()
        made.append(WebhookWay(url, installation=installation))
    channel = bootstrap.telegram(settings)
    if settings.alert_telegram_chat is not None and channel is not None:
        chat = settings.alert_telegram_chat
        made.append(TelegramWay(channel, chat, installation=installation))
    if settings.alert_command is not None:
        made.append(CommandWay(settings.alert_command, installation=installation))
    return made


def watch() -> Watch:
    """Build it from settings, for the sweep's process.

    Raises:
        ConfigError: a setting is wrong.
    """
    settings, sweep = choose.settings_of(s.AlertSettings), choose.settings_of(s.SweepSettings)
    return Watch(
        ways(settings, sweep.public_url),
        Incidents(settings.alert_state),
        look=lambda: look(settings),
        every_s=sweep.sweep_interval_s,
    )
