"""What ``functions/moderate``, the local worker and ``photogate check`` are made of."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Protocol

from photogate import settings as s
from photogate.bootstrap import choose
from photogate.bootstrap.for_notices import hand_over
from photogate.domain import Gate, Reason, WorkerInfo
from photogate.domain.measures import MEASURES
from photogate.domain.policy import Policy, gates, unprovided
from photogate.errors import ConfigError
from photogate.secrecy import hide

if TYPE_CHECKING:
    from photogate.ports.photos import Store
    from photogate.ports.queue import Queue
    from photogate.ports.records import Changes, Copies, Deliveries, Workers
    from photogate.ports.vision import CopyMaker, PhotoAnalyzer
    from photogate.service.copying import Copying, CopyWatcher
    from photogate.service.handing_over import HandingOver
    from photogate.service.moderate import Moderation, Watcher
    from photogate_vision.decoding.sandbox import Sandbox

    class JobWatcher(Watcher, CopyWatcher, Protocol):
        """Is told of both kinds of jobs."""


logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ModeratePorts:
    """Everything that a worker reaches outside of its own code."""

    deliveries: Deliveries
    changes: Changes
    copies: Copies
    store: Store
    analyzer: PhotoAnalyzer
    maker: CopyMaker
    workers: Workers
    queue: Queue


@dataclass(frozen=True, kw_only=True)
class ModerateParts:
    """What ``functions/moderate`` and the local worker run."""

    moderation: Moderation
    copying: Copying
    #: None where another process tells people and backends.
    hand_over: HandingOver | None
    analyzer: PhotoAnalyzer
    policy: Policy
    workers: Workers
    queue: Queue
    settings: s.ModerateSettings

    @property
    def gates(self) -> tuple[Gate, ...]:
        """What photos are rejected for here, and why something is not looked for."""
        told = gates(self.policy, self.analyzer.measures)
        return tuple(self._with_panel(gate) if gate.name == Reason.NSFW else gate for gate in told)

    def _with_panel(self, gate: Gate) -> Gate:
        """Say who looks, where anybody does."""
        if not gate.on:
            return gate
        return replace(gate, why="; ".join(filter(None, (gate.why, self.analyzer.panel))))

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


def moderate(
    watcher: JobWatcher, *, wrap: Callable[[ModeratePorts], ModeratePorts] = lambda ports: ports
) -> ModerateParts:
    """Build what a worker needs; loads and verifies the model.

    Args:
        wrap: may replace ports, e.g. by ones that fail on purpose.
    """
    from photogate.adapters.postgres.copies import PostgresCopies
    from photogate.adapters.postgres.deliveries import PostgresDeliveries
    from photogate.adapters.postgres.workers import PostgresWorkers
    from photogate.service.copying import Copying
    from photogate.service.moderate import Moderation

    settings = choose.settings_of(s.ModerateSettings)
    pool = choose.pool(settings)
    policy = choose.policy(settings)
    # Its child starts while the models are loaded.
    sandbox = _sandbox()
    ports = wrap(
        ModeratePorts(
            deliveries=PostgresDeliveries(pool),
            changes=choose.changes(pool, "moderate"),
            copies=PostgresCopies(pool),
            store=choose.store(settings),
            analyzer=analyzer(settings, policy, sandbox),
            maker=copy_maker(settings, sandbox),
            workers=PostgresWorkers(pool),
            queue=choose.queue(settings),
        )
    )
    return ModerateParts(
        moderation=Moderation(
            deliveries=ports.deliveries,
            changes=ports.changes,
            store=ports.store,
            sender=ports.queue,
            analyzer=ports.analyzer,
            policy=policy,
            lease_s=settings.job_deadline_s,
            max_bytes=settings.max_photo_bytes,
            watcher=watcher,
            faces=choose.faces_guard(settings) if policy.needs("faces") else None,
            sample_share=settings.sample_approved,
            test_mode=settings.test_mode,
        ),
        copying=Copying(
            copies=ports.copies,
            changes=ports.changes,
            store=ports.store,
            maker=ports.maker,
            lease_s=settings.job_deadline_s,
            max_bytes=settings.max_photo_bytes,
            watcher=watcher,
        ),
        hand_over=hand_over(settings, "moderate"),
        analyzer=ports.analyzer,
        policy=policy,
        workers=ports.workers,
        queue=ports.queue,
        settings=settings,
    )


def copy_maker(settings: s.CopySettings, sandbox: Sandbox | None = None) -> CopyMaker:
    """Build what makes the copies that are shown.

    Args:
        sandbox: decodes the photos; one of its own if there is none.
    """
    from photogate_vision.copies.maker import Copier

    return Copier((sandbox or _sandbox()).show, choose.copy_form(settings))


def analyzer(
    settings: s.ModelSettings, policy: Policy, sandbox: Sandbox | None = None
) -> PhotoAnalyzer:
    """Load the model, and the second one and the face detector where the policy asks for them.

    Args:
        sandbox: decodes the photos; one of its own if there is none.

    Raises:
        ConfigError: a bundle is missing, damaged or not what its manifest says; or the
            policy requires what nothing here measures.
    """
    from photogate_vision.analyzer import VisionAnalyzer

    sandbox = sandbox or _sandbox()
    faces = choose.faces(settings) if policy.needs("faces") else None
    built = VisionAnalyzer(
        settings.model_dir,
        others=_others(settings, policy),
        third=_third(settings, policy),
        tiles=_TILES[settings.look or policy.look],
        decode=sandbox.decode,
        faces=faces,
        threads=settings.model_threads,
    )
    _tell(sandbox.confinement())
    if missing := unprovided(policy, built.measures):
        raise ConfigError(_way_out(policy, missing))
    return built


#: By ``LOOK``, or else by the policy's look: parts along each side of a large photo.
_TILES = {"fast": 0, "normal": 2, "close": 3}


def _others(settings: s.ModelSettings, policy: Policy) -> tuple[Path, ...] | None:
    """Give the bundles of the panel beside the first; None where the policy asks for no panel."""
    if not (policy.needs("opinions") or policy.needs("tile")):
        return None
    return () if settings.second_model == "none" else (Path(settings.second_model),)


def _third(settings: s.ModelSettings, policy: Policy) -> Path | None:
    """Give the bundle of the third seat; None where it is empty."""
    if settings.third_model == "none":
        return None
    if not policy.needs("third"):
        logger.warning("THIRD_MODEL is not asked: %s bounds no measure of it", policy.id)
        return None
    folder = Path(settings.third_model)
    if not (folder / "manifest.json").exists():
        raise ConfigError(
            f"THIRD_MODEL: there is no bundle in {folder}: an image that is built with THIRD=1 has"
            " one in /opt/third; elsewhere name the folder of `photogate model build swiftformer`"
        )
    return folder


def _sandbox() -> Sandbox:
    """Start what decodes, after this process has hidden from it: both may have the same user."""
    from photogate_vision.decoding.sandbox import Sandbox

    hide()
    return Sandbox()


def _tell(confinement: dict[str, str]) -> None:
    """Log how decoders are kept from all but their photo; a warning where the kernel does not."""
    by = [name for name, why in confinement.items() if not why]
    lacks = [f"{name} ({why})" for name, why in confinement.items() if why]
    kept = {"landlock", "seccomp"} & set(by)
    logger.log(
        logging.INFO if kept else logging.WARNING,
        "decoders are confined by %s%s",
        ", ".join(("limits", *by)),
        f"; not by {', '.join(lacks)}" if lacks else "",
    )


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
