"""Two policies, or two panels, on the same pictures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from local.evaluation.figures import Figures, Judged
from local.evaluation.labels import Expected
from photogate.domain import Status


@dataclass(frozen=True, kw_only=True)
class Flip:
    """A picture of which the two say different things."""

    first: Judged
    second: Judged

    @property
    def gain(self) -> int:
        """1 where the second is nearer to what should happen, -1 farther, 0 if nobody says."""
        before, after = _distance(self.first), _distance(self.second)
        return (before > after) - (before < after)

    def to_json(self) -> dict[str, Any]:
        """Give it ready for JSON."""
        return {
            "file": self.first.picture.name,
            "label": self.first.picture.label,
            "first": self.first.verdict.status.value,
            "second": self.second.verdict.status.value,
            "gain": self.gain,
        }


def flips(first: Figures, second: Figures) -> Iterator[Flip]:
    """Give the pictures that both judged, differently."""
    others = {judged.picture.name: judged for judged in second.judged}
    for judged in first.judged:
        other = others.get(judged.picture.name)
        if other is not None and other.verdict.status != judged.verdict.status:
            yield Flip(first=judged, second=other)


def _distance(judged: Judged) -> int:
    """From what should happen: 0, 1 for a person, 2 for the contrary."""
    order = (Status.APPROVED, Status.REVIEW, Status.REJECTED)
    at = order.index(judged.verdict.status)
    if judged.picture.expected is Expected.EITHER:
        return 0
    return at if judged.picture.expected is Expected.APPROVE else 2 - at
