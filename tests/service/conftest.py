"""The services on ports: records on each technology, queue and photos in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from photogate.adapters.memory.database import Clock
from photogate.adapters.memory.photos import MemoryPhotoStore
from photogate.adapters.memory.queue import MemoryQueue
from photogate.domain import (
    NEVER,
    Deadline,
    NewBatch,
    NewPhoto,
    OpenBatch,
    OpenPhoto,
    Principal,
    Role,
    Signals,
    StoredObject,
)
from photogate.domain.changes import Change, Outcome
from photogate.errors import DatabaseUnavailable, QueueUnavailable, StorageUnavailable
from photogate.messages import Job
from tests.records import Records

OWNER = Principal(user_id="u", name="Ada")
MODERATOR = Principal(user_id="mod", role=Role.MODERATOR)
FINE = Signals(
    nsfw_scores={"porn": 0.0, "sexy": 0.0, "hentai": 0.0, "neutral": 1.0, "drawing": 0.0},
    opinions={"opennsfw": {"explicit": 0.0, "neutral": 1.0}},
    blur_variance=500.0,
    width=800,
    height=600,
    rms_contrast=50.0,
)


class UnsteadyStore(MemoryPhotoStore):
    """A store of which so many calls fail as the test says, or all while it is down."""

    failures = 0
    down = False
    #: Keys that can never be removed.
    broken: frozenset[str] | set[str] = frozenset()
    #: Keys that can never be written.
    unwritable: frozenset[str] | set[str] = frozenset()
    #: Nothing can be written, and all else goes well.
    full = False

    def head(self, key: str) -> StoredObject | None:
        """Fail, or look."""
        self._fail()
        return super().head(key)

    def get(
        self, key: str, *, etag: str | None, max_bytes: int, deadline: Deadline = NEVER
    ) -> bytes:
        """Fail, or read."""
        self._fail()
        return super().get(key, etag=etag, max_bytes=max_bytes, deadline=deadline)

    def put(
        self,
        key: str,
        data: bytes,
        *,
        content_type: str = "image/jpeg",
        deadline: Deadline = NEVER,
    ) -> None:
        """Fail, or write."""
        self._fail()
        if self.full or key in self.unwritable:
            raise StorageUnavailable(f"{key} cannot be written")
        super().put(key, data, content_type=content_type, deadline=deadline)

    def check(self) -> dict[str, Any]:
        """Fail while it is down; else answer, whatever happens to single calls."""
        if self.down:
            raise StorageUnavailable("the store is down")
        return super().check()

    def delete(self, key: str) -> None:
        """Fail, or remove."""
        self._fail()
        if key in self.broken:
            raise StorageUnavailable(f"{key} cannot be removed")
        super().delete(key)

    def _fail(self) -> None:
        if self.failures or self.down:
            self.failures = max(0, self.failures - 1)
            raise StorageUnavailable("the store is down")


class UnsteadyQueue(MemoryQueue):
    """A queue that takes no jobs while it is down, and whose time a test moves."""

    down = False

    def __init__(self) -> None:
        self.clock = Clock()
        super().__init__(clock=self.clock.now_ms)

    def send(self, body: str, *, delay_s: float = 0.0) -> str:
        """Fail, or send."""
        if self.down:
            raise QueueUnavailable("the queue is down")
        return super().send(body, delay_s=delay_s)


class Database:
    """The ports of a worker, which a test takes away for a while."""

    def __init__(self, records: Records) -> None:
        self._changes = records.changes
        self._deliveries = records.deliveries
        self._takes_changes = self._answers = True

    @contextmanager
    def down(self) -> Iterator[None]:
        """Nothing can be read or written."""
        self._answers = False
        yield
        self._answers = True

    @contextmanager
    def no_changes(self) -> Iterator[None]:
        """No verdict can be written."""
        self._takes_changes = False
        yield
        self._takes_changes = True

    def make(self, changes: Sequence[Change]) -> list[Outcome]:
        """Fail, or make them."""
        self._ask(self._takes_changes)
        return self._changes.make(changes)

    def begin(self, job: Job, *, job_id: str, lease_s: float) -> OpenBatch | None:
        """Fail, or begin."""
        self._ask()
        return self._deliveries.begin(job, job_id=job_id, lease_s=lease_s)

    def count(self, photo: OpenPhoto, *, attempt_id: str) -> None:
        """Fail, or count."""
        self._ask()
        self._deliveries.count(photo, attempt_id=attempt_id)

    def hand_back(
        self,
        job: Job,
        photo_ids: Sequence[str],
        *,
        attempt_id: str,
        error: str,
        delivery_counts: bool = True,
    ) -> None:
        """Fail, or hand back."""
        self._ask()
        self._deliveries.hand_back(
            job,
            photo_ids,
            attempt_id=attempt_id,
            error=error,
            delivery_counts=delivery_counts,
        )

    def put_off(
        self,
        job: Job,
        photo_ids: Sequence[str] = (),
        *,
        attempt_id: str | None,
        part: str,
        error: str,
        at_least_s: float,
    ) -> float | None:
        """Fail, or put off."""
        self._ask()
        return self._deliveries.put_off(
            job,
            photo_ids,
            attempt_id=attempt_id,
            part=part,
            error=error,
            at_least_s=at_least_s,
        )

    def wake(self, part: str, *, limit: int) -> list[Job]:
        """Fail, or wake."""
        self._ask()
        return self._deliveries.wake(part, limit=limit)

    def _ask(self, answers: bool = True) -> None:
        if not (answers and self._answers):
            raise DatabaseUnavailable("the database is down")


@pytest.fixture
def store() -> UnsteadyStore:
    """A store with the photos a, b and c, each holding its own name."""
    store = UnsteadyStore()
    for name in "abc":
        store.put(name, name.encode())
    return store


@pytest.fixture
def queue() -> UnsteadyQueue:
    """An empty queue."""
    return UnsteadyQueue()


@pytest.fixture
def job(records: Records, store: UnsteadyStore) -> Job:
    """A batch of a, b and c."""
    photos = tuple(NewPhoto(file_key=name, stored=store.head(name)) for name in "abc")
    batch = records.intake.accept(
        NewBatch(user_id="u", user_name="Ada", photos=photos, correlation_id="request-1"),
        photos_per_day=30,
    )
    return Job(batch_id=batch.id, generation=1)


def statuses(records: Records) -> dict[str, str]:
    """Give each photo's status by its key."""
    return {m.file_key: m.status.value for m in records.views.of_user("u")}
