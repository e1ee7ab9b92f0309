"""From signals to a verdict: data in, data out, no side effects.

A policy is a list of thresholds and the measures that it cannot do without. A
required measure that is missing, not finite or out of its range sends the photo to
a person, before anything else is asked: a failure is never a score.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from photogate.domain.measures import MEASURES, Side, read
from photogate.domain.signals import Signals
from photogate.domain.verdicts import Gate, Reason, Rule, Status, Verdict

#: How closely large photos are looked at: the whole, 2×2 parts of it as well, or 3×3.
Look = Literal["fast", "normal", "close"]


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """Two bounds on one measure.

    With ``worse="above"`` a value above ``reject`` is rejected and one above
    ``review`` goes to a person; with ``"below"`` the other way round. A bound that
    is None never holds.
    """

    #: Its name in ``photogate.domain.measures``.
    measure: str
    reason: Reason
    reject: float | None
    review: float | None
    worse: Side = "above"

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
    #: How closely its photos are looked at where the installation does not say it.
    look: Look = "normal"
    #: Short hash of what it says; None for a preset, whose version says that. Ends in
    #: ``originals`` after ``for_originals``.
    content: str | None = None

    @property
    def id(self) -> str:
        """``name@version`` or ``name@version+content``, as it is stored beside every verdict."""
        return f"{self.name}@{self.version}" + (f"+{self.content}" if self.content else "")

    @property
    def measures(self) -> frozenset[str]:
        """All measures that it asks for; what is not among them need not be computed."""
        return self.required | {threshold.measure for threshold in self.thresholds}

    def needs(self, signal: str) -> bool:
        """Tell whether it asks for a measure of this member of ``Signals``."""
        return any(MEASURES[name].signal == signal for name in self.measures)


def for_originals(policy: Policy) -> Policy:
    """Give the policy where people are shown the uploaded files themselves.

    A copy shows what was looked at. A file may show more, so that what was not looked at goes
    to a person, whatever the policy says of it. Its id then ends in ``originals``.
    """
    bound = {threshold.measure for threshold in policy.thresholds if threshold.review is not None}
    more = tuple(
        Threshold(measure=name, reason=Reason.NSFW, reject=None, review=most)
        for name, most in _OF_ORIGINALS.items()
        if name not in bound
    )
    return replace(
        policy,
        required=policy.required | _OF_ORIGINALS.keys(),
        thresholds=policy.thresholds + more,
        content=".".join(filter(None, (policy.content, "originals"))),
    )


#: What may be measured at most where originals are shown.
_OF_ORIGINALS = {"aspect": 4.0, "colour_unsure": 0.0, "gain_map": 0.0, "frames_unseen": 0.0}


def decide(signals: Signals, policy: Policy) -> Verdict:
    """Apply ``policy`` to what was measured. Pure; the same input gives the same verdict."""
    given, measures = _given_and_sound(signals)
    needed = policy.required | (policy.measures & given)
    for name in sorted(needed - measures.keys()):
        return _to_person(policy, Rule(name=name, value=None, bound=None))

    present = [(t, measures[t.measure]) for t in policy.thresholds if t.measure in measures]
    for threshold, value in present:
        if threshold.exceeds(value, threshold.reject):
            rule = _rule(threshold, value, threshold.reject, signals)
            return Verdict(
                status=Status.REJECTED, reason=threshold.reason, rule=rule, policy=policy.id
            )
    for threshold, value in present:
        if threshold.exceeds(value, threshold.review):
            return _to_person(policy, _rule(threshold, value, threshold.review, signals))
    return Verdict(status=Status.APPROVED, policy=policy.id)


def decide_all(frames: Sequence[Signals], policy: Policy) -> tuple[Verdict, Signals]:
    """Apply ``policy`` to each look at a photo (frames, backgrounds); the worst verdict counts.

    Gives it with the signals that it is about: those of the first look of that verdict.

    Raises:
        ValueError: there is no look; a mistake in the program.
    """
    verdicts = [(decide(signals, policy), signals) for signals in frames]
    return max(verdicts, key=lambda pair: _SEVERITY.index(pair[0].status))


#: A rejection is certain, so that it counts for more than a doubt.
_SEVERITY = (Status.APPROVED, Status.REVIEW, Status.REJECTED)


@dataclass(frozen=True, kw_only=True)
class RuleResult:
    """The result of one threshold on one photo."""

    threshold: Threshold
    #: None when it was not measured, or not sensibly.
    value: float | None
    #: None when there was nothing to compare, and the policy can do without.
    outcome: Status | None


def evaluate(signals: Signals, policy: Policy) -> tuple[RuleResult, ...]:
    """Apply each threshold by itself, in the policy's order; for explanations."""
    given, measures = _given_and_sound(signals)
    asked = given | policy.required

    def outcome(threshold: Threshold) -> Status | None:
        value = measures.get(threshold.measure)
        if value is None:
            return Status.REVIEW if threshold.measure in asked else None
        if threshold.exceeds(value, threshold.reject):
            return Status.REJECTED
        if threshold.exceeds(value, threshold.review):
            return Status.REVIEW
        return Status.APPROVED

    return tuple(
        RuleResult(threshold=t, value=measures.get(t.measure), outcome=outcome(t))
        for t in policy.thresholds
    )


