"""A decoder that was taken over reaches no other process, no file and no network."""

from __future__ import annotations

import json
import os
import platform
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from photogate.errors import PhotoRefused
from photogate_vision.decoding.confinement import USER
from photogate_vision.decoding.sandbox import Sandbox

ROOT = Path(__file__).parents[2]
linux = pytest.mark.skipif(sys.platform != "linux", reason="means of Linux")
OTHERS = {"environment of another", "memory of another", "ptrace"}
FILES = {"list of processes", "file of another", "new file", "new link", "program", "exec"}
#: What each means forbids, whatever the others do; Landlock's newer versions forbid more.
FORBIDDEN = {
    "user": OTHERS | {"signal"},
    "landlock": OTHERS | FILES,
    "seccomp": OTHERS | FILES | {"TCP", "UDP", "signal", "fork", "machine code"},
}


@pytest.fixture
def place(tmp_path: Path) -> Iterator[dict[str, Any]]:
    """A process with a secret in its environment, an open folder with a secret, a server."""
    tmp_path.chmod(0o777)
    secret = tmp_path / "secrets.json"
    secret.write_text("secret")
    secret.chmod(0o644)
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as victim,
    ):
        port = server.getsockname()[1]
        yield {"victim": victim.pid, "file": str(secret), "port": port}
        victim.kill()


def tried(means: str, place: dict[str, Any]) -> dict[str, str]:
    """Try everything in a process of its own under these means alone."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.model.attempts", means, *map(str, place.values())],
        stdout=subprocess.PIPE,
        check=True,
        cwd=ROOT,
    )
    found: dict[str, str] = json.loads(done.stdout)
    return found


@linux
class TestMeans:
    def test_all_of_it_can_be_done_without(self, place: dict[str, Any]) -> None:
        found = tried("", place)
        if os.geteuid() != 0:  # a kernel may forbid it to all but root
            found |= {"ptrace": "done", "memory of another": "done"}
        assert set(found) == FORBIDDEN["seccomp"]
        assert {name for name, how in found.items() if how != "done"} == {"exec"}

    @pytest.mark.parametrize("means", FORBIDDEN)
    def test_each_forbids_its_part_alone(self, place: dict[str, Any], means: str) -> None:
        found = tried(means, place)
        if means in found:  # this machine has it not, and says so
            assert found == {means: found[means]}
            assert found[means] in told_by_a_child()[means]
            return
        refused = {name for name, how in found.items() if how in ("EPERM", "EACCES")}
        assert refused >= FORBIDDEN[means]


@linux
class TestDecoder:
    def test_it_can_do_nothing_of_it(self, place: dict[str, Any]) -> None:
        sandbox = Sandbox(decoder="tests.model.odd_decoders:obey")
        sibling = Sandbox(decoder="tests.model.odd_decoders:obey")
        sibling.confinement()
        siblings = [c.pid for c in psutil.Process().children() if "-S" in c.cmdline()]
        victims = {place["victim"], os.getpid(), *siblings}
        assert len(victims) >= 4
        for victim in victims:
            with pytest.raises(PhotoRefused) as caught:
                sandbox.decode(f"do attempt {json.dumps(place | {'victim': victim})}".encode())
            found = json.loads(str(caught.value))
            assert set(found) == FORBIDDEN["seccomp"]
            assert set(found.values()) == {"EPERM"}
        assert sorted(file.name for file in Path(place["file"]).parent.iterdir()) == [
            "secrets.json"
        ]
        sandbox.close()
        sibling.close()

    @pytest.mark.skipif(platform.machine() not in ("x86_64", "aarch64"), reason="no filter")
    def test_seccomp_is_in_force(self) -> None:
        sandbox = Sandbox()
        assert sandbox.confinement()["seccomp"] == ""
        (child,) = (c for c in psutil.Process().children() if c.pid == pid_of(sandbox))
        status = Path(f"/proc/{child.pid}/status").read_text()
        assert "Seccomp:\t2" in status
        assert "NoNewPrivs:\t1" in status
        if os.geteuid() == 0:
            assert set(child.uids()) | set(child.gids()) == {USER}
            assert "CapEff:\t0000000000000000" in status
            assert "Groups:\t \n" in status
        sandbox.close()


def pid_of(sandbox: Sandbox) -> int:
    """Give its one child."""
    (child,) = sandbox._idle
    return child._process.pid


def told_by_a_child() -> dict[str, str]:
    """Give what a child of this machine tells of its confinement."""
    sandbox = Sandbox()
    found = sandbox.confinement()
    sandbox.close()
    return found
