"""Asks every part of the installation whether it works."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

from photogate import __version__
from photogate.domain import ALIVE_WITHIN_S
from photogate.errors import PhotogateError
from photogate.ports.probe import Probe
from photogate.ports.records import Workers

from .schemas import Health

_NO_WORKER = (
    f"no worker: none announced itself in the last {ALIVE_WITHIN_S:.0f} s, so photos wait; the"
    " workers' logs say why"
)


def deep_health(
    probes: Mapping[str, Probe], workers: Workers, *, workers_on_demand: bool
) -> Health:
    """Probe in parallel; ``degraded`` when a part fails.

    Args:
        workers_on_demand: that none lives is no failure then.
    """
    with ThreadPoolExecutor(len(probes)) as threads:
        parts = dict(zip(probes, threads.map(_probe, probes.values()), strict=True))
    alive: list[dict[str, Any]] = []
    newest = None
    try:
        newest = workers.newest()
        alive = [
            {
                "id": w.id,
                "model": w.model,
                "policy": w.policy,
                "since": w.started_at,
                "last_photo_at": w.last_photo_at,
            }
            for w in workers.alive()
        ]
        parts["workers"] = {"ok": True, "alive": len(alive)}
        if not alive and not workers_on_demand:
            parts["workers"] = {"ok": False, "error": _NO_WORKER}
    except PhotogateError as error:
        parts["workers"] = {"ok": False, "error": str(error)}
    well = all(part["ok"] for part in parts.values())
    return Health(
        status="ok" if well else "degraded",
        version=__version__,
        parts=parts,
        workers=alive,
        policy=newest.policy if newest else None,
        gates=[asdict(gate) for gate in newest.gates] if newest else None,
    )


def _probe(probe: Probe) -> dict[str, Any]:
    try:
        return {"ok": True, **probe.check()}
    except PhotogateError as error:
        return {"ok": False, "error": str(error)}
