"""What was done to photos, by whom and why, as people read it later."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from photogate.domain.changes import Action, By
from photogate.domain.pages import moment_number_id, spell
from photogate.domain.verdicts import Reason, Rule, Status


@dataclass(frozen=True, kw_only=True)
class HistoryEntry:
    """One change of one photo."""

    at: datetime
    photo_id: str
    #: Counts the changes of this photo, from 1.
    n: int
    #: An ``Action``; ``set`` for what another program wrote.
    action: str
    by: str
    #: Who made it; None for a machine, and for a person who was erased.
    person: str | None
    #: The role that the person had then.
    role: str | None
    #: Whose photo it is; None when that user was erased.
    owner: str | None
    before: str
    #: None when the photo was deleted.
    after: str | None
    #: A known reason, or a person's own words; None when there were none, or they were erased.
    reason: str | None
    #: Automatic moderation could not finish.
    failed: bool
    #: The comparison that decided; None when none did.
    rule: Rule | None
    #: ``name@version``.
    policy: str | None
    #: Of a photo that a marker gave a verdict.
    test: bool = False


@dataclass(frozen=True, kw_only=True)
class HistoryFilter:
    """Which changes are wanted; None means any."""

    person: str | None = None
    by: By | None = None
    action: Action | None = None
    #: What the photo became.
    after: Status | None = None
    reason: Reason | None = None
    #: Only those that automatic moderation could not finish.
    failed: bool = False
    #: Whose photos.
    owner: str | None = None
    photo_id: str | None = None
    #: From this moment on.
    since: datetime | None = None
    #: Before this moment.
    until: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class HistoryPlace:
    """An entry's place in the history, newest first; a page begins after it."""

    at: datetime
    n: int
    photo_id: str

    @classmethod
    def of(cls, entry: HistoryEntry) -> HistoryPlace:
        """Give an entry's place."""
        return cls(at=entry.at, n=entry.n, photo_id=entry.photo_id)

    def cursor(self) -> str:
        """Spell it, for clients to give back as it stands."""
        return spell([self.at.isoformat(), self.n, self.photo_id])

    @classmethod
    def read(cls, cursor: str) -> HistoryPlace:
        """Read what ``cursor`` spelled.

        Raises:
            ValueError: it is nothing of the kind.
        """
        at, n, photo_id = moment_number_id(cursor)
        return cls(at=at, n=n, photo_id=photo_id)
