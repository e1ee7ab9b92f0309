"""What becomes of a photo, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from photogate.domain.signals import Signals


class Status(StrEnum):
    """A photo's state; ``photogate.domain.transitions`` says which changes are allowed."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    REVIEW = "review"


class Reason(StrEnum):
    """Why a photo was rejected by machine. A person may give words of their own instead."""

    NSFW = "nsfw"
    UNDERAGE = "underage"
    NO_FACE = "no_face"
    GROUP_PHOTO = "group_photo"
    BLURRY = "blurry"
    BLANK = "blank"
    TOO_SMALL = "too_small"
    TOO_LARGE = "too_large"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, kw_only=True)
class Rule:
    """The one comparison that decided."""

    #: The measure's name.
    name: str
    #: None when it was not measured, or not sensibly.
    value: float | None
    bound: float | None
    #: Box of the part of the photo that it is about, as in ``Tile``; None for the whole.
    part: tuple[float, float, float, float] | None = None

    def to_json(self) -> dict[str, Any]:
        """Give what stands in scores and logs."""
        document: dict[str, Any] = {"name": self.name, "value": self.value, "bound": self.bound}
        return document if self.part is None else document | {"part": list(self.part)}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Rule:
        """Read what ``to_json`` gave."""
        part = document.get("part")
        return cls(**{**document, "part": None if part is None else tuple(part)})


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What becomes of a photo, and why."""

    status: Status
    #: A ``Reason`` when rejected by machine, a person's words, or None.
    reason: str | None = None
    rule: Rule | None = None
    #: ``name@version`` of the policy that decided; None when none was asked.
    policy: str | None = None
    #: What was wrong with the bytes, when they were refused before any rule; one line.
    detail: str | None = None


@dataclass(frozen=True, kw_only=True)
class Gate:
    """One thing for which photos may be rejected, and whether it is looked for here."""

    #: A ``Reason``.
    name: str
    on: bool
    #: Why it is off or on only in part, and who looks; None when there is nothing to say.
    why: str | None = None


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A photo's verdict with everything that explains it."""

    photo_id: str
    verdict: Verdict
    signals: Signals = field(default_factory=Signals)
    #: One line, set only when automatic moderation could not finish.
    error: str | None = None
    #: Where the bytes that were judged are kept; None when none were read.
    original_key: str | None = None
    #: What the marker of a test photo says, which gave this verdict; None for a real one.
    marker: str | None = None

    @property
    def decoded(self) -> bool:
        """Whether there is a picture, so that copies can be made."""
        return self.signals.width is not None

    def scores(self) -> dict[str, Any]:
        """Give the ``moderation_scores`` document."""
        document = self.signals.to_json()
        if self.verdict.policy is not None:
            document["policy"] = self.verdict.policy
        if self.verdict.detail is not None:
            document["detail"] = self.verdict.detail
        if self.verdict.rule is not None:
            document["rule"] = self.verdict.rule.to_json()
        if self.marker is not None:
            document["marker"] = self.marker
        return document
