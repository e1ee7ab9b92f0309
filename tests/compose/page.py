"""docs/compose.md as something that is followed: its commands, run in a copy of the checkout."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import requests
from dotenv import dotenv_values
from PIL import Image

from local.client import PhotogateClient
from photogate.auth import issue_token
from tests.docs import ROOT
from tests.earlier import unpack
from tests.unit.test_template import known_settings

DOCS = (ROOT / "docs" / "compose.md").read_text(encoding="utf-8")

#: Which `git pull` leaves alone.
_KEPT = (".env", ".photogate", ".venv", ".cache")
#: Not what a clone holds.
_LEFT_OUT = shutil.ignore_patterns(
    *(
        ".env",
        ".git",
        ".venv",
        ".venv-sam",
        ".cache",
        ".aws-sam",
        ".photogate",
        "__pycache__",
        ".*_cache",
    )
)


def written(command: str) -> str:
    """Give the command back when the page has it.

    Raises:
        AssertionError: the page says something else by now.
    """
    assert f"`{command}`" in DOCS or f"$ {command}\n" in DOCS, f"the page does not say {command}"
    return command


def _for_this_engine(file: Path) -> None:
    """Take out what Compose refuses to give to an engine below 25, such as Debian's."""
    done = subprocess.run(
        ["docker", "version", "--format", "{{.Server.Version}}"],
        capture_output=True,
        text=True,
        check=True,
    )
    if int(done.stdout.partition(".")[0]) < 25:
        lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
        kept = [line for line in lines if "start_interval:" not in line]
        file.write_text("".join(kept), encoding="utf-8")


@dataclass(kw_only=True)
class Checkout:
    """A copy of the checkout, whose stack has its own name and its own ports.

    The installed environment is the checkout's: for what is run outside of the containers.
    """

    folder: Path
    project: str
    port: int
    s3_port: int
    #: The commit that it begins with; None begins with the checkout as it is.
    commit: str | None = None
    environment: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.folder.mkdir()
        if self.commit is None:
            self.pull()
        else:
            unpack(self.commit, self.folder)
            _for_this_engine(self.folder / "local" / "compose.yaml")
        # Nothing but the file is to decide; and make of make test is not make of the page.
        not_passed = known_settings() | {"MAKEFLAGS", "MAKELEVEL", "MFLAGS", "COMPOSE_PROFILES"}
        self.environment = {k: v for k, v in os.environ.items() if k not in not_passed} | {
            "COMPOSE_PROJECT_NAME": self.project,
            "HTTP_PORT": str(self.port),
            "S3_PORT": str(self.s3_port),
            # As it was called before.
            "PORT": str(self.port),
        }

    def pull(self) -> None:
        """Do what ``git pull`` does: put the checkout as it is in the place of what is there."""
        for old in self.folder.iterdir():
            if old.name not in _KEPT:
                shutil.rmtree(old) if old.is_dir() else old.unlink()
        shutil.copytree(ROOT, self.folder, ignore=_LEFT_OUT, dirs_exist_ok=True)
        for shared in (".venv", ".cache"):
            if (ROOT / shared).exists():
                (self.folder / shared).symlink_to(ROOT / shared)
        _for_this_engine(self.folder / "local" / "compose.yaml")

    @property
    def url(self) -> str:
        """Where its API answers."""
        return f"http://localhost:{self.port}"

    @property
    def file(self) -> Path:
        """Its settings; an earlier version had them elsewhere."""
        file, earlier = self.folder / ".env", self.folder / ".photogate" / "compose.env"
        return earlier if earlier.exists() else file

    @property
    def compose(self) -> str:
        """The command of Compose in this folder; an earlier version took options."""
        if self.file.name == ".env":
            return "docker compose"
        return "docker compose --file local/compose.yaml --env-file .photogate/compose.env"

    def settings(self) -> dict[str, str]:
        """What the file says."""
        return {name: value or "" for name, value in dotenv_values(self.file).items()}

    def run(self, commands: str) -> str:
        """Run commands of the page in bash, with this copy's ports; gives stdout."""
        done = self.tried(commands)
        if done.returncode:
            logs = self.tried(f"{self.compose} logs --no-color --tail 10").stdout
            raise AssertionError(f"{commands}\n{done.stdout}\n{done.stderr}\n{logs}")
        return done.stdout

    def tried(self, commands: str) -> subprocess.CompletedProcess[str]:
        """Do the same for what may fail."""
        ours = re.sub(r"http://localhost(?!:)\b", self.url, commands)
        return self._bash(ours.replace("127.0.0.1:5000", f"127.0.0.1:{self.s3_port}"))

    def _bash(self, commands: str) -> subprocess.CompletedProcess[str]:
        script = f"set -eu -o pipefail\n{commands}\n"
        return subprocess.run(
            ["bash", "-c", script],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )


def containers(checkout: Checkout, service: str) -> list[dict[str, str]]:
    """What Compose says of the containers of a service, or of all."""
    lines = checkout.run(f"{checkout.compose} ps --format json {service}").splitlines()
    return [json.loads(line) for line in lines]


def caller(checkout: Checkout, user: str) -> PhotogateClient:
    """Give a client of one user."""
    token = issue_token(user, secret=checkout.settings()["JWT_SECRET"])
    return PhotogateClient(checkout.url, token)


def shown_size(url: str) -> tuple[int, int]:
    """The size of the picture at a URL, in pixels."""
    answer = requests.get(url, timeout=10)
    answer.raise_for_status()
    with Image.open(BytesIO(answer.content)) as picture:
        return picture.size
