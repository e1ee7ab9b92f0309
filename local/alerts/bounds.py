"""What may be wrong: each condition that is told, and one look at all of them."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from local.health import rounds_within_s
from photogate import settings as s
from photogate.adapters.postgres.condition import Condition, condition, lately_failed
from photogate.adapters.postgres.open_work import Work, open_work
from photogate.adapters.postgres.workers import PostgresWorkers
from photogate.bootstrap import choose
from photogate.errors import PhotogateError
from photogate.redaction import redact

logger = logging.getLogger(__name__)

#: Characters of what is said of a condition.
_LONGEST = 300
#: Fewer unfinished photos say nothing, whatever their share is.
_FEW = 10

#: Name of a condition -> what an operator does first. docs/operate.md has a line for each.
FIRST_STEPS = {
    "database": "does PostgreSQL run? photogate doctor",
    "queue": "does what carries the jobs run? photogate doctor",
    "verdicts": "photogate watch: do workers run, and are they enough?",
    "storage": "photogate doctor: storage; photos wait meanwhile",
    "faces": "does CompreFace run? photogate doctor; photos wait meanwhile",
    "dead": "photogate queue dead says why; mend it, then photogate queue redrive",
    "failures": "photogate results --status failed; photogate logs --status review",
    "workers": "photogate doctor; the workers' logs say why they ended",
    "review": "the review page: photogate token --admin prints a link",
    "disk": "what grows: photos, database, logs? give it room, or lower ORIGINALS_DAYS",
    "sweep": "its log says what fails in each round",
}

#: Condition -> what is wrong, or None where it is well. What cannot be asked is left out.
Found = dict[str, str | None]


def look(bounds: s.AlertSettings) -> Found:
    """Look at everything once. Never raises for a part that is away."""
    looking = _Look(bounds=bounds, settings=choose.settings_of(s.SweepSettings))
    found: Found = {}
    for part in (
        looking.disk,
        looking.database,
        looking.queue,
        looking.work,
        looking.people,
        looking.processes,
    ):
        found.update(_asked(part))
    return {name: says and _one_line(says) for name, says in found.items()}


def _one_line(says: str) -> str:
    """Errors of servers may be long, and it goes to places of others."""
    return redact(" ".join(says.split()))[:_LONGEST]


def _asked(part: Callable[[], Iterator[tuple[str, str | None]]]) -> Found:
    found: Found = {}
    try:
        found.update(part())
    except PhotogateError as error:
        # What is away is told by its own condition.
        logger.info("%s cannot be asked: %s", part.__name__, error)
    except Exception:
        logger.exception("%s cannot be asked", part.__name__)
    return found


@dataclass
class _Look:
    bounds: s.AlertSettings
    settings: s.SweepSettings
    #: None while the database does not answer, or has another schema.
    _condition: Condition | None = None

    def disk(self) -> Iterator[tuple[str, str | None]]:
        folder = self.settings.photos_dir
        if folder is None or not self.bounds.alert_free_gb:
            return
        free_gb = shutil.disk_usage(_existing(folder)).free / 1e9
        little = free_gb < self.bounds.alert_free_gb
        yield "disk", f"{free_gb:.1f} GB are free where photos are kept" if little else None

    def database(self) -> Iterator[tuple[str, str | None]]:
        try:
            found = condition(choose.pool(self.settings))
        except PhotogateError as error:
            yield "database", f"the database does not answer: {error}"
            return
        if found.schema < found.wanted_schema:
            yield (
                "database",
                f"the database has schema {found.schema}, and this version needs"
                f" {found.wanted_schema}: photogate migrate",
            )
            return
        self._condition = found
        yield "database", None

    def queue(self) -> Iterator[tuple[str, str | None]]:
        if self.settings.queue_backend == "postgres" and self._condition is None:
            return
        try:
            dead = choose.queue(self.settings).stats().dead
        except PhotogateError as error:
            yield "queue", f"the queue does not answer: {error}"
            return
        yield "queue", None
        if most := self.bounds.alert_dead_jobs:
            jobs = "job was" if dead == 1 else "jobs were"
            yield "dead", f"{dead} {jobs} given up" if dead >= most else None

    def work(self) -> Iterator[tuple[str, str | None]]:
        if self._condition is None:
            return
        pool = choose.pool(self.settings)
        work = [one for one in open_work(pool) if one.kind == "verdicts"]
        for part, what in (("storage", "the photo store is"), ("faces", "the face service is")):
            waits = next((one for one in work if one.waits_for == part), None)
            yield part, None if waits is None else f"{what} down: {_waiting(waits)}"
        if longest_s := self.bounds.alert_queue_s:
            late = next((one for one in work if one.waits_for is None), None)
            if late is not None and (late.oldest_s or 0.0) <= longest_s:
                late = None
            yield "verdicts", None if late is None else f"verdicts are late: {_waiting(late)}"
        if percent := self.bounds.alert_failed_percent:
            failed, photos = lately_failed(pool)
            many = failed >= _FEW and failed > photos * percent / 100
            yield (
                "failures",
                f"of {photos} photos of the last hour {failed} went to a person because checking"
                " failed"
                if many
                else None,
            )

    def people(self) -> Iterator[tuple[str, str | None]]:
        known, most_h = self._condition, self.bounds.alert_review_h
        if known is None or not most_h:
            return
        waits_h = 0.0
        if known.oldest_review_at is not None:
            waits_h = (known.now - known.oldest_review_at).total_seconds() / 3600
        yield (
            "review",
            f"a photo has waited {waits_h:.0f} h for a person" if waits_h > most_h else None,
        )

    def processes(self) -> Iterator[tuple[str, str | None]]:
        known = self._condition
        if known is None:
            return
        if least := self.bounds.alert_workers:
            alive = len(PostgresWorkers(choose.pool(self.settings)).alive())
            says = f"{alive or 'no'} {'worker announces itself' if alive < 2 else 'workers run'}"
            yield "workers", f"{says}; {least} should" if alive < least else None
        # One that was never through has only just begun.
        late_s = rounds_within_s(self.settings)
        ended = known.swept_at
        late = ended is not None and (known.now - ended).total_seconds() > late_s
        yield "sweep", "the sweep runs, and no round of it ends" if late else None


def _waiting(work: Work) -> str:
    oldest_min = (work.oldest_s or 0.0) / 60
    batches = "batch waits" if work.count.n == 1 else "batches wait"
    return f"{work.count.n} {batches}, the oldest for {oldest_min:.0f} min"


def _existing(folder: Path) -> Path:
    """Give the folder, or the nearest above it that is there."""
    return next(path for path in (folder, *folder.absolute().parents) if path.exists())
