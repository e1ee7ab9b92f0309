"""docs/compose.md as something that is followed: its commands, run in a copy of the checkout."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from dotenv import dotenv_values

from tests.docs import ROOT
from tests.unit.test_template import known_settings

DOCS = (ROOT / "docs" / "compose.md").read_text(encoding="utf-8")

#: Not what a clone holds.
_LEFT_OUT = shutil.ignore_patterns(
    *(".git", ".venv", ".venv-sam", ".cache", ".aws-sam", ".photogate", "__pycache__", ".*_cache")
)


def written(command: str) -> str:
    """Give the command back when the page has it.

    Raises:
        AssertionError: the page says something else by now.
    """
    assert f"`{command}`" in DOCS or f"$ {command}\n" in DOCS, f"the page does not say {command}"
    return command


@dataclass(kw_only=True)
class Checkout:
    """A copy of the checkout, whose stack has its own name and its own ports.

    The installed environment is the checkout's, so that ``make setup`` finds it made.
    """

    folder: Path
    project: str
    port: int
    s3_port: int
    environment: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        shutil.copytree(ROOT, self.folder, ignore=_LEFT_OUT)
        for shared in (".venv", ".cache"):
            if (ROOT / shared).exists():
                (self.folder / shared).symlink_to(ROOT / shared)
        # Nothing but the file is to decide; and make of make test is not make of the page.
        not_passed = known_settings() | {"MAKEFLAGS", "MAKELEVEL", "MFLAGS", "COMPOSE_PROFILES"}
        self.environment = {k: v for k, v in os.environ.items() if k not in not_passed} | {
            "COMPOSE_PROJECT_NAME": self.project,
            "PORT": str(self.port),
            "S3_PORT": str(self.s3_port),
        }

    @property
    def url(self) -> str:
        """Where its API answers."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def file(self) -> Path:
        """Its settings."""
        return self.folder / ".photogate" / "compose.env"

    def settings(self) -> dict[str, str]:
        """What the file says."""
        return {name: value or "" for name, value in dotenv_values(self.file).items()}

    def run(self, commands: str) -> str:
        """Run commands of the page in bash, with its alias and this copy's ports; gives stdout."""
        ours = commands.replace("127.0.0.1:8000", f"127.0.0.1:{self.port}")
        ours = ours.replace("127.0.0.1:5000", f"127.0.0.1:{self.s3_port}")
        done = self._bash(ours)
        if done.returncode:
            logs = self._bash("stack logs --no-color --tail 10").stdout
            raise AssertionError(f"{commands}\n{done.stdout}\n{done.stderr}\n{logs}")
        return done.stdout

    def _bash(self, commands: str) -> subprocess.CompletedProcess[str]:
        script = f"shopt -s expand_aliases; set -eu -o pipefail\n{self._alias}\n{commands}\n"
        return subprocess.run(
            ["bash", "-c", script],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    @cached_property
    def _alias(self) -> str:
        (line,) = re.findall(r"^\$ (alias stack=.*)$", DOCS, re.MULTILINE)
        return str(line)
