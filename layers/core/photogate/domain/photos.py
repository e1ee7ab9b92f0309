"""Photos and batches, from their upload to what people see of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from photogate.domain.object_keys import COPIES, copies_of, is_kept, other_copy
from photogate.domain.verdicts import Rule, Status

#: How long rows of finished batches are kept, unless ``BATCH_DAYS`` says otherwise.
BATCH_DAYS = 90


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
    #: In which the user wants to be told; None for the usual one.
    language: str | None = None


@dataclass(frozen=True, kw_only=True)
class Batch:
    """A batch that was accepted, now or by an earlier call with the same keys."""

    id: str
    generation: int
    file_keys: tuple[str, ...]
    #: False when an earlier call made it.
    created: bool
    #: What its photos' owner is told of each now, where an earlier call made it.
    states: tuple[Status, ...] = ()


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
    """A batch that a worker has opened."""

    id: str
    #: Names this delivery; a later one makes it stale.
    attempt_id: str
    user_id: str
    #: Of the request that handed it in.
    correlation_id: str | None
    accepted_at: datetime
    #: Least tried first; empty when nothing is left to do.
    photos: tuple[OpenPhoto, ...]
    #: The part that was down at the delivery before this one.
    waited_for: str | None = None


@dataclass(frozen=True, kw_only=True)
class UncopiedPhoto:
    """A photo whose copies are to be made in this delivery."""

    id: str
    #: Where the bytes are.
    original_key: str
    #: Of an installation that kept no copies: the bytes are not ours yet.
    earlier_layout: bool
    #: What upload-complete saw; None where the bytes are ours, or the store did not answer then.
    etag: str | None
    #: sha256 of the bytes that were judged; None in rows that are older than this knowledge.
    sha256: str | None
    #: Attempts that began and did not end in an orderly way, with this one.
    attempts: int
    #: Attempts that ended with an error while others worked.
    failures: int


@dataclass(frozen=True, kw_only=True)
class Copy:
    """One copy of a photo, as it is stored."""

    #: One of ``photogate.domain.object_keys.COPIES``.
    name: str
    #: ``JPEG`` or ``WEBP``.
    format: str
    data: bytes

    @property
    def content_type(self) -> str:
        """Of the object."""
        return f"image/{self.format.lower()}"


@dataclass(frozen=True, kw_only=True)
class CopyProgress:
    """How many photos wait for their copies; each counted up to 10,000."""

    #: Judged, and a job is under way or to be sent.
    waiting: int
    #: Of an installation that kept no copies; their originals are shown until then.
    earlier: int


@dataclass(frozen=True, kw_only=True)
class PhotoRow:
    """A photo's row as people and clients see it."""

    id: str
    user_id: str
    user_name: str | None
    #: What the client handed in.
    file_key: str
    #: The bytes that were judged, or are to be; None once they were removed.
    original_key: str | None
    #: The copy that others may see once the photo is approved; None until it was made.
    display_key: str | None
    #: Of an installation that kept no copies: its original is shown until its copies are made.
    earlier_layout: bool
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
    #: Among the photos that were handed in together, from 0.
    display_order: int
    #: Withheld for suspected abuse of a child: there is no copy of it that anybody may see.
    held: bool = False
    #: A verdict of it came from a marker, once: it is in no figure.
    test: bool = False

    @property
    def shown_key(self) -> str | None:
        """The object that others may see; None while there is none."""
        if self.held or self.status is not Status.APPROVED:
            return None
        return self.original_key if self.earlier_layout else self.display_key

    @property
    def object_keys(self) -> tuple[str, ...]:
        """All objects that may be there of it."""
        keys = [self.file_key]
        if self.original_key is not None and self.original_key != self.file_key:
            keys.append(self.original_key)
            if is_kept(self.original_key):
                keys.extend(copies_of(self.original_key))
        elif self.display_key is not None:
            keys.extend(other_copy(self.display_key, name) for name in COPIES)
        return tuple(keys)

    @property
    def told_status(self) -> Status:
        """The state that its owner is told: approved means that it can be seen."""
        if self.status is Status.APPROVED and self.shown_key is None:
            return Status.PENDING
        return self.status

    @property
    def rule(self) -> Rule | None:
        """What decided, as the scores keep it; None when no rule did."""
        rule = (self.scores or {}).get("rule")
        return None if rule is None else Rule.from_json(rule)

    @property
    def marker(self) -> str | None:
        """What the marker says that gave the machine's verdict; None when a policy gave it."""
        return (self.scores or {}).get("marker")


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
