"""What is looked at for alerts, on real servers, and ``photogate alerts``."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from typer.testing import CliRunner

from functions.moderate import app as moderate
from functions.moderate.presence import Presence
from local.alerts.bounds import FIRST_STEPS, Found, look
from local.cli import app
from photogate import settings as s
from photogate.adapters.postgres.pool import Pool
from photogate.bootstrap import choose
from tests.functions.conftest import Installation, reset_bootstrap
from tests.receivers import Answer, Receiver
from tests.telegram import TOKEN, bot_api


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A chat program's incoming webhook."""
    receiver = Receiver()
    yield receiver
    receiver.stop()


def seen(**bounds: Any) -> Found:
    return look(s.read(s.AlertSettings, **bounds))


def run(pool: Pool, sql: str, **params: Any) -> None:
    pool.transaction(lambda session: session.rows(sql, **params))


def run_cli(*words: str, **environment: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["alerts", *words], env=environment)
    return done.exit_code, done.output


@pytest.mark.usefixtures("installation")
class TestLook:
    def test_all_is_well_but_the_workers(self) -> None:
        found = seen()
        assert found.keys() == FIRST_STEPS.keys()
        wrong = {name: says for name, says in found.items() if says is not None}
        assert wrong.keys() <= {"workers", "disk"}
        assert wrong["workers"] == "no worker announces itself; 1 should"

    def test_bounds_of_0_turn_conditions_off(self) -> None:
        off = dict.fromkeys(
            ("queue_s", "dead_jobs", "failed_percent", "workers", "free_gb", "review_h"), 0
        )
        found = seen(**{f"alert_{name}": value for name, value in off.items()})
        assert set(found.values()) == {None}
        assert found.keys() == {"database", "queue", "storage", "faces", "sweep"}

    def test_late_verdicts(self, installation: Installation, portrait: bytes, pool: Pool) -> None:
        installation.hand_in(portrait)
        assert seen()["verdicts"] is None
        run(pool, "UPDATE batches SET created_at = now() - interval '15 minutes'")
        assert seen()["verdicts"] == "verdicts are late: 1 batch waits, the oldest for 15 min"
        assert seen(alert_queue_s=1800)["verdicts"] is None

    def test_a_part_that_workers_found_away(
        self, installation: Installation, portrait: bytes, pool: Pool
    ) -> None:
        installation.hand_in(portrait)
        run(
            pool,
            "UPDATE batches SET waits_for = 'faces', created_at = now() - interval '1 hour'",
        )
        found = seen()
        assert found["faces"] == "the face service is down: 1 batch waits, the oldest for 60 min"
        assert found["storage"] is found["verdicts"] is None
        run(pool, "UPDATE batches SET waits_for = 'storage'")
        assert (seen()["storage"] or "").startswith("the photo store is down: ")

    def test_dead_jobs(self) -> None:
        queue = choose.queue(choose.settings_of(s.SweepSettings))
        queue.send("poison")
        for _ in range(5):
            delivery = queue.receive(wait_s=1)
            assert delivery
            queue.nack(delivery, delay_s=0, error="no")
        assert seen()["dead"] == "1 job was given up"
        assert seen(alert_dead_jobs=2)["dead"] is None

    def test_many_failures(self, pool: Pool) -> None:
        def photos(count: int, error: str | None) -> None:
            run(
                pool,
                "INSERT INTO media (user_id, url, moderation_status, moderation_error,"
                " moderated_at) SELECT 'u', 'key', 'review', :error, now()"
                " FROM generate_series(1, :n)",
                error=error,
                n=count,
            )

        photos(9, "the model is away")
        assert seen()["failures"] is None  # so few say nothing
        photos(1, "the model is away")
        assert (seen()["failures"] or "").startswith("of 10 photos of the last hour 10 went")
        photos(200, None)
        assert seen()["failures"] is None
        assert seen(alert_failed_percent=1)["failures"] is not None

    def test_workers(self, deliver: Callable[..., list[str]]) -> None:
        Presence(moderate.parts()).seen()
        assert seen()["workers"] is None
        assert seen(alert_workers=3)["workers"] == "1 worker announces itself; 3 should"

    def test_what_waits_for_people(
        self, installation: Installation, portrait: bytes, pool: Pool
    ) -> None:
        installation.hand_in(portrait)
        run(pool, "UPDATE media SET moderation_status = 'review'")
        assert seen()["review"] is None
        run(pool, "UPDATE review_items SET created_at = now() - interval '30 hours'")
        assert seen()["review"] == "a photo has waited 30 h for a person"
        assert seen(alert_review_h=48)["review"] is None

    def test_little_room(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Usage(NamedTuple):
            free: int

        monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(free=1_900_000_000))
        assert seen()["disk"] == "1.9 GB are free where photos are kept"
        assert seen(alert_free_gb=1)["disk"] is None

    def test_a_sweep_whose_rounds_do_not_end(self, pool: Pool) -> None:
        run(pool, "INSERT INTO sweeps (ended_at) VALUES (now() - interval '20 minutes')")
        assert seen()["sweep"] == "the sweep runs, and no round of it ends"
        run(pool, "UPDATE sweeps SET ended_at = now()")
        assert seen()["sweep"] is None

    def test_a_database_that_is_away(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DATABASE_URL", "postgresql://u:hidden-word@127.0.0.1:1/d")
        reset_bootstrap()
        found = seen()
        assert (found["database"] or "").startswith("the database does not answer: ")
        assert "hidden-word" not in str(found)
        # What the database knows is neither well nor wrong now.
        assert found.keys() == {"database", "queue", "dead", "disk"}

    def test_a_queue_that_is_away(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
        reset_bootstrap()
        found = seen()
        assert (found["queue"] or "").startswith("the queue does not answer: Redis")
        assert found["database"] is None
        assert "dead" not in found


def test_another_schema_is_told(fresh_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", fresh_url)
    monkeypatch.setenv("PHOTOS_DIR", "x")
    monkeypatch.setenv("QUEUE_BACKEND", "postgres")
    reset_bootstrap()
    try:
        found = seen(alert_free_gb=0)
        assert found.keys() == {"database"}
        assert "photogate migrate" in (found["database"] or "")
    finally:
        reset_bootstrap()


def test_operators_look_for_themselves(installation: Installation) -> None:
    code, said = run_cli("list", ALERT_FREE_GB="0")
    assert code == 1
    assert "no worker announces itself" in said
    assert FIRST_STEPS["workers"] in " ".join(said.replace("│", " ").split())
    code, said = run_cli("list", "--json", ALERT_FREE_GB="0", ALERT_WORKERS="0")
    assert code == 0
    told = json.loads(said)
    assert told["database"] == {"state": "well", "says": None}
    assert told["workers"] == told["disk"] == {"state": "not known", "says": None}


def test_operators_try_each_way(installation: Installation, receiver: Receiver) -> None:
    code, said = run_cli("test")
    assert (code, "set ALERT_WEBHOOK_URL" in " ".join(said.split())) == (1, True)
    with bot_api(4711) as api:
        ways = {
            "ALERT_WEBHOOK_URL": receiver.url,
            "ALERT_TELEGRAM_CHAT": "4711",
            "TELEGRAM_BOT_TOKEN": TOKEN,
            "TELEGRAM_API_URL": api.url,
            "ALERT_COMMAND": "sh -c 'cat >&2'",
        }
        code, said = run_cli("test", **ways)
        assert (code, said.splitlines()[:2]) == (
            0,
            ["webhook: told: HTTP 204", "telegram: told: taken"],
        )
        assert said.splitlines()[2].startswith("command: told: status 0: Photogate, http://")
        assert "a test: alerts arrive here" in api.texts(4711)[0]
        receiver.answers.append(Answer(status=404))
        code, said = run_cli("test", **ways | {"ALERT_COMMAND": "false"})
    assert code == 1
    assert "webhook: not told: HTTP 404" in said
    assert "telegram: told" in said
    assert "command: not told: status 1" in said
