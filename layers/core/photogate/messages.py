"""The jobs that travel through the queue.

The database holds everything else, so a job can be lost, doubled or late without harm.

- ``{"v":1,"batch_id":…,"generation":n}``: give the photos of a batch their verdicts.
- ``{"v":1,"do":"copies","photo_ids":[…]}``: make the copies of photos.
- ``{"v":1,"do":"notices"}``: hand over what people and backends are to be told.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from photogate.errors import InvalidRequest

VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Job:
    """Moderate the open photos of one batch."""

    batch_id: str
    #: Raised when photos are moderated anew; a job of an older one finds nothing to do.
    generation: int

    def encode(self) -> str:
        """Give the body that every queue carries."""
        return _encode({"batch_id": self.batch_id, "generation": self.generation})

    @classmethod
    def decode(cls, body: str) -> Job:
        """Read a body.

        Raises:
            InvalidRequest: it is no such job, or not of a version that this code knows.
        """
        job = decode(body)
        if not isinstance(job, Job):
            raise _unknown(body)
        return job


@dataclass(frozen=True, kw_only=True)
class CopyJob:
    """Make the copies of these photos; those that want none any more are skipped."""

    photo_ids: tuple[str, ...]

    def encode(self) -> str:
        """Give the body that every queue carries."""
        return _encode({"do": "copies", "photo_ids": self.photo_ids})


@dataclass(frozen=True, kw_only=True)
class NoticeJob:
    """Hand over what people and backends are to be told, where no process looks by itself."""

    def encode(self) -> str:
        """Give the body that every queue carries."""
        return _encode({"do": "notices"})


def decode(body: str) -> Job | CopyJob | NoticeJob:
    """Read a body.

    Raises:
        InvalidRequest: it is not a job of a version that this code knows.
    """
    try:
        fields = json.loads(body)
        if fields["v"] != VERSION:
            raise InvalidRequest(f"job version {fields['v']!r} is not {VERSION}")
        if fields.get("do") == "copies":
            ids = fields["photo_ids"]
            if isinstance(ids, list) and all(isinstance(id_, str) for id_ in ids):
                return CopyJob(photo_ids=tuple(ids))
        elif fields.get("do") == "notices":
            return NoticeJob()
        elif "do" not in fields:
            batch_id, generation = fields["batch_id"], fields["generation"]
            if isinstance(batch_id, str) and isinstance(generation, int):
                return Job(batch_id=batch_id, generation=generation)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _unknown(body) from error
    raise _unknown(body)


def _encode(fields: dict[str, Any]) -> str:
    return json.dumps({"v": VERSION, **fields}, separators=(",", ":"))


def _unknown(body: str) -> InvalidRequest:
    return InvalidRequest(f"not a moderation job: {body[:200]!r}")
