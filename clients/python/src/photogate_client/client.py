"""A user's photos: putting them up, their verdicts, deleting them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal
from urllib.parse import quote

from .errors import StillPending
from .models import Accepted, Health, ModerationStatus, Photo, Status, UploadUrl
from .transport import Transport

#: ``display``: up to 1600 pixels; ``thumb``: up to 320; ``preview``: small, grey and blurred.
Copy = Literal["display", "thumb", "preview"]

_FIRST_POLL_S, _LONGEST_POLL_S = 0.1, 2.0


class Photogate(Transport):
    """What one user may do; its token names the user in ``sub``. See ``Transport``.

    Every method raises ``Refused``, ``Unreachable`` or ``UnexpectedAnswer`` (``errors``), after
    it repeated what may be repeated. Repeating is safe: an upload goes to the same place, and
    handing in the same photos gives the same batch.
    """

    def upload(self, data: bytes, *, content_type: str = "image/jpeg") -> str:
        """Upload one photo.

        Args:
            data: the file's bytes.
            content_type: ``image/jpeg``, ``image/png`` or ``image/webp``; others where the
                installation takes them.

        Returns:
            Its file key, for ``complete``.
        """
        place = self.upload_url(content_type=content_type, size_bytes=len(data))
        self.put(place.upload_url, data, place.headers)
        return place.file_key

    def upload_url(
        self, *, content_type: str = "image/jpeg", size_bytes: int | None = None
    ) -> UploadUrl:
        """Get a signed URL for one photo, e.g. for a browser that uploads by itself."""
        return self.get(
            UploadUrl, "/users/media/upload-url", content_type=content_type, size=size_bytes
        )

    def complete(self, file_keys: Sequence[str], *, language: str | None = None) -> Accepted:
        """Hand in 1 to 9 uploaded photos together; does not wait for verdicts.

        Args:
            language: in which the user is told of these photos, such as ``am``; else as the
                token's ``locale`` says.

        Raises:
            Conflict: some have not been uploaded, or are in another batch: its ``file_keys``.
            RateLimited: more photos than a user may hand in within 24 hours.
        """
        photos = [{"file_key": key, "media_type": "photo"} for key in file_keys]
        body = {"photos": photos, **({"language": language} if language else {})}
        return self.call(Accepted, "POST", "/users/media/upload-complete", json=body)

    def moderate(
        self, photos: Iterable[bytes], *, content_type: str = "image/jpeg", within_s: float = 60.0
    ) -> list[Photo]:
        """Upload up to 9 photos, hand them in and wait; in the order given. See ``wait``."""
        keys = [self.upload(data, content_type=content_type) for data in photos]
        self.complete(keys)
        found = self.wait(keys, within_s=within_s)
        return [found[key] for key in keys]

    def wait(self, file_keys: Sequence[str], *, within_s: float = 60.0) -> dict[str, Photo]:
        """Ask until each of these photos is approved, rejected or with a person (``review``).

        A backend that serves many users listens to webhooks instead.

        Args:
            within_s: seconds in all.

        Returns:
            The photos by file key.

        Raises:
            StillPending: some have no verdict yet.
        """
        until = time.monotonic() + within_s
        pause_s = _FIRST_POLL_S
        wanted = set(file_keys)
        while True:
            found = self._find(wanted)
            pending = [
                key
                for key in file_keys
                if key not in found or found[key].moderation_status is Status.PENDING
            ]
            if not pending:
                return found
            if time.monotonic() + pause_s > until:
                raise StillPending(pending)
            time.sleep(pause_s)
            pause_s = min(pause_s * 1.5, _LONGEST_POLL_S)

    def status(
        self, *, limit: int = 100, cursor: str | None = None, language: str | None = None
    ) -> ModerationStatus:
        """Get the counts of all photos, and one page of 1 to 100 photos, newest first.

        Args:
            language: of each photo's ``message``, such as ``am``; else as the token says.
        """
        return self.get(
            ModerationStatus,
            "/users/media/moderation-status",
            limit=limit,
            cursor=cursor,
            language=language,
        )

    def photos(self, *, language: str | None = None) -> Iterator[Photo]:
        """Go through all photos, newest first; a page is asked for when it is needed."""
        cursor: str | None = None
        while True:
            page = self.status(cursor=cursor, language=language)
            yield from page.photos
            if (cursor := page.next_cursor) is None:
                return

    def picture(self, photo_id: str, copy: Copy = "display") -> bytes:
        """Get a copy of one's own photo, whatever its state: JPEG or WebP.

        Raises:
            NotFound: there is no such photo, or no copy (yet).
        """
        path = f"/users/media/{quote(photo_id, safe='')}/photo"
        return self.answer("GET", path, params={"copy": copy}).content

    def delete_photo(self, photo_id: str) -> None:
        """Delete a photo for good."""
        self.delete(f"/users/media/{quote(photo_id, safe='')}")

    def health(self, *, deep: bool = False) -> Health:
        """Ask whether the API answers; ``deep`` asks all parts and needs the role admin.

        Raises:
            Unavailable: with ``deep``, something is not well.
        """
        return self.get(Health, "/health", deep=deep)

    def _find(self, wanted: set[str]) -> dict[str, Photo]:
        found: dict[str, Photo] = {}
        for photo in self.photos():
            if photo.file_key in wanted:
                found[photo.file_key] = photo
                if len(found) == len(wanted):
                    break
        return found
