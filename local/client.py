"""Photogate's HTTP API as a client uses it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import requests

from photogate.adapters.photos_files import MOUNT
from photogate.errors import PhotogateError

_SETTLED = ("approved", "rejected", "review")


class ApiRefused(PhotogateError):
    """The API answered with an error."""

    def __init__(self, response: requests.Response) -> None:
        try:
            words = response.json()["error"]
        except (ValueError, KeyError):
            words = response.text[:200]
        super().__init__(f"{response.status_code}: {words}")
        self.status = response.status_code
        self.retry_after_s = float(response.headers.get("Retry-After", "0"))


class ApiUnreachable(PhotogateError):
    """There was no answer at all."""


@dataclass(frozen=True, kw_only=True)
class Upload:
    """A file as a client sends it."""

    name: str
    data: bytes
    content_type: str = "image/jpeg"


class PhotogateClient:
    """One caller's view of the API; keeps its connections open. One thread at a time.

    Args:
        url: e.g. ``http://127.0.0.1:8000``.
        token: bearer token.
        public_url: where the API is for others, ``PUBLIC_URL``: what it signs for there is asked
            for at ``url``, for the signature leaves the origin out. None takes its URLs as they
            are.
    """

    def __init__(self, url: str, token: str, *, public_url: str | None = None) -> None:
        self._origin = url.rstrip("/")
        self._url = f"{self._origin}/api/v1"
        self._files = public_url and f"{public_url.rstrip('/')}{MOUNT}/"
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {token}"
        # Signed URLs carry their own permission.
        self._storage = requests.Session()

    def close(self) -> None:
        """Close its connections."""
        self._session.close()
        self._storage.close()

    def put(self, upload: Upload) -> str:
        """Upload one photo and give its key."""
        ticket = self.call(
            "GET",
            "/users/media/upload-url",
            params={"content_type": upload.content_type, "size": len(upload.data)},
        )
        try:
            answer = self._storage.put(
                self._reached(ticket["upload_url"]),
                data=upload.data,
                headers=ticket["headers"],
                timeout=30,
            )
        except requests.RequestException as error:
            raise ApiUnreachable(f"the photo store does not answer: {error}") from error
        if not answer.ok:
            raise ApiRefused(answer)
        return str(ticket["file_key"])

    def complete(self, file_keys: Sequence[str]) -> str:
        """Hand photos in and give their batch's id."""
        photos = [{"file_key": key, "media_type": "photo"} for key in file_keys]
        answer = self.call("POST", "/users/media/upload-complete", json={"photos": photos})
        return str(answer["batch_id"])

    def photos(self) -> list[dict[str, Any]]:
        """List the caller's photos, newest first."""
        photos: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            answer = self.call("GET", "/users/media/moderation-status", params={"cursor": cursor})
            photos += answer["photos"]
            cursor = answer["next_cursor"]
            if cursor is None:
                return photos

    def wait(
        self,
        file_keys: Sequence[str],
        *,
        within_s: float = 60.0,
        on_progress: Callable[[int], None] = lambda settled: None,  # noqa: ARG005
    ) -> dict[str, dict[str, Any]]:
        """Wait until all of these photos have verdicts; give them by key.

        Raises:
            TimeoutError: some still have none.
        """
        deadline = time.monotonic() + within_s
        wanted = set(file_keys)
        while True:
            photos = {p["file_key"]: p for p in self.photos() if p["file_key"] in wanted}
            settled = {k: p for k, p in photos.items() if p["moderation_status"] in _SETTLED}
            on_progress(len(settled))
            if len(settled) == len(wanted):
                return settled
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(wanted) - len(settled)} photos have no verdict yet")
            time.sleep(0.05)

    def call(self, method: str, path: str, **arguments: Any) -> Any:
        """Make one request and give its JSON.

        Raises:
            ApiRefused: the answer is an error.
            ApiUnreachable: there is none.
        """
        answer = self._answer(method, path, **arguments)
        return answer.json() if answer.content else None

    def picture(self, path: str, copy: str = "display") -> bytes:
        """Read a copy of a photo: ``/users/media/{id}/photo`` or ``/admin/moderation/{id}/photo``.

        Raises:
            ApiRefused, ApiUnreachable: as ``call``.
        """
        return self._answer("GET", path, params={"copy": copy}).content

    def _reached(self, signed: str) -> str:
        """Give the URL at which what the API itself serves is reached from here."""
        if not self._files or not signed.startswith(self._files):
            return signed  # of a bucket
        return f"{self._origin}{MOUNT}/{signed.removeprefix(self._files)}"

    def _answer(self, method: str, path: str, **arguments: Any) -> requests.Response:
        try:
            answer = self._session.request(method, self._url + path, timeout=30, **arguments)
        except requests.RequestException as error:
            raise ApiUnreachable(f"{self._url} does not answer: `photogate up`?") from error
        if not answer.ok:
            raise ApiRefused(answer)
        return answer
