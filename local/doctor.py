"""Looks at each setting and each part of an installation: what is wrong, and how to mend it.

Every check gives findings and none stops the others; what needs a part that is away says so.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

import requests

from local.health import rounds_within_s
from photogate import bootstrap
from photogate import settings as s
from photogate.adapters.postgres.condition import Condition, condition
from photogate.adapters.postgres.workers import PostgresWorkers
from photogate.bootstrap import choose
from photogate.domain.markers import TEST_MODE_ON
from photogate.errors import PhotogateError

S = TypeVar("S", bound=s.LogSettings)
#: Clocks further apart end links early, and may refuse tokens.
_CLOCK_S = 5.0
#: Signed requests to S3 are refused beyond 15 minutes; links and tokens live for minutes.
_CLOCK_BROKEN_S = 60.0
#: Below this photos are refused soon.
_LITTLE_BYTES = 2_000_000_000
#: Below this PostgreSQL and the photo store fail.
_NO_BYTES = 200_000_000
_OLD_REVIEW = timedelta(days=1)
_API_TIMEOUT_S = 5.0


class Level(StrEnum):
    """How bad a finding is."""

    WELL = "ok"
    #: It works, and may not for long, or not as well as it could.
    WARNING = "warning"
    #: Something does not work.
    WRONG = "wrong"
    #: Nobody knows, because of another finding.
    UNKNOWN = "not known"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What is said of one part."""

    part: str
    level: Level
    says: str
    #: What to do; None where there is nothing to do, or where ``says`` tells it.
    mend: str | None = None


def examine() -> Iterator[Finding]:
    """Check everything, in the order in which parts need each other."""
    examination = _Examination()
    for check in (
        examination.settings,
        examination.models,
        examination.database,
        examination.queue,
        examination.storage,
        examination.disk,
        examination.faces,
        examination.provider,
        examination.workers,
        examination.sweep,
        examination.review,
        examination.api,
    ):
        part = check.__name__
        try:
            yield from check()
        except _NotKnown as error:
            yield Finding(part=part, level=Level.UNKNOWN, says=str(error))
        except PhotogateError as error:
            mend = _MENDS.get(part)
            yield Finding(part=part, level=Level.WRONG, says=str(error), mend=mend)


#: Where an error does not say itself what to do.
_MENDS = {
    "database": "does it run, and are host, port, user and password right (DATABASE_URL or DB_…)?",
    "queue": "does it run, and are address and password right (REDIS_URL or REDIS_…, QUEUE_…)?",
    "storage": "see PHOTOS_DIR or S3_… in docs/settings.md",
    "provider": "does it answer here, and is OIDC_ISSUER its address as it names itself?",
    "faces": "does CompreFace run, and is the key one of a service of type DETECTION?",
}


class _NotKnown(PhotogateError):
    """It cannot be asked, because of what was found before."""


#: By entry point, in the words of people.
_PROCESSES: dict[str, type[s.LogSettings]] = {
    "upload API": s.UploadSettings,
    "admin API": s.AdminSettings,
    "worker": s.ModerateSettings,
    "sweep": s.SweepSettings,
    "notices": s.SenderSettings,
    "alerts": s.AlertSettings,
}


