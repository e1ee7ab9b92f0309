"""The builder of the face detector gives the pinned bytes or nothing."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from faces.bundle import write_bundle
from faces.tflite import Operator, TfliteNetwork, densified
from faces.tflite_to_onnx import onnx_model
from faces.wheel import fetch_wheel, verified
from local.models import build as model_build

ROOT = Path(__file__).parents[2]
BUILDER = ROOT / "layers" / "model" / "build"


@pytest.fixture(scope="module")
def faces() -> Path:
    """The bundle that a throw-away environment built."""
    return model_build.ensure_faces(print)


@pytest.mark.slow
def test_another_environment_gives_the_same_bytes(faces: Path, tmp_path: Path) -> None:
    # given the bundle of a throw-away environment, when this one builds it too
    out = tmp_path / "bundle"
    command = [sys.executable, "-m", "faces", "--out", str(out)]
    subprocess.run(command, check=True, timeout=120, cwd=BUILDER)
    # then both are the same
    names = ["full_range.onnx", "manifest.json", "short_range.onnx"]
    assert sorted(entry.name for entry in out.iterdir()) == names
    for name in names:
        assert (out / name).read_bytes() == (faces / name).read_bytes()
    assert [entry.name for entry in tmp_path.iterdir()] == ["bundle"]


def test_other_bytes_than_the_pinned_ones_are_not_written(tmp_path: Path) -> None:
    networks = {"short_range": b"something else", "full_range": b""}
    with pytest.raises(SystemExit, match=r"short_range came .*requirements/faces-build.txt"):
        write_bundle(networks, tmp_path / "bundle")
    assert not list(tmp_path.iterdir())


def test_another_wheel_is_refused(tmp_path: Path) -> None:
    wheel = tmp_path / "mediapipe.whl"
    wheel.write_bytes(b"something else")
    with pytest.raises(SystemExit, match=r"expected 05dc4a9e593655a7….*try again"):
        verified(wheel)


def test_a_failing_pip_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # given an interpreter that cannot download
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 'ERROR: no matching distribution' >&2\nexit 1\n")
    python.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(python))
    # then its own words come through
    with pytest.raises(SystemExit, match=r"failed \(ERROR: no matching .*check the network"):
        fetch_wheel(tmp_path)


def test_compressed_rows_are_spread_over_their_columns() -> None:
    stored = np.array([1, 2, 3], np.float16)
    rows = densified(stored, np.array([0, 2, 2, 3]), np.array([0, 3, 1]), width=5)
    assert rows.tolist() == [[1, 0, 0, 2, 0], [0, 0, 0, 0, 0], [0, 3, 0, 0, 0]]


def test_an_unknown_operator_is_refused() -> None:
    network = TfliteNetwork(
        operators=(Operator(kind="SOFTMAX", inputs=(0,), output=1, options={}),),
        constants={},
        shapes={},
        input=0,
        outputs=(1, 2),
    )
    with pytest.raises(SystemExit, match="SOFTMAX has no ONNX form"):
        onnx_model(network, "short_range")


def test_a_present_bundle_is_not_built_again(faces: Path) -> None:
    said: list[str] = []
    assert model_build.ensure_faces(said.append) == faces
    assert said == []


def test_each_builder_has_a_cache_of_its_own(tmp_path: Path) -> None:
    # given a copy of the project
    for folder in ("layers", "local", "requirements"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    before = _bundle_names(tmp_path)
    # when the builder of the face detector changes
    with (tmp_path / "layers/model/build/faces/bundle.py").open("a") as file:
        file.write("# changed\n")
    after_faces = _bundle_names(tmp_path)
    # and then that of the classifier
    with (tmp_path / "layers/model/build/quantize.py").open("a") as file:
        file.write("# changed\n")
    after_both = _bundle_names(tmp_path)
    # then each change makes a new bundle of its own kind only
    assert after_faces[0] == before[0]
    assert after_faces[1] != before[1]
    assert after_both[0] != before[0]
    assert after_both[1] == after_faces[1]


def _bundle_names(project: Path) -> list[str]:
    code = (
        "from local.models.build import bundle_path, faces_path;"
        "print(bundle_path('mobilenet_v2').name, faces_path().name)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=project,
        env={"PYTHONPATH": ".:layers/core:layers/model"},
    )
    return done.stdout.split()
