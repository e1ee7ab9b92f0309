"""Photos in memory, behind URLs that only this store reads."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode
from uuid import uuid4

from photogate.adapters.memory.database import Clock
from photogate.domain import NEVER, Deadline, Reason, StoredObject, UploadTicket
from photogate.domain.object_keys import may_be_uploaded, may_be_viewed
from photogate.errors import (
    Forbidden,
    InvalidRequest,
    NotFound,
    OutOfTime,
    PhotoChanged,
    PhotoRefused,
)


@dataclass(frozen=True, kw_only=True)
class _Grant:
    method: str
    key: str
    expires_at: datetime
    content_type: str | None = None
    size_bytes: int | None = None


class MemoryPhotoStore:
    """The ``PhotoStore`` port. ``upload`` and ``view`` are what HTTP is to the other stores."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or Clock()
        self._lock = threading.Lock()
        self._grants: dict[str, _Grant] = {}
        #: Type and bytes by key.
        self._objects: dict[str, tuple[str, bytes]] = {}

    def put(
        self,
        key: str,
        data: bytes,
        *,
        content_type: str = "image/jpeg",
        deadline: Deadline = NEVER,
    ) -> None:
        """See ``photogate.ports.photos.PhotoStore.put``."""
        if deadline.passed:
            raise OutOfTime(f"there is no time left to write {key}")
        with self._lock:
            self._objects[key] = (content_type, data)

    def presign_put(
        self, key: str, *, content_type: str, size_bytes: int | None, expires_in_s: int
    ) -> UploadTicket:
        """See ``photogate.ports.photos.PhotoStore.presign_put``."""
        if not may_be_uploaded(key):
            raise Forbidden("no URL is given for PUT of this object")
        headers = {"Content-Type": content_type}
        if size_bytes is not None:
            headers["Content-Length"] = str(size_bytes)
        grant = _Grant(
            method="PUT",
            key=key,
            expires_at=self._until(expires_in_s),
            content_type=content_type,
            size_bytes=size_bytes,
        )
        return UploadTicket(
            url=self._sign(grant),
            method="PUT",
            headers=headers,
            bucket="memory",
            expires_in_s=expires_in_s,
        )

    def presign_get(self, key: str, *, expires_in_s: int) -> str:
        """See ``photogate.ports.photos.PhotoStore.presign_get``."""
        if not may_be_viewed(key):
            raise Forbidden("no URL is given for GET of this object")
        return self._sign(_Grant(method="GET", key=key, expires_at=self._until(expires_in_s)))

    def upload(self, url: str, body: bytes, *, content_type: str | None) -> StoredObject:
        """Do what a client's PUT does.

        Raises:
            Forbidden: an unknown URL, one for something else, or one past its time.
            InvalidRequest: another type or size than was signed.
        """
        grant = self._granted("PUT", url)
        if content_type is None or content_type != grant.content_type:
            raise InvalidRequest(f"Content-Type must be {grant.content_type}")
        if grant.size_bytes not in (None, len(body)):
            raise InvalidRequest(f"the body must have {grant.size_bytes} bytes")
        self.put(grant.key, body, content_type=content_type)
        return _describe(body)

    def view(self, url: str) -> tuple[str, bytes]:
        """Do what a client's GET does; gives type and bytes.

        Raises:
            Forbidden: as ``upload``.
            NotFound: there is no such object.
        """
        return self._object(self._granted("GET", url).key)

    def head(self, key: str) -> StoredObject | None:
        """See ``photogate.ports.photos.PhotoStore.head``."""
        found = self._objects.get(key)
        return None if found is None else _describe(found[1])

    def get(
        self, key: str, *, etag: str | None, max_bytes: int, deadline: Deadline = NEVER
    ) -> bytes:
        """See ``photogate.ports.photos.PhotoStore.get``."""
        if deadline.passed:
            raise OutOfTime(f"there is no time left to read {key}")
        _, body = self._object(key)
        if len(body) > max_bytes:
            raise PhotoRefused(
                f"{len(body)} bytes; at most {max_bytes}", reason=Reason.TOO_LARGE.value
            )
        if etag is not None and _describe(body).etag != etag:
            raise PhotoChanged(f"{key} is not what upload-complete accepted")
        return body

    def delete(self, key: str) -> None:
        """See ``photogate.ports.photos.PhotoStore.delete``."""
        with self._lock:
            self._objects.pop(key, None)

    def check(self) -> dict[str, Any]:
        """Answer a health probe."""
        return {"kind": "memory"}

    def _object(self, key: str) -> tuple[str, bytes]:
        with self._lock:
            if key not in self._objects:
                raise NotFound(f"there is no object {key}")
            return self._objects[key]

    def _until(self, expires_in_s: int) -> datetime:
        return self._clock.now() + timedelta(seconds=expires_in_s)

    def _sign(self, grant: _Grant) -> str:
        query: dict[str, object] = {
            "expires": int(grant.expires_at.timestamp()),
            "signature": uuid4().hex,
        }
        if grant.size_bytes is not None:
            query["size"] = grant.size_bytes
        url = f"memory://photos/{quote(grant.key, safe='/~')}?{urlencode(query)}"
        with self._lock:
            self._grants[url] = grant
        return url

    def _granted(self, method: str, url: str) -> _Grant:
        grant = self._grants.get(url)
        if grant is None or grant.method != method:
            raise Forbidden("this URL was never given out for that")
        if grant.expires_at < self._clock.now():
            raise Forbidden("this URL has expired")
        return grant


def _describe(body: bytes) -> StoredObject:
    return StoredObject(size_bytes=len(body), etag=hashlib.sha256(body).hexdigest()[:32])
