"""``photogate model``, as it is typed."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from local.home import free_port
from local.samples import jpeg, photograph
from photogate.errors import ConfigError
from photogate_vision.classifier.bundle import load_bundle
from tests.e2e.running import PHOTOGATE
from tests.model.classifiers import Classifier

MAP = ["--map", "nsfw=explicit", "--map", "normal=neutral"]


class Machine:
    """A cache of its own, with the shipped models in it."""

    def __init__(self, cache: Path, *shipped: Path) -> None:
        self.own = cache / "models" / "own"
        self.environment = os.environ | {"PHOTOGATE_CACHE": str(cache)}
        self.own.parent.mkdir(parents=True)
        for folder in shipped:
            (self.own.parent / folder.name).symlink_to(folder)

    def run(
        self, *arguments: str | Path, stdin: int = subprocess.DEVNULL, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [PHOTOGATE, *arguments],
            stdin=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=self.environment | environment,
        )

    def left(self) -> set[str]:
        """What is in the folder of added models, but for locks."""
        found = self.own.iterdir() if self.own.is_dir() else ()
        return {path.name for path in found if path.suffix != ".lock"}


@pytest.fixture
def machine(tmp_path: Path, bundle: Path, second_bundle: Path) -> Machine:
    return Machine(tmp_path / "cache", bundle, second_bundle)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return Classifier(labels=["normal", "nsfw"]).write(tmp_path / "Tiny-ViT")


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """A terminal: where a person types, and what a program reads."""
    typed, read = pty.openpty()
    yield typed, read
    os.close(typed)
    os.close(read)


@pytest.mark.slow
def test_a_model_is_shown_tried_and_then_there_to_use(
    machine: Machine, source: Path, second_bundle: Path, tmp_path: Path
) -> None:
    # when a model is added
    done = machine.run("model", "add", source, *MAP, "--yes")
    assert (done.returncode, done.stderr) == (0, "")
    # then what it is and how it did stood there before
    digest = load_bundle(machine.own / "tiny-vit").digest
    for words in (
        "onnx/model.onnx",
        digest,
        "apache-2.0",
        "pixel_values: 224 × 224 RGB, float32, NCHW",
        "nsfw → explicit",
        "explicit, mobilenet_v2",
        "portrait, blurred",
        "calibrated for the shipped model",
        "Nothing is mapped to sexy",
    ):
        assert words in done.stdout
    assert "licence" in done.stdout
    assert "yours to find out" not in done.stdout
    # then it judges photos under its digest
    photo = tmp_path / "cat.jpg"
    photo.write_bytes(jpeg(photograph("chelsea.png")))
    checked = machine.run("check", "--json", "--policy", "community", "--model", "tiny-vit", photo)
    assert checked.returncode == 0, checked.stderr
    verdict = json.loads(checked.stdout)
    assert verdict["status"] == "approved"
    first, second = verdict["scores"]["model"].split("+")
    assert (first, second) == (digest, load_bundle(second_bundle).digest)
    assert set(verdict["scores"]["opinions"]) == {"opennsfw"}
    assert set(verdict["scores"]["nsfw_scores"]) == {"explicit", "neutral"}
    # then it is listed, its folder can be asked for, and it can be removed
    listed = machine.run("model", "list").stdout
    assert "explicit" in next(line for line in listed.splitlines() if "tiny-vit" in line)
    assert "not built" in next(line for line in listed.splitlines() if "inception_v3" in line)
    assert machine.run("model", "build", "tiny-vit").stdout == f"{machine.own / 'tiny-vit'}\n"
    assert machine.run("model", "remove", "tiny-vit").returncode == 0
    assert machine.left() == set()
    assert "no model is called 'tiny-vit'" in machine.run("model", "build", "tiny-vit").stderr


@pytest.mark.parametrize(("answer", "added"), [("y\n", True), ("n\n", False), ("\n", False)])
def test_a_person_is_asked(
    machine: Machine, source: Path, terminal: tuple[int, int], answer: str, added: bool
) -> None:
    typed, read = terminal
    os.write(typed, answer.encode())
    done = machine.run("model", "add", source, *MAP, "--name", "mine", stdin=read)
    assert "accept? [y/N]" in done.stdout
    assert machine.left() == ({"mine"} if added else set())
    assert done.returncode == (0 if added else 1)
    assert ("mine was not accepted" in done.stderr) is not added


def test_without_a_person_nothing_is_accepted_unsaid(machine: Machine, source: Path) -> None:
    done = machine.run("model", "add", source, *MAP)
    assert done.returncode == 1
    assert "run it again with --yes" in done.stderr
    assert "nsfw → explicit" in done.stdout
    assert machine.left() == set()


@pytest.mark.slow
def test_a_broken_model_never_replaces_a_good_one(
    machine: Machine, source: Path, tmp_path: Path
) -> None:
    assert machine.run("model", "add", source, *MAP, "--name", "mine", "--yes").returncode == 0
    good = load_bundle(machine.own / "mine").digest
    # given one that gives NaN, and one that is sound
    broken = Classifier(labels=["normal", "nsfw"])
    broken.bias[:] = np.nan
    broken.write(tmp_path / "broken")
    other = Classifier(labels=["normal", "nsfw"], layout="NHWC").write(tmp_path / "other")
    # when they are added under the same name, or the broken one under another
    for folder, name, words in (
        (tmp_path / "broken", "mine", "a model is called 'mine' already"),
        (other, "mine", "a model is called 'mine' already"),
        (other, "mobilenet_v2", "a model is called 'mobilenet_v2' already"),
        (other, "../mine", "cannot be a model's name"),
        (tmp_path / "broken", "new", "not finite"),
    ):
        done = machine.run("model", "add", folder, *MAP, "--name", name, "--yes")
        assert done.returncode == 1
        assert words in done.stderr
    # then the good one is what it was, and nothing else is there
    assert load_bundle(machine.own / "mine").digest == good
    assert machine.left() == {"mine"}


def test_what_a_crash_left_is_cleared_away(machine: Machine, source: Path) -> None:
    (machine.own / ".mine.part").mkdir(parents=True)
    (machine.own / ".mine.part" / "model.onnx").write_bytes(b"half")
    assert machine.run("model", "add", source, *MAP, "--name", "mine", "--yes").returncode == 0
    assert machine.left() == {"mine"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "label 'normal', 'nsfw' is not mapped"),
        (["--map", "nsfw=porn", "--map", "nsfw=hentai"], "never split up"),
        (["--map", "nsfw=neutral", "--map", "normal=explicit"], "is --map the wrong way round?"),
        ([*MAP, "--file", "onnx/model_int8.onnx"], "no ONNX file 'onnx/model_int8.onnx'"),
        ([*MAP, "--output", "probabilities"], "leave --output out"),
    ],
)
def test_what_cannot_be_added_is_told_in_one_line(
    machine: Machine, source: Path, arguments: list[str], words: str
) -> None:
    done = machine.run("model", "add", source, *arguments, "--yes")
    assert done.returncode == 1
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert machine.left() == set()


@pytest.mark.slow
def test_the_environments_model_is_used_unless_another_is_named(
    machine: Machine, source: Path, bundle: Path, tmp_path: Path
) -> None:
    photo = tmp_path / "cat.jpg"
    photo.write_bytes(jpeg(photograph("chelsea.png")))
    machine.run("model", "add", source, *MAP, "--name", "mine", "--yes")
    added = machine.run("model", "build", "mine").stdout.strip()

    def digest(*options: str, model_dir: str) -> object:
        arguments = ["check", "--json", "--policy", "community", *options, str(photo)]
        done = machine.run(*arguments, MODEL_DIR=model_dir)
        return json.loads(done.stdout)["scores"]["model"]

    own, shipped = digest(model_dir=added), digest("--model", "mobilenet_v2", model_dir=added)
    assert own != shipped
    assert digest("--model", "mine", model_dir=str(bundle)) == own
    refused = machine.run(
        *("up", "--port", str(free_port()), "--model", "nonsense"),
        MODEL_DIR=str(bundle),
        PHOTOGATE_HOME=str(tmp_path / "home"),
    )
    assert "no model is called 'nonsense'" in refused.stderr


def test_a_licence_that_is_not_stated_is_the_users_to_find_out(
    machine: Machine, tmp_path: Path
) -> None:
    source = Classifier(labels=["normal", "nsfw"], card=None).write(tmp_path / "mine")
    done = machine.run("model", "add", source, *MAP, "--yes")
    assert "states no licence: whether you may use it is yours to find out" in done.stdout


def test_a_damaged_model_is_refused_and_listed_as_such(machine: Machine, source: Path) -> None:
    assert machine.run("model", "add", source, *MAP, "--name", "mine", "--yes").returncode == 0
    model = machine.own / "mine" / "model.onnx"
    model.write_bytes(model.read_bytes()[:-1])
    listed = machine.run("model", "list")
    assert "damaged" in next(line for line in listed.stdout.splitlines() if "mine" in line)
    assert "altered or cut short" in machine.run("check", "--model", "mine", "x.jpg").stderr
    with pytest.raises(ConfigError, match="altered"):
        load_bundle(machine.own / "mine")
