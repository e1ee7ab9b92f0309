"""The upgrade of docs/compose.md, from an earlier commit's images, while photos come in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from local.client import PhotogateClient, Upload
from tests.compose.page import Checkout, caller, containers, shown_size
from tests.docs import ROOT, block
from tests.earlier import earlier

UPGRADE = block("docs/compose.md", holding="git pull").script


def hand_in(client: PhotogateClient, portrait: bytes, photos: int = 3) -> list[str]:
    keys = [client.put(Upload(name="mine.jpg", data=portrait)) for _ in range(photos)]
    client.complete(keys)
    return keys


def states(client: PhotogateClient) -> dict[str, tuple[str, tuple[int, int]]]:
    """Each photo's state, and the size of the copy that is shown."""
    return {p["id"]: (p["moderation_status"], shown_size(p["url"])) for p in client.photos()}


def migrations(folder: Path) -> set[int]:
    found = (folder / "layers" / "core" / "photogate" / "migrations").glob("*.sql")
    return {int(file.name.partition("_")[0]) for file in found}


def migrated(checkout: Checkout) -> set[int]:
    psql = "exec -T postgres psql --username photogate --no-align --tuples-only --command"
    table = "'SELECT number FROM schema_migrations'"
    told = checkout.run(f"{checkout.compose} {psql} {table}")
    return {int(number) for number in told.split()}


def images(checkout: Checkout, service: str) -> set[str]:
    ids = " ".join(one["ID"] for one in containers(checkout, service))
    return set(checkout.run(f"docker inspect --format '{{{{.Image}}}}' {ids}").split())


def test_nothing_is_lost(checkout_of: Callable[[str | None], Checkout], portrait: bytes) -> None:
    if (commit := earlier()) is None:
        pytest.skip("there is no earlier commit in this checkout")
    checkout = checkout_of(commit)
    checkout.environment["WORKERS"] = "1"
    checkout.run("make up")
    assert migrated(checkout) == migrations(checkout.folder)
    before = caller(checkout, "before")
    before.wait(hand_in(before, portrait))
    known = states(before)
    assert {status for status, _ in known.values()} == {"approved"}
    older = images(checkout, "moderator-worker")

    checkout.pull()
    checkout.run("python3 local/compose_env.py")
    made = checkout.file.read_text(encoding="utf-8")
    wrong = f"MIGRATE_DATABASE_URL=postgresql://photogate:{'0' * 8}@postgres/photogate\n"
    checkout.file.write_text(made + wrong, encoding="utf-8")
    said = checkout.tried("make up").stderr
    assert "make up: the database could not be migrated: PostgreSQL refuses: password" in said, said
    assert images(checkout, "moderator-worker") == older
    assert states(caller(checkout, "before")) == known, "the earlier version goes on"
    checkout.file.write_text(made, encoding="utf-8")

    # The first that `make up` does, alone: the earlier API and worker go on, on the newer schema.
    checkout.run("docker compose run --rm --no-deps --build migrate")
    assert migrated(checkout) == migrations(ROOT)
    between = caller(checkout, "between")
    settled = between.wait(hand_in(between, portrait))
    assert {photo["moderation_status"] for photo in settled.values()} == {"approved"}
    assert images(checkout, "moderator-worker") == older
    checkout.run("docker compose stop moderator-worker")
    waiting = hand_in(between, portrait)

    told = checkout.run(UPGRADE.replace("git pull", "true", 1))
    assert "nothing is wrong" in told, told
    assert images(checkout, "moderator-worker").isdisjoint(older)
    settled = caller(checkout, "between").wait(waiting)
    assert {photo["moderation_status"] for photo in settled.values()} == {"approved"}
    assert states(caller(checkout, "before")) == known
