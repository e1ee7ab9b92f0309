"""A user's app that does not give up: what gets no answer, or a 503, is sent again."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from itertools import count
from typing import TypeVar

from local.client import ApiRefused, ApiUnreachable, PhotogateClient, Upload
from photogate.domain import Role
from photogate.errors import RetryableError
from tests.faults.installation import Installation
from tests.faults.ledger import Ledger
from tests.faults.photos import Album, Photo

T = TypeVar("T")

_USERS = count(1)
#: Between two tries; apps would wait as long as Retry-After says.
_PAUSE_S = 0.1
#: No answer may take longer, whatever is broken: API Gateway gives up after 30 s.
HANGS_AFTER_S = 29.0


class User:
    """One user with one connection. One thread at a time."""

    def __init__(self, installation: Installation, ledger: Ledger, *, name: str = "") -> None:
        self.id = name or f"user-{next(_USERS)}"
        self._ledger = ledger
        self._took_s = 0.0
        self._client = PhotogateClient(installation.url, installation.token(self.id))

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def upload(self, photos: Sequence[Photo], *, within_s: float = 60.0) -> dict[str, Photo]:
        """Put photos into the store; gives them by key."""
        keys: dict[str, Photo] = {}
        for photo in photos:
            put = partial(self._client.put, Upload(name="x", data=photo.data))
            keys[self._until_answered(put, within_s)] = photo
        return keys

    def complete(self, photos: dict[str, Photo], *, within_s: float = 60.0) -> str:
        """Hand in what was uploaded; gives the batch's id, and notes the 200."""
        batch_id = self._until_answered(lambda: self._client.complete(list(photos)), within_s)
        self._ledger.accepted(self.id, photos, batch_id, self._took_s)
        return batch_id

    def hand_in(self, photos: Sequence[Photo], *, within_s: float = 60.0) -> str:
        """Upload and hand in."""
        return self.complete(self.upload(photos, within_s=within_s), within_s=within_s)

    def once(self, call: Callable[[PhotogateClient], T]) -> T:
        """Make one request and note how long its answer took.

        Raises:
            ApiRefused: the answer is an error.
            ApiUnreachable: there is none.
        """
        started = time.perf_counter()
        status, wrong = 200, None
        try:
            return call(self._client)
        except ApiRefused as error:
            status = error.status
            if status == 503 and error.retry_after_s <= 0:
                wrong = f"503 without Retry-After: {error}"
            if status >= 500 and status != 503:
                wrong = f"an error that nobody foresaw: {error}"
            raise
        except ApiUnreachable:
            status = 0
            raise
        finally:
            self._took_s = time.perf_counter() - started
            if self._took_s > HANGS_AFTER_S:
                wrong = f"{status} after {self._took_s:.1f} s"
            self._ledger.answered(status, self._took_s, wrong=wrong)

    def _until_answered(self, call: Callable[[], T], within_s: float) -> T:
        deadline = time.monotonic() + within_s
        while True:
            try:
                return self.once(lambda _: call())
            except ApiRefused as error:
                if error.status != 503 or time.monotonic() > deadline:
                    raise
            except ApiUnreachable:
                if time.monotonic() > deadline:
                    raise
            time.sleep(_PAUSE_S)


class Load:
    """Users who hand in photos, side by side, until told to stop or all are handed in.

    Args:
        photos: how many, about; each user stays below the day's limit.
        users_at_once: threads.
        most_open: further photos wait while more batches than this are open.
        pause_s: before each batch.
        repeats: share of the calls of upload-complete that are made twice.
    """

    def __init__(
        self,
        installation: Installation,
        ledger: Ledger,
        album: Album,
        *,
        photos: int,
        users_at_once: int = 2,
        most_open: int | None = None,
        pause_s: float = 0.0,
        repeats: float = 0.1,
        seed: str = "",
    ) -> None:
        self._installation, self._ledger, self._album = installation, ledger, album
        self._photos, self._most_open, self._repeats = photos, most_open, repeats
        self._pause_s = pause_s
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self._taken = 0
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._guarded, name=f"user-{n}", daemon=True)
            for n in range(users_at_once)
        ]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def done(self) -> bool:
        """Whether all was handed in."""
        return not any(thread.is_alive() for thread in self._threads)

    def join(self, within_s: float) -> None:
        """Wait until all is handed in."""
        deadline = time.monotonic() + within_s
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        assert self.done, "the photos could not be handed in in time"

    def stop(self) -> None:
        """Hand in no further batch, and wait for the last answers."""
        self._stopping.set()
        self.join(90)

    def _guarded(self) -> None:
        try:
            self._run()
        except Exception as error:
            self._ledger.unforeseen.append(f"a client gave up: {error}")

    def _run(self) -> None:
        while batches := self._next_user():
            user = User(self._installation, self._ledger)
            try:
                for batch in batches:
                    if self._stopping.wait(self._pause_s):
                        return
                    self._wait_for_room()
                    photos = user.upload(batch)
                    user.complete(photos)
                    if self._random.random() < self._repeats:
                        user.complete(photos)
            finally:
                user.close()

    def _next_user(self) -> list[list[Photo]]:
        """Give one user's batches: at most 30 photos in all."""
        with self._lock:
            batches: list[list[Photo]] = []
            while self._taken < self._photos:
                batch = self._album.batch()
                if sum(map(len, batches)) + len(batch) > 30:
                    break
                batches.append(batch)
                self._taken += len(batch)
            return batches

    def _wait_for_room(self) -> None:
        while self._most_open is not None and not self._stopping.is_set():
            with suppress(RetryableError):
                if self._installation.open_batches() < self._most_open:
                    return
            time.sleep(0.01)


class Moderator:
    """A person who rejects photos while all else goes on, each with a double click."""

    def __init__(self, installation: Installation, ledger: Ledger) -> None:
        self._ledger = ledger
        token = installation.token("a-moderator", Role.MODERATOR)
        self._clients = [PhotogateClient(installation.url, token) for _ in range(2)]

    def __enter__(self) -> Moderator:
        return self

    def __exit__(self, *_: object) -> None:
        for client in self._clients:
            client.close()

    def reject(self, media_id: str, words: str) -> None:
        """Reject, twice at the same moment, and note it when both were answered with 200."""
        path = f"/admin/moderation/{media_id}/reject"
        with ThreadPoolExecutor(len(self._clients)) as pool:
            list(pool.map(lambda c: c.call("PUT", path, json={"reason": words}), self._clients))
        self._ledger.decided(media_id, "rejected", words)
