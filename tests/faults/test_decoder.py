"""Photos that crash, hang or exhaust their decoder: each costs itself, none its batch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from local.samples import jpeg, photograph
from photogate.adapters.memory.queue import MemoryQueue
from photogate.adapters.photos_files import FilePhotoStore
from photogate.adapters.postgres.changes import PostgresChanges
from photogate.adapters.postgres.deliveries import PostgresDeliveries
from photogate.adapters.postgres.intake import PostgresIntake
from photogate.adapters.postgres.pool import Pool
from photogate.adapters.postgres.views import PostgresViews
from photogate.domain import Finding, NewBatch, NewPhoto, OpenBatch
from photogate.errors import PartUnavailable
from photogate.messages import Job
from photogate.policies import preset
from photogate.service.moderate import Moderation
from photogate_vision.analyzer import VisionAnalyzer
from photogate_vision.decoding.sandbox import Sandbox
from tests.conftest import SECRET

#: What the bytes of the bad photos make their decoder do, see ``tests.model.odd_decoders``,
#: and what moderators then read.
BAD = {
    "crash": "its decoder crashed (SIGSEGV)",
    "sleep": "its decoder took longer than 2 s",
    "allocate": "its decoder ran out of memory",
}


class SilentWatcher:
    """Hears nothing."""

    def batch_opened(self, batch: OpenBatch) -> None:
        """Nothing to do."""

    def photo_settled(self, batch: OpenBatch, finding: Finding) -> None:
        """Nothing to do."""

    def put_off(self, job: Job, outage: PartUnavailable, delay_s: float) -> None:
        """Nothing to do."""


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    sandbox = Sandbox(decoder="tests.model.odd_decoders:obey", time_limit_s=2.0)
    yield sandbox
    sandbox.close()


def test_the_others_finish_in_the_same_delivery(
    pool: Pool, tmp_path: Path, bundle: Path, sandbox: Sandbox
) -> None:
    store = FilePhotoStore(tmp_path, public_url="http://x", secret=SECRET)
    photos = {word: f"do {word}".encode() for word in BAD}
    photos |= {f"good-{n}": jpeg(photograph("coffee.png"), quality=70 + n) for n in range(6)}
    for key, data in photos.items():
        store.put(key, data, content_type="image/jpeg")
    batch = PostgresIntake(pool).accept(
        NewBatch(
            user_id="u",
            user_name=None,
            photos=tuple(NewPhoto(file_key=key, stored=store.head(key)) for key in photos),
        ),
        photos_per_day=30,
    )
    moderation = Moderation(
        deliveries=PostgresDeliveries(pool),
        changes=PostgresChanges(pool),
        store=store,
        sender=MemoryQueue(),
        analyzer=VisionAnalyzer(bundle, decode=sandbox.decode),
        policy=preset("community"),
        lease_s=60,
        max_bytes=1_000_000,
        watcher=SilentWatcher(),
    )

    moderation.run(
        Job(batch_id=batch.id, generation=batch.generation), job_id="m", time_left_s=lambda: 60.0
    )

    media = {photo.file_key: photo for photo in PostgresViews(pool).of_user("u")}
    assert {key: media[key].error for key in BAD} == BAD
    assert {media[key].status.value for key in BAD} == {"review"}
    assert {media[key].status.value for key in photos if key not in BAD} == {"approved"}
