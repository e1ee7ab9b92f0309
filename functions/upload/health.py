"""Asks every part of the installation whether it works."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

from photogate import __version__
from photogate.errors import PhotogateError
from photogate.ports import Probe, Workers

from .schemas import Health


def deep_health(
    probes: Mapping[str, Probe], workers: Workers, *, workers_on_demand: bool
) -> Health:
    """Probe in parallel; ``degraded`` when a part fails or no worker lives that should."""
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
    except PhotogateError as error:
        parts["workers"] = {"ok": False, "error": str(error)}
    well = bool(alive or workers_on_demand) and all(part["ok"] for part in parts.values())
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
