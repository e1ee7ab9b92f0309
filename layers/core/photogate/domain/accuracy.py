"""How often the machine was right, as far as people looked.

Counted by policy and models, since another policy or model is another machine.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from photogate.domain.estimates import Share
from photogate.domain.samples import SampleOutcome
from photogate.domain.verdicts import Status
from photogate.domain.weighted import Drawn, WeightedShare, share_of

#: A history is kept for two years, unless somebody wants it longer.
MOST_DAYS = 3650


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A policy, and who looked."""

    #: ``name@version``; None for what an earlier version noted.
    policy: str | None
    #: sha256 of each model, joined by ``+``.
    model: str | None


@dataclass(kw_only=True)
class Counts:
    """What one machine decided, and what people said of it."""

    approved: int = 0
    #: By reason.
    rejected: Counter[str] = field(default_factory=Counter)
    #: Sent to a person, those included that it could not finish.
    to_people: int = 0
    failed: int = 0
    #: Of its rejections, by reason: people confirmed or changed.
    confirmed: Counter[str] = field(default_factory=Counter)
    overturned: Counter[str] = field(default_factory=Counter)
    #: Of its approvals people rejected so many, drawn as samples or found otherwise.
    approvals_rejected: int = 0
    #: Samples by outcome; None for those that wait.
    samples: Counter[SampleOutcome | None] = field(default_factory=Counter)
    #: The same by the rate at which they were drawn; None where an earlier version drew them.
    by_rate: dict[float | None, Counter[SampleOutcome | None]] = field(default_factory=dict)
    #: Of the missed ones, by reason.
    missed: Counter[str] = field(default_factory=Counter)

    @property
    def judged(self) -> int:
        """How often it gave an answer, or none."""
        return self.approved + self.rejected.total() + self.to_people

    @property
    def automated(self) -> Share:
        """The share that it decided alone."""
        return Share(self.approved + self.rejected.total(), self.judged)

    @property
    def wrong_approvals(self) -> Share:
        """Of the samples that a person decided: those that should not have been approved.

        Where the rate changed, each stands for as many approvals as its rate says. Those without a
        rate count as drawn at the average of the others.
        """
        average = _average({r: at.total() for r, at in self.by_rate.items() if r is not None})
        at_rates: dict[float, Counter[SampleOutcome | None]] = {}
        for rate, at in self.by_rate.items():
            at_rates.setdefault(average if rate is None else rate, Counter()).update(at)
        return share_of([_drawn(rate, at) for rate, at in at_rates.items()])

    @property
    def wrong_rejections(self) -> Share:
        """Of the rejections that a person looked at: those that were changed."""
        changed = self.overturned.total()
        return Share(changed, changed + self.confirmed.total())

    def wrong_rejections_for(self, reason: str) -> Share:
        """The same of one reason."""
        changed = self.overturned[reason]
        return Share(changed, changed + self.confirmed[reason])

    def add(self, other: Counts) -> None:
        """Count another machine's as well."""
        self.approved += other.approved
        self.to_people += other.to_people
        self.failed += other.failed
        self.approvals_rejected += other.approvals_rejected
        for name in ("rejected", "confirmed", "overturned", "samples", "missed"):
            getattr(self, name).update(getattr(other, name))
        for rate, at in other.by_rate.items():
            self.by_rate.setdefault(rate, Counter()).update(at)


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """What was counted between two moments."""

    since: datetime
    until: datetime
    by_machine: Mapping[Machine, Counts]

    @cached_property
    def busiest(self) -> list[tuple[Machine, Counts]]:
        """The machines, those that judged most first."""
        return sorted(self.by_machine.items(), key=lambda pair: -pair[1].judged)

    @cached_property
    def all(self) -> Counts:
        """All machines together."""
        total = Counts()
        for counts in self.by_machine.values():
            total.add(counts)
        return total

    @property
    def main(self) -> tuple[Machine, Counts]:
        """The machine with most approvals, which statements are about.

        Samples of several machines must not be put together: each approves as it does.
        """
        known = self.by_machine.items()
        return max(
            known,
            key=lambda pair: pair[1].approved,
            default=(Machine(policy=None, model=None), Counts()),
        )

    @property
    def statement(self) -> str:
        """What samples say of that machine's approvals, in a sentence."""
        machine, counts = self.main
        wrong = counts.wrong_approvals
        if not wrong.of:
            return (
                "Nobody has looked at approved photos drawn at random, so nothing is known of wrong"
                " approvals: set SAMPLE_APPROVED"
            )
        undecided = counts.samples.total() - wrong.of
        left = f"; {undecided} more were drawn and not decided" if undecided else ""
        weighed = ", weighed by the rate of their time" if isinstance(wrong, WeightedShare) else ""
        return (
            f"As far as moderators see it, at most {wrong.at_most * 100:.2g} % of approvals by"
            f" {machine.policy} are wrong, at 95 %: {wrong.hits} of {wrong.of} drawn at random"
            f" were{weighed}{left}"
        )


