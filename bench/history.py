"""What the history of changes takes on disk: ``python -m bench.history``."""

from __future__ import annotations

import tempfile
from contextlib import closing
from pathlib import Path

from local.home import Home
from local.servers.embedded_postgres import EmbeddedPostgres
from photogate.adapters.postgres.changes import PostgresChanges
from photogate.adapters.postgres.deliveries import PostgresDeliveries
from photogate.adapters.postgres.intake import PostgresIntake
from photogate.adapters.postgres.migrate import migrate
from photogate.adapters.postgres.pool import Pool
from photogate.domain import (
    Finding,
    NewBatch,
    NewPhoto,
    Principal,
    Role,
    Rule,
    Signals,
    Status,
    Verdict,
)
from photogate.domain.changes import decided, judged
from photogate.messages import Job

_BATCHES, _PHOTOS = 1_000, 9
_TABLES = ("history", "history_words", "subjects", "review_items")
_SIGNALS = Signals(model="0f" * 32, blur_variance=100.0)
_DOUBT = Verdict(
    status=Status.REVIEW,
    policy="profile@2",
    rule=Rule(name="nsfw.explicit", value=0.6123456, bound=0.5),
)
_REJECTED = Verdict(status=Status.REJECTED, reason="nsfw")


def main() -> None:
    """Judge photos, let people decide a tenth of them, and print bytes a photo by table."""
    with tempfile.TemporaryDirectory() as folder:
        server = EmbeddedPostgres(Home(Path(folder)))
        try:
            with closing(Pool(server.start())) as pool:
                migrate(pool)
                for number in range(_BATCHES):
                    _one_batch(pool, number)
                _print(pool)
        finally:
            server.stop()


def _one_batch(pool: Pool, number: int) -> None:
    user = f"0f8fad5b-d9cb-469f-a165-{number:012d}"
    photos = tuple(
        NewPhoto(file_key=f"users/{user}/{place}", stored=None) for place in range(_PHOTOS)
    )
    accepted = PostgresIntake(pool).accept(
        NewBatch(user_id=user, user_name=None, photos=photos), photos_per_day=30
    )
    opened = PostgresDeliveries(pool).begin(
        Job(batch_id=accepted.id, generation=1), job_id="m", lease_s=60
    )
    assert opened
    changes = PostgresChanges(pool)
    changes.make(
        [
            judged(
                Finding(photo_id=photo.id, verdict=_DOUBT, signals=_SIGNALS),
                generation=1,
                correlation_id=user,
            )
            for photo in opened.photos
        ]
    )
    if number % 10 == 0:
        moderator = Principal(user_id="moderator", role=Role.MODERATOR)
        changes.make([decided(photo.id, _REJECTED, by=moderator) for photo in opened.photos])


def _print(pool: Pool) -> None:
    photos = _BATCHES * _PHOTOS
    print(f"bytes a photo, of {photos:,} photos, a tenth of them decided by a person as well")
    for table in _TABLES:
        row = pool.transaction(
            lambda s, t=table: s.row(  # type: ignore[misc]
                "SELECT pg_table_size(CAST(:t AS regclass)) AS rows,"
                " pg_indexes_size(CAST(:t AS regclass)) AS indexes",
                t=t,
            )
        )
        assert row
        rows, indexes = row["rows"] / photos, row["indexes"] / photos
        print(f"{table:14} {rows:6.0f} in rows, {indexes:5.0f} in indexes")


if __name__ == "__main__":
    main()
