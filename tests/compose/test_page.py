"""docs/compose.md followed word for word, on the images that the engine has.

``make compose-test`` runs it, where Docker and Compose are there; ``.ci/compose`` brings them.
"""

from __future__ import annotations

import json
import os
import signal
import socket
from pathlib import Path

import pytest
import requests

from local.client import ApiRefused, Upload
from local.home import free_port
from tests.compose.page import DOCS, Checkout, caller, containers, shown_size, written
from tests.docs import blocks
from tests.servers import eventually
from tests.unit.test_compose import FIXED, MODELS
from tests.unit.test_template import known_settings

QUICK_START, SMOKE, _, THROUGH_MOTO, HTTPS = (
    b.script for b in blocks() if b.page == "docs/compose.md" and b.why_not_run is None
)


#: The same from outside: through Caddy, and where the containers do not reach a signed URL.
OUTSIDE = "(set -a; . ./.env; .venv/bin/photogate smoke --url http://localhost)"
PORTRAIT_SIZE = (512, 512)


def photo(checkout: Checkout) -> tuple[str, tuple[int, int]]:
    """The state of the user's one photo, and the size of what is shown of it."""
    (found,) = caller(checkout, "keeps").photos()
    return found["moderation_status"], shown_size(found["url"])


def test_the_page(checkout: Checkout, portrait: bytes) -> None:
    checkout.run(QUICK_START)
    assert checkout.file.stat().st_mode & 0o777 == 0o600
    made = checkout.file.read_bytes()
    assert len(containers(checkout, "moderator-worker")) == 4
    assert "5 photos; all verdicts" in checkout.run(SMOKE)

    client = caller(checkout, "keeps")
    key = client.put(Upload(name="mine.jpg", data=portrait))
    client.complete([key])
    client.wait([key])
    assert photo(checkout) == ("approved", PORTRAIT_SIZE)

    told = checkout.run(written("docker compose run --rm --build photogate doctor"))
    assert "nothing is wrong" in told, told
    assert "mobilenet_v2 and opennsfw look" in told
    told = checkout.run("docker compose run --rm photogate queue stats --json")
    assert json.loads(told)["jobs"]["dead"] == 0

    leaves = caller(checkout, "leaves")
    leaves.complete([leaves.put(Upload(name="mine.jpg", data=portrait))])
    told = checkout.run("docker compose run --rm photogate erase leaves --yes")
    assert "erased: 1 photo, 1 batch" in told
    assert leaves.photos() == []

    checkout.run(written("docker compose up -d --wait --scale moderator-worker=6"))
    workers = containers(checkout, "moderator-worker")
    assert [worker["Health"] for worker in workers] == ["healthy"] * 6
    checkout.run(SMOKE)
    assert "photo moderated" in checkout.run(written("docker compose logs api moderator-worker"))

    # A second time: the same passwords, and what was there is there.
    checkout.run(QUICK_START)
    assert checkout.file.read_bytes() == made
    checkout.run(SMOKE)
    assert photo(checkout) == ("approved", PORTRAIT_SIZE)

    checkout.run(written("docker compose down"))
    assert containers(checkout, "") == []
    checkout.run(written("make up"))
    assert photo(checkout) == ("approved", PORTRAIT_SIZE)
    checkout.run(SMOKE)

    with checkout.file.open("a", encoding="utf-8") as file:
        file.write("PHOTOS_PER_DAY=1\n")
    checkout.run(written("docker compose up -d --wait"))
    with pytest.raises(ApiRefused, match="429"):
        client.complete([client.put(Upload(name="second.jpg", data=portrait))])

    saved = save(checkout, portrait)
    checkout.run(written("docker compose down --volumes"))
    assert checkout.project not in checkout.run("docker volume ls")
    bring_back(checkout, erased=saved)


