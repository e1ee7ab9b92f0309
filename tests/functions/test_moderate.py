"""The moderate function: SQS-shaped events in, verdicts and partial failures out."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.moderate import app
from photogate import bootstrap
from photogate.adapters.memory.queue import MemoryQueue
from photogate.adapters.memory.vision import ScriptedAnalyzer
from photogate.adapters.photos_files import FilePhotoStore
from photogate.adapters.postgres.changes import PostgresChanges
from photogate.adapters.postgres.deliveries import PostgresDeliveries
from photogate.adapters.postgres.intake import PostgresIntake
from photogate.adapters.postgres.outbox import PostgresOutbox
from photogate.adapters.postgres.pool import Pool
from photogate.adapters.postgres.views import PostgresViews
from photogate.domain import (
    Finding,
    NewBatch,
    NewPhoto,
    OpenBatch,
    Signals,
)
from photogate.errors import DatabaseUnavailable, PartUnavailable, RetryableError
from photogate.messages import Job
from photogate.policies import preset
from photogate.ports.photos import Store
from photogate.service.moderate import Moderation
from photogate.service.sweep import Sweep
from tests.conftest import SECRET
from tests.functions.conftest import Installation, make_copies
from tests.proxy import Break, Cut, scripted

FINE = Signals(
    nsfw_scores={"porn": 0.0, "sexy": 0.0, "hentai": 0.0, "neutral": 1.0, "drawing": 0.0},
    blur_variance=500.0,
    width=800,
    height=600,
    rms_contrast=50.0,
)


class Context:
    """What the function uses of Lambda's context."""

    def get_remaining_time_in_millis(self) -> int:
        """Plenty."""
        return 60_000


def event(*bodies: str) -> dict[str, Any]:
    return {
        "Records": [
            {
                "messageId": f"m-{number}",
                "receiptHandle": "r",
                "body": body,
                "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "0"},
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:eu-central-1:123456789012:q",
                "awsRegion": "eu-central-1",
            }
            for number, body in enumerate(bodies)
        ]
    }


class TestHandler:
    def test_each_message_succeeds_or_fails_by_itself(
        self, installation: Installation, portrait: bytes, pool: Pool
    ) -> None:
        installation.hand_in(portrait)
        (batch,) = pool.transaction(lambda s: s.rows("SELECT id FROM batches"))
        good = Job(batch_id=batch["id"], generation=1).encode()
        unknown = Job(batch_id="gone", generation=1).encode()
        answer = app.handler(event("not a job", good, unknown), cast(LambdaContext, Context()))
        assert answer == {"batchItemFailures": [{"itemIdentifier": "m-0"}]}
        make_copies()
        assert installation.client().photos()[0]["moderation_status"] == "approved"

    def test_a_whole_batch_of_failures_is_no_error_of_the_function(
        self, installation: Installation
    ) -> None:
        answer = app.handler(event("{}", "[]"), cast(LambdaContext, Context()))
        assert len(answer["batchItemFailures"]) == 2

    def test_what_cannot_be_begun_in_time_is_handed_back_untouched(
        self, installation: Installation, portrait: bytes, pool: Pool
    ) -> None:
        # given ten messages of one photo each, and time for two
        def open_batches() -> list[dict[str, Any]]:
            return pool.transaction(
                lambda s: s.rows("SELECT * FROM batches WHERE finished_at IS NULL")
            )

        class TimeForTwo(Context):
            def get_remaining_time_in_millis(self) -> int:
                return 60_000 if len(open_batches()) > 8 else 5_000

        for number in range(10):
            installation.hand_in(portrait, user=f"u-{number}")
        jobs = [Job(batch_id=row["id"], generation=1).encode() for row in open_batches()]
        # when they come in one invocation
        answer = app.handler(event(*jobs), cast(LambdaContext, TimeForTwo()))
        # then eight come again, and nothing was counted for them
        failed = [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]
        assert failed == [f"m-{number}" for number in range(2, 10)]
        assert [row["deliveries"] for row in open_batches()] == [0] * 8
        rows = pool.transaction(
            lambda s: s.rows("SELECT retry_count, moderation_status FROM media")
        )
        assert (
            sorted(row["moderation_status"] for row in rows) == ["approved"] * 2 + ["pending"] * 8
        )
        assert {r["retry_count"] for r in rows if r["moderation_status"] == "pending"} == {0}

    def test_scores_explain_the_verdict(
        self,
        installation: Installation,
        deliver: Callable[[], list[str]],
        portrait: bytes,
        pool: Pool,
    ) -> None:
        installation.hand_in(portrait)
        deliver()
        scores = PostgresViews(pool).of_user("u-1")[0].scores
        assert scores is not None
        assert scores["model"] == app.parts().analyzer.model_digest
        assert abs(sum(scores["nsfw_scores"].values()) - 1) < 0.01
        assert (scores["width"], scores["height"], scores["format"]) == (512, 512, "JPEG")
        assert scores["size_bytes"] == len(portrait)
        assert scores["processing_time_ms"] > 0


