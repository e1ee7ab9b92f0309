"""Photos as files in a folder, behind URLs that this installation signs and serves itself.

``local.files`` is the HTTP side. Signatures survive a restart as long as the secret does.
"""

from __future__ import annotations

import filecmp
import hashlib
import hmac
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, BinaryIO, cast
from urllib.parse import quote, urlencode

from photogate.domain import NEVER, Deadline, Reason, StoredObject, UploadTicket
from photogate.domain.object_keys import may_be_uploaded, may_be_viewed
from photogate.errors import (
    ConfigError,
    Conflict,
    Forbidden,
    InvalidRequest,
    NotFound,
    OutOfTime,
    PhotoChanged,
    PhotoRefused,
    StorageUnavailable,
)

#: Path under which the URLs are served.
MOUNT = "/files"
#: Begins the names of files that are not complete; no key begins so.
_PART = ".part-"

_SAFE_KEY = re.compile(r"[A-Za-z0-9_~-][A-Za-z0-9._~-]*(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*")


@dataclass(frozen=True, kw_only=True)
class Grant:
    """What a signed URL allows."""

    method: str
    key: str
    #: For a PUT: the type and, when it was given, the exact size that were signed.
    content_type: str | None = None
    size_bytes: int | None = None


class FilePhotoStore:
    """The ``PhotoStore`` port on a folder.

    Args:
        root: made when it is missing.
        public_url: where clients reach ``local.files``, e.g. ``http://127.0.0.1:8000``.
        secret: signs the URLs; 32 bytes or more. None for processes that sign none.
    """

    def __init__(self, root: Path, *, public_url: str, secret: str | None) -> None:
        self._root = root
        self._public_url = public_url.rstrip("/")
        self._secret = secret and hmac.digest(secret.encode(), b"photogate file urls 1", "sha256")

    def presign_put(
        self, key: str, *, content_type: str, size_bytes: int | None, expires_in_s: int
    ) -> UploadTicket:
        """See ``photogate.ports.photos.PhotoStore.presign_put``."""
        _check("PUT", key)
        grant = Grant(method="PUT", key=key, content_type=content_type, size_bytes=size_bytes)
        headers = {"Content-Type": content_type}
        if size_bytes is not None:
            headers["Content-Length"] = str(size_bytes)
        return UploadTicket(
            url=self._sign(grant, expires_in_s),
            method="PUT",
            headers=headers,
            bucket=self._root.name,
            expires_in_s=expires_in_s,
        )

    def presign_get(self, key: str, *, expires_in_s: int) -> str:
        """See ``photogate.ports.photos.PhotoStore.presign_get``."""
        _check("GET", key)
        return self._sign(Grant(method="GET", key=key), expires_in_s)

    def verify(self, method: str, key: str, query: Mapping[str, str]) -> Grant:
        """Check a request against its URL's signature.

        Raises:
            Forbidden: forged, altered, for another method, or past its time; or signed by an
                earlier version for what may no longer be read or written.
        """
        grant = Grant(
            method="GET" if method == "HEAD" else method,
            key=key,
            content_type=query.get("type"),
        )
        size, expires = query.get("size", ""), query.get("expires", "")
        expected = self._mac(grant, size, expires)
        if not hmac.compare_digest(expected.encode(), query.get("signature", "").encode()):
            raise Forbidden("this URL's signature does not match")
        # From here on these are numbers that we wrote ourselves.
        if int(expires) < time.time():
            raise Forbidden("this URL has expired")
        _check(grant.method, key)
        return replace(grant, size_bytes=int(size)) if size else grant

    def receive(
        self, grant: Grant, body: bytes | bytearray, *, content_type: str | None
    ) -> StoredObject:
        """Store a client's upload that is in memory; see ``keep``."""
        with self.part() as part:
            part.write(body)
            return self.keep(grant, part, content_type=content_type)

    @contextmanager
    def part(self) -> Iterator[BinaryIO]:
        """Give an empty file for an upload; it is gone afterwards, unless it was kept.

        Raises:
            StorageUnavailable: the disk is full or fails, also while it is written to.
        """
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            with NamedTemporaryFile(dir=self._root, prefix=_PART) as part:
                yield cast(BinaryIO, part)
        except OSError as error:
            raise StorageUnavailable(f"cannot store the photo: {error.strerror}") from error

    def remove_parts(self, *, older_than_s: float) -> None:
        """Remove what was being written when its process was killed."""
        for part in self._root.glob(f"{_PART}*"):
            with suppress(OSError):
                if part.stat().st_mtime < time.time() - older_than_s:
                    part.unlink()

    def keep(self, grant: Grant, part: BinaryIO, *, content_type: str | None) -> StoredObject:
        """Store a client's upload that was written to ``part``.

        Write-once: what was looked at is what stays.

        Raises:
            InvalidRequest: another type or size than was signed.
            Conflict: other bytes are already there.
            StorageUnavailable: the disk is full or fails.
        """
        size = part.tell()
        if content_type != grant.content_type:
            raise InvalidRequest(f"Content-Type must be {grant.content_type}")
        if grant.size_bytes is not None and size != grant.size_bytes:
            raise InvalidRequest(f"the body must have {grant.size_bytes} bytes")
        path = self._path(grant.key)
        path.parent.mkdir(parents=True, exist_ok=True)
        part.flush()
        os.fsync(part.fileno())
        try:
            os.link(part.name, path)
        except FileExistsError:
            if not filecmp.cmp(part.name, path, shallow=False):
                raise Conflict("another photo is already there", file_keys=(grant.key,)) from None
        _sync(path.parent)
        with path.open("rb") as stored:
            etag = _shortened(hashlib.file_digest(stored, "sha256"))
        return StoredObject(size_bytes=size, etag=etag)

    def put(
        self,
        key: str,
        data: bytes,
        *,
        content_type: str,  # noqa: ARG002 - of the port; the key's suffix tells it
        deadline: Deadline = NEVER,
    ) -> None:
        """See ``photogate.ports.photos.PhotoStore.put``."""
        if deadline.passed:
            raise OutOfTime(f"there is no time left to write {key}")
        path = self._path(key)
        try:
            # In the root like an upload, where ``remove_parts`` finds it should this process die.
            path.parent.mkdir(parents=True, exist_ok=True)
            with NamedTemporaryFile(dir=self._root, prefix=_PART, delete=False) as part:
                try:
                    part.write(data)
                    part.flush()
                    os.fsync(part.fileno())
                    os.replace(part.name, path)  # noqa: PTH105 - a name, not a Path
                finally:
                    Path(part.name).unlink(missing_ok=True)
            _sync(path.parent)
        except OSError as error:
            raise StorageUnavailable(f"cannot store the photo: {error.strerror}") from error

    def head(self, key: str) -> StoredObject | None:
        """See ``photogate.ports.photos.PhotoStore.head``."""
        try:
            data = self._path(key).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StorageUnavailable(f"cannot read {key}: {error.strerror}") from error
        return StoredObject(size_bytes=len(data), etag=_etag(data))

    def get(
        self,
        key: str,
        *,
        etag: str | None,
        max_bytes: int,
        deadline: Deadline = NEVER,  # noqa: ARG002 - of the port
    ) -> bytes:
        """See ``photogate.ports.photos.PhotoStore.get``; a disk has no deadline."""
        path = self._path(key)
        try:
            size = path.stat().st_size
            if size > max_bytes:
                raise PhotoRefused(
                    f"{size} bytes; at most {max_bytes}", reason=Reason.TOO_LARGE.value
                )
            data = path.read_bytes()
        except FileNotFoundError as error:
            raise NotFound(f"there is no object {key}") from error
        except OSError as error:
            raise StorageUnavailable(f"cannot read {key}: {error.strerror}") from error
        if etag is not None and _etag(data) != etag:
            raise PhotoChanged(f"{key} is not what upload-complete accepted")
        return data

    def delete(self, key: str) -> None:
        """See ``photogate.ports.photos.PhotoStore.delete``."""
        try:
            self._path(key).unlink(missing_ok=True)
        except NotFound:
            return  # of an adopted row: no such object can be here
        except OSError as error:
            raise StorageUnavailable(f"cannot delete {key}: {error.strerror}") from error

    def check(self) -> dict[str, Any]:
        """Answer a health probe by writing and removing a file."""
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            with NamedTemporaryFile(dir=self._root, prefix=".probe-"):
                pass
        except OSError as error:
            raise StorageUnavailable(f"cannot write to {self._root}: {error.strerror}") from error
        return {"kind": "files"}

    def path(self, key: str) -> Path:
        """Give the file of an object, for serving it.

        Raises:
            NotFound: there is none.
        """
        path = self._path(key)
        if not path.is_file():
            raise NotFound(f"there is no object {key}")
        return path

    def _path(self, key: str) -> Path:
        if not _SAFE_KEY.fullmatch(key):
            raise NotFound(f"there is no object {key!r}")
        return self._root / key

    def _sign(self, grant: Grant, expires_in_s: int) -> str:
        expires = str(int(time.time()) + expires_in_s)
        size = "" if grant.size_bytes is None else str(grant.size_bytes)
        query = {"expires": expires, "signature": self._mac(grant, size, expires)}
        if grant.content_type is not None:
            query["type"] = grant.content_type
        if size:
            query["size"] = size
        return f"{self._public_url}{MOUNT}/{quote(grant.key, safe='/~')}?{urlencode(query)}"

    def _mac(self, grant: Grant, size: str, expires: str) -> str:
        if not self._secret:
            raise ConfigError("PHOTOS_URL_SECRET is not set: this process signs no URLs")
        parts = (grant.method, grant.key, grant.content_type or "", size, expires)
        return hmac.digest(self._secret, "\0".join(parts).encode(), "sha256").hex()


def _sync(folder: Path) -> None:
    """Wait until the disk has the folder's names for good."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _check(method: str, key: str) -> None:
    """Hold a key against what URLs are ever signed for."""
    if not (may_be_uploaded(key) if method == "PUT" else may_be_viewed(key)):
        raise Forbidden(f"no URL is given for {method} of this object")


def _etag(data: bytes | bytearray) -> str:
    return _shortened(hashlib.sha256(data))


def _shortened(digest: hashlib._Hash) -> str:
    return digest.hexdigest()[:32]
