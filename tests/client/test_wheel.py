"""The client is a package of its own."""

from __future__ import annotations

import re
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of the sources."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run(
        [*command, "--wheel-dir", folder, ROOT / "clients" / "python"], check=True, timeout=120
    )
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_has_types_and_nothing_of_the_server(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert "photogate_client/py.typed" in names
    assert {name.split("/")[0] for name in names} == {
        "photogate_client",
        "photogate_client-0.1.0.dist-info",
    }


@pytest.mark.slow
def test_it_installs_into_an_empty_environment(wheel: Path, tmp_path: Path) -> None:
    where = tmp_path / "venv"
    venv.create(where, with_pip=True)
    python = where / "bin" / "python"
    pinned = re.findall(
        r"^\S+==[^\s;]+", (ROOT / "requirements" / "run.txt").read_text(), re.MULTILINE
    )
    constraints = tmp_path / "constraints.txt"
    constraints.write_text("\n".join(pinned))
    install: list[str | Path] = [
        python,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--constraint",
        constraints,
        wheel,
    ]
    subprocess.run(install, check=True, timeout=300)
    program = (
        "import importlib.util, photogate_client as c\n"
        "assert importlib.util.find_spec('photogate') is None\n"
        "c.Photogate('http://127.0.0.1:1', 't').close(); print(len(c.__all__))"
    )
    done = subprocess.run(
        [python, "-W", "error", "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert int(done.stdout) > 30
