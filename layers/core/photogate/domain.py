"""The nouns of photo moderation, with no technology in them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """Where a photo stands; see "The life of a photo" in the README."""

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


class Role(StrEnum):
    """What a token allows; each role may do what the ones before it may."""

    USER = "user"
    VIEWER = "viewer"
    MODERATOR = "moderator"
    ADMIN = "admin"

    def allows(self, needed: Role) -> bool:
        """Tell whether this role reaches ``needed``."""
        order = list(Role)
        return order.index(self) >= order.index(needed)


@dataclass(frozen=True, kw_only=True)
class Principal:
    """Who calls."""

    #: Opaque, 1 to 128 characters: the token's ``sub``.
    user_id: str
    role: Role = Role.USER
    #: What people read beside the photo: the token's ``name``, when it has one.
    name: str | None = None


#: The five classes that the shipped models tell apart.
NSFW_CATEGORIES = ("porn", "sexy", "hentai", "neutral", "drawing")


@dataclass(frozen=True, kw_only=True)
class AgeRange:
    """Both ends belong to it, in years."""

    low: int
    high: int
    #: How sure the detector is of this range, 0..1; None when it does not say.
    probability: float | None = None


@dataclass(frozen=True, kw_only=True)
class Face:
    """One face in a picture."""

    #: x0, y0, x1, y1 as shares (0..1) of the upright picture's width and height.
    box: tuple[float, float, float, float]
    #: How sure the detector is, 0..1.
    score: float
    #: As the detector tells it; None when it tells none of this face.
    age: AgeRange | None = None


@dataclass(frozen=True, kw_only=True)
class Jpeg:
    """An upright picture in the form in which services take it."""

    data: bytes
    #: Pixels.
    width: int
    height: int


@dataclass(frozen=True, kw_only=True)
class Signals:
    """What was measured on one photo. What was not computed is None, never 0.

    An animation gives one of these for each frame that was looked at.
    """

    #: One probability, 0..1, per category that the model tells; the shipped ones tell
    #: ``NSFW_CATEGORIES``, a two-class model ``explicit`` and ``neutral``.
    nsfw_scores: dict[str, float] | None = None
    #: Found in the picture; empty when there is none. None when nobody looked for any.
    faces: tuple[Face, ...] | None = None
    #: Variance of the Laplacian on the canonical size, in squared grey levels; 0 is flat.
    blur_variance: float | None = None
    #: RMS contrast: standard deviation of the grey levels, 0..127.5; 0 is one flat colour.
    rms_contrast: float | None = None
    #: Pixels of the upright picture.
    width: int | None = None
    height: int | None = None
    #: The container as its bytes say, e.g. ``JPEG``; never from a file name.
    format: str | None = None
    #: 1, or how many an animation has.
    frames: int | None = None
    #: Which of them, from 1, this is about; None in a photo of one.
    frame: int | None = None
    size_bytes: int | None = None
    #: Hex digest of the bytes that were looked at.
    sha256: str | None = None
    #: Wall time of looking at this photo.
    processing_time_ms: float | None = None
    #: sha256 of the model file that gave ``nsfw_scores``.
    model: str | None = None
    #: Version of the steps from bytes to the model's input.
    preprocessing: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Give the members that were computed, ready for JSON.

        One that holds NaN or an infinity was not computed, and JSON cannot hold it.
        """
        pairs = ((f.name, getattr(self, f.name)) for f in fields(self) if f.name != "faces")
        document = {name: value for name, value in pairs if value is not None}
        if self.faces is not None:
            document["has_face"] = bool(self.faces)
            document["face_count"] = len(self.faces)
            document["faces"] = [_face_to_json(face) for face in self.faces]
            if (youngest := self.youngest) is not None:
                document["estimated_age"] = {"low": youngest.low, "high": youngest.high}
        return {name: value for name, value in document.items() if _finite(value)}

    @property
    def youngest(self) -> AgeRange | None:
        """The lowest ends among the faces whose age is known; None when none is."""
        ages = [face.age for face in self.faces or () if face.age is not None]
        if not ages:
            return None
        return AgeRange(low=min(age.low for age in ages), high=min(age.high for age in ages))

    def measures(self) -> Iterator[tuple[str, float]]:
        """Yield each number that a policy can bound, by name.

        ``nsfw.<category>``, and ``nsfw.explicit`` also as the sum of ``porn`` and
        ``hentai``; ``face_count``; ``faces_without_age``; ``age.low`` and ``age.high`` of
        the youngest face whose age is known; ``blur_variance``; ``rms_contrast``;
        ``short_side_px``.
        """
        if self.nsfw_scores is not None:
            yield from ((f"nsfw.{name}", score) for name, score in self.nsfw_scores.items())
            told = self.nsfw_scores.keys()
            if {"porn", "hentai"} <= told and "explicit" not in told:
                yield "nsfw.explicit", self.nsfw_scores["porn"] + self.nsfw_scores["hentai"]
        if self.faces is not None:
            yield "face_count", float(len(self.faces))
            yield "faces_without_age", float(sum(face.age is None for face in self.faces))
        if (youngest := self.youngest) is not None:
            yield "age.low", float(youngest.low)
            yield "age.high", float(youngest.high)
        if self.blur_variance is not None:
            yield "blur_variance", self.blur_variance
        if self.rms_contrast is not None:
            yield "rms_contrast", self.rms_contrast
        if self.width is not None and self.height is not None:
            yield "short_side_px", float(min(self.width, self.height))


