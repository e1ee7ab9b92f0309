"""Counts what a policy makes of labelled pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from local.evaluation.labels import Expected, Labelled
from local.evaluation.measuring import Measurements
from local.evaluation.notebook import Measured
from photogate.domain import Reason, Status
from photogate.domain.estimates import Share
from photogate.domain.measures import read
from photogate.domain.policy import Policy, decide_all
from photogate.domain.verdicts import Verdict

#: How many of the worst mistakes of each kind are named.
WORST = 20


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One labelled picture, and what a policy says of it."""

    picture: Labelled
    measured: Measured
    verdict: Verdict

    @property
    def mistaken(self) -> bool:
        """Whether the machine decided against what should happen; sending it on is no mistake."""
        return (self.picture.expected, self.verdict.status) in _MISTAKES

    @property
    def suspicion(self) -> float:
        """The highest score of any model at any look, 0..1; 0 where none looked."""
        scores = [
            value
            for look in self.measured.looks
            for name, value in read(look).items()
            if name in ("nsfw.explicit", "nsfw.most")
        ]
        return max(scores, default=0.0)


_MISTAKES = {(Expected.APPROVE, Status.REJECTED), (Expected.REJECT, Status.APPROVED)}


@dataclass(frozen=True, kw_only=True)
class Counted:
    """What happened to some pictures, as shares with their intervals."""

    pictures: int
    approved: Share
    to_people: Share
    rejected: Share

    @classmethod
    def of(cls, statuses: Iterable[Status]) -> Counted:
        """Count."""
        count = Counter(statuses)
        total = count.total()
        return cls(
            pictures=total,
            approved=Share(count[Status.APPROVED], total),
            to_people=Share(count[Status.REVIEW], total),
            rejected=Share(count[Status.REJECTED], total),
        )

    def to_json(self) -> dict[str, Any]:
        """Give the numbers, ready for JSON."""
        shares = ("approved", "to_people", "rejected")
        return {
            "pictures": self.pictures,
            **{name: getattr(self, name).to_json() for name in shares},
        }


@dataclass(frozen=True, kw_only=True)
class Figures:
    """One policy and one panel on all pictures."""

    policy: Policy
    #: Which models looked, in words.
    panel: str
    judged: tuple[Judged, ...]

    def by_label(self) -> dict[str, tuple[Expected, Counted]]:
        """Count each label by itself, in the order of their names."""
        labels = sorted({(j.picture.label, j.picture.expected) for j in self.judged})
        return {
            label: (
                expected,
                Counted.of(j.verdict.status for j in self.judged if j.picture.label == label),
            )
            for label, expected in labels
        }

    def of(self, expected: Expected) -> Counted:
        """Count all pictures of which people expect this."""
        return Counted.of(j.verdict.status for j in self.judged if j.picture.expected is expected)

    @property
    def recall(self) -> Share:
        """Of what should be rejected: how much was not approved (rejected, or to a person)."""
        counted = self.of(Expected.REJECT)
        return Share(counted.pictures - counted.approved.hits, counted.pictures)

    @property
    def false_alarms(self) -> Share:
        """Of what should be approved: how much was rejected."""
        return self.of(Expected.APPROVE).rejected

    @property
    def to_people(self) -> Share:
        """How much of all is left to people."""
        return Counted.of(j.verdict.status for j in self.judged).to_people

    def reasons(self) -> dict[str, int]:
        """Count why pictures were rejected."""
        return dict(Counter(j.verdict.reason or "" for j in self.judged if _rejected(j)))

    def worst(self) -> list[Judged]:
        """Give the worst mistakes: what was missed, the least suspected first; false alarms."""
        missed = [j for j in self.judged if j.mistaken and not _rejected(j)]
        alarms = [j for j in self.judged if j.mistaken and _rejected(j)]
        return [
            *sorted(missed, key=lambda j: (j.suspicion, j.picture.name))[:WORST],
            *sorted(alarms, key=lambda j: (-j.suspicion, j.picture.name))[:WORST],
        ]

    def under(self, policy: Policy) -> Figures:
        """Judge the same pictures by another policy that needs no more measures."""
        judged = (replace(j, verdict=decide_all(j.measured.looks, policy)[0]) for j in self.judged)
        return replace(self, policy=policy, judged=tuple(judged))

    def to_json(self) -> dict[str, Any]:
        """Give everything, ready for JSON."""
        return {
            "policy": self.policy.id,
            "panel": self.panel,
            "recall": self.recall.to_json(),
            "false_alarms": self.false_alarms.to_json(),
            "to_people": self.to_people.to_json(),
            "labels": {
                label: {"expected": expected.value, **counted.to_json()}
                for label, (expected, counted) in self.by_label().items()
            },
            "reasons": self.reasons(),
            "worst": [j.picture.name for j in self.worst()],
            "pictures": [
                {
                    "file": j.picture.name,
                    "sha256": j.measured.sha256,
                    "label": j.picture.label,
                    "status": j.verdict.status.value,
                    "reason": j.verdict.reason,
                }
                for j in self.judged
            ],
        }


def figures(
    pictures: Sequence[Labelled], measurements: Measurements, policy: Policy, panel: str
) -> Figures:
    """Judge all pictures that were measured; bytes that are no photo are left out."""
    return Figures(
        policy=policy,
        panel=panel,
        judged=tuple(
            Judged(
                picture=picture, measured=measured, verdict=decide_all(measured.looks, policy)[0]
            )
            for picture in pictures
            if (measured := measurements.of.get(picture.name)) is not None and measured.looks
        ),
    )


def unreadable(pictures: Sequence[Labelled], measurements: Measurements) -> list[str]:
    """Give one line for each picture whose bytes are no photo: no label is about those."""
    return [
        f"{picture.name}: {measured.detail or _WORDS[measured.refused]}"
        for picture in pictures
        if (measured := measurements.of.get(picture.name)) is not None
        and measured.refused is not None
    ]


_WORDS = {Reason.TOO_LARGE: "larger than photos may be", Reason.UNREADABLE: "cannot be read"}


def _rejected(judged: Judged) -> bool:
    return judged.verdict.status is Status.REJECTED
