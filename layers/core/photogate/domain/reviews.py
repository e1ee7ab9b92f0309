"""What waits for a person, who holds it meanwhile, and who is signed in to look at it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from photogate.domain.changes import Outcome
from photogate.domain.measures import MEASURES
from photogate.domain.pages import Total
from photogate.domain.people import Principal
from photogate.domain.photos import PhotoRow

#: A tab that says nothing for so long has lost what it held. The page asks every minute.
LEASE_S = 120
#: A session ends after so long without a request, and in any case after a day.
SESSION_IDLE_S = 8 * 3600
SESSION_S = 24 * 3600
#: What somebody saw within so long counts as one day's: longer than a working day, and shorter than
#: the time from one to the next, whatever the clock on the wall says.
EXPOSURE_S = 14 * 3600
#: What admins are asked comes first.
ESCALATED = 100
#: A point of priority counts as much as so many minutes of waiting. A photo that may show nudity
#: (30) comes before a blurred one (10) that waits up to 5 hours longer: so risk decides on a day
#: when all is seen, and nothing waits for ever on any other. Migration 0011 has the same number.
POINT_MINUTES = 15

#: The signals that tell of nudity or gore.
_OF_MODELS = {"nsfw_scores", "opinions", "third", "tile"}
_TAB = re.compile(r"[A-Za-z0-9-]{8,64}")


class Kind(StrEnum):
    """Why an item waits."""

    #: The machine was not sure, or could not finish.
    DOUBT = "doubt"
    #: The owner asked for another look.
    APPEAL = "appeal"
    #: An approved photo, drawn to check the machine.
    SAMPLE = "sample"
    #: A moderator asks the admins; nobody else gets it.
    ESCALATION = "escalation"


@dataclass(frozen=True, kw_only=True)
class Holder:
    """A tab of a person's browser, or whatever a client of the API calls so."""

    person: Principal
    #: 8 to 64 letters, digits and hyphens, made by the client.
    tab: str

    def __post_init__(self) -> None:
        """Refuse a name that could be mistaken for another holder's."""
        if not _TAB.fullmatch(self.tab):
            raise ValueError(self.tab)

    @property
    def id(self) -> str:
        """As it is stored; no two holders have the same."""
        return f"{self.tab}/{self.person.user_id}"


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Which items are wanted; None means any."""

    kind: Kind | None = None
    #: The measure whose bound sent the photo to a person.
    rule: str | None = None
    #: Whose photos.
    user_id: str | None = None

    @property
    def kinds(self) -> frozenset[Kind]:
        """Those that it lets through: nobody is to tell samples from doubts."""
        if self.kind is None:
            return frozenset(Kind)
        return frozenset({self.kind} | ({Kind.SAMPLE} if self.kind is Kind.DOUBT else set()))


@dataclass(frozen=True, kw_only=True)
class ReviewItem:
    """Something that waits for a person."""

    id: int
    kind: Kind
    #: What the machine says is not shown before the decision.
    folded: bool
    photo: PhotoRow
    #: Higher comes first, ``POINT_MINUTES`` for each point.
    priority: int
    created_at: datetime
    #: Until then nobody else gets it.
    lease_until: datetime
    #: Of an escalation: what the moderator wrote, and who that was.
    note: str | None
    raised_by: str | None


@dataclass(frozen=True, kw_only=True)
class Hand:
    """What one holder holds, and how much waits in all."""

    items: Sequence[ReviewItem]
    #: Open items that this person may get, held ones included, whatever the filter.
    waiting: Total
    oldest_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class SignInLink:
    """What begins one session: a link that was followed, or a provider's answer."""

    id: str
    expires_at: datetime
    principal: Principal


@dataclass(frozen=True, kw_only=True)
class OpenSession:
    """A session that has not ended."""

    #: Names it to admins; nobody can make the cookie from it.
    id: str
    principal: Principal
    began_at: datetime
    #: When its last request came, to a minute.
    seen_at: datetime


def priority_of(outcome: Outcome) -> int:
    """Say how early a person should look: by what the worst case would be for people."""
    rule = outcome.change.rule
    if rule is None:
        return 15  # not looked at in full, so it may be anything
    if rule.name.startswith("age."):
        return 40
    measure = MEASURES.get(rule.name)
    if measure is not None and measure.signal in _OF_MODELS:
        return 30
    return 15 if rule.value is None else 10