def test_what_ends_or_hangs_loses_nothing(checkout: Checkout, portrait: bytes) -> None:
    """Workers are killed and frozen, and both servers restarted, while photos come in."""
    checkout.run("make up")

    def pids() -> list[int]:
        ids = " ".join(worker["ID"] for worker in containers(checkout, "moderator-worker"))
        told = checkout.run(f"docker inspect --format '{{{{.State.Pid}}}}' {ids}")
        return [int(pid) for pid in told.split()]

    before = pids()
    killed, frozen, *_ = before
    os.kill(frozen, signal.SIGSTOP)
    try:
        os.kill(killed, signal.SIGKILL)
        assert "5 photos; all verdicts" in checkout.run(SMOKE)
        # Docker starts it again; nobody has to.
        eventually(lambda: len(pids()) == 4 and killed not in pids() and 0 not in pids())
        for server in ("redis", "postgres"):
            client = caller(checkout, f"during-{server}")
            keys = [client.put(Upload(name="mine.jpg", data=portrait)) for _ in range(3)]
            client.complete(keys)
            checkout.run(f"docker compose restart --timeout 5 {server}")
            checkout.run("docker compose up -d --wait --no-recreate postgres redis api sweep")
            settled = client.wait(keys, within_s=240)
            assert {photo["moderation_status"] for photo in settled.values()} == {"approved"}
    finally:
        os.kill(frozen, signal.SIGCONT)
    eventually(
        lambda: {w["Health"] for w in containers(checkout, "moderator-worker")} == {"healthy"},
        within_s=180,
    )
    assert "5 photos; all verdicts" in checkout.run(SMOKE)


SAVE, BRING_BACK = (
    b for b in blocks() if b.page == "docs/backup.md" and "docker compose" in b.text
)


def save(checkout: Checkout, portrait: bytes) -> str:
    """Follow docs/backup.md; gives the id of a photo that is erased between backup and list."""
    client = caller(checkout, "erased")
    key = client.put(Upload(name="mine.jpg", data=portrait))
    client.complete([key])
    client.wait([key])
    *files, list_ = SAVE.commands
    checkout.run("\n".join(files))
    (gone,) = client.photos()
    client.call("DELETE", f"/users/media/{gone['id']}")
    checkout.run(list_)
    return str(gone["id"])


def bring_back(checkout: Checkout, *, erased: str) -> None:
    """Restore what was saved on a machine without volumes."""
    said = checkout.run(BRING_BACK.script)
    assert "erased again: 1; withdrawn again: 0" in said
    assert photo(checkout) == ("approved", PORTRAIT_SIZE)
    assert caller(checkout, "erased").photos() == []
    find = f"docker compose exec -T api find /photos -name '*{erased}*'"
    eventually(lambda: checkout.run(find) == "", within_s=150)


def test_photos_and_jobs_through_moto(checkout: Checkout, portrait: bytes) -> None:
    checkout.environment["WORKERS"] = "1"
    checkout.run("python3 local/compose_env.py")
    checkout.run(THROUGH_MOTO)
    assert containers(checkout, "moto")[0]["Health"] == "healthy"
    # Jobs go through SQS: nothing else is there to carry them.
    checkout.run("docker compose stop redis")
    checkout.run(OUTSIDE)
    client = caller(checkout, "s3")
    key = client.put(Upload(name="mine.jpg", data=portrait))
    client.complete([key])
    settled = client.wait([key])
    assert settled[key]["url"].startswith(f"http://127.0.0.1:{checkout.s3_port}/photos/")
    assert shown_size(settled[key]["url"]) == PORTRAIT_SIZE
    assert checkout.run("docker compose exec api find /photos -type f") == ""


def test_every_setting_reaches_the_containers(checkout: Checkout) -> None:
    checkout.run("python3 local/compose_env.py")
    wanted = {name: f"value-of-{name}" for name in known_settings()}
    with checkout.file.open("a", encoding="utf-8") as file:
        file.writelines(f"{name}={value}\n" for name, value in wanted.items())
    services = json.loads(checkout.run("docker compose config --format json"))["services"]
    for service, models in MODELS.items():
        passed = services[service]["environment"]
        for name in {field.upper() for model in models for field in model.model_fields}:
            assert (passed[name] == wanted[name]) is (name not in FIXED), (service, name)


