"""Makes the copies of photos that were judged: the only pictures that anybody is shown.

Each attempt is counted before the bytes are touched, so that a photo which ends its worker goes to
a person after a few. What fails outside of the photo is tried again by the outbox.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable
from typing import Protocol

from photogate.domain import Deadline, UncopiedPhoto
from photogate.domain.changes import withheld
from photogate.domain.object_keys import COPY_SUFFIXES, copy_key, is_kept, kept_key
from photogate.errors import (
    CannotCopy,
    ConfigError,
    NotFound,
    PhotoChanged,
    PhotogateError,
    PhotoRefused,
    RetryableError,
)
from photogate.messages import CopyJob
from photogate.ports.photos import PhotoStore
from photogate.ports.records import Changes, Copies
from photogate.ports.vision import CopyMaker

logger = logging.getLogger(__name__)

#: A photo whose attempts ended this often without copies goes to a person.
MAX_ATTEMPTS = 3
#: A photo is begun while this much is left (reading, decoding twice, three times writing), and ends
#: that long before the process is stopped from outside. Of a short lease both are shares.
_BEGIN_S, _SPARE_S = 10.0, 2.0
_BEGIN_SHARE, _SPARE_SHARE = 0.2, 0.05
#: Until a part that failed is asked again.
_PUT_OFF_S = 20.0


class CopyWatcher(Protocol):
    """Is told what happens, for logs and metrics. What it does changes nothing."""

    def copies_made(self, photo_id: str, *, size_bytes: int, duration_ms: float) -> None:
        """All copies of a photo are there: their bytes together, and how long it took."""

    def copies_put_off(self, photo_id: str, why: str) -> None:
        """Something outside of the photo failed: they are due again later."""

    def copies_impossible(self, photo_id: str, why: str) -> None:
        """No copy can be made: a person looks at what the machine approved."""


class Copying:
    """The use case behind jobs of the kind ``copies``.

    Args:
        lease_s: how long a job may take; no other delivery works on a photo so long.
        max_bytes: larger originals are not read.
        watcher: told of what happens, for logs and metrics.
    """

    def __init__(
        self,
        *,
        copies: Copies,
        changes: Changes,
        store: PhotoStore,
        maker: CopyMaker,
        lease_s: float,
        max_bytes: int,
        watcher: CopyWatcher,
    ) -> None:
        self._copies = copies
        self._changes = changes
        self._store = store
        self._maker = maker
        self._max_bytes = max_bytes
        self._watcher = watcher
        self._lease_s = lease_s
        self._begin_s = min(_BEGIN_S, _BEGIN_SHARE * lease_s)
        self._spare_s = min(_SPARE_S, _SPARE_SHARE * lease_s)

    def run(self, job: CopyJob, *, time_left_s: Callable[[], float]) -> None:
        """Make the copies of each photo that still wants them.

        May be called again at any time. What could not be done is due again later.

        Raises:
            RetryableError: the database does not answer.
        """
        for photo_id in job.photo_ids:
            if time_left_s() < self._begin_s:
                return  # the others are due again by themselves
            # One at a time: what ends this process counts for the one that did it.
            for photo in self._copies.begin([photo_id], lease_s=self._lease_s):
                try:
                    self._copy(photo, Deadline.after(time_left_s() - self._spare_s))
                except RetryableError as error:
                    self._copies.put_off([photo.id], for_s=_PUT_OFF_S)
                    self._watcher.copies_put_off(photo.id, str(error))
                    return
                except PhotogateError as error:
                    self._give_up(photo, str(error))
                except Exception:
                    # Unexpected: the attempt stays counted, like a crash.
                    logger.exception("copies of photo %s could not be made", photo.id)

    def _copy(self, photo: UncopiedPhoto, deadline: Deadline) -> None:
        began = time.perf_counter()
        if photo.attempts > MAX_ATTEMPTS:
            raise CannotCopy(f"{photo.attempts - 1} attempts at copies ended without an answer")
        data, sha256 = self._original(photo, deadline)
        try:
            made = self._maker.copies(data, deadline)
        except ConfigError as error:
            raise RetryableError(str(error)) from error
        original_key = photo.original_key
        if not is_kept(original_key):
            original_key = kept_key(photo.id, sha256)
            self._store.put(
                original_key,
                data,
                content_type="application/octet-stream",
                deadline=deadline,
            )
        keys = []
        for copy in made:
            suffix = COPY_SUFFIXES[copy.format]
            key = copy_key(copy.name, photo.id, sha256, suffix=suffix)
            self._store.put(key, copy.data, content_type=copy.content_type, deadline=deadline)
            keys.append(key)
        if not self._copies.made(photo.id, display_key=keys[0], original_key=original_key):
            # Deleted meanwhile: what was just put must not stay.
            for key in [*keys, original_key]:
                self._store.delete(key)
            return
        self._watcher.copies_made(
            photo.id,
            size_bytes=sum(len(copy.data) for copy in made),
            duration_ms=(time.perf_counter() - began) * 1000,
        )

    def _original(self, photo: UncopiedPhoto, deadline: Deadline) -> tuple[bytes, str]:
        """Read the bytes that were judged, and their sha256."""
        try:
            data = self._store.get(
                photo.original_key, etag=photo.etag, max_bytes=self._max_bytes, deadline=deadline
            )
        except (NotFound, PhotoChanged, PhotoRefused) as error:
            raise CannotCopy(f"its original cannot be read: {error}") from error
        sha256 = hashlib.sha256(data).hexdigest()
        if photo.sha256 is not None and sha256 != photo.sha256:
            raise CannotCopy("its original is not what was judged")
        return data, sha256

    def _give_up(self, photo: UncopiedPhoto, why: str) -> None:
        self._changes.make([withheld(photo.id, error=f"no copy can be shown: {why}")])
        self._copies.abandon(photo.id)
        self._watcher.copies_impossible(photo.id, why)
