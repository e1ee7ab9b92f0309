"""Our own modules as child processes of the stack, which start again when they end."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from local.process import how_it_ended, start_module, wait_until
from local.watchdog import HEARTBEAT

#: After a child ran this long, the pause before its next start is the shortest again.
_STEADY_S = 60.0
_LONGEST_BACKOFF_S = 30.0
#: A child that shows no heartbeat for so long is frozen, or stuck in native code.
_SILENT_S = 20.0
#: Before its first one it loads its model, perhaps on a busy machine.
_STARTS_WITHIN_S = 120.0


@dataclass(kw_only=True)
class Child:
    """One module, run as ``python -m`` would."""

    name: str
    module: str
    arguments: Sequence[str] = ()
    #: Names of the secret settings that it gets.
    secrets: Collection[str]
    #: What it writes is added there.
    log: Path
    #: Called with one line when it ends by itself.
    alert: Callable[[str], None]
    #: Whether it shows a heartbeat, see ``local.watchdog``.
    beats: bool = False
    process: subprocess.Popen[bytes] | None = None
    _log_begins_at: int = 0
    _started_at: float = 0.0
    _deaths: int = 0
    _start_again_at: float | None = None
    _beat: int = 0
    _beat_at: float = 0.0
    _silent_from_s: float = _STARTS_WITHIN_S

    def launch(self) -> None:
        """Start it; raises OSError where there is no memory, or no room for its log."""
        self._log_begins_at = self.log.stat().st_size if self.log.exists() else 0
        self._beat = self._last_beat()
        self.process = start_module(
            self.module,
            *self.arguments,
            log=self.log,
            settings={HEARTBEAT: str(self._heartbeat)} if self.beats else None,
            secrets=self.secrets,
        )
        self._started_at, self._start_again_at = time.monotonic(), None
        self._beat_at, self._silent_from_s = self._started_at, _STARTS_WITHIN_S

    @property
    def pid(self) -> int | None:
        """Its process id while it lives."""
        alive = self.process is not None and self.process.poll() is None
        return self.process.pid if self.process is not None and alive else None

    def wait_until(self, ready: Callable[[], bool]) -> None:
        """Wait until ``ready`` holds.

        Raises:
            ConfigError: it ended, and why; or time ran out.
        """
        assert self.process is not None  # noqa: S101 - it was launched
        wait_until(
            ready,
            process=self.process,
            what=self.name,
            log=self.log,
            log_begins_at=self._log_begins_at,
        )

    def tend(self) -> None:
        """Notice that it ended or is silent, and start it again when it is time."""
        now = time.monotonic()
        if self._start_again_at is not None:
            if now < self._start_again_at:
                return
            try:
                self.launch()
            except OSError as error:
                self._start_again_at = now + _LONGEST_BACKOFF_S
                self.alert(f"{self.name} cannot be started: {error}")
        elif self.process is not None and self.process.poll() is not None:
            self._deaths = 0 if now - self._started_at > _STEADY_S else self._deaths + 1
            wait_s = min(_LONGEST_BACKOFF_S, 0.25 * 2**self._deaths)
            self._start_again_at = now + wait_s
            how = how_it_ended(self.process, self.log, log_begins_at=self._log_begins_at)
            self.alert(f"{self.name} {how}; it starts again in {wait_s:.1f} s (log: {self.log})")
        elif self.process is not None and self.beats and self._is_silent(now):
            self.alert(f"{self.name} showed no life for {self._silent_from_s:.0f} s and is ended")
            self.process.kill()
            self._beat_at = now

    @property
    def _heartbeat(self) -> Path:
        return self.log.with_suffix(".heartbeat")

    def _last_beat(self) -> int:
        try:
            return self._heartbeat.stat().st_mtime_ns
        except OSError:
            return 0

    def _is_silent(self, now: float) -> bool:
        # Not compared with the time of day, which may be set.
        beat = self._last_beat()
        if beat != self._beat:
            self._beat, self._beat_at, self._silent_from_s = beat, now, _SILENT_S
        return now - self._beat_at > self._silent_from_s
