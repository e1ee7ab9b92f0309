"""docs/backup.md on one machine: a backup of a stack that runs, restored into another folder."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from local.client import PhotogateClient, Upload
from local.home import Home
from photogate.domain import Role
from tests.docs import block
from tests.e2e.running import PHOTOGATE, RunningStack, clean_environment
from tests.servers import eventually


def hand_in(client: PhotogateClient, *photos: bytes) -> None:
    keys = [client.put(Upload(name="mine.jpg", data=photo)) for photo in photos]
    client.complete(keys)
    client.wait(keys)
    eventually(lambda: all(p["url"] for p in client.photos()))


def verdicts(client: PhotogateClient) -> dict[str, tuple[str, str | None]]:
    return {p["id"]: (p["moderation_status"], p["reason"]) for p in client.photos()}


@pytest.mark.slow
def test_the_page(
    start: Callable[..., RunningStack], stack_home: Path, tmp_path: Path, portrait: bytes
) -> None:
    stack = start()
    users = {name: stack.client(name) for name in ("stays", "erased", "withdrawn")}
    for client in users.values():
        hand_in(client, portrait)
    backups = tmp_path / "backups"
    backups.mkdir()

    def typed(command: str, home: Path) -> str:
        (backup_,) = backups.glob("photogate-*.tar") if "restore" in command else (Path(),)
        command = command.replace("/mnt/backups/photogate-20261130-031500.tar", f"'{backup_}'")
        command = command.replace("/mnt/backups", f"'{backups}'")
        command = command.replace(".venv/bin/photogate", str(PHOTOGATE))
        done = subprocess.run(
            ["bash", "-euc", command],
            env={**clean_environment(), "PHOTOGATE_HOME": str(home)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    save, list_ = block("docs/backup.md", holding="photogate backup").commands
    (bring_back,) = block("docs/backup.md", holding="photogate restore").commands
    # An original and three copies each; the uploads may be gone already.
    assert int(re.findall(r": (\d+) objects", typed(save, stack_home))[0]) >= 12
    (photo,) = users["erased"].photos()
    users["erased"].call("DELETE", f"/users/media/{photo['id']}")
    (photo,) = users["withdrawn"].photos()
    moderator = stack.client("moderator", Role.MODERATOR)
    path = f"/admin/moderation/{photo['id']}/reject"
    moderator.call("PUT", path, json={"reason": "not this person"})
    assert "2 photos remain" in typed(list_, stack_home)
    before = verdicts(users["stays"])
    stack.stop()

    home = tmp_path / "another"
    said = typed(bring_back, home)
    assert "photos that came back: 3; erased again: 1; withdrawn again: 1" in said
    assert "JWT_SECRET" in said
    restored = RunningStack(home)
    try:
        assert verdicts(restored.client("stays")) == before
        (photo,) = restored.client("stays").photos()
        assert requests.get(photo["url"], timeout=10).ok
        assert restored.client("erased").photos() == []
        (photo,) = restored.client("withdrawn").photos()
        # Its owner alone is shown it, by the API.
        assert photo["moderation_status"] == "rejected"
        assert photo["url"].startswith("/api/v1/users/media/")
        # It goes on from there.
        hand_in(restored.client("new"), portrait)
        files = [path.read_bytes() for path in Home(home).folder("photos").rglob("kept/*")]
        assert len(files) == 3, "of one that stayed, one that was withdrawn, and a new one"
    finally:
        restored.stop()


@pytest.mark.slow
def test_a_stack_that_does_not_run(
    start: Callable[..., RunningStack], stack_home: Path, tmp_path: Path
) -> None:
    """Its PostgreSQL is started for the backup alone."""
    stack = start()
    stack.run("smoke", "1")
    said = stack.run("backup", str(tmp_path / "running.tar"))
    objects = said.partition(": ")[2].partition(",")[0]
    stack.stop()
    assert objects in stack.run("backup", str(tmp_path / "stopped.tar"))
    done = subprocess.run(
        [PHOTOGATE, "restore", tmp_path / "stopped.tar", "--with-erased"],
        env={**clean_environment(), "PHOTOGATE_HOME": str(stack_home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "the database is not empty" in done.stderr
