"""What is wrong at present, and who was told: in memory, and in a small file over a restart."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from local.alerts.bounds import FIRST_STEPS, Found

logger = logging.getLogger(__name__)

#: So many looks in a row say that something is wrong, or that it is over.
LOOKS = 2
#: After so many attempts a way is not told any more that something is over.
MOST_ATTEMPTS = 60


@dataclass(frozen=True, kw_only=True)
class Alert:
    """What is told."""

    name: str
    state: Literal["raised", "recovered", "test"]
    #: One line.
    says: str
    #: What an operator does first; empty where there is nothing to do.
    first: str
    #: ISO times.
    since: str
    at: str


@dataclass(kw_only=True)
class Incident:
    """One condition that is wrong, was just now, or has just begun to be."""

    says: str
    #: When the first look found it, ISO.
    since: str
    #: Looks in a row that found it wrong, or well.
    wrong: int = 0
    well: int = 0
    raised: bool = False
    over: bool = False
    #: Ways that were told it, and not yet that it is over.
    told: list[str] = field(default_factory=list)
    #: Of telling that it is over.
    attempts: int = 0


class Incidents:
    """All of them, by the name of their condition. Not thread-safe.

    Args:
        path: where they are kept; None keeps them in memory alone. A file that cannot be read is
            begun anew, and one that cannot be written stops nothing.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._open: dict[str, Incident] = _read(path)
        self._cannot_write: str | None = None

    def note(self, found: Found) -> None:
        """Take in a look. What it does not speak of stays as it is."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        for name, says in found.items():
            incident = self._open.get(name)
            if says is None:
                if incident is not None:
                    self._well(name, incident)
                continue
            if incident is None:
                incident = self._open[name] = Incident(says=says, since=now)
            incident.says, incident.well = says, 0
            incident.wrong += 1
            # At once: who was not told yet that it is over would be told while it is wrong.
            incident.over, incident.attempts = False, 0
            if incident.wrong >= LOOKS:
                incident.raised = True

    def due(self, ways: list[str]) -> Iterator[tuple[Alert, str]]:
        """Give what is to be told, and to which of these ways; ``tell`` notes that it was."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        for name, incident in list(self._open.items()):
            if incident.over:
                incident.told = [way for way in incident.told if way in ways]
                incident.attempts += 1
                if not incident.told or incident.attempts > MOST_ATTEMPTS:
                    del self._open[name]
                    continue
            to = incident.told if incident.over else [w for w in ways if w not in incident.told]
            # Who has not heard of it yet need not, once it is well again.
            if incident.over or incident.wrong >= LOOKS:
                alert = Alert(
                    name=name,
                    state="recovered" if incident.over else "raised",
                    says=incident.says,
                    first="" if incident.over else FIRST_STEPS.get(name, ""),
                    since=incident.since,
                    at=now,
                )
                yield from ((alert, way) for way in list(to))

    def tell(self, alert: Alert, way: str) -> None:
        """Note that this was told."""
        incident = self._open[alert.name]
        if alert.state == "raised":
            incident.told.append(way)
            return
        incident.told.remove(way)
        if not incident.told:
            del self._open[alert.name]

    def save(self) -> None:
        """Keep them in the file; says once why that is not possible."""
        if self._path is None:
            return
        part = self._path.with_name(f"{self._path.name}.{os.getpid()}.part")
        try:
            part.touch(mode=0o600)
            known = {name: asdict(incident) for name, incident in self._open.items()}
            part.write_text(json.dumps(known, indent=1), encoding="utf-8")
            part.replace(self._path)
            self._cannot_write = None
        except OSError as error:
            if str(error) != self._cannot_write:
                logger.warning("alerts come again after a restart: %s", error)
            self._cannot_write = str(error)
            with suppress(OSError):
                part.unlink(missing_ok=True)

    def _well(self, name: str, incident: Incident) -> None:
        incident.wrong, incident.well = 0, incident.well + 1
        if not incident.raised:
            del self._open[name]
        elif incident.well >= LOOKS:
            incident.over = True


def _read(path: Path | None) -> dict[str, Incident]:
    if path is None:
        return {}
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
        return {str(name): Incident(**incident) for name, incident in known.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        logger.warning("%s is begun anew: %s", path, error)
        return {}
