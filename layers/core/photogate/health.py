"""Whether an installation works: every part of it is asked. For operators."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any, Literal

from pydantic import BaseModel, Field

from photogate import __version__
from photogate.domain import ALIVE_WITHIN_S
from photogate.errors import PhotogateError
from photogate.ports.probe import Probe
from photogate.ports.records import Workers


class Health(BaseModel):
    """Whether this installation works; the details only with `deep=1`."""

    status: Literal["ok", "degraded"] = Field(examples=["ok"])
    version: str = Field(examples=["0.1.0"])
    test_mode: bool | None = Field(
        None,
        description="True where a marker in a photo names its verdict; else absent.",
        examples=[True],
    )
    parts: dict[str, dict[str, Any]] | None = Field(
        None, examples=[{"database": {"ok": True, "version": "18.4"}}]
    )
    workers: list[dict[str, Any]] | None = Field(
        None, examples=[[{"id": "host:4711", "model": "3f9a…", "last_photo_at": None}]]
    )
    policy: str | None = Field(
        None, description="What the newest worker decides by.", examples=["profile@2"]
    )
    gates: list[dict[str, Any]] | None = Field(
        None,
        description="What it rejects photos for, and why something is not looked for.",
        examples=[[{"name": "underage", "on": False, "why": "profile@2 does not ask for it"}]],
    )


_NO_WORKER = (
    f"no worker: none announced itself in the last {ALIVE_WITHIN_S:.0f} s, so photos wait; the"
    " workers' logs say why"
)


@dataclass(frozen=True, kw_only=True)
class DeepHealth:
    """What is asked, by name."""

    probes: Mapping[str, Probe]
    workers: Workers
    #: Whether workers come only when there is work, on Lambda: that none lives is no failure then.
    workers_on_demand: bool
    #: Whether markers count here.
    test_mode: bool = False

    def report(self) -> Health:
        """Ask every part, in parallel; ``degraded`` when one fails."""
        report = _report(self.probes, self.workers, workers_on_demand=self.workers_on_demand)
        return report.model_copy(update={"test_mode": self.test_mode or None})


def _report(probes: Mapping[str, Probe], workers: Workers, *, workers_on_demand: bool) -> Health:
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
