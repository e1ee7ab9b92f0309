"""The one place that puts everything together, once per process and function.

``choose`` reads the settings and picks the adapters. Imports only what is used.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial
from secrets import token_hex
from typing import TYPE_CHECKING

from photogate import settings as s
from photogate.bootstrap import choose
from photogate.domain import Gate, WorkerInfo
from photogate.domain.measures import MEASURES
from photogate.domain.policy import Policy, gates, unprovided
from photogate.errors import ConfigError

if TYPE_CHECKING:
    from photogate.adapters.photos_files import FilePhotoStore
    from photogate.adapters.postgres.pool import Pool
    from photogate.auth import TokenVerifier
    from photogate.ports.photos import PhotoStore
    from photogate.ports.probe import Probe
    from photogate.ports.queue import Queue
    from photogate.ports.records import Changes, Deliveries, Workers
    from photogate.ports.vision import PhotoAnalyzer
    from photogate.service.moderate import Moderation, Watcher
    from photogate.service.redrive import Redrive
    from photogate.service.review import Reviews
    from photogate.service.sweep import Sweep
    from photogate.service.upload import Uploads


#: upload-complete goes on without the store, and Lambda gives it 20 s; a call is made twice.
_LOOK_UP_WITHIN_S = 3.0
#: It goes on without the queue as well; the sweep sends what was not sent.
_SEND_WITHIN_S = 1.0
#: Deep health has the same 20 s; it asks CompreFace two things, connecting has 2 s beside each.
_PROBE_WITHIN_S = 6.0
#: A migration may rewrite a large table: as long as a function may run.
_MIGRATE_WITHIN_S = 900.0


@dataclass(frozen=True, kw_only=True)
class UploadParts:
    """What ``functions/upload`` translates HTTP into."""

    uploads: Uploads
    verifier: TokenVerifier
    workers: Workers
    #: By name: database, queue, storage, and faces where the policy asks CompreFace.
    probes: Mapping[str, Probe]
    min_approved_photos: int
    #: Whether workers come only when there is work: on Lambda.
    workers_on_demand: bool


@dataclass(frozen=True, kw_only=True)
class AdminParts:
    """What ``functions/admin`` translates HTTP into."""

    reviews: Reviews
    verifier: TokenVerifier


@dataclass(frozen=True, kw_only=True)
class ModeratePorts:
    """Everything that a worker reaches outside of its own code."""

    deliveries: Deliveries
    changes: Changes
    store: PhotoStore
    analyzer: PhotoAnalyzer
    workers: Workers
    queue: Queue


@dataclass(frozen=True, kw_only=True)
class ModerateParts:
    """What ``functions/moderate`` and the local worker run."""

    moderation: Moderation
    analyzer: PhotoAnalyzer
    policy: Policy
    workers: Workers
    queue: Queue
    settings: s.ModerateSettings

    @property
    def gates(self) -> tuple[Gate, ...]:
        """What photos are rejected for here, and why something is not looked for."""
        return gates(self.policy, self.analyzer.measures)

    def introduce(self) -> WorkerInfo:
        """Describe this process as a worker that starts now."""
        host, pid, now = socket.gethostname(), os.getpid(), datetime.now(UTC)
        return WorkerInfo(
            # Lambda gives many processes the same host and pid, perhaps in the same second.
            id=f"{host}:{pid}:{token_hex(4)}",
            host=host,
            pid=pid,
            model=self.analyzer.model_digest,
            policy=self.policy.id,
            gates=self.gates,
            started_at=now,
            seen_at=now,
            last_photo_at=None,
        )


def forget() -> None:
    """Close every connection; whatever is built next reads its settings anew."""
    for built in (upload, admin, file_store, max_photo_bytes):
        built.cache_clear()
    choose.forget()


@cache
def upload() -> UploadParts:
    """Build, once per process, what the upload function needs."""
    from photogate.adapters.postgres.intake import PostgresIntake
    from photogate.adapters.postgres.outbox import PostgresOutbox
    from photogate.adapters.postgres.views import PostgresViews
    from photogate.adapters.postgres.workers import PostgresWorkers
    from photogate.file_keys import FileKeys
    from photogate.service.upload import UploadLimits, Uploads

    settings = choose.settings_of(s.UploadSettings)
    pool = choose.pool(settings)
    store = choose.store(settings, read_timeout_s=_LOOK_UP_WITHIN_S)
    queue = choose.queue(settings, read_timeout_s=_SEND_WITHIN_S)
    probes: dict[str, Probe] = {"database": pool, "queue": queue, "storage": store}
    if choose.policy(settings).needs("faces"):
        service = choose.compreface(settings, at_most_s=_PROBE_WITHIN_S)
        if service is not None:
            probes["faces"] = service
    return UploadParts(
        uploads=Uploads(
            keys=FileKeys(settings.key_secret),
            store=store,
            intake=PostgresIntake(pool),
            views=PostgresViews(pool),
            changes=_changes(pool, "upload"),
            outbox=PostgresOutbox(pool),
            sender=queue,
            limits=UploadLimits(
                max_bytes=settings.max_photo_bytes,
                photos_per_day=settings.photos_per_day,
                upload_url_s=settings.upload_url_s,
                view_url_s=settings.view_url_s,
                heic=settings.accept_heic,
            ),
        ),
        verifier=choose.verifier(settings),
        workers=PostgresWorkers(pool),
        probes=probes,
        min_approved_photos=settings.min_approved_photos,
        workers_on_demand="AWS_LAMBDA_FUNCTION_NAME" in os.environ,
    )


@cache
def admin() -> AdminParts:
    """Build, once per process, what the admin function needs."""
    from photogate.adapters.postgres.outbox import PostgresOutbox
    from photogate.adapters.postgres.views import PostgresViews
    from photogate.adapters.postgres.workers import PostgresWorkers
    from photogate.service.review import Reviews

    settings = choose.settings_of(s.AdminSettings)
    pool = choose.pool(settings)
    return AdminParts(
        reviews=Reviews(
            store=choose.store(settings),
            views=PostgresViews(pool),
            changes=_changes(pool, "admin"),
            outbox=PostgresOutbox(pool),
            monitor=choose.queue(settings),
            workers=PostgresWorkers(pool),
            view_url_s=settings.view_url_s,
        ),
        verifier=choose.verifier(settings),
    )


def moderate(
    watcher: Watcher, *, around: Callable[[ModeratePorts], ModeratePorts] = lambda ports: ports
) -> ModerateParts:
    """Build what a worker needs; loads and verifies the model.

    Args:
        around: may put something around the ports, e.g. what makes them fail on purpose.
    """
    from photogate.adapters.postgres.deliveries import PostgresDeliveries
    from photogate.adapters.postgres.workers import PostgresWorkers
    from photogate.service.moderate import Moderation

    settings = choose.settings_of(s.ModerateSettings)
    pool = choose.pool(settings)
    policy = choose.policy(settings)
    service = choose.compreface(settings) if policy.needs("faces") else None
    ports = around(
        ModeratePorts(
            deliveries=PostgresDeliveries(pool),
            changes=_changes(pool, "moderate"),
            store=choose.store(settings),
            analyzer=analyzer(settings, policy),
            workers=PostgresWorkers(pool),
            queue=choose.queue(settings),
        )
    )
    return ModerateParts(
        moderation=Moderation(
            deliveries=ports.deliveries,
            changes=ports.changes,
            store=ports.store,
            analyzer=ports.analyzer,
            policy=policy,
            lease_s=settings.job_deadline_s,
            max_bytes=settings.max_photo_bytes,
            watcher=watcher,
            longest_wait_s=service.longest_wait_s if service else 0.0,
        ),
        analyzer=ports.analyzer,
        policy=policy,
        workers=ports.workers,
        queue=ports.queue,
        settings=settings,
    )


def sweep() -> Sweep:
    """Build the sweep."""
    from photogate.adapters.postgres.outbox import PostgresOutbox
    from photogate.service.sweep import Sweep

    settings = choose.settings_of(s.SweepSettings)
    queue, pool = choose.queue(settings), choose.pool(settings)
    return Sweep(
        outbox=PostgresOutbox(pool),
        changes=_changes(pool, "sweep"),
        sender=queue,
        monitor=queue,
        store=choose.store(settings),
    )


def redrive() -> Redrive:
    """Build what gives photos a second chance."""
    from photogate.adapters.postgres.unfinished import PostgresUnfinished
    from photogate.service.redrive import Redrive

    settings = choose.settings_of(s.SweepSettings)
    pool = choose.pool(settings)
    return Redrive(
        unfinished=PostgresUnfinished(pool),
        changes=_changes(pool, "sweep"),
        monitor=choose.queue(settings),
        sweep=sweep(),
    )


def _changes(pool: Pool, service: str) -> Changes:
    """Give the door for changes; each that is made through it is counted."""
    from photogate.adapters.postgres.changes import PostgresChanges
    from photogate.service.changes import ReportedChanges
    from photogate.telemetry import report_change

    return ReportedChanges(PostgresChanges(pool), partial(report_change, service))


def check_settings() -> None:
    """Read the settings of every entry point, and load what a worker would load.

    Raises:
        ConfigError: some entry point would not start.
    """
    for model in (s.UploadSettings, s.AdminSettings, s.SweepSettings):
        choose.settings_of(model)
    settings = choose.settings_of(s.ModerateSettings)
    analyzer(settings, choose.policy(settings))


def migrate() -> list[str]:
    """Bring the database's schema up to date; gives the names of what was applied."""
    from photogate.adapters.postgres.migrate import migrate as apply
    from photogate.adapters.postgres.migrate import set_timeouts
    from photogate.adapters.postgres.pool import Pool, connect_arguments

    settings = choose.settings_of(s.MigrateSettings)
    pool, owner = choose.pool(settings), settings.migrate_database_url
    # A server that does not answer at all is found out within the usual time.
    pool.transaction(lambda session: session.row("SELECT 1"))
    patient = Pool(
        owner.get_secret_value() if owner else settings.database,
        size=1,
        timeout_s=_MIGRATE_WITHIN_S,
    )
    try:
        application = connect_arguments(settings.database)["user"] if owner else None
        applied = apply(patient, history_days=settings.history_days, application=application)
    finally:
        patient.close()
    if owner:
        set_timeouts(pool)
    return applied


