"""Where photos are kept."""

from __future__ import annotations

from typing import Protocol

from photogate.domain import NEVER, Deadline, StoredObject, UploadTicket
from photogate.ports.probe import Probe


class PhotoStore(Protocol):
    """Keeps photos by key. The HTTP side of its URLs is reached by clients directly."""

    def presign_put(
        self, key: str, *, content_type: str, size_bytes: int | None, expires_in_s: int
    ) -> UploadTicket:
        """Sign one upload of ``key``; the type and, when given, the exact size are bound.

        Raises:
            Forbidden: clients may not put there, whoever asks; see ``may_be_uploaded``.
        """

    def presign_get(self, key: str, *, expires_in_s: int) -> str:
        """Sign one reading of ``key``; says nothing about whether it exists.

        Raises:
            Forbidden: it is not for anybody's eyes, whoever asks; see ``may_be_viewed``.
        """

    def head(self, key: str) -> StoredObject | None:
        """Describe the object, or None when there is none."""

    def get(
        self, key: str, *, etag: str | None, max_bytes: int, deadline: Deadline = NEVER
    ) -> bytes:
        """Read the whole object, by the deadline or not at all.

        Raises:
            OutOfTime: the deadline passed; says nothing about the store.
            NotFound: there is none.
            PhotoChanged: ``etag`` is given and is no longer the object's.
            PhotoRefused: it has more than ``max_bytes`` bytes (reason ``too_large``).
        """

    def put(self, key: str, data: bytes, *, content_type: str, deadline: Deadline = NEVER) -> None:
        """Write the whole object, or nothing; replaces what is there.

        When it returns, the object is there for good. May be called again.

        Raises:
            OutOfTime: the deadline passed; says nothing about the store.
            StorageUnavailable: it could not be written; what was there may still be.
        """

    def delete(self, key: str) -> None:
        """Remove the object; nothing happens when there is none."""


class Store(PhotoStore, Probe, Protocol):
    """A photo store that can be probed: what an adapter gives to ``bootstrap``."""
