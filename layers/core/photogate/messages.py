"""The job that travels through the queue: one per batch, ``{"v":1,"batch_id":…,"generation":n}``.

The database holds everything else, so a job can be lost, doubled or late without harm.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

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
        return json.dumps(
            {"v": VERSION, "batch_id": self.batch_id, "generation": self.generation},
            separators=(",", ":"),
        )

    @classmethod
    def decode(cls, body: str) -> Job:
        """Read a body.

        Raises:
            InvalidRequest: it is not a job of a version that this code knows.
        """
        try:
            fields = json.loads(body)
            if fields["v"] != VERSION:
                raise InvalidRequest(f"job version {fields['v']!r} is not {VERSION}")
            batch_id, generation = fields["batch_id"], fields["generation"]
        except (ValueError, KeyError, TypeError) as error:
            raise InvalidRequest(f"not a moderation job: {body[:200]!r}") from error
        if not isinstance(batch_id, str) or not isinstance(generation, int):
            raise InvalidRequest(f"not a moderation job: {body[:200]!r}")
        return cls(batch_id=batch_id, generation=generation)
