"""What users do: get an upload URL, hand photos in, read their status, delete one."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass

from photogate.domain import (
    Batch,
    NewBatch,
    NewPhoto,
    Page,
    PhotoRow,
    Principal,
    UploadTicket,
    UserSummary,
)
from photogate.domain.changes import withdrawn
from photogate.errors import Conflict, InvalidRequest, NotFound, RetryableError
from photogate.file_keys import SUFFIXES, FileKeys
from photogate.messages import Job
from photogate.ports.notices import Addresses
from photogate.ports.photos import PhotoStore
from photogate.ports.queue import JobSender
from photogate.ports.records import Changes, Intake, Outbox, Views
from photogate.service.changes import make_one
from photogate.service.deletion import remove_objects
from photogate.service.pages import place_of
from photogate.service.pictures import Picture, picture, url_of

logger = logging.getLogger(__name__)

#: Where a user's own photo is read that is not approved.
PHOTO_PATH = "/api/v1/users/media/{id}/photo"
#: Accepted only where workers read them: their decoder is an extra.
_HEIC_TYPES = ("image/heic", "image/heif")
#: As the predecessor's clients expect.
MAX_PHOTOS_PER_BATCH = 9
#: However many requests look photos up at once in a store that stalls: as long as one call does
#: then, which waits twice 3 s and up to a second between.
_LOOK_UP_WITHIN_S = 7.0


@dataclass(frozen=True, kw_only=True)
class UploadLimits:
    """What one user may upload."""

    #: Largest object, in bytes.
    max_bytes: int
    #: Photos in any 24 hours.
    photos_per_day: int
    #: How long an upload URL is good, at most 900 s.
    upload_url_s: int = 900
    #: Uploads of one user that may be under way at once: their URLs are out, and the photos were
    #: not handed in.
    open_uploads: int = 30
    #: Bytes of these; an upload whose size was not told counts as ``max_bytes``.
    open_bytes: int = 600_000_000
    #: How long the URLs in a status answer are good.
    view_url_s: int = 300
    #: Whether HEIC is accepted.
    heic: bool = False

    @property
    def content_types(self) -> tuple[str, ...]:
        """All that are accepted."""
        return tuple(kind for kind in SUFFIXES if self.heic or kind not in _HEIC_TYPES)


@dataclass(frozen=True, kw_only=True)
class UserStatus:
    """A user's photos, counted, and a page of them with URLs."""

    summary: UserSummary
    photos: list[tuple[PhotoRow, str]]
    #: Gives the next page; None when this is the last one.
    next_cursor: str | None