@pytest.fixture
def store(tmp_path: Path) -> FilePhotoStore:
    """A store with the photos a, b and c, each holding its own name."""
    store = FilePhotoStore(tmp_path, public_url="http://x", secret=SECRET)
    for name in "abc":
        store.put(name, name.encode(), content_type="image/jpeg")
    return store


@pytest.fixture
def job(pool: Pool, store: Store) -> Job:
    """A batch of a, b and c."""
    photos = tuple(NewPhoto(file_key=name, stored=store.head(name)) for name in "abc")
    batch = PostgresIntake(pool).accept(
        NewBatch(user_id="u", user_name=None, photos=photos), photos_per_day=30
    )
    return Job(batch_id=batch.id, generation=1)


class Recorder:
    """Remembers what it heard."""

    def __init__(self) -> None:
        self.settled: list[Finding] = []

    def batch_opened(self, batch: OpenBatch) -> None:
        """Nothing to do."""

    def photo_settled(self, batch: OpenBatch, finding: Finding) -> None:
        """Remember it."""
        self.settled.append(finding)

    def put_off(self, job: Job, outage: PartUnavailable, delay_s: float) -> None:
        """Nothing to do."""


class Crash(BaseException):
    """The process is gone: nothing after it runs."""


@pytest.mark.usefixtures("installation")
def test_processes_that_look_alike_are_counted_apart() -> None:
    # given two that start in one second on hosts of one name, with one pid
    for _ in range(2):
        app.parts().workers.announce(app.parts().introduce())
    assert len(app.parts().workers.alive()) == 2


class TestOutages:
    """The database goes away in the middle; tests/service has the rest of the delivery loop."""

    def run(
        self,
        pool: Pool,
        store: Store,
        analyzer: ScriptedAnalyzer,
        job: Job,
        *,
        time_left_s: float = 60.0,
    ) -> list[Finding]:
        watcher = Recorder()
        moderation = Moderation(
            deliveries=PostgresDeliveries(pool),
            changes=PostgresChanges(pool),
            store=store,
            sender=MemoryQueue(),
            analyzer=analyzer,
            policy=preset("community"),
            lease_s=60,
            max_bytes=1000,
            watcher=watcher,
        )
        moderation.run(job, job_id="m-1", time_left_s=lambda: time_left_s)
        return watcher.settled

    def statuses(self, pool: Pool) -> set[str]:
        return {media.status.value for media in PostgresViews(pool).of_user("u")}

    def test_an_outage_at_the_verdicts_counts_for_no_photo(
        self, pool: Pool, store: Store, job: Job, migrated_url: str
    ) -> None:
        with scripted(migrated_url) as (script, url), closing(Pool(url)) as broken:

            def fine_then_cut() -> Signals:
                script.cuts += [Cut(at=b"COMMIT", how=Break.BEFORE)] * 3
                return FINE

            analyzer = ScriptedAnalyzer(FINE, a=RetryableError("the model failed"), c=fine_then_cut)
            with pytest.raises(DatabaseUnavailable):
                self.run(broken, store, analyzer, job)
            assert len(script.done) == 3
        assert self.statuses(pool) == {"pending"}
        assert self.retries(pool) == {0}
        analyzer.answers.clear()
        assert len(self.run(pool, store, analyzer, job)) == 3

    def test_an_outage_at_a_count_counts_for_no_photo(
        self, pool: Pool, store: Store, job: Job, migrated_url: str
    ) -> None:
        with pytest.raises(Crash):
            self.run(pool, store, ScriptedAnalyzer(FINE, a=Crash()), job)
        with scripted(migrated_url) as (script, url), closing(Pool(url)) as broken:

            def fail_and_cut() -> Signals:
                script.cuts += [Cut(at=b"COMMIT", how=Break.BEFORE)] * 3
                raise RetryableError("the model failed")

            analyzer = ScriptedAnalyzer(FINE, a=RetryableError("the model failed"), b=fail_and_cut)
            with pytest.raises(DatabaseUnavailable):
                self.run(broken, store, analyzer, job)
        assert self.retries(pool) == {1}

    def retries(self, pool: Pool) -> set[int]:
        rows = pool.transaction(lambda s: s.rows("SELECT retry_count FROM media"))
        return {row["retry_count"] for row in rows}


