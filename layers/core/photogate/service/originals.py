"""The bytes that are judged, kept where no client can write: copies are made from nothing else."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

from photogate.domain import Deadline
from photogate.domain.object_keys import kept_key
from photogate.ports.photos import PhotoStore

#: Whatever a client says that they are.
_CONTENT_TYPE = "application/octet-stream"


@dataclass(frozen=True, kw_only=True)
class Original:
    """The bytes of a photo as a worker read them."""

    photo_id: str
    data: bytes

    @cached_property
    def sha256(self) -> str:
        """In hexadecimal digits."""
        return hashlib.sha256(self.data).hexdigest()

    @property
    def key(self) -> str:
        """Where they are kept. The same bytes have the same key."""
        return kept_key(self.photo_id, self.sha256)

    def keep(self, store: PhotoStore, deadline: Deadline) -> None:
        """Write them; may be done again.

        Raises:
            RetryableError: as ``PhotoStore.put``.
        """
        store.put(self.key, self.data, content_type=_CONTENT_TYPE, deadline=deadline)