@dataclass(frozen=True, kw_only=True)
class JudgedRow:
    """Verdicts of one machine that say the same."""

    policy: str | None
    model: str | None
    status: Status
    reason: str | None
    failed: bool
    n: int


@dataclass(frozen=True, kw_only=True)
class WithheldRow:
    """Approvals of one machine that it took back, as no copy of the photo could be made."""

    policy: str | None
    model: str | None
    n: int


@dataclass(frozen=True, kw_only=True)
class DecidedRow:
    """What people said last of verdicts that say the same."""

    policy: str | None
    model: str | None
    status: Status
    reason: str | None
    by_person: Status
    n: int


@dataclass(frozen=True, kw_only=True)
class SampledRow:
    """Samples that ended alike."""

    policy: str | None
    model: str | None
    outcome: SampleOutcome | None
    reason: str | None
    n: int
    #: Share of approvals that was drawn then; None where an earlier version drew them.
    rate: float | None = None


def counted(
    since: datetime,
    until: datetime,
    *,
    judged: Iterable[JudgedRow],
    withheld: Iterable[WithheldRow] = (),
    decided: Iterable[DecidedRow],
    sampled: Iterable[SampledRow],
) -> Accuracy:
    """Put the counts of a database together."""
    found: dict[Machine, Counts] = {}

    def of(row: JudgedRow | WithheldRow | DecidedRow | SampledRow) -> Counts:
        return found.setdefault(Machine(policy=row.policy, model=row.model), Counts())

    for verdicts in judged:
        counts = of(verdicts)
        if verdicts.status is Status.APPROVED:
            counts.approved += verdicts.n
        elif verdicts.status is Status.REJECTED:
            counts.rejected[_reason(verdicts.reason)] += verdicts.n
        else:
            counts.to_people += verdicts.n
            counts.failed += verdicts.n if verdicts.failed else 0
    for taken in withheld:
        counts = of(taken)
        # The approval may be of the time before.
        counts.approved -= min(counts.approved, taken.n)
        counts.to_people += taken.n
    for said in decided:
        counts = of(said)
        if said.status is Status.APPROVED and said.by_person is Status.REJECTED:
            counts.approvals_rejected += said.n
        elif said.status is Status.REJECTED:
            agrees = said.by_person is Status.REJECTED
            (counts.confirmed if agrees else counts.overturned)[_reason(said.reason)] += said.n
    for samples in sampled:
        counts = of(samples)
        counts.samples[samples.outcome] += samples.n
        counts.by_rate.setdefault(samples.rate, Counter())[samples.outcome] += samples.n
        if samples.outcome is SampleOutcome.MISSED:
            counts.missed[_reason(samples.reason)] += samples.n
    return Accuracy(since=since, until=until, by_machine=found)


def _average(drawn: Mapping[float, int]) -> float:
    """Give the share that was drawn in all, of numbers by rate; 1 where there are none."""
    if len(drawn) < 2:
        return next(iter(drawn), 1.0)
    return sum(drawn.values()) / sum(n / rate for rate, n in drawn.items())


def _drawn(rate: float, at: Counter[SampleOutcome | None]) -> Drawn:
    missed = at[SampleOutcome.MISSED]
    return Drawn(
        rate=rate, drawn=at.total(), hits=missed, decided=missed + at[SampleOutcome.AGREED]
    )


def _reason(reason: str | None) -> str:
    """People's own words are not told here."""
    return reason or "other"