def _finite(value: Any) -> bool:
    """Tell whether all numbers inside are finite."""
    if isinstance(value, dict):
        return all(_finite(part) for part in value.values())
    if isinstance(value, list):
        return all(_finite(part) for part in value)
    return not isinstance(value, float) or math.isfinite(value)


def _face_to_json(face: Face) -> dict[str, Any]:
    document: dict[str, Any] = {
        "box": [round(edge, 4) for edge in face.box],
        "score": round(face.score, 4),
    }
    if face.age is not None:
        document["age"] = {"low": face.age.low, "high": face.age.high}
        if face.age.probability is not None:
            document["age"]["probability"] = round(face.age.probability, 4)
    return document


@dataclass(frozen=True, kw_only=True)
class Rule:
    """The one comparison that decided."""

    #: The measure, as ``Signals.measures`` names it.
    name: str
    #: None when it was not measured, or not sensibly.
    value: float | None
    bound: float | None

    def __str__(self) -> str:
        """Give it in words, for people who ask why."""
        if self.value is None or self.bound is None:
            return f"{self.name} was not measured"
        side = "above" if self.value > self.bound else "below"
        return f"{self.name} is {self.value:.4g}, {side} {self.bound:.4g}"


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
    #: Why it is off, or on only in part; None when it is on.
    why: str | None = None


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A photo's verdict with everything that explains it."""

    photo_id: str
    verdict: Verdict
    signals: Signals = field(default_factory=Signals)
    #: One line, set only when automatic moderation could not finish.
    error: str | None = None

    def scores(self) -> dict[str, Any]:
        """Give the ``moderation_scores`` document."""
        document = self.signals.to_json()
        if self.verdict.policy is not None:
            document["policy"] = self.verdict.policy
        if self.verdict.detail is not None:
            document["detail"] = self.verdict.detail
        if self.verdict.rule is not None:
            rule = self.verdict.rule
            document["rule"] = {"name": rule.name, "value": rule.value, "bound": rule.bound}
        return document


@dataclass(frozen=True, kw_only=True)
class StoredObject:
    """What a photo store tells of an object without reading it."""

    size_bytes: int
    #: Opaque; changes whenever the bytes do.
    etag: str


@dataclass(frozen=True, kw_only=True)
class UploadTicket:
    """Everything a client needs to put one photo into the store."""

    url: str
    method: str
    #: To be sent exactly as they stand.
    headers: dict[str, str]
    bucket: str
    expires_in_s: int


