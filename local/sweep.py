"""The sweep as a process of its own; it also tells people and backends of decisions.

And operators what is wrong.
"""

from __future__ import annotations

import logging
import threading
import time

from functions.sweep.app import report
from local.alerts.watch import watch
from local.notifier import Notifier
from local.process import begin, on_termination, run_main
from photogate import bootstrap
from photogate.errors import PhotogateError
from photogate.service.sweep import ROUND_S
from photogate.settings import SweepSettings, read
from photogate.telemetry import make_logger

logger = logging.getLogger("local.sweep")  # under -m __name__ is another


def main() -> None:
    """Sweep every ``SWEEP_INTERVAL_S`` seconds until SIGTERM or Ctrl-C."""
    begin()
    make_logger("sweep")
    sweep, settings = bootstrap.sweep(), read(SweepSettings)
    notifier, alerts = Notifier(bootstrap.sending()), watch()
    stopping = threading.Event()
    on_termination(stopping.set)
    notifier.start()
    alerts.start()
    while not stopping.is_set():
        began = time.monotonic()

        def time_left_s(ends_at: float = began + ROUND_S) -> float:
            return 0.0 if stopping.is_set() else ends_at - time.monotonic()

        try:
            bootstrap.remove_parts()
            report(sweep.run(time_left_s=time_left_s))
        except PhotogateError as error:
            logger.error("%s", error)
        stopping.wait(began + settings.sweep_interval_s - time.monotonic())
    alerts.stop()
    notifier.stop()


if __name__ == "__main__":
    run_main(main)
