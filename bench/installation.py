"""A stack of its own to measure: embedded, in a folder that is gone afterwards."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from local.client import PhotogateClient
from local.home import Home
from local.stack import Stack
from photogate.auth import issue_token
from photogate.domain import Role
from photogate.settings import (
    AdminSettings,
    ModerateSettings,
    SweepSettings,
    UploadSettings,
)

_NAMES = count(1)


@dataclass(frozen=True, kw_only=True)
class Address:
    """What a client process needs to know of an installation."""

    url: str
    #: Signs the tokens of made-up users.
    secret: str

    def client(self, user_id: str, role: Role = Role.USER) -> PhotogateClient:
        """Make a client with connections of its own."""
        return PhotogateClient(self.url, issue_token(user_id, secret=self.secret, role=role))


@dataclass(kw_only=True)
class Installation:
    """A running stack, and what was handed in to it so far."""

    stack: Stack
    address: Address
    #: Photos that upload-complete accepted.
    accepted: int = 0
    #: Requests that were not answered with 2xx.
    refused: int = 0

    def new_user(self) -> str:
        """Give the id of a user who has no photos yet."""
        return f"bench-{next(_NAMES)}"

    def worker_pids(self) -> list[int]:
        """Give the workers' process ids."""
        return self.stack.pids("worker")

    def queue_stats(self) -> dict[str, Any]:
        """Ask ``GET /admin/queue-stats``."""
        admin = self.address.client("bench-admin", Role.ADMIN)
        stats: dict[str, Any] = admin.call("GET", "/admin/queue-stats")
        return stats

    def drain(self, *, within_s: float, every_s: float = 0.1) -> bool:
        """Wait until no photo and no job is left; False when that takes too long."""
        deadline = time.monotonic() + within_s
        while any(backlog(self.queue_stats()).values()):
            if time.monotonic() > deadline:
                return False
            time.sleep(every_s)
        return True


def backlog(stats: dict[str, Any]) -> dict[str, int]:
    """Pick from queue-stats what must be 0 when all is done."""
    names = ("length", "in_flight", "delayed", "dead", "pending_media")
    return {name: int(stats["queue"][name]) for name in names}


@contextmanager
def running(*, workers: int, progress: Callable[[str], None]) -> Iterator[Installation]:
    """Start a stack with the shipped settings, and stop and remove it at the end.

    Settings of this process's environment are put aside, apart from the model's, so that
    no installation that they name is measured or written to.

    Raises:
        ConfigError: it cannot be started.
    """
    for settings in (UploadSettings, AdminSettings, ModerateSettings, SweepSettings):
        for name in settings.model_fields.keys() - {"model_dir", "second_model"}:
            os.environ.pop(name.upper(), None)
    folder = Path(tempfile.mkdtemp(prefix="photogate-bench-"))
    try:
        home = Home(folder)
        stack = Stack(home=home, port=home.port("api"), workers=workers, progress=progress)
        stack.start()
        try:
            address = Address(url=stack.url, secret=os.environ["JWT_SECRET"])
            yield Installation(stack=stack, address=address)
        finally:
            stack.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