@dataclass(frozen=True, kw_only=True)
class NewPhoto:
    """A photo as upload-complete accepts it."""

    file_key: str
    #: None when the store did not answer: the worker finds out.
    stored: StoredObject | None


@dataclass(frozen=True, kw_only=True)
class NewBatch:
    """One upload-complete call."""

    user_id: str
    user_name: str | None
    photos: tuple[NewPhoto, ...]
    #: Of the request, to be found again in every log line about the batch.
    correlation_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Batch:
    """A batch that was accepted, now or by an earlier call with the same keys."""

    id: str
    generation: int
    file_keys: tuple[str, ...]
    #: False when an earlier call made it.
    created: bool


@dataclass(frozen=True, kw_only=True)
class OpenPhoto:
    """A photo that waits for its verdict in this delivery."""

    id: str
    file_key: str
    #: As pinned by upload-complete; None when the store did not answer then.
    etag: str | None
    #: Attempts that began before this delivery and did not finish.
    unfinished_attempts: int


@dataclass(frozen=True, kw_only=True)
class OpenBatch:
    """A batch in a worker's hands."""

    id: str
    #: Names this delivery; a later one makes it stale.
    attempt_id: str
    user_id: str
    #: Of the request that handed it in.
    correlation_id: str | None
    accepted_at: datetime
    #: Least tried first; empty when nothing is left to do.
    photos: tuple[OpenPhoto, ...]


@dataclass(frozen=True, kw_only=True)
class Media:
    """A photo's row as people and clients see it."""

    id: str
    user_id: str
    user_name: str | None
    file_key: str
    status: Status
    reason: str | None
    scores: dict[str, Any] | None
    error: str | None
    batch_id: str | None
    #: ``sub`` of the moderator who decided; None for a machine's verdict.
    decided_by: str | None
    verified_by: str | None
    created_at: datetime
    moderated_at: datetime | None

    @property
    def rule(self) -> Rule | None:
        """What decided, as the scores keep it; None when no rule did."""
        rule = (self.scores or {}).get("rule")
        return None if rule is None else Rule(**rule)


@dataclass(frozen=True, kw_only=True)
class UserSummary:
    """A user's photos, counted. The four states add up to ``total_photos``."""

    total_photos: int
    approved: int
    #: Waiting for the machine or, by the policy, for a person.
    pending: int
    rejected: int
    #: Waiting for a person because automatic moderation could not finish.
    failed: int
    pending_batches: int
    last_moderated_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class DayStats:
    """Verdicts of the last 24 hours."""

    total: int
    approved: int
    rejected: int
    failed: int
    rejection_reasons: dict[str, int]
    #: Photos that wait for the machine now, however old.
    pending_media: int
    #: Age of the oldest batch that is not finished; None when there is none.
    oldest_age_s: float | None


@dataclass(frozen=True, kw_only=True)
class WorkerInfo:
    """A worker that announced itself lately."""

    id: str
    host: str
    pid: int
    #: sha256 of its model.
    model: str
    #: ``name@version`` of the policy that it decides by.
    policy: str
    gates: tuple[Gate, ...]
    started_at: datetime
    seen_at: datetime
    last_photo_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """A job in a worker's hands until it is acknowledged or its time runs out."""

    job_id: str
    #: Names this very delivery; a later one of the same job makes it stale.
    token: str
    body: str
    #: 1 for the first delivery.
    receive_count: int
    sent_at: datetime


@dataclass(frozen=True, kw_only=True)
class QueueStats:
    """Jobs by state."""

    visible: int
    in_flight: int
    delayed: int
    dead: int


@dataclass(frozen=True, kw_only=True)
class UnfinishedBatch:
    """A batch with photos that went to a person because moderation could not finish."""

    batch_id: str
    #: How many of its photos wait like that.
    photos: int
    deliveries: int
    error: str
    concluded_at: datetime


@dataclass(frozen=True, kw_only=True)
class DeadJob:
    """A job that was delivered too often."""

    job_id: str
    body: str
    receive_count: int
    last_error: str | None
