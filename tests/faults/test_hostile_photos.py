"""Photos that crash, hang or exhaust their decoder: each costs itself, and nobody else."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from tests.faults.client import User
from tests.faults.conftest import Close, Scale
from tests.faults.installation import Installation, fleet, steady
from tests.faults.ledger import Ledger
from tests.faults.photos import Album, Photo, Truth

#: Obeys bytes like those below, and decodes photos.
DECODER = "tests.model.odd_decoders:obey"
#: Beside what the decoder takes, on a busy machine.
BUSY_S = 10.0


@pytest.mark.parametrize(
    ("hostile", "limit_s", "what", "told"),
    [
        (b"do crash", 2.0, "crashes it", "its decoder crashed"),
        (b"do spin", 2.0, "never ends", "its decoder took longer than"),
        pytest.param(
            b"do sleep", 2.0, "hangs", "its decoder took longer than", marks=pytest.mark.long
        ),
        pytest.param(
            b"do allocate",
            15.0,
            "exhausts its memory",
            "its decoder ran out of memory",
            marks=pytest.mark.long,
        ),
    ],
    ids=["crash", "spin", "sleep", "allocate"],
)
def test_one_hostile_photo_among_nine(
    hostile: bytes,
    limit_s: float,
    what: str,
    told: str,
    installation: Installation,
    ledger: Ledger,
    album: Album,
    scale: Scale,
    close: Close,
) -> None:
    """The worker lives, the other eight get their verdicts at once, and a person sees the ninth."""
    times = scale.of(1, 5)
    # As shipped, a job may take longer than decoding one of its photos.
    patient = replace(installation, settings={"JOB_DEADLINE_S": "60"})
    with fleet(patient, steady(decoder=DECODER, decoding_limit_s=limit_s)) as workers:
        pid = workers.pid(0)
        waits = []
        for number in range(times):
            bad = Photo(mark=f"{hostile.decode()}/{number}", truth=Truth.BROKEN, data=hostile)
            photos = album.take(8, truth=Truth.GOOD)
            photos.insert(number % 9, bad)
            user = User(installation, ledger)
            since = time.monotonic()
            batch_id = user.hand_in(photos)
            user.close()
            installation.settle()
            waits.append(time.monotonic() - since)
            _assert_only_one_suffered(installation, batch_id, told)
        assert workers.pid(0) == pid
    close(f"decoder: a photo {what}", injected=times, recovery_s=max(waits))
    assert max(waits) < limit_s + BUSY_S


def _assert_only_one_suffered(installation: Installation, batch_id: str, told: str) -> None:
    """One delivery was enough, and only the hostile photo is without a verdict."""
    rows = installation.pool.transaction(
        lambda s: s.rows(
            "SELECT moderation_status AS status, moderation_error AS error, deliveries"
            " FROM media JOIN batches ON batches.id = batch_id WHERE batch_id = :id",
            id=batch_id,
        )
    )
    assert {row["deliveries"] for row in rows} == {1}
    assert sorted(row["status"] for row in rows) == ["approved"] * 8 + ["review"]
    (bad,) = (row for row in rows if row["status"] == "review")
    assert told in bad["error"]