@cache
def file_store() -> FilePhotoStore:
    """Give the folder that the local app serves."""
    return choose.folder(choose.settings_of(s.StorageSettings))


@cache
def max_photo_bytes() -> int:
    """Give the largest upload that the local app takes."""
    return choose.settings_of(s.StorageSettings).max_photo_bytes


def analyzer(settings: s.ModelSettings, policy: Policy) -> PhotoAnalyzer:
    """Load the model, and the face detector where the policy asks for faces.

    Raises:
        ConfigError: a bundle is missing, damaged or not what its manifest says; or the
            policy requires what nothing here measures.
    """
    from photogate_vision.analyzer import VisionAnalyzer
    from photogate_vision.decoding.sandbox import Sandbox

    # Its child starts while the models are loaded.
    sandbox = Sandbox()
    faces = choose.faces(settings) if policy.needs("faces") else None
    built = VisionAnalyzer(
        settings.model_dir, decode=sandbox.decode, faces=faces, threads=settings.model_threads
    )
    if missing := unprovided(policy, built.measures):
        raise ConfigError(_way_out(policy, missing))
    return built


def _way_out(policy: Policy, missing: tuple[str, ...]) -> str:
    """Say what a policy that cannot run here needs."""
    name = f"POLICY={policy.name}" if policy.content is None else f"the policy {policy.id}"
    of_faces = {measure for measure in missing if MEASURES[measure].signal == "faces"}
    if of_faces - {"face_count"}:
        return f"{name} needs ages: set COMPREFACE_URL and COMPREFACE_API_KEY"
    if of_faces:
        return (
            f"{name} counts faces: set FACES_DIR to what"
            " `photogate model build faces` prints, or COMPREFACE_URL and COMPREFACE_API_KEY"
        )
    return (
        f"{name} needs {', '.join(missing)}, which the model in MODEL_DIR does not"
        " tell: choose another model, or another policy"
    )
