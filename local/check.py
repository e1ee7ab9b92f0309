"""Moderates files directly, without any service."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from photogate.domain import Finding, Reason, Signals, Status, Verdict
from photogate.domain.policy import Policy
from photogate.errors import DecoderFailed, RetryableError
from photogate.ports.vision import PhotoAnalyzer
from photogate.service.looking import judge


@dataclass(frozen=True, kw_only=True)
class Checked:
    """One file, what was found, and how long that took."""

    file: str
    finding: Finding
    duration_ms: float

    def to_json(self) -> dict[str, Any]:
        """Give the object that ``--json`` prints."""
        document = {
            "file": self.file,
            "status": self.finding.verdict.status.value,
            "reason": self.finding.verdict.reason,
            "scores": self.finding.scores(),
            "duration_ms": self.duration_ms,
        }
        return document | ({"error": self.finding.error} if self.finding.error else {})


def check_file(path: Path, analyzer: PhotoAnalyzer, policy: Policy, *, max_bytes: int) -> Checked:
    """Moderate one file.

    Raises:
        OSError: it is not there or cannot be read.
    """
    started = time.perf_counter()
    error = None
    size_bytes = path.stat().st_size
    if size_bytes > max_bytes:
        verdict = Verdict(status=Status.REJECTED, reason=Reason.TOO_LARGE.value)
        signals = Signals(size_bytes=size_bytes)
    else:
        try:
            verdict, signals = judge(path.read_bytes(), analyzer, policy)
        except (RetryableError, DecoderFailed) as fault:
            verdict, signals = Verdict(status=Status.REVIEW), Signals(size_bytes=size_bytes)
            error = str(fault)
    return Checked(
        file=str(path),
        finding=Finding(photo_id=path.name, verdict=verdict, signals=signals, error=error),
        duration_ms=round((time.perf_counter() - started) * 1000, 2),
    )
