"""`make deploy` and `make destroy`: what they call, and when a new version is published."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from local.release import overrides, release
from photogate.errors import ConfigError

pytestmark = pytest.mark.quick

ROOT = Path(__file__).parents[2]
TEMPLATE = """
Parameters:
  Release: { Type: String, Default: first }
  DatabaseProtection: { Type: String, Default: "false" }
  LogLevel: { Type: String, Default: INFO }
  Concurrency: { Type: Number, Default: 40 }
Resources:
  UploadFunction:
    Type: AWS::Serverless::Function
    Properties: { CodeUri: UploadFunction, MemorySize: !Ref Concurrency }
"""


@pytest.fixture
def build(tmp_path: Path) -> Path:
    (tmp_path / "UploadFunction").mkdir()
    (tmp_path / "UploadFunction" / "app.py").write_text("handler = print\n")
    (tmp_path / "template.yaml").write_text(TEMPLATE)
    return tmp_path


def recipe(target: str, **variables: str) -> str:
    """Give what make would run."""
    environment = {name: value for name, value in os.environ.items() if name != "CI"}
    done = subprocess.run(
        ["make", "-n", target],
        cwd=ROOT,
        env=environment | variables,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


class TestMake:
    def test_it_builds_deploys_and_protects_in_this_order(self) -> None:
        said = recipe("deploy", STACK="other", PARAMETERS="LogLevel=DEBUG")
        steps = [
            "sam build --parameter-overrides PythonRuntime=python3.13",
            "photogate stack release other PythonRuntime=python3.13 LogLevel=DEBUG",
            "sam deploy --stack-name other",
            "photogate stack protect other",
            "photogate stack tidy other",
        ]
        places = [said.index(step) for step in steps]
        assert places == sorted(places)
        assert "Release=$release LogLevel=DEBUG" in said
        # Nothing to deploy is no failure: `make deploy` may be run twice.
        assert "fail_on_empty_changeset = false" in (ROOT / "samconfig.toml").read_text("utf-8")

    @pytest.mark.parametrize("asks", [{}, {"CI": "true"}, {"CONFIRM": "no"}])
    def test_it_asks_but_in_ci(self, asks: dict[str, str]) -> None:
        assert ("--no-confirm-changeset" in recipe("deploy", **asks)) is bool(asks)
        assert "confirm_changeset = true" in (ROOT / "samconfig.toml").read_text("utf-8")

    @pytest.mark.parametrize("asks", [{}, {"CI": "true"}, {"CONFIRM": "no"}])
    def test_destroying_asks_in_ci_as_well(self, asks: dict[str, str]) -> None:
        said = recipe("destroy", STACK="other", **asks)
        assert "photogate stack destroy other" in said
        assert ("--yes" in said) is ("CONFIRM" in asks)

    @pytest.mark.parametrize("named", [{}, {"STACK": ""}])
    def test_destroying_needs_a_name(self, named: dict[str, str]) -> None:
        with pytest.raises(subprocess.CalledProcessError) as failed:
            recipe("destroy", CONFIRM="no", **named)
        assert "make destroy STACK=name" in failed.value.stderr

    def test_a_runtime_that_is_missing_is_said(self) -> None:
        done = subprocess.run(
            ["make", "deploy", "RUNTIME=python3.99", "SAM=false", "LOCKED=true"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode != 0
        assert "python3.99, which is not on the PATH" in done.stderr


class TestRelease:
    def test_the_same_is_the_same(self, build: Path) -> None:
        first = release(build, {}, {})
        assert len(first) == 40
        # The second deployment finds the defaults in the stack, and what was set after the first.
        deployed = {"Release": first, "DatabaseProtection": "true", "LogLevel": "INFO"}
        assert release(build, deployed | {"Concurrency": "40", "Gone": "x"}, {}) == first
        assert release(build, deployed, {"LogLevel": "INFO"}) == first

    def test_a_parameter_makes_another(self, build: Path) -> None:
        first = release(build, {}, {})
        changed = release(build, {}, {"LogLevel": "DEBUG"})
        assert changed != first
        # It stays, where the next deployment does not name it.
        assert release(build, {"LogLevel": "DEBUG"}, {}) == changed
        assert release(build, {"LogLevel": "DEBUG"}, {"LogLevel": "INFO"}) == first

    def test_code_makes_another(self, build: Path) -> None:
        first = release(build, {}, {})
        (build / "UploadFunction" / "__pycache__").mkdir()
        (build / "UploadFunction" / "__pycache__" / "app.pyc").write_bytes(b"1")
        assert release(build, {}, {}) == first
        (build / "UploadFunction" / "app.py").write_text("handler = len\n")
        assert release(build, {}, {}) != first

    def test_an_image_makes_another(self, build: Path) -> None:
        image = "  ModerateFunction: { Properties: { ImageUri: moderatefunction:moderate } }\n"
        (build / "template.yaml").write_text(TEMPLATE + image)
        docker = build.parent / f"{build.name}-docker"

        def digest(image_id: str) -> str:
            docker.write_text(
                f'#!/bin/sh\n[ "$1 $5" = "image moderatefunction:moderate" ]\n{image_id}\n'
            )
            docker.chmod(0o755)
            return release(build, {}, {}, docker=str(docker))

        assert digest("echo sha256:1") != digest("echo sha256:2")
        with pytest.raises(ConfigError, match="ModerateFunction is not there: No such image"):
            digest("echo No such image >&2; exit 1")

    def test_what_is_wrong_is_said(self, build: Path) -> None:
        with pytest.raises(ConfigError, match="no parameter LogLevle"):
            release(build, {}, {"LogLevle": "DEBUG"})
        with pytest.raises(ConfigError, match="run `sam build`"):
            release(build / "none", {}, {})
        with pytest.raises(ConfigError, match='PARAMETERS="Name=value'):
            overrides(["LogLevel"])
        assert overrides(["AllowedOrigins=https://a?b=c"]) == {"AllowedOrigins": "https://a?b=c"}