def gates(policy: Policy, provided: frozenset[str]) -> tuple[Gate, ...]:
    """Tell for each reason that a policy may have whether it is looked for here.

    Args:
        provided: what this installation can measure, see ``PhotoAnalyzer.measures``.
    """
    return tuple(_gate(reason, policy, provided) for reason in REASONS)


def unprovided(policy: Policy, provided: frozenset[str]) -> tuple[str, ...]:
    """Name the required measures that nothing here gives: such a policy must not run."""
    return tuple(sorted(policy.required - provided))


#: Reasons that a policy may give; the others lie in the bytes and are always looked for.
REASONS = tuple(r for r in Reason if r not in (Reason.TOO_LARGE, Reason.UNREADABLE))


def _gate(reason: Reason, policy: Policy, provided: frozenset[str]) -> Gate:
    asked = {t.measure for t in policy.thresholds if t.reason is reason}
    missing = sorted(name for name in asked - provided if not MEASURES[name].optional)
    if not asked:
        return Gate(name=reason.value, on=False, why=f"{policy.id} does not ask for it")
    if not asked & provided:
        return Gate(
            name=reason.value,
            on=False,
            why=f"nothing measures {', '.join(missing or sorted(asked))}",
        )
    return Gate(
        name=reason.value,
        on=True,
        why=f"in part: nothing measures {', '.join(missing)}" if missing else None,
    )


def _to_person(policy: Policy, rule: Rule) -> Verdict:
    return Verdict(status=Status.REVIEW, rule=rule, policy=policy.id)


def _rule(threshold: Threshold, value: float, bound: float | None, signals: Signals) -> Rule:
    tile = signals.tile if MEASURES[threshold.measure].signal == "tile" else None
    part = None if tile is None else tile.box
    return Rule(name=threshold.measure, value=value, bound=bound, part=part)


def _given_and_sound(signals: Signals) -> tuple[frozenset[str], dict[str, float]]:
    """Give the names of all measures, and those that make sense with their values.

    What the models of the panel say is one answer: all of it makes sense or none does. The
    sum ``nsfw.explicit`` may hide what is wrong in its parts.
    """
    given = read(signals)
    wrong = {name for name, value in given.items() if not MEASURES[name].plausible(value)}
    if any(MEASURES[name].signal in _ONE_ANSWER for name in wrong):
        wrong |= {name for name in given if MEASURES[name].signal in _ONE_ANSWER}
    return frozenset(given), {name: value for name, value in given.items() if name not in wrong}


#: The signals whose measures make sense together or not at all.
_ONE_ANSWER = {"nsfw_scores", "opinions", "third", "tile"}