class TestSweep:
    def test_a_lost_job_is_sent_again_and_done(
        self,
        installation: Installation,
        deliver: Callable[[], list[str]],
        portrait: bytes,
        redis_client: Any,
        pool: Pool,
    ) -> None:
        installation.hand_in(portrait)
        redis_client.flushall()
        assert deliver() == []
        sweep: Sweep = bootstrap.sweep()
        assert sweep.run().resent == 0
        pool.transaction(lambda s: s.count("UPDATE batches SET next_enqueue_at = now()"))
        assert sweep.run().resent == 1
        assert len(deliver()) == 1
        assert installation.client().photos()[0]["moderation_status"] == "approved"

    def test_what_was_given_up_is_redriven(
        self,
        installation: Installation,
        deliver: Callable[..., list[str]],
        portrait: bytes,
        tmp_path: Path,
        pool: Pool,
    ) -> None:
        keys = installation.hand_in(portrait, portrait)
        stored = tmp_path / "photos" / keys[0]
        away = stored.with_name("away")
        stored.rename(away)
        for _ in range(5):
            # What was handed back may be there again at once: each delivery is counted here.
            assert deliver(most=1)
            # Its delay would take minutes; what is due for long is sent again in any case.
            pool.transaction(
                lambda s: s.count("UPDATE batches SET next_enqueue_at = now() - interval '2 hours'")
            )
            bootstrap.sweep().run()
        client = installation.client()

        def statuses() -> list[str]:
            photos = {photo["file_key"]: photo for photo in client.photos()}
            return [photos[key]["moderation_status"] for key in keys]

        assert statuses() == ["review", "approved"]
        redrive = bootstrap.redrive()
        (given_up,) = redrive.given_up(limit=10).batches
        assert (given_up.photos, given_up.deliveries) == (1, 5)
        assert "there is no object" in given_up.error

        away.rename(stored)
        done = redrive.run(limit=10)
        assert (done.batches, done.photos) == (1, 1)
        assert statuses() == ["review", "approved"]
        assert deliver()
        assert statuses() == ["approved", "approved"]
        assert redrive.given_up(limit=10).batches == []
        assert redrive.run(limit=10).photos == 0

    def test_a_deletion_that_failed_is_done_later(
        self, installation: Installation, portrait: bytes, tmp_path: Path, pool: Pool
    ) -> None:
        (key,) = installation.hand_in(portrait)
        stored = tmp_path / "photos" / key
        away = stored.with_name("away")
        stored.rename(away)
        stored.mkdir()  # cannot be unlinked
        installation.client().call(
            "DELETE", f"/users/media/{installation.client().photos()[0]['id']}"
        )
        assert installation.client().photos() == []
        stored.rmdir()
        away.rename(stored)
        bootstrap.sweep().run()
        assert not stored.exists()
        assert PostgresOutbox(pool).take_deletions(limit=5) == []

    def test_a_deleted_photo_that_comes_back_is_removed_again(
        self, installation: Installation, portrait: bytes, tmp_path: Path, pool: Pool
    ) -> None:
        (key,) = installation.hand_in(portrait)
        client = installation.client()
        client.call("DELETE", f"/users/media/{client.photos()[0]['id']}")
        stored = tmp_path / "photos" / key
        stored.write_bytes(b"through an upload URL that still holds")
        pool.transaction(
            lambda s: s.rows(
                "UPDATE object_deletions SET created_at = created_at - interval '1 hour'"
            )
        )
        bootstrap.sweep().run()
        assert not stored.exists()
        rows = pool.transaction(lambda s: s.rows("SELECT * FROM object_deletions"))
        assert rows == []

    def test_a_key_that_cannot_be_an_object_stops_nothing(
        self, installation: Installation, portrait: bytes, pool: Pool
    ) -> None:
        installation.hand_in(portrait)
        pool.transaction(lambda s: s.rows("UPDATE media SET url = 'https://old.example/x y.jpg'"))
        client = installation.client()
        client.call("DELETE", f"/users/media/{client.photos()[0]['id']}")
        assert bootstrap.sweep().run().resent == 0
