"""What .ci/image and .ci/compose say without an engine, and that what fails is a failure."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
#: Of the system, for the scripts themselves.
TOOLS = ("bash", "sed", "mktemp", "timeout", "tail", "rm", "dirname", "sleep", "cat", "mkdir", "cp")
ENGINE_RUNS = "exit 0"
NO_ENGINE = "exit 1"


def run(folder: Path, script: str, **programs: str) -> subprocess.CompletedProcess[str]:
    """Run one of the scripts where only these programs are; each is a line of shell."""
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found
        (folder / tool).symlink_to(found)
    for name, line in programs.items():
        program = folder / name.replace("_", "-")
        program.write_text(f"#!{folder}/bash\n{line}\n", encoding="utf-8")
        program.chmod(0o755)
    return subprocess.run(
        [folder / "bash", ROOT / ".ci" / script],
        env={"PATH": str(folder), "TMPDIR": os.environ.get("TMPDIR", "/tmp")},  # noqa: S108
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("script", ["image", "compose"])
class TestWithoutAnEngine:
    def test_it_says_why_in_one_line(self, script: str, tmp_path: Path) -> None:
        done = run(tmp_path, script, docker=NO_ENGINE, id="echo 1000")
        assert done.stdout == f"{script}: not run: no engine runs, and only root can start one\n"
        assert (done.returncode, done.stderr) == (0, "")

    def test_it_says_that_docker_cannot_be_installed(self, script: str, tmp_path: Path) -> None:
        done = run(tmp_path, script, id="echo 0", apt_get="echo no route; exit 100")
        assert done.stdout == f"{script}: not run: apt-get cannot install docker.io: no route\n"
        assert (done.returncode, done.stderr) == (0, "")

    def test_it_says_what_the_engine_said(self, script: str, tmp_path: Path) -> None:
        failing = "echo no overlay here >&2; exit 1"
        done = run(tmp_path, script, id="echo 0", docker=NO_ENGINE, dockerd=failing)
        assert done.stdout == f"{script}: not run: the engine does not start: no overlay here\n"
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("script", ["image", "compose"])
class TestWithAnEngine:
    def test_a_failing_test_is_a_failure(self, script: str, tmp_path: Path) -> None:
        done = run(tmp_path, script, docker=ENGINE_RUNS, make="exit 2")
        assert done.returncode == 1
        assert done.stderr == f"{script}: failed\n"

    def test_success_is_said_with_its_time(self, script: str, tmp_path: Path) -> None:
        done = run(tmp_path, script, docker=ENGINE_RUNS, make='echo "$@"')
        assert done.returncode == 0
        assert f"{script}-test" in done.stdout.splitlines()[0]
        assert done.stdout.splitlines()[-1].startswith(f"{script}: done in ")