class Uploads:
    """The use cases behind ``functions/upload``. Thread-safe."""

    def __init__(
        self,
        *,
        keys: FileKeys,
        store: PhotoStore,
        intake: Intake,
        views: Views,
        changes: Changes,
        outbox: Outbox,
        sender: JobSender,
        addresses: Addresses,
        limits: UploadLimits,
    ) -> None:
        self._keys = keys
        self._store = store
        self._intake = intake
        self._views = views
        self._changes = changes
        self._outbox = outbox
        self._sender = sender
        self._addresses = addresses
        self._limits = limits
        self._heads = ThreadPoolExecutor(MAX_PHOTOS_PER_BATCH * 2, thread_name_prefix="head")

    def upload_url(
        self, user: Principal, *, content_type: str, size_bytes: int | None
    ) -> tuple[str, UploadTicket]:
        """Give a fresh key of this user and a signed request that fills it.

        Raises:
            InvalidRequest: a type or size that is not accepted.
            RateLimited: too many uploads of this user are under way.
        """
        if content_type not in self._limits.content_types:
            accepted = ", ".join(self._limits.content_types)
            raise InvalidRequest(
                f"content_type {content_type!r} is not accepted; use one of {accepted}"
            )
        if size_bytes is not None and not 0 < size_bytes <= self._limits.max_bytes:
            raise InvalidRequest(f"size must lie between 1 and {self._limits.max_bytes} bytes")
        key = self._keys.new(user.user_id, content_type)
        self._intake.issue(
            user.user_id,
            key,
            size_bytes=size_bytes or self._limits.max_bytes,
            expires_in_s=self._limits.upload_url_s,
            most_urls=self._limits.open_uploads,
            most_bytes=self._limits.open_bytes,
        )
        ticket = self._store.presign_put(
            key,
            content_type=content_type,
            size_bytes=size_bytes,
            expires_in_s=self._limits.upload_url_s,
        )
        return key, ticket

    def complete(
        self,
        user: Principal,
        file_keys: Sequence[str],
        *,
        correlation_id: str | None = None,
        language: str | None = None,
    ) -> Batch:
        """Accept 1 to 9 uploaded photos as one batch, all or nothing; safe to repeat.

        Returns once the photos are in the database, whether or not the queue answers.

        Args:
            language: in which the user is told of these photos; else as their token says.

        Raises:
            InvalidRequest: too many, none, or the same key twice.
            NotFound: a key that is not this user's.
            Conflict: keys of another batch, or objects that are not there.
            RateLimited: more photos than allowed in 24 hours.
        """
        if not 1 <= len(file_keys) <= MAX_PHOTOS_PER_BATCH:
            raise InvalidRequest(f"photos must hold 1 to {MAX_PHOTOS_PER_BATCH} entries")
        if len(set(file_keys)) != len(file_keys):
            raise InvalidRequest("photos holds the same file_key more than once")
        for key in file_keys:
            if not self._keys.owned(user.user_id, key):
                raise NotFound(f"there is no upload {key!r}")

        batch = self._intake.find(user.user_id, file_keys)
        if batch is None:
            photos = self._stored_photos(file_keys)
            # First, so that these photos are told of there as well.
            for channel, address in user.addresses:
                self._addresses.link(channel, user.user_id, address)
            batch = self._intake.accept(
                NewBatch(
                    user_id=user.user_id,
                    user_name=user.name,
                    photos=photos,
                    correlation_id=correlation_id,
                    language=language or user.language,
                ),
                photos_per_day=self._limits.photos_per_day,
            )
        if batch.created:
            self._send(batch)
        return batch

    def status(self, user: Principal, *, limit: int, cursor: str | None = None) -> UserStatus:
        """Count all of the user's photos and list a page of them, each with a URL.

        An approved photo's is short-lived and everybody's; another's is the path of ``picture``.

        Raises:
            InvalidRequest: ``cursor`` is no earlier answer's.
        """
        after = place_of(cursor)
        found = self._views.of_user(user.user_id, limit=limit + 1, after=after)
        page = Page.cut(found, limit)
        return UserStatus(
            summary=self._views.summary(user.user_id),
            photos=[
                (
                    photo,
                    url_of(
                        self._store,
                        photo,
                        otherwise=PHOTO_PATH.format(id=photo.id),
                        expires_in_s=self._limits.view_url_s,
                    ),
                )
                for photo in page.photos
            ],
            next_cursor=page.next_cursor,
        )

    def picture(self, user: Principal, photo_id: str, name: str) -> Picture:
        """Read a copy of one of the user's own photos, also of one that is not approved.

        Raises:
            NotFound: there is none of this id, or it is not theirs, or it has no copies.
        """
        photo = self._views.photo(photo_id)
        if photo is None or photo.user_id != user.user_id:
            raise NotFound(f"there is no photo {photo_id}")
        return picture(self._store, photo, name)

    def delete(self, user: Principal, photo_id: str) -> None:
        """Remove one of the user's photos for good.

        Raises:
            NotFound: there is none of this id, or it is not theirs.
        """
        gone = make_one(self._changes, withdrawn(photo_id, by=user))
        remove_objects(self._store, self._outbox, gone)

    def _stored_photos(self, file_keys: Sequence[str]) -> tuple[NewPhoto, ...]:
        """Read every object's size and ETag, in parallel; without them where the store is slow."""
        looks = [self._heads.submit(self._look_up, key) for key in file_keys]
        done, late = wait(looks, timeout=_LOOK_UP_WITHIN_S)
        for look in late:
            look.cancel()  # so that the next request does not wait for it
        found = [
            look.result() if look in done else NewPhoto(file_key=key, stored=None)
            for key, look in zip(file_keys, looks, strict=True)
        ]
        photos = tuple(photo for photo in found if photo is not None)
        missing = tuple(k for k, photo in zip(file_keys, found, strict=True) if photo is None)
        if missing:
            raise Conflict("some photos have not been uploaded", file_keys=missing)
        for photo in photos:
            if photo.stored is not None and photo.stored.size_bytes > self._limits.max_bytes:
                raise InvalidRequest(
                    f"{photo.file_key} has {photo.stored.size_bytes} bytes;"
                    f" at most {self._limits.max_bytes}"
                )
        return photos

    def _look_up(self, key: str) -> NewPhoto | None:
        """Give the photo as it is stored, or None when it is not there."""
        try:
            stored = self._store.head(key)
        except RetryableError as error:
            # Accepted all the same: the worker finds out what is there.
            logger.warning("could not look at %s: %s", key, error)
            return NewPhoto(file_key=key, stored=None)
        return None if stored is None else NewPhoto(file_key=key, stored=stored)

    def _send(self, batch: Batch) -> None:
        """Queue the job. When that fails the outbox entry is still there for the sweep."""
        try:
            self._sender.send(Job(batch_id=batch.id, generation=batch.generation).encode())
            self._outbox.sent([batch.id])
        except RetryableError as error:
            logger.warning("batch %s is left to the sweep: %s", batch.id, error)
