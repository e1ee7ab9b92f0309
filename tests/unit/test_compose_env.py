"""The settings of docker compose are made once, stay as they are, and are private."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from local import compose_env
from photogate.settings import MIN_SECRET_BYTES

MADE = {
    "POSTGRES_PASSWORD",
    "REDIS_PASSWORD",
    "COMPREFACE_DB_PASSWORD",
    "GRAFANA_PASSWORD",
    "METRICS_TOKEN",
    "PHOTOS_URL_SECRET",
    "JWT_SECRET",
    "FILE_KEY_SECRET",
    "PHOTOS_DIR",
    "COMPOSE_FILE",
    "WORKERS",
}


def start(file: Path) -> subprocess.Popen[bytes]:
    """Run it as users do: with a Python that has no packages, under a loose umask."""
    return subprocess.Popen(
        [sys.executable, "-I", "-S", compose_env.__file__, str(file)],
        stdout=subprocess.PIPE,
        umask=0,
    )


def run(file: Path) -> str:
    process = start(file)
    said, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    return said.decode()


def values(file: Path) -> dict[str, str]:
    lines = re.findall(r"^(\w+)=(.*)$", file.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(dict(lines)) == len(lines), "a name stands there twice"
    return dict(lines)


def mode(file: Path) -> int:
    return file.stat().st_mode & 0o777


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "home" / ".env"


def test_it_makes_what_compose_needs(file: Path) -> None:
    said = run(file)
    made = values(file)
    assert set(made) == MADE
    assert made.pop("PHOTOS_DIR") == "/photos"
    assert made.pop("COMPOSE_FILE") == "local/compose.yaml"
    assert made.pop("WORKERS") == "4"
    assert all(len(bytes.fromhex(value)) == MIN_SECRET_BYTES for value in made.values())
    assert len(set(made.values())) == len(made)
    assert not [value for value in made.values() if value in said]
    assert mode(file) == 0o600
    assert mode(file.parent) == 0o700


def test_a_second_run_changes_nothing(file: Path) -> None:
    run(file)
    before = file.read_bytes()
    assert run(file) == ""
    assert file.read_bytes() == before


def test_what_is_there_stays_and_what_is_missing_is_added(file: Path) -> None:
    file.parent.mkdir()
    file.write_text("# mine\nPOSTGRES_PASSWORD=kept\nPHOTOS_PER_DAY=5\nREDIS_PASSWORD=")
    file.chmod(0o644)
    run(file)
    text = file.read_text(encoding="utf-8")
    assert text.startswith("# mine\nPOSTGRES_PASSWORD=kept\nPHOTOS_PER_DAY=5\nREDIS_PASSWORD=\n")
    assert text.count("POSTGRES_PASSWORD=") == 1
    # The last one counts, for compose and for shells.
    assert re.search(r"REDIS_PASSWORD=[0-9a-f]{64}$", text, re.MULTILINE)
    assert mode(file) == 0o600


@pytest.mark.parametrize(
    ("text", "not_made"),
    [
        ("S3_BUCKET_PHOTOS=mine\n", {"PHOTOS_DIR"}),
        ("PHOTOS_DIR=\n", {"PHOTOS_DIR"}),
        # Keys of photos were proven by the first until now.
        ("JWT_SECRET=mine\n", {"JWT_SECRET", "FILE_KEY_SECRET"}),
        ("JWT_JWKS_URL=https://id.example/keys\n", {"JWT_SECRET"}),
        ("FILE_KEY_SECRET=mine\n", {"FILE_KEY_SECRET"}),
        ("#POSTGRES_PASSWORD=mine\n", set()),
    ],
)
def test_it_adds_nothing_that_contradicts(text: str, not_made: set[str]) -> None:
    assert set(compose_env.missing(text)) == MADE - not_made


def test_many_at_once_agree(file: Path) -> None:
    running = [start(file) for _ in range(8)]
    said = [process.communicate(timeout=60)[0] for process in running]
    assert [process.returncode for process in running] == [0] * 8
    assert len([line for line in said if line]) == 1
    assert set(values(file)) == MADE


#: Runs the program and writes the file's mode at each step that Python reports of it.
_WATCHED = """
import os, runpy, sys
def hook(event, arguments):
    if os.path.exists(file):
        modes.add(os.stat(file).st_mode & 0o777)
program, file = sys.argv[1:]
sys.argv, modes = [program, file], set()
sys.addaudithook(hook)
runpy.run_path(program, run_name="__main__")
print(*modes)
"""


def test_nobody_else_can_read_it_at_any_time(file: Path) -> None:
    command = [sys.executable, "-c", _WATCHED, compose_env.__file__, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, umask=0)
    assert done.stdout.splitlines()[-1] == str(0o600)


def test_a_file_that_cannot_be_written_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    command = [sys.executable, compose_env.__file__, str(tmp_path / "taken" / ".env")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.count(os.linesep) == 1
    assert done.stderr.startswith(f"cannot write {tmp_path}/taken: ")


EARLIER = "# mine\nPOSTGRES_PASSWORD=kept\nPHOTOS_DIR=/photos\nJWT_SECRET=signs\n"


class TestAnEarlierVersionsFile:
    @pytest.fixture
    def earlier(self, tmp_path: Path) -> Path:
        path = tmp_path / "compose.env"
        path.write_text(EARLIER)
        return path

    def test_it_is_taken_over_once(self, file: Path, earlier: Path) -> None:
        compose_env.complete(file, earlier)
        made = values(file)
        assert file.read_text().startswith(EARLIER)
        assert made["HTTP_PORT"] == "8000", "the API goes on answering where it did"
        assert set(made) == MADE - {"FILE_KEY_SECRET"} | {"HTTP_PORT"}
        assert mode(file) == 0o600
        assert not earlier.exists()
        before = file.read_bytes()
        assert compose_env.complete(file, earlier) == []
        assert file.read_bytes() == before

    def test_the_port_keeps_its_value_under_its_new_name(self, file: Path, earlier: Path) -> None:
        earlier.write_text(f"{EARLIER}PORT=9000\nS3_PORT=5001\n")
        compose_env.complete(file, earlier)
        made = values(file)
        assert (made["HTTP_PORT"], made["S3_PORT"]) == ("9000", "5001")
        assert "PORT" not in made

    def test_what_is_there_already_stays(self, file: Path, earlier: Path) -> None:
        file.parent.mkdir()
        file.write_text("OTHER=1\nPOSTGRES_PASSWORD=kept")
        compose_env.complete(file, earlier)
        assert file.read_text().startswith("OTHER=1\nPOSTGRES_PASSWORD=kept\n# mine\nPHOTOS_DIR=")
        assert values(file)["JWT_SECRET"] == "signs"

    def test_where_both_set_a_name_a_person_decides(self, file: Path, earlier: Path) -> None:
        file.parent.mkdir()
        file.write_text("POSTGRES_PASSWORD=another\n")
        with pytest.raises(compose_env.Contradiction, match=r"^POSTGRES_PASSWORD$"):
            compose_env.complete(file, earlier)
        assert file.read_text() == "POSTGRES_PASSWORD=another\n"
        assert earlier.exists()

    def test_one_that_was_killed_is_repeated(self, file: Path, earlier: Path) -> None:
        """Between writing the one file and removing the other."""
        earlier.write_text(f"{EARLIER}PORT=9000\n")
        compose_env.complete(file, earlier)
        written = file.read_text()
        earlier.write_text(f"{EARLIER}PORT=9000\n")
        compose_env.complete(file, earlier)
        assert file.read_text() == written
        assert not earlier.exists()
