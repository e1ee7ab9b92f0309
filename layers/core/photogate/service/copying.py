"""Makes the copies of photos that were judged: the only pictures that anybody is shown.

Each attempt is counted before the bytes are touched, so that a photo which ends its worker goes to
a person after a few. One that fails while others work is tried again, each time later, and goes to
a person after ``MAX_FAILURES``. While the store is down nothing is counted.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from photogate.domain import Deadline, UncopiedPhoto
from photogate.domain.changes import withheld
from photogate.domain.object_keys import COPY_SUFFIXES, copy_key, is_kept
from photogate.errors import (
    CannotCopy,
    ConfigError,
    DatabaseUnavailable,
    NotFound,
    PartUnavailable,
    PhotoChanged,
    PhotogateError,
    PhotoRefused,
    RetryableError,
)
from photogate.messages import CopyJob
from photogate.ports.photos import Store
from photogate.ports.records import Changes, Copies
from photogate.ports.vision import CopyMaker
from photogate.service.attempts import MAX_ATTEMPTS, MAX_FAILURES, Margins, backoff_s
from photogate.service.originals import Original
from photogate.service.outages import Guard, working_on

logger = logging.getLogger(__name__)

#: Until a part that is down is asked again.
_PUT_OFF_S = 20.0


class CopyWatcher(Protocol):
    """Is told what happens, for logs and metrics. What it does changes nothing."""

    def copies_made(self, photo_id: str, *, size_bytes: int, duration_ms: float) -> None:
        """All copies of a photo are there: their bytes together, and how long it took."""

    def copies_put_off(self, photo_id: str, why: str) -> None:
        """The store is down, or one call for this photo failed: they are due again later."""

    def copies_impossible(self, photo_id: str, why: str) -> None:
        """No copy can be made: a person looks."""


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
        store: Store,
        maker: CopyMaker,
        lease_s: float,
        max_bytes: int,
        watcher: CopyWatcher,
    ) -> None:
        self._copies = copies
        self._changes = changes
        self._store = store
        # Apart, for a full disk can be read: what is read would hide that nothing can be written.
        self._reading, self._writing = Guard("storage", store), Guard("storage", store)
        self._maker = maker
        self._max_bytes = max_bytes
        self._watcher = watcher
        self._lease_s = lease_s
        self._margins = Margins.of(lease_s)

    def run(self, job: CopyJob, *, time_left_s: Callable[[], float]) -> None:
        """Make the copies of each photo that still wants them.

        May be called again at any time. What could not be done is due again later.

        Raises:
            RetryableError: the database does not answer.
        """
        for place, photo_id in enumerate(job.photo_ids):
            if time_left_s() < self._margins.begin_s:
                self._leave(job.photo_ids[place:], for_s=0)
                return
            if self._reading.outage() or self._writing.outage():
                self._leave(job.photo_ids[place:], for_s=_PUT_OFF_S)
                return
            # One at a time: what ends this process counts for the one that did it.
            for photo in self._copies.begin([photo_id], lease_s=self._lease_s):
                deadline = Deadline.after(time_left_s() - self._margins.spare_s)
                if not self._copied_or_counted(photo, deadline):
                    self._leave(job.photo_ids[place + 1 :], for_s=_PUT_OFF_S)
                    return

    def _copied_or_counted(self, photo: UncopiedPhoto, deadline: Deadline) -> bool:
        """Make one photo's copies; False when a part is down, so that no other's can be made."""
        try:
            with working_on(photo.id):
                self._copy(photo, deadline)
        except (PartUnavailable, DatabaseUnavailable) as error:
            self._copies.put_off([photo.id], for_s=_PUT_OFF_S)
            self._watcher.copies_put_off(photo.id, str(error))
            return False
        except RetryableError as error:
            failures = photo.failures + 1
            if failures >= MAX_FAILURES:
                self._give_up(photo, f"{failures} attempts failed, the last one so: {error}")
            else:
                self._copies.failed(photo.id, for_s=backoff_s(failures))
                self._watcher.copies_put_off(photo.id, str(error))
        except PhotogateError as error:
            self._give_up(photo, str(error))
        except Exception:
            # Unexpected: the attempt stays counted, like a crash.
            logger.exception("copies of photo %s could not be made", photo.id)
        return True

    def _leave(self, photo_ids: Sequence[str], *, for_s: float) -> None:
        """Let the rest of a job be due again soon, uncounted; else they wait for minutes."""
        if begun := self._copies.begin(photo_ids, lease_s=self._lease_s):
            self._copies.put_off([photo.id for photo in begun], for_s=for_s)

    def _copy(self, photo: UncopiedPhoto, deadline: Deadline) -> None:
        began = time.perf_counter()
        if photo.attempts > MAX_ATTEMPTS:
            raise CannotCopy(f"{photo.attempts - 1} attempts at copies ended without an answer")
        original = self._original(photo, deadline)
        try:
            made = self._maker.copies(original.data, deadline)
        except ConfigError as error:
            raise RetryableError(str(error)) from error
        original_key = photo.original_key
        if not is_kept(original_key):
            original_key = original.key
            self._written(partial(original.keep, self._store, deadline), deadline)
        keys = []
        for copy in made:
            suffix = COPY_SUFFIXES[copy.format]
            key = copy_key(copy.name, photo.id, original.sha256, suffix=suffix)
            put = partial(self._store.put, key, copy.data, content_type=copy.content_type)
            self._written(partial(put, deadline=deadline), deadline)
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

    def _written(self, write: Callable[[], None], deadline: Deadline) -> None:
        self._writing.call(write, deadline=deadline)

    def _original(self, photo: UncopiedPhoto, deadline: Deadline) -> Original:
        """Read the bytes that were judged."""
        try:
            data = self._reading.call(
                lambda: self._store.get(
                    photo.original_key,
                    etag=photo.etag,
                    max_bytes=self._max_bytes,
                    deadline=deadline,
                ),
                deadline=deadline,
            )
        except (NotFound, PhotoChanged, PhotoRefused) as error:
            raise CannotCopy(f"its original cannot be read: {error}") from error
        original = Original(photo_id=photo.id, data=data)
        if photo.sha256 is not None and original.sha256 != photo.sha256:
            raise CannotCopy("its original is not what was judged")
        return original

    def _give_up(self, photo: UncopiedPhoto, why: str) -> None:
        self._changes.make([withheld(photo.id, error=f"no copy can be shown: {why}")])
        self._copies.abandon(photo.id)
        self._watcher.copies_impossible(photo.id, why)
