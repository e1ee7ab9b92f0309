"""The sweep as a process of its own."""

from __future__ import annotations

import logging
import threading

from local.process import begin, on_termination, run_main
from photogate import bootstrap
from photogate.errors import RetryableError
from photogate.settings import SweepSettings, read
from photogate.telemetry import make_logger

logger = logging.getLogger("local.sweep")  # under -m __name__ is another


def main() -> None:
    """Sweep every ``SWEEP_INTERVAL_S`` seconds until SIGTERM or Ctrl-C."""
    begin()
    make_logger("sweep")
    sweep, settings = bootstrap.sweep(), read(SweepSettings)
    stopping = threading.Event()
    on_termination(stopping.set)
    while not stopping.is_set():
        try:
            sweep.run()
        except RetryableError as error:
            logger.warning("%s", error)
        stopping.wait(settings.sweep_interval_s)


if __name__ == "__main__":
    run_main(main)