def test_nothing_is_started_that_was_not_asked_for(checkout: Checkout) -> None:
    checkout.run("python3 local/compose_env.py")

    def everything(options: str) -> set[str]:
        return set(checkout.run(f"docker compose {options} config --services").split())

    usual = {"postgres", "redis", "migrate", "api", "moderator-worker", "sweep"}
    faces = {f"compreface-{part}" for part in ("postgres-db", "core", "api", "admin", "fe")}
    assert everything("") == usual
    assert everything("--profile aws") == usual | {"moto", "moto-setup"}
    assert everything("--profile compreface") == usual | faces
    assert everything("--profile tls") == usual | {"caddy"}
    assert everything("--profile monitoring") == usual | {"prometheus", "grafana"}
    assert everything("--profile full") == usual | {"moto", "moto-setup"} | faces


def test_https_and_metrics(checkout: Checkout, tmp_path: Path) -> None:
    """But for Grafana, whose image nobody can make here; with a name that needs no internet."""
    checkout.environment["WORKERS"] = "1"
    checkout.run("python3 local/compose_env.py")
    mine = HTTPS.replace("SITE_ADDRESS=photos.example.org", "SITE_ADDRESS=localhost")
    mine = mine.replace("\nEND", '\nSITE_TLS="tls internal"\nPROMETHEUS_PORT=$PROMETHEUS\nEND', 1)
    ports = {"SITE_HTTP_PORT": free_port(), "SITE_HTTPS_PORT": free_port()}
    checkout.environment |= {name: str(port) for name, port in ports.items()}
    prometheus = f"http://127.0.0.1:{free_port()}"
    checkout.environment["PROMETHEUS"] = prometheus.rpartition(":")[2]
    url = f"https://localhost:{ports['SITE_HTTPS_PORT']}"
    checkout.environment["PUBLIC_URL"] = url
    checkout.run(mine)
    root = tmp_path / "root.crt"
    inside = "/data/caddy/pki/authorities/local/root.crt"
    assert inside in DOCS
    eventually(lambda: checkout.tried(f"docker compose exec -T caddy cat {inside}").returncode == 0)
    root.write_text(checkout.run(f"docker compose exec -T caddy cat {inside}"))

    def answered(path: str) -> int:
        try:
            return int(requests.get(f"{url}{path}", verify=str(root), timeout=10).status_code)
        except requests.exceptions.SSLError:
            return 0  # its certificate comes a moment later

    eventually(lambda: answered("/api/v1/health") == 200)
    assert answered("/metrics") == 404
    checkout.environment["REQUESTS_CA_BUNDLE"] = str(root)
    smoke = OUTSIDE.replace("http://localhost", url)
    assert "5 photos; all verdicts" in checkout.run(smoke)

    checkout.run("docker compose --profile monitoring up -d --wait prometheus")

    def up() -> list[str]:
        found = requests.get(f"{prometheus}/api/v1/query", {"query": "up"}, timeout=10).json()
        return [one["value"][1] for one in found["data"]["result"]]

    eventually(lambda: up() == ["1"])


def test_what_does_not_start_is_said_in_one_line(checkout: Checkout) -> None:
    checkout.environment["WORKERS"] = "1"
    checkout.run("python3 local/compose_env.py")
    made = checkout.file.read_text(encoding="utf-8")

    def last_words(line: str) -> str:
        checkout.file.write_text(f"{made}{line}\n", encoding="utf-8")
        done = checkout.tried("make up")
        assert done.returncode != 0
        said = [text for text in done.stderr.splitlines() if not text.startswith("make: ***")]
        return said[-1]

    with socket.create_server(("127.0.0.1", checkout.port)):
        said = last_words("")
        assert said.startswith(f"port {checkout.port} of this machine is taken: "), said
    wrong = f"postgresql://photogate:{'0' * 8}@postgres/photogate"
    said = last_words(f"MIGRATE_DATABASE_URL={wrong}")
    assert said.startswith("make up: the database could not be migrated: "), said
    assert "password" in said
    assert containers(checkout, "api") == [], "nothing runs on an old schema"
    said = last_words("POLICY=unheard-of")
    assert " ends again and again: POLICY" in said, said
    assert last_words_are_mended(checkout, made)


def last_words_are_mended(checkout: Checkout, settings: str) -> bool:
    """Tell whether the same stack starts once its settings are right."""
    checkout.file.write_text(settings, encoding="utf-8")
    checkout.run("make up")
    return requests.get(f"{checkout.url}/api/v1/health", timeout=10).ok
