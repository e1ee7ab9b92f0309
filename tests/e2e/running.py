"""``photogate up`` as its users start it, and other commands beside it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil

from local.client import PhotogateClient
from local.home import free_port
from photogate.auth import issue_token
from photogate.domain import Role
from photogate.settings import setting_names
from tests.servers import eventually

PHOTOGATE = Path(sys.executable).with_name("photogate")


class RunningStack:
    """``photogate up`` in a folder of its own."""

    def __init__(self, home: Path, *arguments: str, **environment: str) -> None:
        self.home = home
        self.output = home.with_suffix(".out")
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        #: Other commands know no more than the folder.
        self._beside = {**clean_environment(), "PHOTOGATE_HOME": str(home)}
        with self.output.open("w") as output:
            self.process = subprocess.Popen(
                [PHOTOGATE, "up", "--port", str(port), *arguments],
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**self._beside, **environment},
            )
        try:
            eventually(
                lambda: self.process.poll() is not None or "Ctrl-C stops" in self.said(),
                within_s=60,
            )
        except BaseException:
            self.process.terminate()
            raise
        assert self.process.poll() is None, self.said()

    def said(self) -> str:
        """Give what it printed so far."""
        return self.output.read_text()

    def run(self, *arguments: str, **environment: str) -> str:
        """Run another command in a second terminal and give what that prints."""
        done = subprocess.run(
            [PHOTOGATE, *arguments],
            env={**self._beside, **environment},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextlib.contextmanager
    def one_more_worker(self, **environment: str) -> Iterator[None]:
        """Run ``photogate worker`` in a second terminal."""
        admin = self.client("operator", Role.ADMIN)

        def workers() -> set[int]:
            stats = admin.call("GET", "/admin/queue-stats")
            return {int(worker["id"].split(":")[1]) for worker in stats["workers"]}

        log = self.home.with_suffix(".worker")
        with log.open("w") as output:
            one_more = subprocess.Popen(
                [PHOTOGATE, "worker"],
                env={**self._beside, **environment},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            eventually(
                lambda: one_more.poll() is not None or one_more.pid in workers(), within_s=30
            )
            assert one_more.poll() is None, log.read_text()
            yield
        finally:
            one_more.terminate()
            assert one_more.wait(15) == 0
            admin.close()

    def children(self, name: str) -> list[psutil.Process]:
        """Give the living children whose command line holds ``name``."""
        found = []
        for child in psutil.Process(self.process.pid).children():
            with contextlib.suppress(psutil.ZombieProcess, psutil.NoSuchProcess):
                if name in " ".join(child.cmdline()):
                    found.append(child)
        return found

    def client(self, user: str, role: Role = Role.USER) -> PhotogateClient:
        """Give a caller."""
        secret = json.loads((self.home / "secrets.json").read_text())["jwt"]
        return PhotogateClient(self.url, issue_token(user, secret=secret, role=role))

    def stop(self, how: int = signal.SIGINT) -> int:
        """Stop it as Ctrl-C does, and check that no process is left."""
        family = psutil.Process(self.process.pid).children(recursive=True)
        self.process.send_signal(how)
        code = self.process.wait(40)
        _, alive = psutil.wait_procs(family, timeout=15)
        assert alive == []
        return code


def clean_environment() -> dict[str, str]:
    """Give the environment without any setting, and without credentials of AWS."""
    ours = setting_names()
    return {
        name: value
        for name, value in os.environ.items()
        if name not in ours and not name.startswith(("PHOTOGATE_", "AWS_"))
    }
