"""From signals to a verdict: data in, data out, no side effects.

A policy is a list of thresholds and the measures that it cannot do without. A
required measure that is missing, not finite or out of its range sends the photo to
a person, before anything else is asked: a failure is never a score.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from photogate.domain import Reason, Rule, Signals, Status, Verdict


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """Two bounds on one measure.

    With ``worse="above"`` a value above ``reject`` is rejected and one above
    ``review`` goes to a person; with ``"below"`` the other way round. A bound that
    is None never holds.
    """

    #: As ``Signals.measures`` names it.
    measure: str
    reason: Reason
    reject: float | None
    review: float | None
    worse: str = "above"

    def exceeds(self, value: float, bound: float | None) -> bool:
        """Tell whether ``value`` lies strictly on the bad side of ``bound``."""
        if bound is None:
            return False
        return value > bound if self.worse == "above" else value < bound


@dataclass(frozen=True, kw_only=True)
class Policy:
    """A named, versioned set of thresholds; the first that rejects gives the reason."""

    name: str
    version: int
    #: Measures without which no verdict but ``review`` is given.
    required: frozenset[str]
    thresholds: tuple[Threshold, ...]

    @property
    def id(self) -> str:
        """``name@version``, as it is stored beside every verdict."""
        return f"{self.name}@{self.version}"

    @property
    def measures(self) -> frozenset[str]:
        """All measures that it asks for; what is not among them need not be computed."""
        return self.required | {threshold.measure for threshold in self.thresholds}


def decide(signals: Signals, policy: Policy) -> Verdict:
    """Apply ``policy`` to what was measured. Pure; the same input gives the same verdict."""
    measures = dict(signals.measures())
    for name in sorted(policy.measures):
        if name in measures and not _plausible(name, measures[name]):
            return _to_person(policy, Rule(name=name, value=None, bound=None))
    for name in sorted(policy.required - measures.keys()):
        return _to_person(policy, Rule(name=name, value=None, bound=None))

    present = [(t, measures[t.measure]) for t in policy.thresholds if t.measure in measures]
    for threshold, value in present:
        if threshold.exceeds(value, threshold.reject):
            rule = Rule(name=threshold.measure, value=value, bound=threshold.reject)
            return Verdict(
                status=Status.REJECTED, reason=threshold.reason, rule=rule, policy=policy.id
            )
    for threshold, value in present:
        if threshold.exceeds(value, threshold.review):
            return _to_person(
                policy, Rule(name=threshold.measure, value=value, bound=threshold.review)
            )
    return Verdict(status=Status.APPROVED, policy=policy.id)


def _to_person(policy: Policy, rule: Rule) -> Verdict:
    return Verdict(status=Status.REVIEW, rule=rule, policy=policy.id)


def _plausible(name: str, value: float) -> bool:
    """Tell whether a measure lies in the range that it can have.

    Probabilities may exceed 1 by the rounding of their float32 sum.
    """
    upper = 1.0 + 1e-3 if name.startswith("nsfw.") else math.inf
    return math.isfinite(value) and 0.0 <= value <= upper


#: For communities and marketplaces: no nudity, no pictures that nobody can make out.
#: Where each bound comes from stands in ``layers/model/MODEL_CARD.md`` and
#: ``bench/calibration.py``.
COMMUNITY = Policy(
    name="community",
    version=1,
    required=frozenset({"nsfw.explicit", "nsfw.sexy", "blur_variance", "short_side_px", "frames"}),
    thresholds=(
        Threshold(measure="nsfw.explicit", reason=Reason.NSFW, reject=0.90, review=0.50),
        Threshold(measure="nsfw.sexy", reason=Reason.NSFW, reject=None, review=0.70),
        Threshold(
            measure="short_side_px",
            reason=Reason.TOO_SMALL,
            reject=200.0,
            review=None,
            worse="below",
        ),
        Threshold(
            measure="blur_variance", reason=Reason.BLURRY, reject=12.0, review=25.0, worse="below"
        ),
        # Only the first frame is looked at, so a person looks at the others.
        Threshold(measure="frames", reason=Reason.UNREADABLE, reject=None, review=1.0),
    ),
)

#: For profile photos: what ``COMMUNITY`` asks, and exactly one face.
PROFILE = Policy(
    name="profile",
    version=1,
    required=COMMUNITY.required | {"face_count"},
    thresholds=(
        *COMMUNITY.thresholds,
        Threshold(
            measure="face_count", reason=Reason.NO_FACE, reject=1.0, review=None, worse="below"
        ),
        Threshold(measure="face_count", reason=Reason.GROUP_PHOTO, reject=1.0, review=None),
    ),
)

PRESETS = {policy.name: policy for policy in (COMMUNITY, PROFILE)}