@dataclass
class _Examination:
    """What one look at an installation knows so far."""

    _database_is_away: bool = False

    def settings(self) -> Iterator[Finding]:
        problems: dict[str, list[str]] = {}
        for process, model in _PROCESSES.items():
            try:
                choose.settings_of(model)
            except PhotogateError as error:
                for line in str(error).split("; "):
                    problems.setdefault(line, []).append(process)
        for line, processes in problems.items():
            yield Finding(
                part="settings",
                level=Level.WRONG,
                says=f"{line} (for the {', the '.join(processes)})",
                mend="docs/settings.md has each setting, with its default",
            )
        if not problems:
            yield Finding(part="settings", level=Level.WELL, says="all are there and make sense")
            if self._read(s.UploadSettings).test_mode:
                yield Finding(
                    part="settings",
                    level=Level.WARNING,
                    says=TEST_MODE_ON,
                    mend="unset PHOTOGATE_TEST_MODE where others than developers upload",
                )

    def models(self) -> Iterator[Finding]:
        settings = self._read(s.ModerateSettings)
        policy = choose.policy(settings)
        analyzer = bootstrap.analyzer(settings, policy)
        yield Finding(
            part="models", level=Level.WELL, says=f"{analyzer.panel}; {policy.id} decides"
        )

    def database(self) -> Iterator[Finding]:
        found = self._condition
        size = f"{found.size_bytes / 1e6:.0f} MB"
        yield Finding(
            part="database", level=Level.WELL, says=f"PostgreSQL {found.server_version}, {size}"
        )
        if found.encoding != "UTF8":
            yield Finding(
                part="database",
                level=Level.WRONG,
                says=f"its encoding is {found.encoding}, not UTF8",
                mend="CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0, and use that",
            )
        if found.schema < found.wanted_schema:
            yield Finding(
                part="database",
                level=Level.WRONG,
                says=f"its schema is {found.schema}, and this version needs {found.wanted_schema}",
                mend="photogate migrate",
            )
        elif found.schema > found.wanted_schema:
            yield Finding(
                part="database",
                level=Level.WARNING,
                says=f"its schema is {found.schema}, newer than this version's"
                f" {found.wanted_schema}",
                mend="run the version of Photogate that migrated it, or a newer one",
            )
        apart_s = abs((datetime.now(UTC) - found.now).total_seconds())
        if apart_s > _CLOCK_S:
            yield Finding(
                part="database",
                level=Level.WRONG if apart_s > _CLOCK_BROKEN_S else Level.WARNING,
                says=f"its clock and this machine's are {apart_s:.0f} s apart: links and tokens"
                " end too early or too late",
                mend="let NTP set both (timedatectl set-ntp true)",
            )

    def queue(self) -> Iterator[Finding]:
        settings = self._read(s.ServiceSettings)
        if settings.queue_backend == "postgres":
            self._has_tables()
        queue = choose.queue(settings, read_timeout_s=choose.SEND_WITHIN_S)
        told, stats = queue.check(), queue.stats()
        yield Finding(
            part="queue",
            level=Level.WELL,
            says=f"{settings.queue_backend}: {stats.visible} jobs wait, {stats.in_flight} are"
            " worked on",
        )
        if told.get("eviction") not in (None, "noeviction"):
            yield Finding(
                part="queue",
                level=Level.WARNING,
                says=f"Redis may drop jobs when its memory is full ({told['eviction']}); the sweep"
                " then sends them again, late",
                mend="CONFIG SET maxmemory-policy noeviction, and the same in redis.conf",
            )
        if told.get("append_only") is False:
            yield Finding(
                part="queue",
                level=Level.WARNING,
                says="Redis forgets jobs when it restarts; the sweep then sends them again, late",
                mend="CONFIG SET appendonly yes, and the same in redis.conf",
            )
        if stats.dead:
            yield Finding(
                part="queue",
                level=Level.WARNING,
                says=f"{stats.dead} jobs were given up; their photos wait for a person",
                mend="photogate queue dead says why; photogate queue redrive tries them once more",
            )

    def storage(self) -> Iterator[Finding]:
        settings = self._read(s.StorageSettings)
        store = choose.store(settings, read_timeout_s=choose.LOOK_UP_WITHIN_S)
        store.check()
        # What workers do with each photo, with an object that nobody is shown.
        key, data = f"kept/doctor-{uuid4()}", b"photogate doctor"
        store.put(key, data, content_type="application/octet-stream")
        try:
            if bytes(store.get(key, etag=None, max_bytes=len(data))) != data:
                yield Finding(
                    part="storage", level=Level.WRONG, says="it gives other bytes than were put"
                )
        finally:
            store.delete(key)
        where = settings.s3_bucket_photos or settings.photos_dir
        yield Finding(part="storage", level=Level.WELL, says=f"{where}: put, got and deleted")

    def disk(self) -> Iterator[Finding]:
        folder = self._read(s.StorageSettings).photos_dir
        if folder is None:
            return
        free = shutil.disk_usage(_existing(folder)).free
        level = Level.WELL if free >= _LITTLE_BYTES else Level.WARNING
        yield Finding(
            part="disk",
            level=Level.WRONG if free < _NO_BYTES else level,
            says=f"{free / 1e9:.1f} GB are free where photos are kept",
            mend=None if level is Level.WELL else "give it more room, or lower ORIGINALS_DAYS",
        )

    def faces(self) -> Iterator[Finding]:
        settings = self._read(s.ModerateSettings)
        if not choose.policy(settings).needs("faces"):
            yield Finding(part="faces", level=Level.WELL, says="the policy asks for none")
        elif (service := choose.compreface(settings)) is not None:
            service.check()
            yield Finding(part="faces", level=Level.WELL, says="CompreFace finds faces")
        else:
            yield Finding(part="faces", level=Level.WELL, says="the embedded detector looks")

    def provider(self) -> Iterator[Finding]:
        provider = choose.oidc_provider(self._read(s.AdminSettings))
        if provider is not None:
            provider.check()
            yield Finding(part="provider", level=Level.WELL, says=f"{provider.issuer} answers")

    def workers(self) -> Iterator[Finding]:
        self._has_tables()
        alive = PostgresWorkers(choose.pool(self._read(s.DatabaseSettings))).alive()
        if not alive:
            yield Finding(
                part="workers",
                level=Level.WRONG,
                says="none announced itself lately, so photos wait",
                mend="start one (photogate worker); its log says why it ends",
            )
            return
        yield Finding(part="workers", level=Level.WELL, says=f"{len(alive)} announce themselves")
        if len({(worker.policy, worker.model) for worker in alive}) > 1:
            ids = ", ".join(sorted({worker.policy for worker in alive}))
            yield Finding(
                part="workers",
                level=Level.WARNING,
                says=f"they do not decide alike: {ids}, or other models",
                mend="start all of them again with the same settings",
            )

    def sweep(self) -> Iterator[Finding]:
        settings = self._read(s.SweepSettings)
        self._has_tables()
        ended = self._condition.swept_at
        late_s = rounds_within_s(settings)
        if ended is None or (self._condition.now - ended).total_seconds() > late_s:
            yield Finding(
                part="sweep",
                level=Level.WRONG,
                says="no round of it has ended lately: lost jobs are not sent again, nothing"
                " that was deleted goes",
                mend="start it (python -m local.sweep, or the container `sweep`)",
            )
        else:
            yield Finding(part="sweep", level=Level.WELL, says="it goes its rounds")

    def review(self) -> Iterator[Finding]:
        self._has_tables()
        oldest, now = self._condition.oldest_review_at, self._condition.now
        if oldest is not None and now - oldest > _OLD_REVIEW:
            yield Finding(
                part="review",
                level=Level.WARNING,
                says=f"a photo has waited for a person for {(now - oldest).days} days",
                mend="open the review page: photogate token --admin prints a link",
            )
        else:
            yield Finding(part="review", level=Level.WELL, says="no photo waits for a person long")

    def api(self) -> Iterator[Finding]:
        # In a container the API has another address than for browsers.
        at = os.environ.get("PHOTOGATE_API_URL") or self._read(s.UploadSettings).public_url
        url = f"{at}/api/v1/health"
        try:
            # PUBLIC_URL is ours: no proxy stands between.
            with requests.Session() as session:
                session.trust_env = False
                status = session.get(url, timeout=_API_TIMEOUT_S).status_code
            says = None if status == requests.codes.ok else f"it answered {status}"
        except requests.RequestException as error:
            says = f"it does not answer: {type(error).__name__}"
        if says is None:
            yield Finding(part="api", level=Level.WELL, says=f"{url} answers")
        else:
            yield Finding(
                part="api",
                level=Level.WRONG,
                says=f"{url}: {says}",
                mend="start it (photogate up, or the container `api`), or correct PUBLIC_URL",
            )

    @cached_property
    def _condition(self) -> Condition:
        if self._database_is_away:
            raise _NotKnown("not known without the database")
        settings = self._read(s.DatabaseSettings)
        try:
            return condition(choose.pool(settings))
        except PhotogateError:
            self._database_is_away = True
            raise

    def _has_tables(self) -> None:
        if self._condition.schema < self._condition.wanted_schema:
            raise _NotKnown("not known before the database is migrated")

    def _read(self, model: type[S]) -> S:
        try:
            return choose.settings_of(model)
        except PhotogateError as error:
            raise _NotKnown("not known while settings are wrong") from error


def _existing(folder: Path) -> Path:
    """Give the folder, or the nearest above it that is there."""
    return next(path for path in (folder, *folder.absolute().parents) if path.exists())
